"""The simulation (`sim`): as many histories as the time allows, of both kinds."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from prove.part import Budget, Part, Row, counted, keep
from sim.gate import simulate_gate
from sim.outcome import Outcome
from sim.play import simulate
from sim.story import conclude

_WANTED = 1_000_000
_APART = 10_000_000  # seeds of one run, far from those that the tests play


class Played(NamedTuple):
    """What one process came to."""

    number: int
    looks: int
    seconds: float  # of CPU
    broken: list[int]


class Kind(NamedTuple):
    """Histories of one kind, how many of them are wanted, and what tells one of them."""

    what: str
    play: Callable[[int], Outcome]
    wanted: int
    show: str


_KINDS = (
    (Kind("histories of a new key", simulate, _WANTED, "-m sim --show {}"), 0.8),
    (
        Kind(
            "histories of another intermediate",
            simulate_gate,
            _WANTED // 10,
            "-c 'from sim.gate import simulate_gate; print(simulate_gate({}))'",
        ),
        1.0,
    ),
)


def _played(number: int, first: int, most: int, seconds: float) -> Played:
    kind, budget = _KINDS[number][0], Budget.of(seconds)
    began, looks, broken = time.process_time(), 0, []
    for seed in itertools.count(first):
        outcome = kind.play(seed)
        looks += outcome.looks
        if outcome.broken:
            broken.append(seed)
        count = seed - first + 1
        if count == most or budget.over():
            return Played(count, looks, time.process_time() - began, broken)
    raise AssertionError


def _run(budget: Budget) -> Iterator[Row]:
    with ProcessPoolExecutor(budget.cores, initializer=gc.disable) as pool:  # they make no cycles
        for number, (kind, share) in enumerate(_KINDS):
            each, seconds = kind.wanted // budget.cores, budget.share(share).left()
            first = (budget.seed + 1) * _APART
            starts = [first + each * core for core in range(budget.cores)]
            ran = [pool.submit(_played, number, start, each, seconds) for start in starts]
            yield _row(kind, [one.result() for one in ran])


def _row(kind: Kind, played: list[Played]) -> Row:
    count = sum(one.number for one in played)
    rate = count / max(sum(one.seconds for one in played), 1e-3)
    looks = counted(sum(one.looks for one in played))
    amount = f"{counted(count, kind.wanted)} ({rate:.0f} a second and core), {looks} looks"
    broken = tuple(_told(kind, seed) for one in played for seed in one.broken)
    return Row(kind.what, amount, broken)


def _told(kind: Kind, seed: int) -> str:
    again = f"PYTHONPATH=tests python {kind.show.format(seed)}"
    if kind.play is not simulate:
        return f"P1 broken: {again}"
    lines: list[str] = []
    conclude(simulate(seed, tell=lines.append), lines.append)
    return f"P1 broken: {keep(f'history-{seed}', lines)}: {again}"


PART = Part("histories", 4, _run)
