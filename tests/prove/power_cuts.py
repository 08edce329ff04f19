"""Power cuts: what may be left where not all was synced, at each moment of each operation.

python -m prove.power_cuts OPERATION [SEED]     one operation again (``tests`` on PYTHONPATH)
"""

from __future__ import annotations

import argparse
import queue
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Manager

import click

from e2e import outage, striking
from e2e.outage import Cut, Record
from lab.lab import Lab, missing
from prove.crash_points import OPERATIONS, Prepare, prepared
from prove.disk import Order
from prove.part import Budget, Part, Row, counted, keep

_AT_ONCE = 2
_LOOK = 0.5  # seconds
_MOST = 60  # of each moment
_BROKEN = 3  # things broken in one operation, after which the next has its turn
_KEPT_BACK = 400  # states of each order that a further run is tried on, by chance
_AGAIN = "PYTHONPATH=.:tests python -m prove.power_cuts {} {}"


@dataclass
class Tally:
    """What one operation came to."""

    name: str
    moments: int = 0
    states: int = 0
    healed: int = 0
    broken: list[str] = field(default_factory=list)

    def row(self) -> Row:
        """Its line of the table."""
        found = f"{counted(self.states)} states of {self.moments} moments"
        amount = f"{found}, a further run after {counted(self.healed)}"
        return Row(f"power cuts: {self.name}", amount, tuple(self.broken))


def _run(budget: Budget) -> Iterator[Row]:
    """On each processor several at once, each with a lab of its own: they wait most of the time."""
    if reason := missing():
        yield Row("power cuts", f"none: {reason}")
        return
    order = random.Random(budget.seed).sample(OPERATIONS, len(OPERATIONS))
    several = _AT_ONCE * budget.cores
    with ProcessPoolExecutor(several) as pool, Manager() as manager:
        told: queue.Queue[Tally] = manager.Queue()
        ran = [pool.submit(_some, order[n::several], budget, told) for n in range(several)]
        while not all(one.done() for one in ran) or not told.empty():
            with suppress(queue.Empty):
                yield told.get(timeout=_LOOK).row()
    names = ", ".join(name for one in ran for name in one.result())
    if names:
        yield Row("power cuts, not reached", names)


def _some(order: list[Prepare], budget: Budget, told: queue.Queue[Tally]) -> tuple[str, ...]:
    """Some of the operations one after the other; those that there was no time for."""
    with Lab() as lab:
        for at_work, prepare in enumerate(order):
            if budget.over():
                return tuple(one.__name__ for one in order[at_work:])
            told.put(tried(lab, prepare, budget.share(1 / (len(order) - at_work))))
    return ()


def tried(lab: Lab, prepare: Prepare, turn: Budget) -> Tally:
    """All states that are looked at, then as many further runs as there is time for, one at least.

    What one file system may leave is looked at first, what none does (`Order.NONE`) after that.
    """
    dice, tally = random.Random(turn.seed), Tally(prepare.__name__)
    with prepared(lab, prepare) as at:
        found = outage.record(at)
        tally.moments = len(found.calls) + 1
        some: list[Cut] = []
        seen: set[int] = set()
        for order in Order:
            mine: list[Cut] = []
            for cut in outage.cuts(found, order, _MOST, dice, seen):
                tally.states += 1
                if len(tally.broken) < _BROKEN:
                    _look(found, cut, turn.seed, tally)
                # each has the same chance to be among those that are kept
                if len(mine) < _KEPT_BACK:
                    mine.append(cut)
                elif (place := dice.randrange(tally.states)) < _KEPT_BACK:
                    mine[place] = cut
            dice.shuffle(mine)
            some += mine
        undisturbed = striking.wanted(at)
        for cut in some:
            if len(tally.broken) >= _BROKEN or (tally.healed and turn.over()):
                break
            _heal(found, undisturbed, cut, turn.seed, tally)
    return tally


def _look(found: Record, cut: Cut, seed: int, tally: Tally) -> None:
    try:
        outage.assert_intact(found, cut)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is told
        tally.broken.append(_told(found, cut, seed, exc))


def _heal(found: Record, undisturbed: frozenset[str], cut: Cut, seed: int, tally: Tally) -> None:
    try:
        outage.assert_heals(found, undisturbed, cut)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is told
        tally.broken.append(_told(found, cut, seed, exc))
    tally.healed += 1


def _told(found: Record, cut: Cut, seed: int, exc: Exception) -> str:
    """What was not as it must be, a file with what was lost, and how to have it again."""
    lines = [outage.describe(found, cut), "", *outage.lost(found, cut), "", repr(exc)]
    name = found.at.name
    file = keep(f"power-{name}-{cut.number}", lines)
    return f"{str(exc)[:1500]}\n{file}: {_AGAIN.format(name, seed)}"


PART = Part("power cuts", 3, _run)


def main() -> int:
    """Exit status 1 if it wasn't as it must be."""
    parser = argparse.ArgumentParser(prog="python -m prove.power_cuts", description=__doc__)
    parser.add_argument("operation", choices=[one.__name__ for one in OPERATIONS])
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--minutes", type=float, default=5)
    options = parser.parse_args()
    (prepare,) = (one for one in OPERATIONS if one.__name__ == options.operation)
    with Lab() as lab:
        row = tried(lab, prepare, Budget.of(options.minutes * 60, options.seed)).row()
    click.echo("\n".join((f"{row.what}: {row.amount}", *row.broken)))
    return int(bool(row.broken))


if __name__ == "__main__":
    sys.exit(main())
