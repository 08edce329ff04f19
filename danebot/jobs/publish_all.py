"""Publication for many lineages, together: in each `renew` where that is wanted, or by itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding
from danebot.domain.rollover.evidence.change_outcomes import Part
from danebot.jobs.lineage_run import LineageRun, observe, review
from danebot.jobs.publish import Attempt, Timing, attempt, conclude, read_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView

_FAILURES = (Code.PUBLISH_FAILED, Code.PUBLISH_ALTERED)


def publish_all(context: Context, runs: Sequence[LineageRun], part: Part, timing: Timing) -> None:
    """Publish one part for all of them, and observe all together afterwards.

    What was to be added already in this run isn't asked for again.
    """
    tried: list[tuple[LineageRun, Attempt]] = []

    def begin(run: LineageRun) -> None:
        seen = run.preview()
        if part is Part.ADD and not run.progress.lacks_more(seen.publication):
            return
        if part is Part.ADD:
            run.progress = run.progress.asking(seen.publication)
        before = [each for _, each in tried]
        tried.append((run, attempt(context, seen, part, timing, before)))

    for run in runs:
        run.guard(partial(begin, run))
    after = read_back(context, [each for _, each in tried])

    def finish(run: LineageRun, each: Attempt) -> None:
        done = conclude(context, each, after)
        run.take_published(done.memory, done.findings, done.seen or {})

    for run, each in tried:
        run.guard(partial(finish, run, each))


def publish_now(
    context: Context, names: Sequence[str]
) -> tuple[tuple[LineageView, ...], tuple[Finding, ...]]:
    """Publish all that the named lineages lack, then remove what may go; the caller locks.

    Returns the last views, and findings about publication.
    """
    runs = [LineageRun(context, name) for name in names]
    for run in runs:
        run.guard(run.recall)
    observe(context, runs)
    publish_all(context, runs, Part.ADD, Timing.NOW)
    for run in runs:
        run.guard(partial(_ask_first, context, run))
    publish_all(context, runs, Part.REMOVE, Timing.NOW)
    review(context, runs)
    views = tuple(view for run in runs if (view := run.view) is not None)
    found = [finding for run in runs for finding in run.progress.events]
    found += [f for one in views for f in one.findings if f.code in _FAILURES]
    return views, tuple(dict.fromkeys(found))


def _ask_first(context: Context, run: LineageRun) -> None:
    """Ask services, before records go, whether one has come back to an old key."""
    if run.preview().publication.remove and context.settings.probe(run.name):
        from danebot.jobs.confirm import confirm

        run.do(confirm(context, run.read(), run.memory, run.progress.sources.seen))
