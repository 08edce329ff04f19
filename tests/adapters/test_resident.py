"""The loop of a process that stays."""

from __future__ import annotations

import time
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor

import pytest

from danebot.adapters.loop import Pause, Program, Work, pause_lane
from danebot.adapters.resident import Resident


def pausing(seconds: float, of: str) -> Program[str]:
    yield (Pause(seconds, of),)
    return of


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    begun: list[Hashable] = []
    lane = pause_lane(1)[Pause]

    def begin(pause: Pause) -> Work:
        begun.append(pause.of)
        return lane.begin(pause)

    resident = Resident({Pause: lane._replace(begin=begin)}, {})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(resident.run, pausing(0.5, "first"), 30.0)
        while not begun:
            time.sleep(0.01)
        with pytest.raises(TimeoutError):
            resident.run(pausing(0.01, "late"), 0.05)
        assert first.result() == "first"
    assert resident.run(pausing(0.01, "last"), 30.0) == "last"
    assert begun == ["first", "last"]
