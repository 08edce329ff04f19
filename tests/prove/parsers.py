"""Executions of each parser.

First what is sent (`prove.wires`), then what is in files (`prove.file_wires`), and last odd files
as they lie in a tree (`prove.odd_files`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from prove.file_wires import FILES
from prove.fuzzing import Hunt, hunt
from prove.odd_files import search
from prove.part import Budget, Part, Row, counted
from prove.wires import WIRES

_EACH = 500
_FIRST = 3_000_000_000
_WANTED = 1_000_000  # executions; then the next has the rest of the time
_START = 1.0  # second that a process takes to start
_ON_FILES, _ON_TREES = 0.25, 0.1  # of the time


def _run(budget: Budget) -> Iterator[Row]:
    yield from _tried("octets", list(WIRES), budget.share(1 - _ON_FILES - _ON_TREES))
    yield from _tried("files", list(FILES), budget.share(_ON_FILES / (_ON_FILES + _ON_TREES)))
    yield from _odd_files(budget)


def _tried(what: str, names: list[str], budget: Budget) -> Iterator[Row]:
    """Each in a process of its own, on every core; what one leaves of its time is for the next."""

    def one(number: int) -> Hunt:
        turns = -(-(len(names) - number) // budget.cores)
        return hunt(names[number], _WANTED, max(budget.left() / turns - _START, 0.1), budget.seed)

    with ThreadPoolExecutor(budget.cores) as pool:
        for name, done in zip(names, pool.map(one, range(len(names))), strict=True):
            how = "guided by coverage" if done.guided else "by chance"
            rate = f"{done.runs / max(done.seconds, 1e-3):,.0f} a second and core, {how}"
            yield Row(f"{what}: {name}", f"{counted(done.runs, _WANTED)} ({rate})", done.faults)


def _odd_files(budget: Budget) -> Iterator[Row]:
    first = begin = _FIRST + budget.seed * _WANTED
    tried: Counter[str] = Counter()

    def count(line: str) -> None:
        number, _, name = line.strip().partition(" ")
        tried[name] += int(number)

    faults: dict[str, None] = {}
    while first == begin or not budget.over():
        for fault, how in search(_EACH, first, 100, count).items():
            again = f"PYTHONPATH=.:tests python -m prove.odd_files {how}"
            faults.setdefault(f"{fault.case}: {fault.kind} at {fault.where}: {again}")
        first += _EACH
    yield from (
        Row(f"odd files: {name}", counted(number)) for name, number in sorted(tried.items())
    )
    yield Row("odd files, all", counted(first - begin), tuple(faults))


PART = Part("parsers", 4, _run)
