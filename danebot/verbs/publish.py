"""`danebot publish`: records into DNS now, by whatever is configured; then it observes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from danebot.domain.dns.tlsa import Declared
from danebot.domain.finding import Code, Severity
from danebot.domain.lineage.state import Management
from danebot.domain.text import quoted
from danebot.verbs.common import (
    ATTENTION,
    FINE,
    click_echo,
    planned_changes,
    record_run,
    say_pressing,
)

if TYPE_CHECKING:
    from danebot.console import Console
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView

_OWN = {Code.PUBLISH_FAILED.value, Code.PUBLISH_ALTERED.value, Code.PUBLISH_LAGS.value}
"""What only this verb, or a renewal, can tell anew."""


def publish(console: Console, names: tuple[str, ...], *, dry_run: bool) -> int:
    """Add what the lineages lack and remove what has served its time, or print it."""
    tree = console.tree()
    selected = tree.select_managed(names)
    context = console.context(tree)
    if not selected:
        console.warn(
            "no lineage is under danebot's care, so nothing was published; take one on with: "
            "danebot init LINEAGE"
        )
        return ATTENTION
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
    """Print what is left to the operator; whether anything is, or can't be told."""
    name = view.state.name
    unwatched = not view.state.owners and view.state.declared is Declared.NOTHING
    if unwatched:
        console.warn(
            f"{name} watches no TLSA record; this prints what to do: danebot tlsa {quoted(name)}"
        )
    if not _is_by_hand(context, view):
        return unwatched
    for word, records in (
        ("add", view.publication.add),
        ("add where it is missing", view.publication.repair),
        ("remove", view.publication.remove),
    ):
        for record in records:
            click_echo(f"{name}: {word}: {record}")
    if view.publication.add or view.publication.repair or view.publication.remove:
        method = context.settings.publish(name).method.value
        console.say(
            f'{name}: nothing was published: that is yours to do, by publish method "{method}"'
            if view.state.management is Management.STAGED
            else f"{name}: nothing was published: that is yours to do, "
            f"until danebot init {quoted(name)}"
        )
    return say_pressing(console, view) or unwatched


def _is_by_hand(context: Context, view: LineageView) -> bool:
    staged = view.state.management is Management.STAGED
    return not staged or context.publisher(view.state.name) is None


def _dry(console: Console, context: Context, names: Sequence[str]) -> int:
    from danebot.jobs.overview import look_over

    found = look_over(context, names)
    for finding in found.unreadable:
        console.warn(str(finding))
    left = bool(found.unreadable)
    for view in found.views:
        for line in planned_changes(console, view):
            console.say(line)
        if not _is_by_hand(context, view):
            left |= bool(view.publication.objections)
        else:
            left |= say_pressing(console, view)
    console.say("nothing was changed")
    return ATTENTION if left else FINE
