"""The operator, and all that goes wrong: what happens to zones, servers and hosts, as the dice say.

The operator adds the record late, withdraws it, changes TTLs, aliases, servers and their addresses,
and forgets glue.  Each address has every change after a lag of its own; one that is taken out of
service keeps what it had, and one that was silent for long may come back with what it had long ago.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

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
)


class Trouble(enum.Enum):
    """What a history is about, beside what happens in all of them."""

    MOVES = "addresses move, and glue is corrected late or never"
    LOWERED = "TTLs were lowered and servers changed right before the first look"
    GAP = "no runs for weeks"
    BACKUP = "the tree is restored from a backup"
    CLOCK = "the clock is behind for a time"
    LINES_LOST = "dane-ee emptied, lost or shortened"
    SILENCE = "a server is silent for long and comes back with what it had"
    SHARED = "another lineage's record stands at the same owner, or the type changes"
    WILDCARD = "a wildcard makes the first RRset"


LONG = frozenset({Trouble.GAP, Trouble.BACKUP, Trouble.SILENCE, Trouble.CLOCK})
"""Where there is a window of which danebot knows nothing, or before which its clock is behind."""
TOGETHER = LONG | {Trouble.MOVES, Trouble.LOWERED}
"""Where the awaited records come together, and early."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """What a history draws from, in seconds; ``min_wait`` belongs to danebot's policy."""

    ttls: tuple[int, ...] = (5 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY)
    ns_ttls: tuple[int, ...] = (HOUR, DAY, 2 * DAY)
    lags: tuple[int, ...] = (0, 5 * MINUTE, 3 * HOUR, 2 * DAY)
    min_waits: tuple[int, ...] = (0, 0, HOUR, 2 * DAY)
    first: int = HOUR  # when the first change may come
    last: int = HORIZON


MODEST = Ranges(
    ttls=(5 * MINUTE, HOUR, 6 * HOUR, DAY),
    ns_ttls=(HOUR, 6 * HOUR),
    lags=(0, 5 * MINUTE, 3 * HOUR),
    min_waits=(2 * DAY,),
)
"""Where servers can't be asked the minimum wait alone counts, so it must cover lag and TTL."""


