"""A model of DNS around one rollover: what every server said when, and where resolvers found it.

Time is whole seconds since the key was made.  What can be cached is a row of spans each: where an
owner leads, which servers the parent and the zone itself name, at which addresses the zone and
the parent's glue say that they are, and which RRset each address has.  `operator` makes worlds,
`judge` asks what a cache may hold of one.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

FOREVER = 1 << 60
MINUTE, HOUR, DAY = 60, 3600, 86400
HORIZON = 12 * DAY
LONG_HORIZON = 45 * DAY


class Content(enum.Enum):
    """What an RRset holds."""

    NOTHING = "no record"
    OLD = "the current key's record"
    BOTH = "the awaited key's record too"
    FOREIGN = "a foreign record beside them"
    ALTERED = "another record than the awaited key's"

    __hash__ = object.__hash__  # members are alone; `enum` has a slower one


@dataclass(slots=True, eq=False)
class Span:
    """Something that was so from ``start`` until just before ``end``, to be cached for ``ttl``."""

    start: int
    end: int
    ttl: int

    @property
    def cached_until(self) -> int:
        """When no cache has it any more."""
        return FOREVER if self.end == FOREVER else self.end + self.ttl


SpanT = TypeVar("SpanT", bound=Span)
_Record = TypeVar("_Record")


@dataclass(slots=True, eq=False)
class RRset(Span):
    """An RRset as one address has it; ``ttl`` is the negative one where there is nothing.

    ``denial`` is set where a wildcard makes it: the TTL of the proof that the name itself doesn't
    exist, for as long as which a resolver may go on making it (RFC 8198 section 5.3).  ``again``
    tells that the address once had the awaited key's record before.
    """

    content: Content = Content.NOTHING
    again: bool = False
    denial: int = 0

    @property
    def cached_for(self) -> int:
        """For how long a resolver that asked may answer with it."""
        return max(self.ttl, self.denial)


@dataclass(slots=True, eq=False)
class AliasSpan(Span):
    """Where an owner leads; ``target`` is the owner's own number where there is no alias."""

    target: int = 0


@dataclass(slots=True, eq=False)
class Delegation(Span):
    """Which servers the parent, or the zone itself, names."""

    servers: tuple[int, ...] = ()


@dataclass(slots=True, eq=False)
class AddressSpan(Span):
    """At which address a server is, by its A record or by the parent's glue."""

    address: int = 0


class Source(enum.Enum):
    """Who says which servers there are, and where."""

    PARENT = "parent"
    ZONE = "zone"

    __hash__ = object.__hash__  # members are alone; `enum` has a slower one


class Zone(enum.Enum):
    """Of what a server may have a copy."""

    ALIAS = "the zone of the owners"
    TARGET = "the zone that their aliases lead to"

    __hash__ = object.__hash__  # members are alone; `enum` has a slower one


@dataclass(slots=True, eq=False)
class World:
    """The timelines: aliases by owner, servers and addresses by source, RRsets by name and place.

    During its ``silences`` an address answers nobody, while its copy of a zone is ``expired``
    nobody for that, and while it is ``unheard`` others than danebot; nobody is heard by danebot
    while they are ``all_unheard``.  ``alias_rows`` are the aliases by owner and address, where
    these may differ: of the ``alias_places``, and if ``alias_shared`` of the target's servers.
    """

    aliases: list[list[AliasSpan]] = field(default_factory=list)
    delegations: dict[Source, list[Delegation]] = field(default_factory=dict)
    addresses: dict[tuple[Source, int], list[AddressSpan]] = field(default_factory=dict)
    rrsets: dict[tuple[int, int], list[RRset]] = field(default_factory=dict)
    silences: dict[int, tuple[int, int]] = field(default_factory=dict)
    expired: dict[tuple[Zone, int], tuple[int, int]] = field(default_factory=dict)
    unheard: dict[int, tuple[int, int]] = field(default_factory=dict)
    all_unheard: tuple[int, int] = (0, 0)
    alias_rows: dict[tuple[int, int], list[AliasSpan]] = field(default_factory=dict)
    alias_places: tuple[tuple[int, int], ...] = ()
    alias_shared: bool = False

    def rows(self) -> Iterator[list[Any]]:
        """Every row of spans."""
        yield from self.aliases
        for rows in (self.delegations, self.addresses, self.rrsets, self.alias_rows):
            yield from rows.values()

    def changes(self) -> list[int]:
        """The times at which anything begins or ends, in their order."""
        starts = {span.start for spans in self.rows() for span in spans}
        windows = (*self.silences.values(), *self.expired.values(), *self.unheard.values())
        return sorted(starts.union(*windows, self.all_unheard))

    def unchanged(self, which: Iterable[int]) -> int:
        """Let those changes, counted from 0, never have happened: what was before them goes on.

        Return how many there are.
        """
        left_out, number = frozenset(which), 0
        for row in self.rows():
            for one in list(row[1:]):
                if number in left_out:
                    at_ = row.index(one)
                    row[at_ - 1].end = one.end
                    del row[at_]
                number += 1
        windows: tuple[dict[Any, tuple[int, int]], ...] = self.silences, self.expired, self.unheard
        for rows in windows:
            for key in list(rows):
                if number in left_out:
                    del rows[key]
                number += 1
        return number

    def silent(self, address: int, now: int, zone: Zone = Zone.TARGET) -> bool:
        """Whether an address answers nobody for a zone at that time."""
        start, end = self._mute(address, zone)
        return start <= now < end

    def hears(self, address: int, now: int, zone: Zone = Zone.TARGET) -> bool:
        """Whether danebot, and the resolver beside it, have an answer for a zone then."""
        if self.unheard:
            start, end = self.unheard.get(address, (0, 0))
            if start <= now < end or self.all_unheard[0] <= now < self.all_unheard[1]:
                return False
        return not self.silent(address, now, zone)

    def _mute(self, address: int, zone: Zone) -> tuple[int, int]:
        return self.silences.get(address) or self.expired.get((zone, address), (0, 0))

    def last_answer(
        self, address: int, after: int, before: int, zone: Zone = Zone.TARGET
    ) -> int | None:
        """The end of the last second from ``after`` to ``before`` in which an address answered."""
        start, end = self._mute(address, zone)
        if start < before <= end:
            before = start
        return before if before > after else None


def at(spans: list[SpanT], time: int) -> SpanT:
    """What is so at a time."""
    for span in reversed(spans):
        if span.start <= time:
            return span
    return spans[0]


_NAMES: dict[type, tuple[str, ...]] = {}


def copied(one: _Record) -> _Record:
    """A shallow copy of a dataclass, several times as fast as `dataclasses.replace`."""
    kind = type(one)
    if kind not in _NAMES:
        _NAMES[kind] = tuple(field.name for field in fields(cast("Any", kind)))
    other: _Record = object.__new__(kind)
    for name in _NAMES[kind]:
        setattr(other, name, getattr(one, name))
    return other
