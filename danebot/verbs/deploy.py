"""`danebot deploy`: hooks and confirmation once more, at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from danebot.domain.finding import Code
from danebot.errors import DanebotError
from danebot.verbs.common import ATTENTION, FINE, OF_SERVICES, click_echo, record_run, status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from danebot.console import Console
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView

_OWN = OF_SERVICES | {Code.HOOK_FAILED.value}


def deploy(console: Console, names: tuple[str, ...], *, dry_run: bool) -> int:
    """Do it for the named lineages, all staged ones for none."""
    tree = console.tree()
    selected = tree.select_managed(names)
    context = console.context(tree)
    if not selected:
        console.say("danebot: no lineage is under danebot's care, so nothing was done")
    if dry_run:
        return _dry(console, context, selected)
    from danebot.jobs.deploy import deploy_again

    started = context.clock()
    with console.locked():
        views, findings = deploy_again(context, selected)
        for view in views:
            _say(console, context, view)
        console.report(findings)
        asked = {view.state.name for view in views}
        return record_run(
            console,
            context,
            "deploy",
            started,
            status_of(findings),
            findings=findings,
            superseded=lambda old: old.lineage in asked and old.code in _OWN,
        )


def _dry(console: Console, context: Context, names: Sequence[str]) -> int:
    from danebot.domain.rollover.steps.remember import remember
    from danebot.jobs.confirm import all_hooks, endpoints_of
    from danebot.jobs.deploy import refuse_mismatch
    from danebot.jobs.observing import observe_dns, read_lineage

    status = FINE
    for name in names:
        try:
            state, memory = read_lineage(context, name)
            seen = observe_dns(context, [state])
            memory = remember(memory, state, seen, context.clock())
            refuse_mismatch(context, state, memory, seen)
        except DanebotError as exc:
            console.warn(f"{name}: {exc}")
            status = ATTENTION
            continue
        for hook in all_hooks(context, name):
            click_echo(f"{name}: would run: {hook.hook}")
        asked = endpoints_of(state) if context.settings.probe(name) else ()
        if asked:
            click_echo(f"{name}: would ask: {', '.join(map(str, asked))}")
    return status


def _say(console: Console, context: Context, view: LineageView) -> None:
    """What came of it where all went well; findings tell the rest."""
    from danebot.jobs.confirm import all_hooks

    deployment = view.memory.deployment
    if deployment is not None and (deployment.pending or deployment.behind):
        return
    asked = ", ".join(dict.fromkeys(probe.endpoint for probe in view.probes))
    served = f"served by {asked}" if asked else "no service is asked"
    name = view.state.name
    hooks = "its deploy hooks have run" if all_hooks(context, name) else "it has no deploy hook"
    console.say(f"danebot: {name}: {hooks}; {served}")
