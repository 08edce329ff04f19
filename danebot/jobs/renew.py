"""`danebot renew`: every lineage through the plan, certbot for all the rest, hooks, the wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.names import printable
from danebot.domain.rollover.change_outcomes import Part
from danebot.domain.rollover.patience import Asking
from danebot.errors import DanebotError, LockedError, TreeError
from danebot.jobs.lineage_run import LineageRun
from danebot.jobs.ordinary import renew_the_rest
from danebot.jobs.snapshot import Scope
from danebot.jobs.survey import LineageView, keys_of_tree, observe_dns
from danebot.jobs.unmanaged import Unmanaged, foreseen

if TYPE_CHECKING:
    from danebot.adapters.certbot.command import Certbot
    from danebot.adapters.tree.locks import TreeLock
    from danebot.domain.lineage.state import LineageState
    from danebot.jobs.context import Context
    from danebot.jobs.publish import Attempt


class Outcome(NamedTuple):
    """What a run found and did: a view of each readable lineage, and all findings."""

    views: tuple[LineageView, ...]
    findings: tuple[Finding, ...]


def renew(
    context: Context,
    certbot: Certbot,
    lock: TreeLock,
    names: Sequence[str],
    *,
    scope: Scope,
    asking: Asking = Asking.TIMER,
) -> Outcome:
    """Take the named lineages as far as they can safely go now.

    The caller holds ``lock``.  When ``scope`` is everything there is, one certbot call serves
    all that has no promotion.  One lineage's failure never stops another's.  ``asking`` is who
    wants the CA asked for ordinary renewals.
    """
    known = Unmanaged(context.settings.state_directory)
    runs = [
        LineageRun(context, certbot, lock, name, asking=asking, known=known[name]) for name in names
    ]
    troubles: list[Finding] = []
    for run in runs:
        _guard(run, run.heal)
    _look(context, runs)
    for run in runs:
        _guard(run, run.make_next_key)
    published = [run for run in runs if context.settings.publish(run.name).in_renew]
    _publish(context, published, Part.ADD)
    for run in runs:
        _guard(run, run.advance)
    context.progress("certbot renew")
    troubles += renew_the_rest(certbot, lock, runs, scope)
    for run in runs:
        if not run.settled:
            _guard(run, run.heal)
            _guard(run, run.advance)
    for run in runs:
        _follow_up(context, run)
    _review(context, runs)
    _publish(context, published, Part.ADD)  # a key that was made in this run
    _publish(context, published, Part.REMOVE)
    if published:
        _review(context, runs)
    views = _seen_last(context, runs, known)
    troubles += [finding for run in runs for finding in run.events]
    troubles += [finding for view in views for finding in view.findings]
    troubles += _left_over(context, scope)
    return Outcome(views, tuple(dict.fromkeys(troubles)))


def _seen_last(
    context: Context, runs: Sequence[LineageRun], known: Unmanaged
) -> tuple[LineageView, ...]:
    """The last view of each, with what renewals of unmanaged lineages will break."""
    for run in runs:
        if run.passed_through:
            known.remember(run.name, run.memory)
    views = [run.view._replace(probes=run.probes) for run in runs if run.view is not None]
    found = foreseen(context, views, known)
    try:
        known.keep(context.tree.names())
    except TreeError as exc:  # it costs lookups; the status document's own trouble is told
        context.progress(str(exc))
    return found


def _left_over(context: Context, scope: Scope) -> tuple[Finding, ...]:
    """What lies there of lineages that certbot no longer knows."""
    from danebot.jobs.orphans import orphans

    return orphans(context) if scope is Scope.EVERYTHING else ()


def _review(context: Context, runs: Sequence[LineageRun]) -> None:
    """Plan anew where something moved: the key that was replaced isn't in use any more."""
    if not all(run.settled for run in runs):
        in_use = keys_of_tree(context, {})
        for run in runs:
            _guard(run, partial(run.review, in_use))


def _follow_up(context: Context, run: LineageRun) -> None:
    """What a deployment leaves to do; nothing for it is loaded where there was none."""
    if run.memory.deployment is None:
        return
    from danebot.jobs.confirm import confirm, run_pending_hooks
    from danebot.jobs.revoke import revoke_pending

    _guard(run, lambda: run_pending_hooks(run, context))
    _guard(run, lambda: confirm(run, context))
    _guard(run, lambda: revoke_pending(run, context))


def _publish(context: Context, runs: Sequence[LineageRun], part: Part) -> None:
    """Publish; all lineages are looked at together afterwards."""
    if not runs:
        return
    from danebot.jobs.publish import Timing, attempt, conclude, read_back

    tried: list[tuple[LineageRun, Attempt]] = []

    def one(run: LineageRun) -> None:
        known = run.view if part is Part.REMOVE else None  # a key may have been made since
        seen = (known or run.preview())._replace(memory=run.memory)
        if part is Part.REMOVE or run.lacks_more(seen.publication):
            before = [each for _, each in tried]
            tried.append((run, attempt(context, seen, part, Timing.WHEN_DUE, before)))

    for run in runs:
        _guard(run, partial(one, run))
    after = read_back(context, [each for _, each in tried])

    def finish(run: LineageRun, each: Attempt) -> None:
        run.published(conclude(context, each, after))

    for run, each in tried:
        _guard(run, partial(finish, run, each))


def _look(context: Context, runs: Sequence[LineageRun]) -> None:
    """One observation of DNS for all lineages together."""
    states: dict[str, LineageState] = {}

    def read(run: LineageRun) -> None:
        states[run.name] = run.read()

    for run in runs:
        _guard(run, partial(read, run))
    context.progress("looking at DNS")
    seen = observe_dns(context, states.values())
    in_use = keys_of_tree(context, states)
    for run in runs:
        if run.name in states:
            run.take(states[run.name], seen, in_use)


def _guard(run: LineageRun, action: Callable[[], object]) -> None:
    """Keep one lineage's failure to itself; it is left alone for the rest of the run."""
    if run.failed:
        return
    try:
        action()
    except LockedError:  # without the locks nothing may be touched, of any lineage
        raise
    except DanebotError as exc:
        run.failed = True
        run.say(Code.FILES_BROKEN, Severity.CRITICAL, printable(str(exc), 400))
    except Exception as exc:  # noqa: BLE001 - whatever it is, the other lineages must go on
        run.failed = True
        run.say(
            Code.INTERNAL,
            Severity.CRITICAL,
            f"internal error: {type(exc).__name__}: {printable(str(exc))}",
            "please report this, with the output of: danebot -v renew",
        )
