"""The states that a search has visited, and how it came to each: a hundred-odd octets of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from prove.small.robot import Files

_WORLD, _REST = 24, 12  # bits


class State(NamedTuple):
    """Everything at one time: ``protected`` are the owners whose senders are promised a match.

    ``world`` is a number of `Outside`, and ``memory`` one of `Robot`.
    """

    world: int
    files: Files
    memory: int
    protected: tuple[int, ...]
    published: bool = False
    deployed: bool = False


class Visited:
    """States by number, in the order in which they were met; each is one integer."""

    def __init__(self) -> None:
        """Of none."""
        self._seen: set[int] = set()
        self._states: list[int] = []
        self._parents = array("q")
        self._came = array("q")
        self._words: dict[str, int] = {}
        self._rests: dict[tuple[object, ...], int] = {}
        self._rest: list[tuple[Files, tuple[int, ...], bool, bool]] = []

    def __len__(self) -> int:
        """How many there are."""
        return len(self._states)

    def __iter__(self) -> Iterator[State]:
        """All of them."""
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> State:
        """The state of that number."""
        packed = self._states[number]
        files, protected, published, deployed = self._rest[packed & (1 << _REST) - 1]
        world = packed >> _REST & (1 << _WORLD) - 1
        return State(world, files, packed >> _REST + _WORLD, protected, published, deployed)

    def packed(self, state: State) -> int:
        """The integer that no other state has."""
        world, files, memory, protected, published, deployed = state
        few = files, protected, published, deployed
        rest = self._rests.get(few)
        if rest is None:
            rest = self._rests[few] = len(self._rest)
            self._rest.append(few)
        if rest >> _REST or world >> _WORLD:
            raise OverflowError("more worlds or files than bits for their numbers")
        return (memory << _WORLD | world) << _REST | rest

    def add(self, state: State, parent: int, words: str) -> None:
        """Note a state, unless it is there already, with what led there."""
        packed = self.packed(state)
        if packed not in self._seen:
            self._seen.add(packed)
            self._states.append(packed)
            self._parents.append(parent)
            self._came.append(self._words.setdefault(words, len(self._words)))

    def came(self, number: int) -> tuple[int, str]:
        """From which state that one was come to, -1 for none, and in words by what."""
        words = list(self._words)[self._came[number]]
        return self._parents[number], words
