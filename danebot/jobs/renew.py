"""`danebot renew`: every lineage through the plan, certbot for all the rest, hooks, the wire."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from danebot.adapters.presence import written_by_others
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.names import printable
from danebot.domain.rollover.evidence.change_outcomes import Part
from danebot.domain.rollover.steps.patience import Asking
from danebot.domain.rollover.steps.unasked import unasked
from danebot.domain.text import quoted
from danebot.errors import TreeError, UnreadableError
from danebot.jobs.authority import CaAccess
from danebot.jobs.lineage_run import LineageRun, observe, review
from danebot.jobs.observing import told_by
from danebot.jobs.ordinary import renew_the_rest
from danebot.jobs.reloading import not_held, with_reloads
from danebot.jobs.snapshot import Scope
from danebot.jobs.unmanaged import Unmanaged, with_next_renewals
from danebot.jobs.view import LineageView
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from danebot.adapters.certbot.command import Certbot
    from danebot.adapters.tree.locks import TreeLock
    from danebot.jobs.context import Context


class RenewalOutcome(NamedTuple):
    """What a run found and did: a view of each readable lineage, and all findings."""

    views: tuple[LineageView, ...]
    findings: tuple[Finding, ...]


def renew_lineages(
    context: Context,
    certbot: Certbot,
    lock: TreeLock,
    names: Sequence[str],
    *,
    scope: Scope,
    asking: Asking = Asking.TIMER,
) -> RenewalOutcome:
    """Take the named lineages as far as they can safely go now.

    The caller holds ``lock``.  When ``scope`` is everything there is, one certbot call serves
    all that has no promotion.  One lineage's failure never stops another's.  ``asking`` is who
    wants the CA asked for ordinary renewals.
    """
    authority = CaAccess(certbot, lock, asking)
    known = Unmanaged(context.settings.state_directory)
    runs = [LineageRun(context, name) for name in names]
    for run in runs:
        run.guard(run.heal)
        run.guard(partial(run.recall, known[run.name].memory))
        run.guard(run.finish_cancel)
    observe(context, runs)
    for run in runs:
        run.guard(run.keep_from_hooks)
        run.guard(partial(_ask_newcomers, context, run))
        run.guard(run.make_next_key)
    published = [
        run for run in runs if context.settings.publish(run.name).in_renew and not run.refused
    ]
    _publish(context, published, Part.ADD)
    for run in runs:
        run.guard(partial(run.advance, authority))
    context.progress("certbot renew")
    found = renew_the_rest(authority, runs, scope)
    moved = [run for run in runs if not run.settled]
    for run in moved:
        run.guard(run.heal)
        run.guard(partial(run.advance, authority))
    deployed = [run for run in runs if run.memory.deployment is not None and not run.refused]
    _follow_up(context, authority, deployed)
    if moved or deployed:
        review(context, runs)
    _publish(context, published, Part.ADD)  # a key that was made in this run
    _publish(context, published, Part.REMOVE)
    if published:
        review(context, runs)
    views = _seen_last(context, runs, known)
    found += [finding for run in runs for finding in run.progress.events]
    found += [finding for view in views for finding in view.findings]
    found += _left_over(context, scope)
    return RenewalOutcome(views, tuple(dict.fromkeys(found)))


def _ask_newcomers(context: Context, run: LineageRun) -> None:
    """Ask services that nobody asked before anything is decided: the gate goes by what they serve.

    Where what is live isn't confirmed anyway, they are asked when the hooks have run.
    """
    state, last = run.progress.sources.state, run.memory.deployment
    if state is None or (last is not None and last.confirmed_at is None):
        return
    if context.settings.probe(run.name) and unasked(run.memory, state) and not run.refused:
        from danebot.jobs.confirm import confirm

        run.preview()
        run.do(confirm(context, state, run.memory, run.progress.sources.seen))


def _seen_last(
    context: Context, runs: Sequence[LineageRun], known: Unmanaged
) -> tuple[LineageView, ...]:
    """The last view of each, with what renewals of unmanaged lineages will break."""
    for run in runs:
        if run.passed_through:
            known.remember(run.name, run.memory)
    views = [view for run in runs if (view := run.view) is not None]
    found = with_reloads(context, with_next_renewals(context, views, known))
    try:
        known.keep(context.tree.names())
    except TreeError as exc:  # it costs lookups; the status document's own trouble is told
        context.progress(str(exc))
    return found


def _left_over(context: Context, scope: Scope) -> tuple[Finding, ...]:
    """What lies there of lineages that certbot no longer knows, and what else runs certbot."""
    from danebot.jobs.competing import competing
    from danebot.jobs.host_trouble import host_trouble
    from danebot.jobs.orphans import orphans
    from danebot.jobs.unknown import no_lineages, unknown_lineages

    if scope is not Scope.EVERYTHING:
        return ()
    looks = (no_lineages, competing, unknown_lineages, orphans, not_held, host_trouble)
    return (*not_believed(context.settings.state_directory), *told_by(context, looks))


def not_believed(directory: Path) -> tuple[Finding, ...]:
    """That others may write where danebot keeps what it may lose: then it believes none of it.

    The status document is read there all the same: what is published is whatever they put there
    afterwards, and other lineages' part of it must not be lost.
    """
    try:
        if not written_by_others(directory):
            return ()
    except UnreadableError:
        return ()  # to write there fails, and says so
    text = (
        f"{printable(str(directory), 200)} is for others to write in, so what danebot keeps there "
        "isn't believed: each run parses all keys anew, and forgets what the CA said of lineages "
        "that it doesn't manage"
    )
    remedy = (
        f"run: chown root: {quoted(directory)}; chmod go-w {quoted(directory)}; "
        "or name another with snapshot"
    )
    return (Finding(Code.FILES_BROKEN, Severity.WARNING, "", text, printable(remedy, 400)),)


def _follow_up(context: Context, authority: CaAccess, runs: Sequence[LineageRun]) -> None:
    """What deployments leave to do; nothing for it is loaded where there was none."""
    if not runs:
        return
    from danebot.jobs.confirm import confirm, run_pending_hooks
    from danebot.jobs.post_hooks import run_post_hooks
    from danebot.jobs.revoke import revoke_pending

    def hooks(run: LineageRun) -> None:
        run.do(run_pending_hooks(context, run.read(), run.memory))

    def ask(run: LineageRun) -> None:
        run.do(confirm(context, run.read(), run.memory, run.progress.sources.seen))

    def revoke(run: LineageRun) -> None:
        run.do(revoke_pending(context, authority, run.name, run.memory))

    for run in runs:
        run.guard(partial(hooks, run))
    run_post_hooks(context, runs)
    for run in runs:
        run.guard(partial(ask, run))
        run.guard(partial(revoke, run))


def _publish(context: Context, runs: Sequence[LineageRun], part: Part) -> None:
    """Publish one part for all, when that is due; nothing for it is loaded where nobody does."""
    if runs:
        from danebot.jobs.publish import Timing
        from danebot.jobs.publish_all import publish_all

        publish_all(context, runs, part, Timing.WHEN_DUE)
