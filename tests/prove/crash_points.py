"""Every crash point, and every fault at each: a full or broken disk, no descriptors, signals.

python -m prove.crash_points OPERATION FAULT POINT     one of them again (``tests`` on PYTHONPATH)
"""

from __future__ import annotations

import argparse
import queue
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import Manager

import click

from e2e import situations, striking
from e2e.faults import Fault, Situation, situation
from e2e.site import Site
from lab.lab import Lab, missing
from prove.part import Budget, Part, Row, counted, keep

Prepare = Callable[[Site], tuple[str, ...]]
OPERATIONS: tuple[Prepare, ...] = (
    *(situations.seen, situations.withdrawn, situations.promotion, situations.whole),
    *(situations.renewal, situations.stranger, situations.newkey, situations.cancel),
    *(situations.init, situations.deinit, situations.names, situations.publish),
    *(situations.watch, situations.unwatch, situations.deploy),
)
FAULTS = (
    *(Fault.DISK_FULL, Fault.DISK_BROKEN, Fault.DENIED, Fault.NO_DESCRIPTORS),
    *(Fault.INTERRUPTED_CALL, Fault.SYNC_FAILS, *striking.SIGNALS),
)
_ALL_FAULTS = "all faults: "  # of one operation
# Those in which certbot issues come last: what the others don't need of their time is theirs.
_LONG = frozenset(
    {
        *(situations.promotion, situations.whole, situations.renewal, situations.names),
        *(situations.stranger, situations.init),
    }
)
_AT_ONCE = 4
_LOOK = 0.5  # seconds
_MOST = 3  # things broken in one operation, after which the next has its turn
_AGAIN = "PYTHONPATH=.:tests python -m prove.crash_points {}"


