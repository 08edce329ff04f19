"""Executions of each parser.

First what is sent (`prove.wires`), then what is in files (`prove.file_wires`), and last odd files
as they lie in a tree (`prove.odd_files`).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from prove.file_wires import FILES
from prove.fuzzing import Hunt, hunt
from prove.odd_files import search
from prove.part import Part, Row, counted
from prove.wires import WIRES

_EACH = 2000
_FIRST = 3_000_000_000
_WANTED = 1_000_000  # executions; then the next has the rest of the time
_ON_FILES, _ON_TREES = 0.2, 0.1  # of the time


def _run(budget: timedelta) -> list[Row]:
    seconds = budget.total_seconds()
    began = time.monotonic()
    rows = [
        *_tried("octets", list(WIRES), began + seconds * (1 - _ON_FILES - _ON_TREES)),
        *_tried("files", list(FILES), began + seconds * (1 - _ON_TREES)),
    ]
    return [*rows, *_files(began + seconds - time.monotonic())]


def _tried(what: str, names: list[str], ends: float) -> Iterator[Row]:
    """Each in a process of its own, on every core; what one leaves of its time is for the next."""
    cores = len(os.sched_getaffinity(0))

    def one(number: int) -> Hunt:
        turns = -(-(len(names) - number) // cores)
        return hunt(names[number], _WANTED, max(ends - time.monotonic(), 0) / turns + 1)

    with ThreadPoolExecutor(cores) as pool:
        for name, done in zip(names, pool.map(one, range(len(names))), strict=True):
            how = "guided by coverage" if done.guided else "by chance"
            rate = f"{done.runs / max(done.seconds, 1e-3):,.0f} a second and core, {how}"
            yield Row(f"{what}: {name}", f"{counted(done.runs)} ({rate})", done.faults)


def _files(seconds: float) -> list[Row]:
    ends, first = time.monotonic() + seconds, _FIRST
    tried: Counter[str] = Counter()

    def count(line: str) -> None:
        number, _, name = line.strip().partition(" ")
        tried[name] += int(number)

    faults: dict[str, None] = {}
    while first == _FIRST or time.monotonic() < ends:
        for fault, how in search(_EACH, first, 100, count).items():
            faults.setdefault(f"{fault.case}: {fault.kind} at {fault.where}: {how}")
        first += _EACH
    rows = [Row(f"odd files: {name}", counted(number)) for name, number in sorted(tried.items())]
    return [*rows, Row("odd files, all", counted(first - _FIRST), tuple(faults))]


PART = Part("parsers", 4, _run)
