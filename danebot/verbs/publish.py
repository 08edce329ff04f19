"""`danebot publish`: records into DNS now, by whatever is configured; then it observes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from danebot.domain.dns.tlsa import Declared
from danebot.domain.finding import Code, Severity
from danebot.domain.lineage.state import Management
from danebot.verbs.common import ATTENTION, FINE, click_echo, planned_changes, record_run

if TYPE_CHECKING:
    from danebot.console import Console
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView

_OWN = {Code.PUBLISH_FAILED.value, Code.PUBLISH_ALTERED.value, Code.PUBLISH_LAGS.value}
"""What only this verb, or a renewal, can tell anew."""


def publish(console: Console, names: tuple[str, ...], *, dry_run: bool) -> int:
    """Add what the lineages lack and remove what has served its time, or print it."""
    tree = console.tree()
    selected = tree.select(names)
    if not names:
        selected = tuple(name for name in selected if tree.paths(name).staged)
    context = console.context(tree)
    if dry_run:
        return _dry(console, context, selected)
    from danebot.jobs.publish_all import publish_now

    started = context.clock()
    with console.locked():
        views, findings = publish_now(context, selected)
        worst = console.report(findings)
        status = ATTENTION if worst >= Severity.WARNING else FINE
        for view in views:
            if _by_hand(console, context, view):
                status = ATTENTION
        return record_run(
            console,
            context,
            "publish",
            started,
            status,
            findings=findings,
            superseded=lambda old: old.lineage in selected and old.code in _OWN,
        )


def _by_hand(console: Console, context: Context, view: LineageView) -> bool:
    """Print what is left to the operator; whether a record is missing."""
    name = view.state.name
    if not view.state.owners and view.state.declared is Declared.NOTHING:
        console.warn(f"{name} watches no TLSA record; this prints what to do: danebot tlsa {name}")
    if context.publisher(name) is not None and view.state.management is Management.STAGED:
        return False
    for word, records in (("add", view.publication.add), ("remove", view.publication.remove)):
        for record in records:
            click_echo(f"{name}: {word}: {record}")
    if view.publication.add or view.publication.remove:
        method = context.settings.publish(name).method.value
        console.say(
            f'{name}: nothing was published: that is yours to do, by publish method "{method}"'
            if view.state.management is Management.STAGED
            else f"{name}: nothing was published: that is yours to do, until danebot init {name}"
        )
    exposed = [one for one in view.findings if one.code is Code.COMPROMISED_PUBLISHED]
    console.report(exposed)
    return bool(view.publication.add or exposed)


def _dry(console: Console, context: Context, names: Sequence[str]) -> int:
    from danebot.jobs.survey import survey

    found = survey(context, names)
    for finding in found.unreadable:
        console.warn(str(finding))
    for view in found.views:
        for line in planned_changes(console, view):
            console.say(line)
    console.say("nothing was changed")
    return ATTENTION if found.unreadable else FINE
