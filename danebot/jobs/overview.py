"""Observe and plan all lineages, changing nothing: what `status`, `tlsa` and ``--dry-run`` show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from danebot.adapters.tree.memory_file import recall
from danebot.domain.finding import Finding
from danebot.domain.lineage.state import LineageState, Management
from danebot.errors import TreeError
from danebot.jobs.context import Context, silent
from danebot.jobs.observing import (
    attempted,
    damage_finding,
    keys_of_tree,
    observe_dns,
    read_lineage,
    unreadable_finding,
    view,
)
from danebot.jobs.view import LineageView, Observed
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from danebot.domain.rollover.evidence.memory import Memory

_FORBIDDEN = "its key may not be read; run danebot as root"


class Survey(NamedTuple):
    """Views of the lineages that could be read, and findings of those that could not."""

    views: tuple[LineageView, ...]
    unreadable: tuple[Finding, ...]


def look_over(context: Context, names: Sequence[str]) -> Survey:
    """Read, look at DNS once for all owners, and plan; nothing is changed or remembered."""
    states: dict[str, LineageState] = {}
    memories: dict[str, Memory] = {}
    unreadable = []
    quiet = context._replace(tell=silent)
    for name in names:
        if context.tree.forbidden(name):
            unreadable.append(unreadable_finding(name, TreeError(_FORBIDDEN)))
            continue
        read = attempted(name, _read, quiet, name)
        if isinstance(read, Finding):
            unreadable.append(read)
            continue
        states[name], memories[name], damage = read
        if damage:
            unreadable.append(damage_finding(name, damage))
    seen = observe_dns(context, states.values())
    in_use = keys_of_tree(context, states)
    views = []
    for name, state in states.items():
        observed = Observed(state, memories[name], seen, in_use, context.clock())
        made = attempted(name, view, context, observed)
        if isinstance(made, Finding):
            unreadable.append(made)
        else:
            views.append(made)
    return Survey(_foreseen(context, views), tuple(unreadable))


def _read(context: Context, name: str) -> tuple[LineageState, Memory, str]:
    """A lineage, what is remembered of it, and what is damaged of that."""
    damage = recall(context.tree.paths(name))[1]
    return (*read_lineage(context, name), damage)


def _foreseen(context: Context, views: Sequence[LineageView]) -> tuple[LineageView, ...]:
    """Add what reloads services, and what renewals break of lineages that aren't danebot's."""
    from danebot.jobs.reloading import with_reloads

    views = with_reloads(context, views)
    if all(one.state.management is Management.STAGED for one in views):
        return tuple(views)
    from danebot.jobs.unmanaged import Unmanaged, with_next_renewals

    return with_next_renewals(context, views, Unmanaged(context.settings.state_directory))
