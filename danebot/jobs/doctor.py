"""`danebot doctor`: whether all that danebot rests on is as it ought to be.

What `renew`, `status` and `init` find is found by them; here it is put together with what they
don't look at.  Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.certbot.directory import DEFAULT
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.doctor.assess import assess_host
from danebot.domain.doctor.facts import Refused, Unlooked, Unreached, Unwatched, Whose
from danebot.domain.finding import Code, Finding, Severity, most_serious_first
from danebot.domain.lineage.state import Management
from danebot.jobs.host_facts import (
    Looker,
    an_owner_of_each,
    asked_facts,
    cheap_facts,
    servers,
    tree_facts,
    with_network,
)
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.adapters.ports import Clock
    from danebot.config import Settings
    from danebot.config.settings import PublishSettings
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.names import DnsName
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView

_ROOT = Path("/")
_TOLD_TOO = (Code.NO_RELOAD, Code.RELOADED_EARLY)
"""Notices of runs that are about the host rather than about a rollover's course."""
_NOT_WATCHED = "records that aren't watched"


class Examined(NamedTuple):
    """What was found, the most serious first, and the versions of what danebot is built on."""

    findings: tuple[Finding, ...]
    versions: tuple[tuple[str, str], ...]


def examine_host(context: Context, host: Path = _ROOT) -> Examined:
    """Look at everything, and ask everybody."""
    looker = Looker()
    names = looker.at("certbot's lineages", "", context.tree.names)
    context.progress("looking at this host")
    facts = tree_facts(context, looker, names, host)
    facts = asked_facts(facts, context.settings, an_owner_of_each(context, names or ()), looker)
    facts = with_network(facts, servers(context, names or ()), context.clock)
    context.progress("looking at the lineages and at DNS")
    views, found = _runs_findings(context, names or (), host)
    staged = [view for view in views if view.state.management is Management.STAGED]
    served = tuple(not_served(context, staged, looker))
    facts = facts._replace(
        unwatched=tuple(_unwatched(context, staged, looker)),
        unreached=tuple(one for one in served if isinstance(one, Unreached)),
        refused=tuple(refused_publishers(context, staged)),
    )
    facts = facts._replace(unlooked=tuple(dict.fromkeys(looker.unlooked)))
    others = (one for one in served if isinstance(one, Finding))
    every = (*assess_host(facts, context.clock()), *found, *others)
    return Examined(most_serious_first(dict.fromkeys(every)), facts.versions)


def examine_bare(settings: Settings, clock: Clock, trouble: str) -> Examined:
    """The same where there is no tree of certbot's, as ``trouble`` says."""
    looker = Looker()
    facts = asked_facts(cheap_facts(settings, settings.tree, looker), settings, (), looker)
    facts = with_network(facts, (DEFAULT,), clock)
    facts = facts._replace(no_tree=trouble, unlooked=tuple(looker.unlooked))
    return Examined(assess_host(facts, clock()), facts.versions)


def at_hand(context: Context, host: Path = _ROOT) -> tuple[Finding, ...]:
    """What files say that stands in the way of a lineage that has just been taken on."""
    looker = Looker()
    names = looker.at("certbot's lineages", "", context.tree.names)
    facts = tree_facts(context, looker, names, host)
    found = assess_host(facts._replace(run_told=False), context.clock())
    return tuple(one for one in found if one.severity >= Severity.WARNING)


# ---- what runs find -------------------------------------------------------------------------


def _runs_findings(
    context: Context, names: Sequence[str], host: Path
) -> tuple[tuple[LineageView, ...], list[Finding]]:
    """The views of the lineages, and what `renew` and `status` tell of them and of the tree."""
    from danebot.jobs.competing import competing
    from danebot.jobs.observing import told_by
    from danebot.jobs.orphans import orphans
    from danebot.jobs.overview import look_over
    from danebot.jobs.renew import not_believed
    from danebot.jobs.unknown import unknown_lineages

    surveyed = look_over(context, names)
    found = [one for view in surveyed.views for one in view.findings if _told(one)]
    found += surveyed.unreadable
    found += not_believed(context.settings.state_directory)
    found += told_by(context, (lambda c: competing(c, host), unknown_lineages, orphans))
    return surveyed.views, found


