"""Odd files (`prove.odd_files`): executions of each parser, as many as the time allows."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

from prove.odd_files import search
from prove.part import Part, Row, counted

_EACH = 2000
_FIRST = 3_000_000_000


def _run(budget: timedelta) -> list[Row]:
    ends, first = time.monotonic() + budget.total_seconds(), _FIRST
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


PART = Part("parsers", 2, _run)
