"""What to do next with a lineage, in the order of urgency: findings, then records, then waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.finding import Severity
from danebot.domain.rollover.plan import Phase
from danebot.domain.text import duration, when
from danebot_exporter.endpoints import Judgement

if TYPE_CHECKING:
    from danebot.domain.status.document import FindingStatus, LineageStatus
    from danebot_exporter.endpoints import Report

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


def urgency(status: LineageStatus, reports: Sequence[Report]) -> int:
    """As `rank`, with what the services were just seen to serve."""
    served = [one.judgement for report in reports for one in report.served]
    if Judgement.MISMATCH in served:
        return Severity.CRITICAL
    failed = Severity.WARNING if any(not report.success for report in reports) else -1
    return max(rank(status.findings), failed)


def advice(status: LineageStatus, reports: Sequence[Report], now: datetime) -> tuple[Advice, ...]:
    """At least one piece of advice."""
    found = [*_served(reports)]
    found += [
        Advice(finding.severity, finding.text, finding.remedy)
        for finding in sorted(status.findings, key=lambda each: -rank((each,)))
    ]
    found += _records(status)
    if not status.findings and urgency(status, reports) < 0:
        found.append(Advice("fine", _course(status, now)))
    return tuple(found)


def _served(reports: Sequence[Report]) -> Iterator[Advice]:
    for report in reports:
        endpoint = report.watched.endpoint
        if any(one.judgement is Judgement.MISMATCH for one in report.served):
            yield Advice(
                "critical",
                f"{endpoint} presents a certificate that no TLSA record matches",
                "reload that service, or publish the record of what it serves",
            )
        elif not report.success:
            yield Advice("warning", f"{endpoint} can't be authenticated by DANE (see below)")


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
        case Phase.STANDBY.value:
            return (
                f"Nothing to do: a next key stands by. To roll over: danebot newkey {status.name}"
            )
        case Phase.DEPLOYED.value:
            return "Deployed; the next danebot renew confirms that the services serve it."
        case _:
            return f"{status.doing or 'The next danebot renew goes on with it'}."
