"""Executions of each parser.

First odd files as they lie in a tree (`prove.odd_files`), then what is sent (`prove.wires`), and
last what is in files (`prove.file_wires`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

from prove.file_wires import FILES
from prove.hunting import Hunt, Hunter, hunter
from prove.odd_files import search
from prove.part import Budget, Part, Row, counted
from prove.wires import WIRES

_EACH = 500
_FIRST = 3_000_000_000
_WANTED = 1_000_000  # executions; then the next has the rest of the time
_LEAST = 1.0  # second; to libFuzzer, less is no limit at all
_ON_FILES, _ON_TREES = 0.25, 0.1  # of the time


def _run(budget: Budget) -> Iterator[Row]:
    yield from _odd_files(budget.share(_ON_TREES))
    with ExitStack() as stack:
        free: SimpleQueue[Hunter] = SimpleQueue()
        for _ in range(budget.cores):
            free.put(stack.enter_context(hunter()))
        yield from _tried("octets", list(WIRES), free, budget.share(1 - _ON_FILES))
        yield from _tried("files", list(FILES), free, budget)


def _tried(what: str, names: list[str], free: SimpleQueue[Hunter], budget: Budget) -> Iterator[Row]:
    """Each by itself, on every core; what one leaves of its time is for the next."""
    beyond = [0.0]  # its own time, seconds: what a hunt takes to begin and to end
    with ThreadPoolExecutor(budget.cores) as pool:

        def one(number: int) -> Hunt:
            turns = -(-(len(names) - number) // budget.cores)
            mine = free.get()
            seconds = max(budget.left() / turns - beyond[-1], _LEAST)
            began = time.monotonic()
            try:
                return mine.hunt(names[number], _WANTED, seconds, budget.seed)
            finally:
                beyond.append(max(time.monotonic() - began - seconds, 0.0))
                free.put(mine)

        for name, done in zip(names, pool.map(one, range(len(names))), strict=True):
            yield Row(f"{what}: {name}", _amount(done), done.faults)


def _amount(done: Hunt) -> str:
    """How many, how fast, and how long all that are wanted take at that rate."""
    rate = max(done.runs, 1) / max(done.seconds, 1e-3)
    minutes = _WANTED / rate / 60
    how = "guided by coverage" if done.guided else "by chance"
    speed = f"{rate:,.0f} a second and core: all in {minutes:.0f} minutes of one; {how}"
    return f"{counted(done.runs, _WANTED)} ({speed})"


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
