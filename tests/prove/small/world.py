"""A small world as a value: two servers, one or two owners, and every cache that there could be.

Time goes in steps of three days, and is told as ages: a state is the same whenever it comes about.
A cache that obeys TTLs may hold what some server that it may still ask has, or had until as many
steps ago as the TTL says: `World.held` has the longest of each, so all caches are in one state.
Ages beyond `FLOOR` steps are alike: no rule here looks further back; nor beyond `GAP`, of answers.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

FLOOR = 4
GAP = 1
"""The longest time without a word that excuses what came and went meanwhile: two steps are longer
than `LONGEST_GAP`."""
ADDRESS_TTL, NS_TTL = 1, 2


class Content(enum.IntEnum):
    """What an RRset holds."""

    NOTHING = 0
    OLD = 1
    BOTH = 2
    FOREIGN = 3
    NEW = 4

    @property
    def words(self) -> str:
        """The same in words."""
        return _WORDS[self]


_WORDS = (
    "no record",
    "the current key's record",
    "both keys' records",
    "both, and a stronger foreign digest",
    "the awaited key's record alone",
)
ACCEPTING = frozenset({Content.BOTH, Content.NEW})
"""By what senders authenticate the awaited key."""


class RRset(NamedTuple):
    """What one place has of one owner: ``seen`` by a look since it is so.

    ``heard`` is how long ago a look last heard this place of this owner; None if none did.
    """

    content: Content
    ttl: int
    seen: bool = False
    heard: int | None = None


class Place(NamedTuple):
    """One address of one server; ``route`` is for how long it may still be asked once unnamed.

    It gives danebot no answer while it is ``silent``, others it does.  ``known`` tells that a look
    found it named.
    """

    server: int
    address: int
    rrsets: tuple[RRset, ...]
    route: int | None = None
    silent: bool = False
    known: bool = False

    @property
    def named(self) -> bool:
        """Whether parent or zone lead there."""
        return self.route is None


class Held(NamedTuple):
    """An RRset that a cache may have for ``left`` more steps though no server has it.

    It was hidden where no look saw it while it was there: then ``address`` is where, and ``before``
    how old the last word from there was when that look came which may tell.
    """

    owner: int
    content: Content
    ttl: int
    left: int
    address: int = -1
    before: int = -1


class World(NamedTuple):
    """Everything outside danebot; ``looked`` is how long ago anything was looked at."""

    places: tuple[Place, ...]
    held: tuple[Held, ...] = ()
    looked: int | None = None


def older(age: int | None, floor: int = GAP + 1) -> int | None:
    """An age a step later."""
    return None if age is None else min(age + 1, floor)


def changed(world: World, place: Place, owner: int, content: Content, ttl: int) -> World:
    """The world in which that place has something else; what it had may be cached still."""
    if (content, ttl) == place.rrsets[owner][:2]:
        return world
    held = [*world.held, *_left(world, place, owner)]
    rrsets = list(place.rrsets)
    rrsets[owner] = RRset(content, ttl, heard=rrsets[owner].heard)
    places = replaced(world.places, place, place._replace(rrsets=tuple(rrsets)))
    return world._replace(places=places, held=_longest(held))


def replaced(places: tuple[Place, ...], old: Place, *new: Place) -> tuple[Place, ...]:
    """The places with one of them replaced."""
    return tuple(sorted((*(one for one in places if one.address != old.address), *new)))


def _left(world: World, place: Place, owner: int) -> Iterator[Held]:
    """What caches have of a place that has just given it for the last time."""
    rrset = place.rrsets[owner]
    before = rrset.heard if place.known else world.looked
    if rrset.ttl == 0:
        return
    if (
        rrset.seen or before is None
    ):  # or nobody had ever looked: that is for danebot to reckon with
        yield Held(owner, rrset.content, rrset.ttl, rrset.ttl)
    else:
        yield Held(owner, rrset.content, rrset.ttl, rrset.ttl, place.address, before)


def _longest(held: Iterable[Held]) -> tuple[Held, ...]:
    found: dict[tuple[object, ...], Held] = {}
    for one in held:
        key = one[:3] + one[4:]
        if key not in found or found[key].left < one.left:
            found[key] = one
    return tuple(sorted(found.values()))


def later(world: World) -> World:
    """Time passes: caches drop what is over, and nobody is led to where nothing is any more."""
    places, held = [], [one._replace(left=one.left - 1) for one in world.held if one.left > 1]
    held = [
        one._replace(before=min(one.before + 1, GAP + 1) if one.address >= 0 else -1)
        for one in held
    ]
    world = world._replace(looked=older(world.looked))
    for one in world.places:
        place = one._replace(rrsets=tuple(r._replace(heard=older(r.heard)) for r in one.rrsets))
        if place.route is None or place.route > 1:
            places.append(place._replace(route=place.route and place.route - 1))
        else:
            for owner in range(len(place.rrsets)):
                held += _left(world, place, owner)
    return world._replace(places=tuple(places), held=_longest(held))


def looked_at(world: World, owners: frozenset[int]) -> World:
    """The world once a look at those owners is remembered."""
    if not owners:
        return world
    places = []
    for place in world.places:
        if place.named:
            place = place._replace(known=True)  # noqa: PLW2901 - the same place
            if not place.silent:
                rrsets = tuple(
                    rrset._replace(seen=True, heard=0) if owner in owners else rrset
                    for owner, rrset in enumerate(place.rrsets)
                )
                place = place._replace(rrsets=rrsets)  # noqa: PLW2901
        places.append(place)
    silent = {place.address for place in places if place.silent and place.named}
    held = []
    for one in world.held:
        known = one.address < 0  # a look had shown it, or else danebot must reckon with it
        if known or one.owner not in owners or one.address in silent:
            held.append(one)
        elif one.before > GAP:  # no look can tell, but so long without a word breaks the wait
            held.append(one._replace(address=-1, before=-1))
    return World(tuple(places), _longest(held), 0)


def forgotten(world: World) -> World:
    """The world once danebot has lost its memory: nothing was ever looked at."""
    return World(
        tuple(
            place._replace(
                known=False, rrsets=tuple(r._replace(seen=False, heard=None) for r in place.rrsets)
            )
            for place in world.places
        ),
        _longest(one._replace(address=-1, before=-1) for one in world.held),
        None,
    )


def stale(world: World, owner: int) -> Iterator[str]:
    """What caches may hold or get of an owner by which senders refuse the awaited key."""
    for one in world.held:
        if one.owner == owner and one.content not in ACCEPTING and not 0 <= one.before <= GAP:
            yield f"a cache has {one.content.words} for {one.left} more steps"
    for place in world.places:
        rrset = place.rrsets[owner]
        before = rrset.heard if place.known else world.looked
        excused = not rrset.seen and before is not None and before <= GAP
        if rrset.content not in ACCEPTING and not excused:
            yield f"address {place.address} has {rrset.content.words}"


def resolver_may_show(world: World, owner: int) -> tuple[tuple[Content, int], ...]:
    """What danebot's own resolver may answer, from its cache or anew."""
    found = {(one.content, one.ttl) for one in world.held if one.owner == owner}
    found |= {place.rrsets[owner][:2] for place in world.places if not place.silent}
    return tuple(sorted(found))


