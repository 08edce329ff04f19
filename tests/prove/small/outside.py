"""Worlds by number, and what can happen in each apart from danebot: worked out once.

A search meets some hundred times as many states as worlds: what the operator, time, transfers and
looks make of a world is the same whatever danebot's files and memory are.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from prove.small.robot import Shown, Sight, sights
from prove.small.world import (
    Content,
    Operator,
    World,
    forgotten,
    later,
    looked_at,
    resolver_may_show,
    stale,
)

Resolver = tuple[tuple[int, Shown | None], ...]
"""What the resolver shows of each owner; None is no answer."""
Happening = tuple[str, int, bool]
"""In words, the world after it, and whether anybody has the awaited key's record then."""


class Look(NamedTuple):
    """One look at ``owners``: what it shows, in ``words``, too, and the world ``after`` it."""

    owners: frozenset[int]
    sights: tuple[Sight, ...]
    words: str
    after: int


class Outside:
    """Every world that a search has come to, by number."""

    def __init__(self) -> None:
        """Of none."""
        self.worlds: list[World] = []
        self._numbers: dict[World, int] = {}
        self._later: dict[int, int] = {}
        self._forgotten: dict[int, int] = {}
        self._happenings: dict[tuple[int, Operator], tuple[Happening, ...]] = {}
        self._look: dict[tuple[int, Resolver], Look] = {}
        self._looks: dict[tuple[int, tuple[int, ...]], tuple[Look, ...]] = {}
        self._stale: dict[tuple[int, int], tuple[str, ...]] = {}

    def number(self, world: World) -> int:
        """The number of a world, the next one if it is new."""
        number = self._numbers.setdefault(world, len(self.worlds))
        if number == len(self.worlds):
            self.worlds.append(world)
        return number

    def later(self, number: int) -> int:
        """The same world a step later."""
        if number not in self._later:
            self._later[number] = self.number(later(self.worlds[number]))
        return self._later[number]

    def forgotten(self, number: int) -> int:
        """The world once danebot has lost its memory."""
        if number not in self._forgotten:
            self._forgotten[number] = self.number(forgotten(self.worlds[number]))
        return self._forgotten[number]

    def happenings(self, number: int, operator: Operator) -> tuple[Happening, ...]:
        """What may happen by that operator's doing, or any other's that acts on the world alone."""
        asked = number, operator
        if asked not in self._happenings:
            self._happenings[asked] = tuple(
                (words, self.number(world), _published(world))
                for words, world in operator(self.worlds[number])
            )
        return self._happenings[asked]

    def looks(self, number: int, owners: tuple[int, ...]) -> tuple[Look, ...]:
        """Every look that there could be, as the resolver shows this or that."""
        asked = number, owners
        if asked not in self._looks:
            choices = [resolver_may_show(self.worlds[number], owner) for owner in owners]
            self._looks[asked] = tuple(
                self.look(number, tuple(zip(owners, shown, strict=True)))
                for shown in itertools.product(*choices)
            )
        return self._looks[asked]

    def look(self, number: int, resolver: Resolver) -> Look:
        """The look at which the resolver shows that."""
        asked = number, resolver
        if asked not in self._look:
            world, shown = self.worlds[number], dict(resolver)
            owners = frozenset(shown)
            heard = any(one is not None for one in shown.values())
            self._look[asked] = Look(
                owners,
                sights(world, owners, shown),
                ", ".join(_shown(*one) for one in resolver) if heard else "nothing",
                self.number(looked_at(world, owners)),
            )
        return self._look[asked]

    def stale(self, number: int, owner: int) -> tuple[str, ...]:
        """What caches may hold or get of an owner by which senders refuse the awaited key."""
        asked = number, owner
        if asked not in self._stale:
            self._stale[asked] = tuple(stale(self.worlds[number], owner))
        return self._stale[asked]


def _published(world: World) -> bool:
    return any(r.content >= Content.BOTH for place in world.places for r in place.rrsets)


def _shown(owner: int, shown: Shown | None) -> str:
    return f"owner {owner}: {shown[0].words}, TTL {shown[1]}" if shown is not None else "nothing"
