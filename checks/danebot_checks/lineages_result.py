"""The status document as one plugin result for one concern: what was found is rendered here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.adapters.status_file import StatusError, read_status
from danebot.domain.finding import Finding, Severity, most_serious_first
from danebot.domain.kinds import Basis, Concern
from danebot.domain.status.overdue import Allowed, judged, no_document
from danebot.domain.thresholds import Thresholds
from danebot.errors import DanebotError
from danebot.plugin.command_line import UsageError
from danebot.plugin.numbers import parse_range as days
from danebot.plugin.numbers import performance
from danebot.plugin.output import STATES, PluginResult, State, finding_line, told
from danebot_checks.lineages_concerns import Outline, outline, seen_numbers

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from danebot.domain.status.document import LineageStatus, Snapshot

_FINDINGS, _EVERYTHING = 1, 2  # verbosity


def concern_result(options: argparse.Namespace, now: datetime) -> PluginResult:
    """Judge the concern that ``options`` name; ``now`` is aware UTC."""
    concern = Concern(options.concern)
    try:
        document = _document(options.snapshot, options.lineage)
    except StatusError as fault:
        found = no_document(fault.reason, str(fault), concern)
        return PluginResult(STATES[found.severity], f"{concern.value}: {found.sentence}")
    allowed = _allowed(options)
    findings = judged(document, options.lineage, concern, allowed, now)
    said = outline(document, concern, allowed, options, now)
    if options.recheck:
        findings, said = _rechecked(document, options, findings, said)
    return _result(findings, said, document, options, now)


def _document(path: str, names: Sequence[str]) -> Snapshot:
    """Return the document with the lineages asked for, all for no ``names``."""
    chosen: list[LineageStatus] = []

    def choose(status: LineageStatus) -> None:
        if not names or status.name in names:
            chosen.append(status)

    return read_status(path, choose)._replace(lineages=tuple(chosen))


def _allowed(options: argparse.Namespace) -> Allowed:
    warning, critical = options.warning, options.critical
    given = (warning, critical) != (None, None)
    return Allowed(
        timedelta(days=options.max_age),
        Thresholds(warning or days("~:2.25"), critical or days("~:7")),
        Thresholds(warning, critical) if given else None,
        options.staged,
        options.due,
        options.unconfirmed,
        options.removal,
        options.key_age,
    )


def _rechecked(
    document: Snapshot,
    options: argparse.Namespace,
    findings: list[Finding],
    said: Outline,
) -> tuple[list[Finding], Outline]:
    """Put what DNS says now in place of what it said; what can't be asked hides nothing."""
    from danebot.domain.codes import Code
    from danebot_checks.lineages_recheck import recheck

    try:
        found = recheck(document.lineages, document.witnesses, options)
    except UsageError:
        raise
    except DanebotError as exc:
        words = f"DNS could not be asked: {exc}"
        failed = Finding(Code.DNS_UNREACHABLE, Severity.UNJUDGED, "", words, "see: danebot status")
        return [*findings, failed], said
    kept = [
        one for one in findings if one.code.basis is not Basis.DNS or one.where not in found.settled
    ]
    numbers = seen_numbers(found.records, found.seen)
    return [*kept, *found.findings], said._replace(performance=numbers)


def _result(
    findings: Sequence[Finding],
    said: Outline,
    document: Snapshot,
    options: argparse.Namespace,
    now: datetime,
) -> PluginResult:
    unique = most_serious_first(dict.fromkeys(findings))
    wrong = [finding for finding in unique if STATES[finding.severity] is not State.OK]
    summary = told(wrong) if wrong else said.good
    return PluginResult(
        STATES[wrong[0].severity] if wrong else State.OK,
        f"{options.concern}: {summary}",
        _details(unique, document.lineages, options.verbose, now),
        [*said.performance, _age(document, options, now)],
    )


def _age(document: Snapshot, options: argparse.Namespace, now: datetime) -> str:
    age = (now - document.run.ended) / timedelta(days=1)
    return performance("document_days", age, critical=None, most=f"{options.max_age:g}")


def _details(
    findings: Sequence[Finding], lineages: Sequence[LineageStatus], verbosity: int, now: datetime
) -> list[str]:
    lines = []
    if verbosity >= _FINDINGS:
        lines += [finding_line(finding) for finding in findings]
    if verbosity >= _EVERYTHING:
        from danebot_checks.lineages_details import lineage_lines

        lines += [line for status in lineages for line in lineage_lines(status, now)]
    return lines