Happening = tuple[str, World]


def transfers(world: World) -> Iterator[Happening]:
    """The primary's RRsets come to another server that is named."""
    primary = world.places[0]
    for place in world.places[1:]:
        for owner, rrset in enumerate(primary.rrsets if place.named else ()):
            if rrset[:2] != place.rrsets[owner][:2]:
                after = changed(world, place, owner, rrset.content, rrset.ttl)
                yield f"address {place.address} gets owner {owner}'s records", after


def publishing(world: World, choices: Iterable[tuple[Content, int]]) -> Iterator[Happening]:
    """The operator publishes, withdraws or alters: one of the contents, with its TTL."""
    primary = world.places[0]
    for owner in range(len(primary.rrsets)):
        for content, ttl in choices:
            after = changed(world, primary, owner, content, ttl)
            if after is not world:
                yield f"owner {owner}: {content.words}, TTL {ttl}", after


def silences(world: World) -> Iterator[Happening]:
    """The second server falls silent to danebot, or speaks again."""
    for place in world.places[1:]:
        if place.named:
            word = "speaks again" if place.silent else "falls silent"
            places = replaced(world.places, place, place._replace(silent=not place.silent))
            yield f"address {place.address} {word}", world._replace(places=places)


def moves(world: World) -> Iterator[Happening]:
    """The second server moves to another address, with what it has; who has the old goes there."""
    for place in world.places[1:]:
        if place.named:
            address = next(
                n for n in itertools.count(1) if all(n != p.address for p in world.places)
            )
            rrsets = tuple(RRset(r.content, r.ttl) for r in place.rrsets)
            new = Place(place.server, address, rrsets)
            places = replaced(world.places, place, place._replace(route=ADDRESS_TTL), new)
            yield f"server {place.server} moves to address {address}", world._replace(places=places)


def delegations(world: World) -> Iterator[Happening]:
    """The second server is taken out of the delegation, or comes back with what it has."""
    for place in world.places[1:]:
        if place.named:
            places = replaced(world.places, place, place._replace(route=NS_TTL))
            yield f"server {place.server} is taken out", world._replace(places=places)
        elif not any(p.named for p in world.places[1:]):
            unseen = tuple(r._replace(seen=False) for r in place.rrsets)  # as what leads there
            again = place._replace(route=None, known=False, rrsets=unseen)
            places = replaced(world.places, place, again)
            yield f"server {place.server} is named again", world._replace(places=places)


Operator = Callable[[World], Iterator[Happening]]
