"""A model of DNS around one rollover: what every server said when, and what caches may hold of it.

Time is whole seconds since the key was made.  An operator changes zones as the dice say: adds the
record late, withdraws it, changes TTLs, aliases and servers.  Each server has every change after a
lag of its own; one that is taken out of service keeps what it had.

Instead of a number of resolvers that ask now and then, `World.stale` asks for the worst of all
that obey TTLs: one that asked the slowest server, found through the oldest delegation and alias it
might still have had, in the last second before the record came.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

FOREVER = 1 << 60
MINUTE, HOUR, DAY = 60, 3600, 86400
HORIZON = 12 * DAY


class Content(enum.Enum):
    """What an RRset holds."""

    NOTHING = "no record"
    OLD = "the current key's record"
    BOTH = "the awaited key's record too"


@dataclass(slots=True, eq=False)
class Span:
    """Something that was so from ``start`` until just before ``end``, to be cached for ``ttl``.

    ``heard`` tells whether danebot ever saw it while it was so.
    """

    start: int
    end: int
    ttl: int
    heard: bool = False

    @property
    def cached_until(self) -> int:
        """When no cache has it any more."""
        return FOREVER if self.end == FOREVER else self.end + self.ttl


SpanT = TypeVar("SpanT", bound=Span)


@dataclass(slots=True, eq=False)
class RRset(Span):
    """An RRset as one server has it; ``ttl`` is the negative one where there is nothing.

    ``again`` tells that the server once had the awaited key's record before.
    """

    content: Content = Content.NOTHING
    again: bool = False

    @property
    def lacking(self) -> bool:
        """Whether a sender who has this can't verify the awaited key."""
        return self.content is not Content.BOTH


@dataclass(slots=True, eq=False)
class AliasSpan(Span):
    """Where an owner leads; ``target`` is the owner's own number where there is no alias."""

    target: int = 0


@dataclass(slots=True, eq=False)
class Delegation(Span):
    """Which servers the parent names."""

    servers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranges:
    """What a history draws from, in seconds; ``min_wait`` belongs to danebot's policy."""

    ttls: tuple[int, ...] = (5 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY)
    ns_ttls: tuple[int, ...] = (HOUR, DAY, 2 * DAY)
    lags: tuple[int, ...] = (0, 5 * MINUTE, 3 * HOUR, 2 * DAY)
    min_waits: tuple[int, ...] = (0, 0, HOUR, 2 * DAY)


MODEST = Ranges(
    ttls=(5 * MINUTE, HOUR, 6 * HOUR, DAY),
    ns_ttls=(HOUR, 6 * HOUR),
    lags=(0, 5 * MINUTE, 3 * HOUR),
    min_waits=(2 * DAY,),
)
"""Where servers can't be asked the minimum wait alone counts, so it must cover lag and TTL."""


@dataclass(frozen=True, slots=True)
class Stale:
    """An answer without the awaited record that some cache may hold after the deployment."""

    owner: int
    target: int
    server: int
    answer: RRset
    until: int


@dataclass(slots=True, eq=False)
class World:
    """The timelines: aliases by owner, delegations, RRsets by target and server."""

    aliases: list[list[AliasSpan]] = field(default_factory=list)
    delegations: list[Delegation] = field(default_factory=list)
    rrsets: dict[tuple[int, int], list[RRset]] = field(default_factory=dict)
    seen_lacking: set[int] = field(default_factory=set)

    @property
    def targets(self) -> int:
        """How many names hold RRsets."""
        return 1 + max(target for target, _ in self.rrsets)

    def stale(self, owner: int, deployed: int) -> Iterator[Stale]:
        """What any cache may hold for an owner at or after the deployment.

        What danebot never saw is passed over: nothing tells it of a change between two looks.
        """
        for alias in self.aliases[owner]:
            if not alias.heard or alias.start >= deployed or alias.cached_until <= deployed:
                continue
            for delegation in self.delegations:
                if not delegation.heard or delegation.start >= deployed:
                    continue
                for server in delegation.servers:
                    yield from self._held(owner, alias, delegation, server, deployed)

    def _held(
        self, owner: int, alias: AliasSpan, delegation: Delegation, server: int, deployed: int
    ) -> Iterator[Stale]:
        for answer in self.rrsets[alias.target, server]:
            if not answer.lacking or answer.start >= deployed:
                continue
            asked_last = min(answer.end, delegation.cached_until)
            if asked_last <= max(answer.start, delegation.start):
                continue
            until = FOREVER if asked_last == FOREVER else asked_last + answer.ttl
            if until > deployed and not self._excused(answer, alias.target):
                yield Stale(owner, alias.target, server, answer, until)

    def _excused(self, answer: RRset, target: int) -> bool:
        """Whether an answer was there only between two looks.

        That danebot didn't look at that name before the record came is no excuse: then it has to
        assume things.
        """
        return not answer.heard and (answer.again or target in self.seen_lacking)


