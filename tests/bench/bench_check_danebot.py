"""check_danebot from start to exit, beside an interpreter that imports nagiosplugin and ends."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Bench, cpu_seconds
from danebot_checks.lineages_options import CONCERNS
from exporter import sample

if TYPE_CHECKING:
    import pytest

PROGRAM = str(Path(sys.executable).with_name("check_danebot"))
GOAL = 1.6
ROUNDS = 15


def test_each_concern(tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "NOW", datetime.now(UTC))
    lineages = [sample.lineage(f"mail{number}.example.test") for number in range(5)]
    path = sample.write(tmp_path / "status.json", sample.snapshot(lineages))
    bare = [sys.executable, "-c", "import nagiosplugin"]
    commands = [[PROGRAM, concern, "--snapshot", str(path)] for concern in CONCERNS]
    floor, *ours = cpu_seconds([bare, *commands], rounds=ROUNDS)
    for concern, spent in zip(CONCERNS, ours, strict=True):
        name = f"check_danebot {concern}, 5 lineages / importing nagiosplugin alone"
        bench.rounds(name, spent, floor, "s CPU", goal=GOAL)