@dataclass
class Tally:
    """What was tried, and out of how much; ``calls`` are those that were struck."""

    tried: Counter[str] = field(default_factory=Counter)
    wanted: Counter[str] = field(default_factory=Counter)
    broken: dict[str, list[str]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    states: int = 0

    def __add__(self, other: Tally) -> Tally:
        broken = {
            row: [*self.broken.get(row, []), *other.broken.get(row, [])]
            for row in {**self.broken, **other.broken}
        }
        calls, tried = self.calls + other.calls, self.tried + other.tried
        states = self.states + other.states
        return Tally(tried, self.wanted + other.wanted, broken, calls, states)

    def rows(self) -> Iterator[Row]:
        """Rows for the crashes and faults of each operation, for each fault, and for the calls."""
        for row, wanted in self.wanted.items():
            tried = self.tried[row]
            amount = f"all {counted(wanted)}" if tried == wanted else counted(tried, wanted)
            yield Row(row, f"{amount} points", tuple(self.broken.get(row, ())))
        yield Row("different states mended", counted(self.states))
        calls = ", ".join(f"{name} {number}" for name, number in self.calls.most_common())
        yield Row("calls struck", calls or "none")


def _run(budget: Budget) -> Iterator[Row]:
    """On each processor several at once, each with a lab of its own: they wait most of the time."""
    if reason := missing():
        yield Row("crash points", f"none: {reason}")
        return
    by_chance = random.Random(budget.seed).sample(OPERATIONS, len(OPERATIONS))
    order = sorted(by_chance, key=_LONG.__contains__)
    several = _AT_ONCE * budget.cores
    with ProcessPoolExecutor(several) as pool, Manager() as manager:
        told: queue.Queue[Told] = manager.Queue()
        ran = [pool.submit(_some, order[n::several], budget, told, n) for n in range(several)]
        tallies: dict[int, Tally] = {}
        while not all(one.done() for one in ran) or not told.empty():
            with suppress(queue.Empty):
                number, tally = told.get(timeout=_LOOK)
                tallies[number] = tally
                yield from sum(tallies.values(), Tally()).rows()
    names = ", ".join(name for one in ran for name in one.result())
    if names:
        yield Row("crash points, not reached", names)


def _some(
    order: list[Prepare], budget: Budget, told: queue.Queue[Told], number: int
) -> tuple[str, ...]:
    """Some of the operations one after the other; those that there was no time for."""
    dice, tally = random.Random(budget.seed + number), Tally()
    with Lab() as lab:
        for at_work, prepare in enumerate(order):
            if budget.over():
                return tuple(one.__name__ for one in order[at_work:])
            turn = budget.share(1 / (len(order) - at_work))
            with prepared(lab, prepare) as at:
                _struck(at, turn, dice, tally)
            told.put((number, tally))
    return ()


Told = tuple[int, Tally]
"""The number of one who works, and what it came to so far."""


@contextmanager
def prepared(lab: Lab, prepare: Prepare) -> Iterator[Situation]:
    """A site just before one operation."""
    site = Site(lab)
    site.settings["backoff_first"] = "1s"
    yield from situation(prepare, site)


def _struck(at: Situation, turn: Budget, dice: random.Random, tally: Tally) -> None:
    """Crashes and faults in turn, at least one of either, each at points by chance; none twice."""
    crash = f"crash points: {at.name}"
    left = {
        row: dice.sample(todo, len(todo))
        for row, todo in {
            crash: [(Fault.POWER_CUT, point) for point in striking.points(at, Fault.POWER_CUT)],
            **{f"faults: {_words(fault)}": _all(at, fault) for fault in FAULTS},
        }.items()
    }
    here = f"{_ALL_FAULTS}{at.name}"
    tally.wanted.update({row: len(todo) for row, todo in left.items()})
    tally.wanted[here] = sum(map(len, left.values())) - len(left[crash])
    undisturbed, mended = striking.wanted(at), striking.Mended()
    faults, broken = [row for row in left if row != crash], 0
    dice.shuffle(faults)
    while any(left.values()) and broken < _MOST:
        faults = faults[1:] + faults[:1]
        for row in (crash, faults[0]):
            if left[row]:
                fault, point = left[row].pop()
                found = tried(at, undisturbed, fault, point, mended)
                tally.tried.update({row} if row == crash else {row, here})
                tally.calls[_call(at, fault, point)] += 1
                if found:
                    broken += 1
                    tally.broken.setdefault(row, []).append(found)
        if turn.over():
            break
    tally.states += len(mended.marks)


def _all(at: Situation, fault: Fault) -> list[tuple[Fault, int]]:
    return [(fault, point) for point in striking.points(at, fault)]


def _words(fault: Fault) -> str:
    return fault.name.lower().replace("_", " ")


def _call(at: Situation, fault: Fault, point: int) -> str:
    """The name of the call alone; a full disk strikes the ``point``-th that needs space."""
    words = striking.call(at, fault, point).split()
    return words[1] if words else "space"


def tried(
    at: Situation,
    undisturbed: frozenset[str],
    fault: Fault,
    point: int,
    mended: striking.Mended | None = None,
) -> str:
    """Try one; "" if all was as it must be, else what was not, a file that tells, how to repeat."""
    try:
        striking.assert_same_again(at, undisturbed, fault, point, mended)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is told
        name = f"{at.name} {fault.name} {point}"
        lines = [*at.counted.calls[:point], "", *traceback.format_exc().splitlines()]
        file = keep(f"crash-{name.replace(' ', '-')}", lines)
        return f"{str(exc)[:1500]}\n{file}: {_AGAIN.format(name)}"
    return ""


PART = Part("crash points", 6, _run)


def main() -> int:
    """Exit status 1 if it wasn't as it must be."""
    parser = argparse.ArgumentParser(prog="python -m prove.crash_points", description=__doc__)
    parser.add_argument("operation", choices=[one.__name__ for one in OPERATIONS])
    parser.add_argument("fault", choices=[fault.name for fault in Fault])
    parser.add_argument("point", type=int)
    options = parser.parse_args()
    (prepare,) = (one for one in OPERATIONS if one.__name__ == options.operation)
    with Lab() as lab, prepared(lab, prepare) as at:
        found = tried(at, striking.wanted(at), Fault[options.fault], options.point)
    click.echo(found or "as it must be")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
