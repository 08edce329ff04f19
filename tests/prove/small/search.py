"""Every history of a small world with up to so many events, states visited once.

A history is what the operator and the servers do (an event each), and between two events any number
of days and runs; a run may die before or after what it does, and its resolver may show whatever it
may lawfully have.  Histories that lead to the same state go on as one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from danebot.domain.rollover.steps.phases import Keep, Repair, Step
from domain.builders import REAL, Rules
from prove.small.outside import Look, Outside
from prove.small.robot import Files, Robot, Shown
from prove.small.visited import State, Visited
from prove.small.world import (
    FLOOR,
    Content,
    Held,
    Operator,
    Place,
    RRset,
    World,
    older,
    transfers,
)

_WAIT = 12  # without an event, until what waits is told or over
_STEPS = 8  # of one run


class Move(NamedTuple):
    """What leads to another state; ``broken`` is the promise that this breaks, in words."""

    words: str
    state: State
    broken: str = ""


FileEvent = Callable[["Search", State], Iterator[Move]]


@dataclass(frozen=True)
class SmallWorld:
    """What may happen in one kind of small world."""

    name: str
    owners: int
    operator: tuple[Operator, ...]
    files: tuple[FileEvent, ...]
    first: tuple[tuple[Content, Content], ...]
    ttls: tuple[int, ...] = (1,)
    before: int = 2
    moved_before: bool = False
    trees: tuple[tuple[int | None, int | None], ...] = ((None, None),)

    def beginnings(self, outside: Outside) -> Iterator[State]:
        """Nothing was ever looked at; caches may have what had another TTL until a moment ago.

        ``first`` is what either server has, ``before`` that TTL, and ``trees`` tell how old
        ``nextkey.pem`` and ``ready.pem`` are.
        """
        for contents, ttl, tree in itertools.product(self.first, self.ttls, self.trees):
            old = min(contents)
            places = [
                Place(n, n, (RRset(content, ttl),) * self.owners)
                for n, content in enumerate(contents)
            ]
            if self.moved_before:
                places.append(Place(1, 8, (RRset(old, self.before),) * self.owners, route=1))
            owners = tuple(range(self.owners))
            held = tuple(Held(owner, old, self.before, self.before) for owner in owners)
            files = Files(owners, *tree)
            published = max(contents) >= Content.BOTH
            world = outside.number(World(tuple(places), held))
            yield State(world, files, 0, owners, published)


class Counterexample(NamedTuple):
    """A promise that is broken, and how it came to that: a line for each move."""

    promise: str
    timeline: tuple[str, ...]


@dataclass
class Search:
    """One small world searched under the real rules, or under some that lack a clause."""

    small: SmallWorld
    rules: Rules = REAL
    robot: Robot = field(init=False)
    outside: Outside = field(default_factory=Outside)
    states: Visited = field(default_factory=Visited)
    moves: int = 0
    depth: int = 0
    whole: int = 0
    exhausted: bool = False
    _fine: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.robot = Robot(self.rules)

    def play(
        self, events: int, enough: Callable[[], bool] = lambda: False
    ) -> Counterexample | None:
        """Visit all states that up to so many events lead to, with the fewest events first.

        Return the first broken promise.  ``depth`` is the number of events of which all were seen,
        in ``whole`` states; less than ``events`` if there was ``enough``.  The world is
        ``exhausted`` once no event leads to any other state: nothing else can ever happen in it.
        """
        self.depth = -1
        for first in self.small.beginnings(self.outside):
            self.states.add(first, -1, "")
        begun = 0
        for depth in range(events + 1):
            number = begun
            while number < len(self.states):
                found = self._followed(number, with_events=False) or self._untold(number)
                if found is not None or enough():
                    return found
                number += 1
            self.depth, self.whole = depth, number
            for one in range(begun, number if depth < events else begun):
                found = self._followed(one, with_events=True)
                if found is not None or enough():
                    return found
            begun = number
            if depth < events and begun == len(self.states):
                self.depth, self.exhausted = events, True
                break
        return None

    def _followed(self, number: int, *, with_events: bool) -> Counterexample | None:
        """Note all states that come next; the first promise that is broken on the way."""
        for move in self._moves(self.states[number], with_events=with_events):
            if move.broken:
                return self._counterexample(number, move)
            self.states.add(move.state, number, move.words)
        return None

    def _untold(self, number: int) -> Counterexample | None:
        state = self.states[number]
        silent = self._silent(state)
        return (
            self._counterexample(number, Move("nothing else happens", state, silent))
            if silent
            else None
        )

    def _counterexample(self, number: int, move: Move) -> Counterexample:
        found = [move.words]
        while number >= 0:
            number, words = self.states.came(number)
            found.append(words)
        lines, day = [], 0
        for words in reversed(found):
            day += 3 * (words == _TIME)
            if words and words != _TIME:
                lines.append(f"day {day}: {words}")
        return Counterexample(move.broken, tuple(lines))

    # ---- what may come next ------------------------------------------------------------------

    def _moves(self, state: State, *, with_events: bool) -> Iterator[Move]:
        if state.deployed:
            return
        for move in self._events(state) if with_events else self._by_itself(state):
            self.moves += 1
            lost = move.state.published and not (move.state.files.has_new or move.state.deployed)
            yield (
                move._replace(broken="P2: the key is gone, and its record published")
                if lost
                else move
            )

    def _events(self, state: State) -> Iterator[Move]:
        for operator in self.small.operator:
            for words, world, there in self.outside.happenings(state.world, operator):
                if there and not state.files.has_new:  # nobody has its record yet
                    continue
                published = state.published or there
                yield Move(words, state._replace(world=world, published=published))
        for event in self.small.files:
            yield from event(self, state)

    def _by_itself(self, state: State) -> Iterator[Move]:
        files = state.files
        aged = files._replace(next=older(files.next, 1))
        memory = self.robot.older(state.memory)
        yield Move(
            _TIME, state._replace(world=self.outside.later(state.world), files=aged, memory=memory)
        )
        for words, world, _ in self.outside.happenings(state.world, transfers):
            yield Move(words, state._replace(world=world))
        yield from self.runs(state)
        yield from self._newkey(state)

    def _newkey(self, state: State) -> Iterator[Move]:
        """``danebot newkey``: the key file is made, and a look remembered."""
        if state.files.has_new or state.deployed:
            return
        made = state._replace(files=state.files._replace(next=0))
        yield Move("newkey dies once the key is made", made)
        for move in self.runs(made):
            if move.state.files == made.files:
                yield move._replace(words=f"newkey; {move.words}")

    def runs(self, state: State) -> Iterator[Move]:
        """Every run that there could be now: as the resolver shows this or that, dying or not."""
        owners = self.robot.watches(state.files, state.memory)
        for look in self.outside.looks(state.world, owners):
            yield from self._run(state, look)

    def run(self, state: State, resolver: dict[int, Shown | None]) -> Iterator[Move]:
        """One look and the step that follows; the run may die between the two."""
        return self._run(state, self.outside.look(state.world, tuple(resolver.items())))

    def _run(self, state: State, look: Look) -> Iterator[Move]:
        found = self.robot.decide(state.files, state.memory, look.sights)
        protected = state.protected
        if gone := look.owners - found.owners:
            protected = tuple(owner for owner in protected if owner not in gone)
        saved = state._replace(world=look.after, memory=found.memory, protected=protected)
        if found.step is None:
            held = f"; held: {found.held}" if found.held else ""
            yield Move(f"a run is shown {look.words}{held}", saved)
            return
        step = found.step
        dies = f"a run is shown {look.words}, and dies before it can {step.value}"
        yield Move(dies, saved)
        words = f"a run is shown {look.words}: {step.value}"
        yield self._taken(words, saved, step, found.keep, found.repair)

    def _taken(
        self, words: str, state: State, step: Step, keep: Keep | None, repair: Repair
    ) -> Move:
        files = state.files
        match step:
            case Step.MARK_READY:
                return Move(words, state._replace(files=files._replace(next=None, ready=FLOOR)))
            case Step.BACK_TO_NEXT:
                files = files._replace(next=1, ready=None)
                return Move(words, state._replace(files=files))
            case Step.PROMOTE:
                return Move(words, state._replace(files=files._replace(staged=True)))
            case Step.PUT_BACK:
                files = files._replace(staged=False)
                if keep is Keep.AS_NEXT:
                    files = files._replace(next=0)
                elif keep is Keep.ASIDE:
                    files = files._replace(cancelled=True)
                return Move(words, state._replace(files=files))
            case Step.DEPLOY:
                broken = ""
                if repair is Repair.NOT_NEEDED:
                    refused = [
                        r
                        for owner in state.protected
                        for r in self.outside.stale(state.world, owner)
                    ]
                    broken = f"P1: the new key is served, and {refused[0]}" if refused else ""
                return Move(words, state._replace(deployed=True), broken)
            case _:
                raise AssertionError(step)

    # ---- liveness ----------------------------------------------------------------------------

    def _silent(self, state: State) -> str:
        """Why a rollover goes on for ever untold, if nothing happens any more; "" if it doesn't."""
        passed: list[int] = []
        for _ in range(_WAIT):
            for _ in range(_STEPS):
                packed = self.states.packed(state)
                if state.deployed or packed in self._fine or not under_way(state.files):
                    self._fine.update(passed)
                    return ""
                passed.append(packed)
                *_, move = self.run(state, self._fresh(state))
                same = move.state.files == state.files
                state = move.state
                if same:
                    break
            before = state
            *_, state = (m.state for m in itertools.islice(self._by_itself(state), 1))
            if state == before:
                break
        fresh = self._fresh(state)
        look = self.outside.look(state.world, tuple(fresh.items()))
        if self.robot.told(state.files, state.memory, look.sights):
            self._fine.update(passed)
            return ""
        return "P4: the rollover waits for ever, and nobody is told"

    def _fresh(self, state: State) -> dict[int, Shown | None]:
        primary = self.outside.worlds[state.world].places[0]
        owners = self.robot.watches(state.files, state.memory)
        return {owner: primary.rrsets[owner][:2] for owner in owners}


_TIME = "time passes"


def under_way(files: Files) -> bool:
    """Whether a rollover has begun."""
    return files.staged or (files.next, files.ready) != (None, None)