def _told(finding: Finding) -> bool:
    return finding.severity >= Severity.WARNING or finding.code in _TOLD_TOO


# ---- services, records, publishers ----------------------------------------------------------


def not_served(
    context: Context, views: Iterable[LineageView], looker: Looker
) -> Iterator[Finding | Unreached]:
    """Services that can't be asked from here, or serve another chain than the live one."""
    from danebot.jobs.confirm import endpoints_of, place_of
    from danebot.jobs.probe_lineage import ask, serves

    for view in views:
        state = view.state
        held = state.serving
        if held is None or not context.settings.probe(state.name):
            continue
        asked = (context, state.name, endpoints_of(state), held, frozenset[bytes]())
        for result in looker.at("its services", state.name, ask, *asked) or ():
            if result.outcome is not ProbeOutcome.SERVED:
                why = result.outcome.value + (f": {result.detail}" if result.detail else "")
                yield Unreached(state.name, place_of(result), why)
            elif not serves(result, held):
                text = f"{place_of(result)} serves another certificate than the live one"
                yield Finding(Code.NOT_SERVED, Severity.WARNING, state.name, text)


def _unwatched(
    context: Context, views: Iterable[LineageView], looker: Looker
) -> Iterator[Unwatched]:
    """Owners with records that `init` would watch, or would ask about."""
    from danebot.domain.rollover.records.adoption import by_host, intake
    from danebot.jobs.adopt import search_owners

    states: list[LineageState] = [view.state for view in views]
    searches = looker.at(_NOT_WATCHED, "", search_owners, context, states) or {}
    for state in states:
        if state.name not in searches:
            continue
        search = searches[state.name]
        taken = intake(state, search.found)
        unsigned = {one.owner for one in search.found if one.unsigned}
        refusing = tuple(owner for owner in taken.mismatched if owner not in unsigned)
        added = dict.fromkeys(line.owner for line in taken.add)
        own = tuple(owner for owner in added if owner not in taken.mismatched)
        for owners, whose in (
            (own, Whose.OWN),
            (refusing, Whose.REFUSING),
            (taken.untold, Whose.UNTOLD),
        ):
            if owners:
                yield Unwatched(state.name, by_host(owners), str(owners[0]), whose)
        if search.unanswered and not state.exempt:
            remedy = "see that the resolver answers, then run: danebot doctor"
            why = f"no answer: {search.unanswered}"
            looker.unlooked.append(Unlooked(_NOT_WATCHED, why, state.name, remedy))


def refused_publishers(context: Context, views: Iterable[LineageView]) -> Iterator[Refused]:
    """Publishers that would refuse, tried out at each RRset of the lineages, until one does."""
    from danebot.adapters.ports import Rehearsing
    from danebot.domain.rollover.records.changes import Change

    failed: set[PublishSettings] = set()
    for view in views:
        name = view.state.name
        settings = context.settings.publish(name)
        publisher: object = context.publisher(name)
        if not isinstance(publisher, Rehearsing):
            continue
        for target, owners in _targets(view).items():
            if settings in failed:
                break  # a server that is away isn't waited for again and again
            result = publisher.rehearse(Change(name, tuple(owners), target))
            if result.failed:
                failed.add(settings)
                yield Refused(name, result.text, result.remedy)


def _targets(view: LineageView) -> dict[DnsName, list[DnsName]]:
    """Where the records of a lineage are, aliases followed, with the owners that lead there."""
    found: dict[DnsName, list[DnsName]] = {}
    for owner in view.state.owners:
        look = view.observation.owners.get(owner)
        found.setdefault(look.answer.canonical if look is not None else owner, []).append(owner)
    return found
