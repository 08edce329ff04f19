"""What to do next with a lineage, in the order of urgency: findings, then records, then waiting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.assess import duration, when
from danebot.domain.findings import Severity
from danebot.domain.rollover import Phase

if TYPE_CHECKING:
    from danebot.domain.snapshot import FindingStatus, LineageStatus

RANK = {severity.name.lower(): int(severity) for severity in Severity}


@dataclass(frozen=True, slots=True)
class Advice:
    """``severity`` as in the document, or "fine"; ``lines`` are to be taken over literally."""

    severity: str
    text: str
    remedy: str = ""
    lines: tuple[str, ...] = ()


def rank(findings: tuple[FindingStatus, ...]) -> int:
    """How urgent; -1 without a finding."""
    return max((RANK.get(finding.severity, Severity.WARNING) for finding in findings), default=-1)


def advice(status: LineageStatus, now: datetime) -> tuple[Advice, ...]:
    """At least one piece of advice."""
    found = [
        Advice(finding.severity, finding.text, finding.remedy)
        for finding in sorted(status.findings, key=lambda each: -rank((each,)))
    ]
    found += _records(status)
    if not status.findings:
        found.append(Advice("fine", _course(status, now)))
    return tuple(found)


def _records(status: LineageStatus) -> Iterator[Advice]:
    add, remove = status.publication.add, status.publication.remove
    if add:
        text = "Add to DNS, and keep the records that are there"
        yield Advice("notice", text, lines=add)
    if remove:
        yield Advice("info", "May be removed from DNS: keys no longer in use", lines=remove)


def _course(status: LineageStatus, now: datetime) -> str:
    match status.phase:
        case Phase.STABLE.value:
            return "Nothing to do."
        case Phase.PASS_THROUGH.value:
            return (
                "Left to certbot. To have danebot keep its TLSA records and keys in agreement: "
                f"danebot init {status.name}"
            )
        case Phase.COOLING.value if status.safe_at is not None:
            left = duration(max(status.safe_at - now, timedelta(0)))
            return (
                f"Nothing to do: the ready key may be used after {when(status.safe_at)} ({left})."
            )
        case Phase.DEPLOYED.value:
            return "Deployed; the next danebot renew confirms that the services serve it."
        case _:
            return f"{status.doing or 'The next danebot renew goes on with it'}."