def at(spans: list[SpanT], time: int) -> SpanT:
    """What is so at a time."""
    for span in reversed(spans):
        if span.start <= time:
            return span
    return spans[0]


# ---- an operator ----------------------------------------------------------------------------


def make_world(rng: Random, ranges: Ranges, owners: int) -> World:
    """Roll the dice for everything that happens until the horizon."""
    world = World()
    servers = _delegations(rng, ranges, world)
    aliased = rng.random() < 0.3
    targets = owners
    for owner in range(owners):
        second = None
        if aliased and rng.random() < 0.8:
            second, targets = targets, targets + 1
        world.aliases.append(_aliases(rng, ranges, owner, second) if aliased else [_direct(owner)])
    for target in range(targets):
        versions = _versions(rng, ranges)
        for server in range(servers):
            retired = max(
                (d.end for d in world.delegations if server in d.servers), default=FOREVER
            )
            lag = rng.choice(ranges.lags)
            world.rrsets[target, server] = list(_transferred(rng, versions, lag, retired))
    return world


def _direct(owner: int) -> AliasSpan:
    return AliasSpan(-HORIZON, FOREVER, 0, target=owner)


def _moments(rng: Random, count: int) -> list[int]:
    return sorted(rng.randrange(HOUR, HORIZON) for _ in range(count))


def _delegations(rng: Random, ranges: Ranges, world: World) -> int:
    """Servers come and go; the number of those that there ever were."""
    count = rng.choice((1, 2, 2, 3))
    current = tuple(range(count))
    start = -HORIZON
    ttl = rng.choice(ranges.ns_ttls)
    for moment in _moments(rng, rng.choice((0, 0, 0, 1, 2))):
        world.delegations.append(Delegation(start, moment, ttl, servers=current))
        start = moment
        ttl = rng.choice(ranges.ns_ttls)
        if rng.random() < 0.6:
            left = current[1:] if rng.random() < 0.7 else ()
            current = (*left, count)
            count += 1
    world.delegations.append(Delegation(start, FOREVER, ttl, servers=current))
    return count


def _aliases(rng: Random, ranges: Ranges, owner: int, second: int | None) -> list[AliasSpan]:
    """One alias throughout, whose TTL changes and which may lead elsewhere."""
    spans = []
    start, target = -HORIZON, owner
    for moment in _moments(rng, rng.choice((0, 1, 2))):
        spans.append(AliasSpan(start, moment, rng.choice(ranges.ttls), target=target))
        start = moment
        if second is not None and rng.random() < 0.6:
            target = second if target == owner else owner
    spans.append(AliasSpan(start, FOREVER, rng.choice(ranges.ttls), target=target))
    return spans


def _versions(rng: Random, ranges: Ranges) -> list[tuple[int, Content, int]]:
    """The changes of one RRset: TTLs come and go, the record is added, perhaps withdrawn."""
    before = rng.choice((Content.OLD, Content.OLD, Content.NOTHING))
    versions = [(-HORIZON, before, rng.choice(ranges.ttls))]
    added = rng.choice((rng.randrange(HOUR), rng.randrange(DAY), rng.randrange(5 * DAY)))
    moments = _moments(rng, rng.choice((0, 0, 1, 2)))
    versions += [(m, before, rng.choice(ranges.ttls)) for m in moments if m < added]
    versions.append((added, Content.BOTH, rng.choice(ranges.ttls)))
    if rng.random() < 0.25:
        gone = added + rng.randrange(1, 4 * DAY)
        versions.append((gone, Content.OLD, rng.choice(ranges.ttls)))
        versions.append((gone + rng.randrange(1, 2 * DAY), Content.BOTH, rng.choice(ranges.ttls)))
    return versions


def _transferred(
    rng: Random, versions: list[tuple[int, Content, int]], lag: int, retired: int
) -> Iterator[RRset]:
    """The same changes as one server has them: late, in order, and none once it is retired."""
    arrivals: list[tuple[int, Content, int]] = []
    for moment, content, ttl in versions:
        arrival = moment + (rng.randrange(lag) if lag and moment >= 0 else 0)
        if arrivals and arrival >= retired:
            break
        while arrivals and arrivals[-1][0] >= arrival:  # overtaken: never served
            arrivals.pop()
        arrivals.append((arrival, content, ttl))
    ends = [start for start, _, _ in arrivals[1:]] + [FOREVER]
    again = False
    for (start, content, ttl), end in zip(arrivals, ends, strict=True):
        yield RRset(start, end, ttl, content=content, again=again)
        again = again or content is Content.BOTH
