"""Deploy hooks once more, and the wire asked once more, whatever the last run came to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding
from danebot.domain.lineage.state import Management
from danebot.domain.rollover.records.retirement import deployment_of, found_instead, unsettled
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.text import quoted
from danebot.errors import RolloverError
from danebot.jobs.confirm import all_hooks, confirm, run_pending_hooks
from danebot.jobs.lineage_run import LineageRun, observe, review
from danebot.jobs.post_hooks import run_post_hooks
from danebot.jobs.progress import Done
from danebot.jobs.served_now import kept_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.rollover.evidence.memory import Memory
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView


def deploy_again(
    context: Context, names: Sequence[str]
) -> tuple[tuple[LineageView, ...], tuple[Finding, ...]]:
    """Run the deploy hooks of lineages and ask their services; the caller locks.

    What is live stays.  What fails is pending for the next run, as after any deployment.  Returns
    the last views, and what was found of hooks and services.
    """
    runs = [LineageRun(context, name) for name in names]
    for run in runs:
        run.guard(run.heal)
        run.guard(run.recall)
    observe(context, runs)

    def begin(run: LineageRun) -> None:
        state, seen = run.read(), run.progress.sources.seen
        run.do((Done(remember(run.memory, state, seen, context.clock())),))
        refuse_mismatch(context, state, run.memory, seen)
        run.do((Done(_pending(context, run.read(), run.memory)),))

    def hooks(run: LineageRun) -> None:
        run.do(run_pending_hooks(context, run.read(), run.memory))

    def ask(run: LineageRun) -> None:
        run.do(confirm(context, run.read(), run.memory, run.progress.sources.seen))

    for action in (begin, hooks):
        for run in runs:
            run.guard(partial(action, run))
    run_post_hooks(context, runs)
    for run in runs:
        run.guard(partial(ask, run))
    review(context, runs)
    views = tuple(view for run in runs if (view := run.view) is not None)
    found = [finding for run in runs for finding in run.progress.events]
    found += [f for view in views for f in view.findings if f.code is Code.HOOK_FAILED]
    return views, tuple(dict.fromkeys(found))


def _pending(context: Context, state: LineageState, memory: Memory) -> Memory:
    """What is to be remembered before: every hook pending, and the services to be asked."""
    live = deployed(state)
    last = found_instead(deployment_of(memory, live, context.clock()), live)
    if not unsettled(memory):
        last = last._replace(confirmed_at=None)
    hooks = all_hooks(context, state.name)
    again = {one.hook for one in hooks}
    once = (one for one in last.pending if one.hook not in again)  # certbot's post hooks
    return memory._replace(deployment=last._replace(pending=(*hooks, *once)))


def refuse_mismatch(
    context: Context, state: LineageState, memory: Memory, seen: Observations
) -> None:
    """Raise `RolloverError` where hooks would show senders a key that they refuse.

    Not where their services have nothing to lose.  ``memory`` must hold what was ``seen``.
    """
    deployed(state)
    name, refusal = state.name, kept_from(context, state, memory, seen)
    if refusal is not None:
        first = f"publish what this prints: danebot tlsa {quoted(name)}"
        if refusal.unknown:
            first = "see that the resolver answers"
        elif refusal.until is not None:
            first = "let the former records leave caches"
        elif refusal.silent:
            first = "see that they answer, or take those servers out of the NS set"
        raise RolloverError(
            f"no hook is run: senders may refuse the live chain at {refusal}, and a service may "
            f"have a former key yet; {first}, then run: danebot deploy {quoted(name)}"
        )


def deployed(state: LineageState) -> Held:
    """Return what services have to serve; `RolloverError` where that isn't danebot's, or whole."""
    live, name = state.live, state.name
    if state.management is not Management.STAGED:
        raise RolloverError(
            f"it is not under danebot's care, so certbot runs its hooks; "
            f"to take it over: danebot init {quoted(name)}"
        )
    if live is None or not live.same_content(state.combo):
        raise RolloverError(
            "combo.pem does not hold the live key and chain, so no hook is run: a service that "
            f"reads it anew might end; first run: danebot renew {quoted(name)}"
        )
    return live
