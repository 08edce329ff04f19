"""The ``exec`` publisher: an operator's program, for providers with their own interface.

It gets one JSON document on standard input and says by its exit status what came of it; the
contract is in docs/publishing.md.  What counts is what the authoritative servers show afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from danebot.adapters.process import Ending, run_program
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.records.changes import Change, ChangeResult

VERSION = 1
TRY_LATER = 75  # EX_TEMPFAIL of sysexits.h
_GRACE = timedelta(seconds=10)


@dataclass(frozen=True)
class ExecPublisher:
    """`ports.Publisher` by a shell command line; ``progress`` takes what it says."""

    command: str
    timeout: timedelta
    zone: DnsName | None
    environment: Mapping[str, str]
    progress: Callable[[str], None]

    def publish(self, change: Change) -> ChangeResult:
        """Run the program; trouble is in the result."""
        left = replace(
            change,
            add=tuple(record for record in change.add if record not in change.everywhere),
            remove=tuple(record for record in change.remove if record in change.seen),
        )
        if left.empty:
            return ChangeResult(change, ChangeOutcome.UNCHANGED)
        if not change.safe(change.seen):
            return ChangeResult(change, ChangeOutcome.UNSAFE)
        ended = run_program(
            ["/bin/sh", "-c", self.command],
            timeout=self.timeout,
            grace=_GRACE,
            environment={**self.environment, "DANEBOT_EVENT": "publish"},
            stdin=json.dumps(change_document(left, self.zone or change.zone), indent=1).encode()
            + b"\n",
        )
        for line in ended.lines:
            self.progress(f"{change.lineage}: {line}")
        if ended.succeeded:
            return ChangeResult(change, ChangeOutcome.DONE)
        said = ended.lines[-1] if ended.lines else ""
        if ended.ending is not Ending.EXITED:
            return ChangeResult(change, ChangeOutcome.PROGRAM, detail=ended.ending.value, said=said)
        if ended.exit_status == TRY_LATER:
            return ChangeResult(change, ChangeOutcome.LATER, said=said)
        detail = f"exit status {ended.exit_status}"
        return ChangeResult(change, ChangeOutcome.PROGRAM, detail=detail, said=said)

    def rehearse(self, change: Change) -> ChangeResult:
        """See whether there is a program to run; what it would do, only it can tell."""
        from danebot.adapters.inspection import command_trouble

        found = command_trouble(self.command)
        if found is None:
            return ChangeResult(change, ChangeOutcome.UNCHANGED)
        return ChangeResult(change, ChangeOutcome.PROGRAM, detail=f"{found.path} {found.why}")


def change_document(change: Change, zone: DnsName | None) -> dict[str, Any]:
    """What the program is told: what to do, what was seen, and what the RRset is to be then."""
    target = change.target.text
    apex = zone.text if zone is not None else ""
    relative = target.removesuffix(f".{apex}") if apex and target != apex else target
    return {
        "version": VERSION,
        "lineage": change.lineage,
        "owners": [str(owner) for owner in change.owners],
        "name": target,
        "zone": apex,
        "relative_name": "@" if target == apex else relative,
        "type": "TLSA",
        "ttl": int(change.new_ttl(change.seen_ttl).total_seconds()),
        "add": _records(change.add),
        "remove": _records(change.remove),
        "seen": _records(change.seen),
        "rrset": _records(sorted(change.result(change.base))),
    }


def _records(found: Iterable[TlsaRecord]) -> list[dict[str, Any]]:
    return [
        {
            "usage": record.usage,
            "selector": record.selector,
            "matching_type": record.mtype,
            "data": record.hex,
            "text": str(record),
        }
        for record in found
    ]
