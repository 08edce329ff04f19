"""The status document as one plugin result for one concern.

What was found is rendered, not found again: `danebot.domain.rollover.findings` gave every finding
its code and its severity.  Only what goes by in time is judged here, since the document may be a
day old.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.errors import DanebotError
from danebot_checks.lineages_concerns import (
    LEVELS,
    SKEW,
    Judged,
    Note,
    findings,
    renewal,
    rollover,
    seen_numbers,
    span,
    tlsa,
)
from danebot_checks.lineages_document import AbsentError, Entry, UnusableError, read_document
from danebot_checks.lineages_expiry import expiry
from danebot_checks.plugin import Result, State, UsageError, counted, performance

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_JUDGES = {"renewal": renewal, "tlsa": tlsa, "expiry": expiry, "rollover": rollover}
_FINDINGS, _EVERYTHING = 1, 2  # verbosity


def tell(options: argparse.Namespace, now: datetime) -> Result:
    """Judge the concern that ``options`` name; ``now`` is aware UTC."""
    concern = options.concern
    try:
        document = read_document(options.snapshot)
        return _judged(document, options, now)
    except AbsentError as exc:
        state = State.CRITICAL if concern == "renewal" else State.UNKNOWN
        return Result(state, f"{concern}: {exc}")
    except UnusableError as exc:
        return Result(State.UNKNOWN, f"{concern}: {exc}")


def _judged(document: Entry, options: argparse.Namespace, now: datetime) -> Result:
    chosen, notes = _chosen(document, options.lineage)
    notes += _fresh(document, options, now)
    judged = _JUDGES[options.concern](document, chosen, options, now)
    timed = {note.lineage for note in judged.notes}
    found = findings(document, chosen, options)
    notes += [note for note in found if not (note.timed and note.lineage in timed)]
    notes += judged.notes
    if options.recheck:
        notes, judged = _rechecked(chosen, options, notes, judged)
    unique = sorted(dict.fromkeys(notes), key=lambda note: -LEVELS.index(note.state))
    wrong = [note for note in unique if note.state is not State.OK]
    if wrong:
        more = f" (and {counted(len(wrong) - 1, 'more problem')})" if wrong[1:] else ""
        summary = f"{wrong[0]}{more}"
    else:
        summary = judged.good
    return Result(
        wrong[0].state if wrong else State.OK,
        f"{options.concern}: {summary}",
        _details(unique, chosen, options.verbose, now),
        [*judged.performance, _age(document, options, now)],
    )


def _rechecked(
    chosen: Sequence[Entry], options: argparse.Namespace, notes: list[Note], judged: Judged
) -> tuple[list[Note], Judged]:
    """With what DNS says now in place of what it said; what can't be asked hides nothing."""
    from danebot_checks.lineages_recheck import recheck

    try:
        found = recheck(chosen, options)
    except UsageError:
        raise
    except DanebotError as exc:
        words = f"DNS could not be asked: {exc}"
        return [*notes, Note(State.UNKNOWN, "", words, "see: danebot status")], judged
    kept = [note for note in notes if not (note.looked_up and note.lineage in found.settled)]
    numbers = seen_numbers(found.records, found.seen)
    return [*kept, *found.notes], judged._replace(performance=numbers)


def _chosen(document: Entry, names: Sequence[str]) -> tuple[list[Entry], list[Note]]:
    """The lineages asked for; nothing to look at is never fine."""
    found = list(document.entries("lineages"))
    if names:
        there = {entry.text("name") for entry in found}
        missing = [name for name in names if name not in there]
        found = [entry for entry in found if entry.text("name") in names]
        return found, [
            Note(State.UNKNOWN, name, "no such lineage; see: danebot status", "")
            for name in missing
        ]
    if not found:
        return [], [Note(State.UNKNOWN, "", "no lineage is known to danebot", "")]
    return found, []


def _fresh(document: Entry, options: argparse.Namespace, now: datetime) -> list[Note]:
    """Whether the document is of now, more or less."""
    run = document.entry("run")
    written = run.needed("ended") if run is not None else None
    if written is None:
        raise AbsentError(f"{options.snapshot} is damaged: it tells of no run")
    if written > now + SKEW:
        words = f"the status document is {span(written - now)} ahead of this clock"
        return [Note(State.UNKNOWN, "", words, "see the clock, then run: danebot renew")]
    if now - written <= timedelta(days=options.max_age):
        return []
    state = State.CRITICAL if options.concern == "renewal" else State.UNKNOWN
    words = f"the status document is {span(now - written)} old"
    return [Note(state, "", words, "see why the job doesn't run: systemctl status danebot.timer")]


def _age(document: Entry, options: argparse.Namespace, now: datetime) -> str:
    run = document.entry("run")
    written = run.needed("ended") if run is not None else now
    days = (now - written) / timedelta(days=1)
    return performance("document_days", days, critical=None, most=f"{options.max_age:g}")


def _details(
    notes: Sequence[Note], chosen: Sequence[Entry], verbosity: int, now: datetime
) -> list[str]:
    lines = []
    if verbosity >= _FINDINGS:
        for note in notes:
            word = "NOTE" if note.state is State.OK else note.state.name
            lines.append(f"[{word}] {note}" + (f"; {note.remedy}" if note.remedy else ""))
    if verbosity >= _EVERYTHING:
        from danebot_checks.lineages_details import lineage_lines

        lines += [line for entry in chosen for line in lineage_lines(entry, now)]
    return lines
