"""`danebot renew`: the daily job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding
from danebot.domain.rollover.steps.patience import Asking
from danebot.errors import DanebotError
from danebot.verbs.common import (
    ATTENTION,
    FINE,
    click_echo,
    dump,
    planned_changes,
    say_unwritten,
    status_document,
    status_of,
    write_metrics,
)
from danebot.verbs.word import word_left

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.adapters.tree.locks import TreeLock
    from danebot.console import Console
    from danebot.domain.status.document import RunStatus
    from danebot.jobs.context import Context
    from danebot.jobs.renew import RenewalOutcome
    from danebot.jobs.snapshot import Scope
    from danebot.jobs.view import LineageView


def renew(
    console: Console, names: tuple[str, ...], *, dry_run: bool, as_json: bool, insists: bool = False
) -> int:
    """The daily job; ``insists`` that compromised keys' records of these lineages go."""
    if dry_run:
        return _renew_dry(console, names, as_json=as_json)
    with word_left(console, "renew", names):
        outcome, run = _renew(console, names, insists=insists)
    status = write_metrics(console, run.exit_status)
    if as_json:
        console.report(outcome.findings, news=console.detail)
        click_echo(dump(status_document(console, run, outcome.views, outcome.findings)))
    else:
        console.report(outcome.findings)
        say_removals(console, outcome.findings, outcome.views)
    return status


def _renew(
    console: Console, names: tuple[str, ...], *, insists: bool
) -> tuple[RenewalOutcome, RunStatus]:
    from danebot.jobs.snapshot import Scope

    tree = console.tree()
    selected = tree.select(names)
    context = console.context(tree)
    started = context.clock()
    with console.locked() as lock:
        for name in selected if insists else ():
            from danebot.jobs.emergency import insist_on

            insist_on(context, name)
        asking = Asking.NAMED if names else Asking.TIMER
        scope = Scope.SOME if names else Scope.EVERYTHING
        return run_renewal(
            console, context, lock, selected, scope=scope, started=started, asking=asking
        )


def run_renewal(
    console: Console,
    context: Context,
    lock: TreeLock,
    names: Sequence[str],
    *,
    scope: Scope,
    started: datetime,
    verb: str = "renew",
    asking: Asking = Asking.TIMER,
) -> tuple[RenewalOutcome, RunStatus]:
    """Do the daily job for ``names`` and publish what came of it; how the run ended with it."""
    from danebot.jobs.renew import renew_lineages as job
    from danebot.jobs.snapshot import News, Scope, this_run, write_snapshot

    outcome = job(context, console.certbot(), lock, names, scope=scope, asking=asking)
    context.tree.reader.keep()
    run = this_run(verb, started, context.clock(), status_of(outcome.findings))
    try:
        write_snapshot(
            console.settings.snapshot,
            run,
            News(
                scope,
                outcome.views,
                outcome.findings,
                lambda old: scope is Scope.EVERYTHING or old.lineage in names,
                context.settings.witnesses,
                context.tree.root,
                console.journal.events,
            ),
        )
    except DanebotError as exc:
        stopped = any(f.code is Code.FILES_BROKEN for f in outcome.findings)
        say_unwritten(console, exc, ATTENTION if stopped else FINE)
        run = run._replace(exit_status=ATTENTION)
    return outcome, run


def say_removals(
    console: Console, findings: Iterable[Finding], views: Sequence[LineageView]
) -> None:
    """On the run that found an old key out of use, the records that may go now."""
    retired = {f.where for f in findings if f.code is Code.RETIRED}
    for view in views:
        if view.state.name in retired and not console.settings.publish(view.state.name).in_renew:
            for record in view.publication.remove:
                console.say(f"danebot: {view.state.name}: remove: {record}")


def _renew_dry(console: Console, names: tuple[str, ...], *, as_json: bool) -> int:
    """What a run would do, with nothing changed."""
    from danebot.jobs.orphans import orphans
    from danebot.jobs.overview import look_over
    from danebot.jobs.snapshot import this_run
    from danebot.jobs.unknown import no_lineages

    tree = console.tree()
    context = console.context(tree)
    started = context.clock()
    selected = tree.select(names)
    found = look_over(context, selected)
    if not found.unreadable:  # else that comes first: it is root's to read
        console.see_certbot()
    wrong = (*found.unreadable, *(() if names else (*orphans(context), *no_lineages(context))))
    told = (*wrong, *(one for view in found.views for one in view.findings))
    console.report(told, news=console.detail)
    status = status_of(told)
    if as_json:
        run = this_run("renew --dry-run", started, context.clock(), status)
        click_echo(dump(status_document(console, run, found.views, wrong)))
        return status
    for view in found.views:
        console.say(f"{view.state.name}: {planned_words(view)}")
        if context.settings.publish(view.state.name).in_renew:
            for line in planned_changes(console, view):
                console.say(line)
    console.say("nothing was changed")
    return status


def planned_words(view: LineageView) -> str:
    """What a run would do with a lineage, in words."""
    from danebot.domain.rollover.steps.phases import Phase

    plan = view.plan
    if plan.phase is Phase.BROKEN:
        return "would first heal what an interrupted run left, then go on"
    if plan.step is not None:
        return f"would {plan.step.value}"
    waiting = f", waiting: {plan.hold.value}" if plan.hold is not None else ""
    return f"{plan.phase.value}{waiting}; certbot would renew it when due"
