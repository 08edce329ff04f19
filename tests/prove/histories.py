"""The simulation (`sim`): as many histories as the time allows, of both kinds."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable
from datetime import timedelta

from prove.part import Part, Row, counted
from sim.gate import simulate_gate
from sim.outcome import Outcome
from sim.play import simulate

_FIRST = 1_000_000  # apart from the seeds that the tests play


def _played(what: str, play: Callable[[int], Outcome], seconds: float) -> Row:
    began = time.monotonic(), time.process_time()
    broken, looks = [], 0
    for seed in itertools.count(_FIRST):
        outcome = play(seed)
        looks += outcome.looks
        if outcome.broken:
            broken.append(f"P1 broken: {play.__name__}({seed})")
        if time.monotonic() - began[0] >= seconds:
            break
    count = seed - _FIRST + 1
    rate = count / max(time.process_time() - began[1], 1e-3)
    amount = f"{counted(count)} ({rate:.0f} a second and core), {counted(looks)} looks"
    return Row(what, amount, tuple(broken))


def _run(budget: timedelta) -> list[Row]:
    seconds = budget.total_seconds()
    gc.disable()  # histories make no cycles
    try:
        return [
            _played("histories of a new key", simulate, seconds * 0.8),
            _played("histories of another intermediate", simulate_gate, seconds * 0.2),
        ]
    finally:
        gc.enable()


PART = Part("histories", 4, _run)
