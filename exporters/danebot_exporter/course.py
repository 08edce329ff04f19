"""The course of a lineage on the page: its findings, or else where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.finding import Finding, Severity, most_serious_first
from danebot.domain.rollover.steps.phases import Phase
from danebot.domain.status.document import LineageStatus, finding_of
from danebot.domain.text import duration, quoted, when

if TYPE_CHECKING:
    from danebot_exporter.endpoints import EndpointReport


def findings_of(status: LineageStatus, reports: Sequence[EndpointReport]) -> tuple[Finding, ...]:
    """Return what services were just seen to do, then the document's findings, the worst first."""
    found = most_serious_first(map(finding_of, status.findings))
    return (*(finding for report in reports for finding in report.findings), *found)


def urgency(status: LineageStatus, reports: Sequence[EndpointReport]) -> Severity | None:
    """Return the severity of the worst of them, None without a finding."""
    return max((one.severity for one in findings_of(status, reports)), default=None)


def waits(status: LineageStatus) -> bool:
    """Return whether there are records that the operator is to add, or may remove."""
    return bool(status.publication.add or status.publication.remove)


def course(status: LineageStatus, now: datetime) -> str:
    """Return where a lineage stands that has no finding, in a sentence."""
    match status.phase:
        case Phase.STABLE.value:
            return "Nothing to do."
        case Phase.PASS_THROUGH.value:
            return (
                "Left to certbot. To have danebot keep its TLSA records and keys in agreement: "
                f"danebot init {quoted(status.name)}"
            )
        case Phase.COOLING.value if status.safe_at is not None:
            left = duration(max(status.safe_at - now, timedelta(0)))
            return (
                f"Nothing to do: the ready key may be used after {when(status.safe_at)} ({left})."
            )
        case Phase.STANDBY.value:
            roll = f"danebot newkey {quoted(status.name)}"
            return f"Nothing to do: a next key stands by. To roll over: {roll}"
        case Phase.DEPLOYED.value:
            return "Deployed; the next danebot renew confirms that the services serve it."
        case _:
            return f"{status.doing or 'The next danebot renew goes on with it'}."