@dataclass(frozen=True, slots=True)
class Operator:
    """The dice, what they are thrown for, and what happens beside the usual.

    ``added`` is about when the awaited records come, if all come together; ``window`` is a time
    after that of which danebot will know nothing, so what happens in it matters most.
    """

    rng: Random
    ranges: Ranges
    troubles: frozenset[Trouble]
    added: int | None = None
    window: tuple[int, int] | None = None

    def make_world(self, owners: int) -> World:
        """Roll the dice for everything that happens until the horizon."""
        rng, world = self.rng, World()
        servers = self._delegate(world)
        addresses = self._place(world, servers)
        if Trouble.SILENCE in self.troubles:
            start = self.window[0] + 1 if self.window else rng.randrange(5 * DAY)
            end = self.window[1] if self.window else start + rng.randrange(DAY, 25 * DAY)
            world.silences[rng.randrange(servers)] = start, end
        aliased = rng.random() < 0.3
        targets = owners
        for owner in range(owners):
            second = None
            if aliased and rng.random() < 0.8:
                second, targets = targets, targets + 1
            world.aliases.append(self._alias(owner, second) if aliased else [_direct(owner)])
        for target in range(targets):
            late = Trouble.LINES_LOST in self.troubles and target == 1
            versions = self._versions(4 * DAY if late else 0)
            for address in range(addresses):
                lag = rng.choice(self.ranges.lags)
                world.rrsets[target, address] = self._transferred(world, versions, address, lag)
        return world

    def _moments(self, count: int) -> list[int]:
        return sorted(self.rng.randrange(self.ranges.first, self.ranges.last) for _ in range(count))

    def _delegate(self, world: World) -> int:
        """Servers come and go, for parent and zone at different times; how many there ever were."""
        rng, ranges = self.rng, self.ranges
        count = rng.choice((1, 2, 2, 3))
        current = tuple(range(count))
        sets = [(-HORIZON, current)]
        for moment in self._moments(rng.choice((0, 0, 0, 1, 2))):
            if rng.random() < 0.6:
                left = current[1:] if rng.random() < 0.7 else ()
                current = (*left, count)
                count += 1
            sets.append((moment, current))
        ttls = ranges.ns_ttls[:1] if Trouble.MOVES in self.troubles else ranges.ns_ttls
        late = rng.choice((0, 0, HOUR, DAY)) if len(sets) > 1 else 0
        for source in Source:
            shift = late if source is Source.PARENT else 0
            starts = [-HORIZON] + [moment + shift for moment, _ in sets[1:]]
            ends = [*starts[1:], FOREVER]
            world.delegations[source] = [
                Delegation(start, end, rng.choice(ttls), servers=servers)
                for start, end, (_, servers) in zip(starts, ends, sets, strict=True)
                if start < end
            ]
        return count

    def _place(self, world: World, servers: int) -> int:
        """Addresses move, and glue follows when somebody thinks of it; how many there ever were."""
        rng, count = self.rng, servers
        moves = Trouble.MOVES in self.troubles
        ttls = self.ranges.ns_ttls if moves else [HOUR] * len(self.ranges.ns_ttls)
        for server in range(servers):
            moved = self._moves() if moves else []
            rows = [(-HORIZON, server)] + [(m, count + n) for n, m in enumerate(moved)]
            count += len(moved)
            for source in Source:
                starts = [start for start, _ in rows]
                if source is Source.PARENT:
                    forgotten = rng.choice((0, 0, HOUR, DAY, 6 * DAY, FOREVER))
                    starts = [-HORIZON] + [start + forgotten for start in starts[1:]]
                spans = zip(starts, [*starts[1:], FOREVER], rows, strict=True)
                world.addresses[source, server] = [
                    AddressSpan(start, end, rng.choice(ttls), address=address)
                    for start, end, (_, address) in spans
                    if start < FOREVER
                ]
                world.addresses[source, server][-1].end = FOREVER
        return count

    def _moves(self) -> list[int]:
        """When a server moves: about when the record comes, so that its old place may lack it."""
        rng = self.rng
        about = self.added or 0
        whens = (about - rng.randrange(DAY // 4), about + rng.randrange(-DAY, DAY))
        return sorted(rng.choice(whens) for _ in range(rng.choice((0, 1, 1, 2))))

    def _alias(self, owner: int, second: int | None) -> list[AliasSpan]:
        """One alias throughout, whose TTL changes and which may lead elsewhere."""
        rng, ttls = self.rng, self.ranges.ttls
        spans = []
        start, target = -HORIZON, owner
        for moment in self._moments(rng.choice((0, 1, 2))):
            spans.append(AliasSpan(start, moment, rng.choice(ttls), target=target))
            start = moment
            if second is not None and rng.random() < 0.6:
                target = second if target == owner else owner
        spans.append(AliasSpan(start, FOREVER, rng.choice(ttls), target=target))
        return spans

    def _versions(self, late: int = 0) -> list[RRset]:
        """The changes of one RRset: TTLs come and go, the record is added, perhaps withdrawn."""
        rng, ttls = self.rng, self.ranges.ttls
        kinds = (Content.OLD, Content.OLD, Content.NOTHING)
        made = Trouble.WILDCARD in self.troubles
        before = Content.OLD if made or Trouble.SHARED in self.troubles else rng.choice(kinds)
        denial = rng.choice(ttls[-3:]) if made else 0

        def version(start: int, content: Content) -> RRset:
            first = denial if content is before else 0
            return RRset(start, FOREVER, rng.choice(ttls), content=content, denial=first)

        versions = [version(-HORIZON, before)]
        added = rng.choice((rng.randrange(HOUR), rng.randrange(DAY), rng.randrange(5 * DAY)))
        if self.added is not None:
            added = self.added + rng.randrange(MINUTE)
        added += late
        moments = self._moments(rng.choice((0, 0, 1, 2)))
        if Trouble.LOWERED in self.troubles:
            versions[0].ttl = rng.choice(ttls[-2:])
            lowered = version(-rng.choice((MINUTE, HOUR, DAY)), before)
            versions.append(replace(lowered, ttl=ttls[0], denial=denial and ttls[0]))
        versions += [version(m, before) for m in moments if 0 < m < added]
        versions.append(version(added, Content.BOTH))
        instead = Content.FOREIGN if Trouble.SHARED in self.troubles else Content.OLD
        start, end = self.window or (0, 0)
        if end - start > DAY // 2 and rng.random() < 0.8:
            mended = end - rng.choice((rng.randrange(HOUR), rng.randrange(DAY // 4)))
            lacking = replace(version(rng.randrange(start + 1, mended), instead), denial=0)
            versions += [replace(lacking, ttl=rng.choice(ttls[-2:])), version(mended, Content.BOTH)]
        elif rng.random() < 0.25:
            gone = added + rng.randrange(1, 4 * DAY)
            versions.append(replace(version(gone, instead), denial=0))
            versions.append(version(gone + rng.randrange(1, 2 * DAY), Content.BOTH))
        return versions

    def _transferred(
        self, world: World, versions: list[RRset], address: int, lag: int
    ) -> list[RRset]:
        """The same changes as one address has them: late, in order, and none out of service."""
        rng = self.rng
        retired = FOREVER if rng.random() < 0.2 else _retired(world, address)
        start, end = world.silences.get(address, (0, 0))
        arrivals: list[RRset] = []
        for version in versions:
            first = version.start == -HORIZON
            arrival = version.start + (rng.randrange(lag) if lag and not first else 0)
            if start <= arrival < end:
                arrival = end + rng.randrange(1, DAY)
            if arrivals and arrival >= retired:
                break
            while arrivals and arrivals[-1].start >= arrival:  # overtaken: never served
                arrivals.pop()
            arrivals.append(replace(version, start=arrival))
        if end and rng.random() < 0.7:
            arrivals = list(back_with_the_first(arrivals, end, end + rng.randrange(1, 6 * HOUR)))
        return list(in_turn(arrivals))


def _direct(owner: int) -> AliasSpan:
    return AliasSpan(-HORIZON, FOREVER, 0, target=owner)


def _retired(world: World, address: int) -> int:
    """When nobody names any more the server at that address: nobody brings changes there then."""
    servers = {
        server
        for (_, server), spans in world.addresses.items()
        for span in spans
        if span.address == address
    }
    last_named = max(
        (
            delegation.end
            for delegations in world.delegations.values()
            for delegation in delegations
            if servers & set(delegation.servers)
        ),
        default=FOREVER,
    )
    left = max(
        (
            span.end
            for (source, _), spans in world.addresses.items()
            for span in spans
            if source is Source.ZONE and span.address == address
        ),
        default=FOREVER,
    )
    return min(last_named, left)


def back_with_the_first(arrivals: list[RRset], back: int, mended: int) -> Iterator[RRset]:
    """A server restored from an old disk: it has the first version until it catches up."""
    first = arrivals[0]
    yield from (version for version in arrivals if version.start < back)
    yield replace(first, start=back)
    later = [replace(one, start=max(one.start, mended)) for one in arrivals]
    last = [one for one in later if one.start == mended][-1:]
    yield from last
    yield from (one for one in later if one.start > mended)


def in_turn(arrivals: list[RRset]) -> Iterator[RRset]:
    """The versions, each until the next."""
    ends = [version.start for version in arrivals[1:]] + [FOREVER]
    again = False
    for version, end in zip(arrivals, ends, strict=True):
        yield replace(version, end=end, again=again)
        again = again or version.content is Content.BOTH


def stale_glue(world: World) -> bool:
    """Whether the parent's glue ever led to another address than the zone's own."""
    return any(
        [span.start for span in spans]
        != [span.start for span in world.addresses[Source.ZONE, server]]
        for (_, server), spans in world.addresses.items()
    )


def operator(rng: Random, troubles: frozenset[Trouble], *, dark: bool) -> Operator:
    """The one of a history; ``dark`` where servers may not answer danebot."""
    ranges = MODEST if dark else Ranges()
    if Trouble.LOWERED in troubles:
        ranges = replace(ranges, first=-DAY)
    if not troubles & TOGETHER:
        return Operator(rng, ranges, troubles)
    added = rng.choice((MINUTE, rng.randrange(HOUR), rng.randrange(DAY)))
    if not troubles & LONG:
        return Operator(rng, ranges, troubles, added)
    ranges = replace(ranges, lags=MODEST.lags, min_waits=(0, 2 * DAY, 2 * DAY))
    start = added + 3 * HOUR + rng.choice((rng.randrange(DAY), rng.randrange(2 * DAY)))
    end = start + rng.choice((DAY, *[rng.randrange(5 * DAY, 30 * DAY)] * 3))
    if troubles.isdisjoint(LONG - {Trouble.CLOCK}):
        end = start + 1
    return Operator(rng, ranges, troubles, added, (start, end))
