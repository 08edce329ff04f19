"""What any cache may hold after the deployment: the worst resolver of all that obey TTLs.

Instead of a number of resolvers that ask now and then, `held` takes the one that asked the slowest
server, found through the oldest alias, delegation and address it might still have had, in the last
second in which that server lacked the record.

Excused is only what nothing can tell danebot, or what it says that it can't see:

- what came and went between two looks at the same thing that are no further apart than the longest
  gap (daily looks can't see an hour), or since the last look before the deployment;
- what a server says after nothing leads there any more, unless a look had found it so before;
- what an address says that has never answered danebot, where another of its server has: it is taken
  for dead, or one that is would stop all rollovers for good (see `servers`);
- where no authoritative server can ever be asked: that the record went away and came back, unless
  danebot's resolver told.  The minimum wait alone counts then; those worlds stay within it;
- what a server has that danebot can't hear, where it has heard none since its memory was lost;
- a clock that was behind by no more than signatures and certificates are old, and was put right
  across a boot; a memory that is lost together with lines of ``dane-ee``, or before
  them, with no run in between that wrote another (see `history`).

A tree restored from a backup, or a memory that is lost, takes the looks since away with it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.world import FOREVER, AddressSpan, AliasSpan, Delegation, RRset, Source, Span, World, Zone

Way = tuple[Delegation, int, AddressSpan]
Lacks = Callable[[RRset], bool]
GONE = Span(FOREVER, FOREVER, 0)
"""Seen in place of what an address has: that nothing leads there any more."""


@dataclass(frozen=True, slots=True)
class Stale:
    """An answer without the awaited record that some cache may hold after the deployment."""

    owner: int
    target: int
    server: int
    address: int
    answer: RRset
    until: int


Notes = Mapping[Hashable, Span]
"""Which span a look showed, by what the span belongs to."""


@dataclass(slots=True)
class Looks:
    """What danebot heard of at each look that it remembers, and when."""

    heard: list[tuple[int, Notes]] = field(default_factory=list)

    def note(self, now: int, shown: Notes) -> None:
        """What a look showed."""
        self.heard.append((now, shown))

    def add(self, other: Looks) -> None:
        """The looks of another run."""
        self.heard += other.heard

    def copy(self) -> Looks:
        """As it is now."""
        return Looks(self.heard.copy())

    def answered(self, key: Hashable) -> bool:
        """Whether any look showed what is there."""
        return any(shown.get(key, GONE) is not GONE for _, shown in self.heard)

    def missed(self, key: Hashable, span: Span, deployed: int, gap: int) -> bool:
        """Whether the span came and went between two looks, so that nothing told of it."""
        before: int | None = None
        led = False
        for now, shown in self.heard:
            other = shown.get(key)
            if other is None:
                continue
            if other is span:
                return False
            if other is GONE and not led:  # yet: what came later came after this look
                before = now if now < span.start else None
                continue
            led = True
            if other.start > span.start:
                return before is not None and now - before <= gap
            before = now
        return before is not None and deployed - before <= gap


@dataclass(frozen=True, slots=True)
class Judge:
    """The world, what danebot knows it by, and what lacks the record of the key that is served."""

    world: World
    looks: Looks
    lacks: Lacks
    blind: bool
    gap: int

    def held(self, owner: int, deployed: int) -> Iterator[Stale]:
        """What a cache may hold for an owner at or after the deployment."""
        ways = list(self._ways(deployed))
        for alias in self._aliases(owner, ways, deployed):
            for way in ways:
                yield from self._had(owner, alias, way, deployed)

    def _aliases(self, owner: int, ways: list[Way], deployed: int) -> Iterator[AliasSpan]:
        """The aliases that a cache may still have at the deployment."""
        rows: list[tuple[tuple[Any, ...], list[AliasSpan], int]]
        rows = [(("alias", owner), self.world.aliases[owner], FOREVER)]
        if self.world.alias_rows:
            rows = list(self._rows(owner, ways))
        for key, spans, led_until in rows:
            for alias in spans:
                until = min(alias.end, led_until)
                if len(key) > 2:
                    asked = self.world.last_answer(key[2], alias.start, until, Zone.ALIAS)
                    until = alias.start - alias.ttl if asked is None else asked
                if alias.start >= deployed or until + alias.ttl <= deployed:
                    continue
                if not self._missed(key, alias, deployed):
                    yield alias

    def _rows(
        self, owner: int, ways: list[Way]
    ) -> Iterator[tuple[tuple[Any, ...], list[AliasSpan], int]]:
        """The aliases as each server has them, and until when anything leads to it."""
        own = {address for _, address in self.world.alias_places}
        for (of, address), spans in self.world.alias_rows.items():
            led = [
                min(delegation.cached_until, there.cached_until)
                for delegation, _, there in ways
                if there.address == address
            ]
            if of == owner and (led or address in own):
                yield ("alias", owner, address), spans, FOREVER if address in own else max(led)

    def _ways(self, deployed: int) -> Iterator[Way]:
        for source, delegations in self.world.delegations.items():
            for delegation in delegations:
                if delegation.start >= deployed or self._missed(source, delegation, deployed):
                    continue
                for server in delegation.servers:
                    for place in Source:
                        for address in self.world.addresses.get((place, server), ()):
                            if (
                                address.start < deployed
                                and (place is Source.ZONE or self._was_glue(server, address))
                                and not self._missed((place, server), address, deployed)
                            ):
                                yield delegation, server, address

    def _was_glue(self, server: int, address: AddressSpan) -> bool:
        """Whether the parent told of the address: glue comes with a referral to that server."""
        return any(
            server in one.servers and one.start < address.end and address.start < one.end
            for one in self.world.delegations[Source.PARENT]
        )

    def _had(self, owner: int, alias: AliasSpan, way: Way, deployed: int) -> Iterator[Stale]:
        delegation, server, address = way
        place = address.address
        for answer in self.world.rrsets[alias.target, place]:
            if answer.start >= deployed or not self.lacks(answer):
                continue
            asked = self.world.last_answer(
                place,
                max(answer.start, delegation.start, address.start),
                min(answer.end, delegation.cached_until, address.cached_until),
            )
            if asked is None:
                continue
            until = FOREVER if asked == FOREVER else asked + answer.cached_for
            excused = self._unwitnessed(place) or self._excused(
                answer, alias.target, place, deployed
            )
            if until > deployed and not excused and not self._mute(alias.target, server, place):
                yield Stale(owner, alias.target, server, place, answer, until)

    def _excused(self, answer: RRset, target: int, place: int, deployed: int) -> bool:
        if self.blind:
            return answer.again
        return self._missed((target, place), answer, deployed)

    def _unwitnessed(self, place: int) -> bool:
        """Whether danebot can't hear the place, and has heard none, as far as it remembers."""
        return place in self.world.unheard and not any(map(self.looks.answered, self.world.rrsets))

    def _mute(self, target: int, server: int, place: int) -> bool:
        """Whether danebot has never heard the place, and another address of the server."""
        rows = [self.world.addresses.get((source, server), ()) for source in Source]
        places = {span.address for row in rows for span in row}
        heard = {one for one in places if self.looks.answered((target, one))}
        return place not in heard and bool(heard) and not self.blind

    def _missed(self, key: Hashable, span: Span, deployed: int) -> bool:
        return self.looks.missed(key, span, deployed, self.gap)
