"""Name servers of an alias's zone, copies of a zone that expire, and servers danebot can't hear.

The dice are their own, so that a seed's world stays what it was where none of that comes.  A copy
that has expired answers nobody, for its zone alone; what an address says that danebot can't hear,
others are told.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import replace
from random import Random

from sim.operator import back_with_the_first, in_turn
from sim.outcome import Feature
from sim.world import (
    DAY,
    FOREVER,
    HORIZON,
    HOUR,
    MINUTE,
    AddressSpan,
    AliasSpan,
    Content,
    Delegation,
    RRset,
    Source,
    World,
    Zone,
)

OWN_PLACES = ((14, 38), (15, 39))
"""Servers of the alias's zone alone, with their addresses."""
_NEW_PLACE = (13, 37)
_LAGS = (0, 5 * MINUTE, 3 * HOUR)
_LONGEST = 3 * DAY


class Whose(enum.Enum):
    """Which servers have the zone of an alias."""

    THE_SAME = "those of its target's"
    OTHERS = "others"
    BOTH = "some of those, and others"


def add_zones(world: World, rng: Random) -> frozenset[Feature]:
    """What of that comes to a world."""
    found = set()
    if any(len(row) > 1 or row[0].ttl for row in world.aliases) and rng.random() < 0.6:
        _serve_aliases(world, rng)
        found.add(Feature.ALIAS_ZONE)
    if world.silences or rng.random() > 0.25:
        return frozenset(found)
    match rng.choice((0, 0, 0, 1, 2, 2)):
        case 0:
            _expire(world, rng)
            found.add(Feature.EXPIRED)
        case 1:
            _never_heard(world, rng)
            found.add(Feature.NEVER_HEARD)
        case _:
            if _replaced(world, rng):
                found.add(Feature.REPLACED_UNHEARD)
    return frozenset(found)


def _serve_aliases(world: World, rng: Random) -> None:
    """Servers for the aliases, each with lags of its own."""
    whose = rng.choice(tuple(Whose))
    world.alias_shared = whose is not Whose.OTHERS
    world.alias_places = {Whose.THE_SAME: (), Whose.OTHERS: OWN_PLACES}.get(whose, OWN_PLACES[:1])
    addresses = [address for _, address in world.alias_places]
    if world.alias_shared:
        addresses += sorted({address for _, address in world.rrsets})
    for address in addresses:
        lag = rng.choice(_LAGS)
        for owner, spans in enumerate(world.aliases):
            world.alias_rows[owner, address] = list(_late(spans, rng, lag))


def _late(spans: list[AliasSpan], rng: Random, lag: int) -> Iterable[AliasSpan]:
    starts = [span.start + (rng.randrange(lag) if lag else 0) for span in spans[1:]]
    starts = [spans[0].start, *(max(starts[: n + 1]) + n for n in range(len(starts)))]
    for span, start, end in zip(spans, starts, [*starts[1:], FOREVER], strict=True):
        yield replace(span, start=start, end=end)


def _expire(world: World, rng: Random) -> None:
    """A copy expires soon after the awaited record is there, and comes back, perhaps as it was."""
    zone, address = rng.choice((Zone.TARGET, Zone.TARGET, Zone.ALIAS)), _address(world, rng)
    if zone is Zone.ALIAS and (0, address) not in world.alias_rows:
        zone = Zone.TARGET
    start = _added(world) + rng.choice((rng.randrange(1, 6 * HOUR), rng.randrange(1, 2 * DAY)))
    end = start + rng.randrange(5 * DAY, 15 * DAY)
    world.expired[zone, address] = start, end
    if zone is Zone.TARGET and rng.random() < 0.8:
        for target in {target for target, _ in world.rrsets}:
            mended = end + rng.randrange(1, 6 * HOUR)
            row = list(back_with_the_first(world.rrsets[target, address], end, mended))
            back = next(n for n, one in enumerate(row) if one.start == end)
            row[back].ttl = rng.choice((row[back].ttl, DAY, _LONGEST))
            world.rrsets[target, address] = list(in_turn(row))


def _never_heard(world: World, rng: Random) -> None:
    """A server that this host's packets don't reach has what all had before the first look."""
    _published_before(world, rng)
    address = _address(world, rng)
    world.unheard[address] = -HORIZON, FOREVER
    for target in {target for target, _ in world.rrsets}:
        world.rrsets[target, address] = [_old(rng, -HORIZON)]


def _replaced(world: World, rng: Random) -> bool:
    """A server falls silent, for this host, with what it loses then; and it is taken out.

    When that is seen first, no server is heard.
    """
    last = [spans[-1] for spans in world.delegations.values()]
    servers = sorted(set.intersection(*(set(span.servers) for span in last)))
    if not servers:
        return False
    server = servers[0]
    row = [world.addresses[source, server] for source in Source]
    if any(len(spans) > 1 for spans in row):
        return False
    address = row[0][0].address
    if rng.random() < 0.5:
        _published_before(world, rng)
    start = max(_added(world), *(span.start for span in last)) + rng.randrange(HOUR, DAY)
    gone = start + rng.randrange(5 * DAY + HOUR, 9 * DAY)
    world.unheard[address] = start, FOREVER
    world.all_unheard = gone, gone + rng.randrange(HOUR, 2 * DAY)
    new, place = _NEW_PLACE
    for source, spans in world.delegations.items():
        left = tuple(one for one in spans[-1].servers if one != server)
        spans[-1].end = gone
        spans.append(Delegation(gone, FOREVER, spans[-1].ttl, servers=(*left, new)))
        world.addresses[source, new] = [AddressSpan(-HORIZON, FOREVER, HOUR, address=place)]
    for target in {target for target, _ in world.rrsets}:
        kept = [one for one in world.rrsets[target, address] if one.start <= start]
        lost = _old(rng, rng.randrange(start + HOUR, gone))
        world.rrsets[target, address] = list(in_turn([*kept, lost]))
        there = RRset(-HORIZON, FOREVER, rng.choice((HOUR, DAY)), content=Content.BOTH)
        world.rrsets[target, place] = [there]
    for owner in range(len(world.aliases) if world.alias_rows else 0):
        if world.alias_shared:
            late = _late(world.aliases[owner], rng, 0)
            world.alias_rows[owner, place] = list(late)
    return True


def _published_before(world: World, rng: Random) -> None:
    """The awaited record was everywhere long before danebot looked."""
    for key in world.rrsets:
        ttl = rng.choice((5 * MINUTE, HOUR, DAY))
        world.rrsets[key] = [RRset(-HORIZON, FOREVER, ttl, content=Content.BOTH)]


def _old(rng: Random, start: int) -> RRset:
    return RRset(start, FOREVER, rng.choice((DAY, _LONGEST)), content=Content.OLD)


def _address(world: World, rng: Random) -> int:
    """One of a server that never moves, if there is any."""
    own = sorted({span.address for spans in world.addresses.values() for span in spans})
    still = [
        spans[0].address
        for (source, server), spans in world.addresses.items()
        if source is Source.ZONE
        and {one.address for where in Source for one in world.addresses[where, server]}
        == {spans[0].address}
    ]
    return rng.choice(still or own)


def _added(world: World) -> int:
    """When every address first had the awaited record."""
    firsts = (
        next((one.start for one in row if one.content is Content.BOTH), 0)
        for row in world.rrsets.values()
    )
    return max(0, *firsts)
