"""The simulation (`sim`): as many histories as the time allows, of each kind."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from prove.part import Budget, Part, Row, counted, keep
from sim.ending import ending_branches, simulate_ending
from sim.gate import gate_branches, simulate_gate
from sim.outcome import Outcome
from sim.play import branches, simulate
from sim.restored import simulate_restored
from sim.shrink import changes_of, shrunk
from sim.story import conclude

_WANTED = 1_000_000
_APART = 10_000_000  # seeds of one run, far from those that the tests play


class Ended(NamedTuple):
    """What is counted of a history; ``branch`` is which it is in its world."""

    branch: int
    looks: int
    broken: bool


class Played(NamedTuple):
    """What one process came to; ``broken`` are seeds and branches."""

    histories: int
    worlds: int
    looks: int
    seconds: float  # of CPU
    broken: list[tuple[int, int]]


class Kind(NamedTuple):
    """Histories of one kind, how many of them are wanted, and what tells one of them."""

    what: str
    play: Callable[[int], Iterator[Ended]]
    wanted: int
    tell: Callable[[int, int], str]


def _counted(outcomes: Iterator[Outcome]) -> Iterator[Ended]:
    return (Ended(one.branch, one.looks, one.broken) for one in outcomes)


def _newkey(seed: int) -> Iterator[Ended]:
    return _counted(branches(seed))


def _gate(seed: int) -> Iterator[Ended]:
    return _counted(gate_branches(seed))


def _ending(seed: int) -> Iterator[Ended]:
    return _counted(ending_branches(seed))


def _restored(seed: int) -> Iterator[Ended]:
    end = simulate_restored(seed)
    yield Ended(0, end.looks, bool(end.harmed))


def _told_newkey(seed: int, branch: int) -> str:
    def play(without: frozenset[int]) -> Outcome:
        return simulate(seed, branch=branch, without=without)

    without = shrunk(play, changes_of(seed))
    lines: list[str] = []
    conclude(simulate(seed, tell=lines.append, branch=branch, without=without), lines.append)
    again = f"-m sim --show {seed} --branch {branch} --without {','.join(map(str, without))}"
    return f"{keep(f'history-{seed}-{branch}', lines)}: PYTHONPATH=tests python {again}"


def _told_gate(seed: int, branch: int) -> str:
    lines: list[str] = []
    conclude(simulate_gate(seed, tell=lines.append, branch=branch), lines.append)
    return f"{keep(f'renewal-{seed}-{branch}', lines)}: simulate_gate({seed}, branch={branch})"


def _told_ending(seed: int, branch: int) -> str:
    lines: list[str] = []
    conclude(simulate_ending(seed, tell=lines.append, branch=branch), lines.append)
    return f"{keep(f'ending-{seed}-{branch}', lines)}: simulate_ending({seed}, branch={branch})"


def _told_restored(seed: int, _: int) -> str:
    lines = [f"{one}" for one in simulate_restored(seed).harmed]
    return f"{keep(f'restored-{seed}', lines)}: simulate_restored({seed})"


_KINDS = (
    (Kind("histories of a new key", _newkey, _WANTED, _told_newkey), 0.75),
    (Kind("histories of another intermediate", _gate, _WANTED // 10, _told_gate), 0.45),
    (Kind("histories of a certificate that ends", _ending, _WANTED // 10, _told_ending), 0.55),
    (Kind("histories of a restored tree", _restored, _WANTED // 10, _told_restored), 1.0),
)


def _played(number: int, first: int, most: int, seconds: float) -> Played:
    kind, budget = _KINDS[number][0], Budget.of(seconds)
    began, count, looks, broken = time.process_time(), 0, 0, []
    for seed in itertools.count(first):
        for one in kind.play(seed):
            count += 1
            looks += one.looks
            if one.broken:
                broken.append((seed, one.branch))
        if count >= most or budget.over():
            worlds = seed - first + 1
            return Played(count, worlds, looks, time.process_time() - began, broken)
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
    count, worlds = sum(one.histories for one in played), sum(one.worlds for one in played)
    rate = count / max(sum(one.seconds for one in played), 1e-3)
    amount = f"{counted(count, kind.wanted)} ({rate:.0f} a second and core)"
    if worlds < count:
        amount += f" in {counted(worlds)} worlds"
    amount += f", {counted(sum(one.looks for one in played))} looks"
    broken = [kind.tell(*which) for one in played for which in one.broken]
    return Row(kind.what, amount, tuple(f"broken: {words}" for words in broken))


PART = Part("histories", 4, _run)
