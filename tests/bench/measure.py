"""Measures ours and the reference side by side, in one run, and keeps the table."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.  ``ratio`` is ours / reference; ``met`` says whether the goal holds."""

    name: str
    ours: float
    reference: float
    unit: str
    ratio: float
    goal: str
    met: bool


@dataclass
class Bench:
    """The rows of one run."""

    rows: list[Row] = field(default_factory=list)

    def row(self, name: str, ours: float, reference: float, unit: str, *, goal: float) -> None:
        """Add a row whose goal is a ratio of at most ``goal``."""
        ratio = ours / reference
        self.rows.append(Row(name, ours, reference, unit, ratio, f"<= {goal} x", ratio <= goal))

    def rounds(
        self,
        name: str,
        ours: Sequence[float],
        reference: Sequence[float],
        unit: str,
        *,
        goal: float,
    ) -> None:
        """Add a row of what was measured in turn: its ratio is the median of each round's.

        What makes the machine slow for a while makes both sides of a round slow.
        """
        ratio = statistics.median(one / other for one, other in zip(ours, reference, strict=True))
        medians = statistics.median(ours), statistics.median(reference)
        self.rows.append(Row(name, *medians, unit, ratio, f"<= {goal} x", ratio <= goal))

    def limit(self, name: str, ours: float, most: float, unit: str) -> None:
        """Add a row whose goal is an absolute bound."""
        met = ours <= most
        self.rows.append(Row(name, ours, most, unit, ours / most, f"<= {most:g} {unit}", met))

    def write(self, path: Path) -> None:
        """Write ``bench.json``."""
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps([asdict(row) for row in self.rows], indent=1) + "\n")

    def table(self) -> str:
        """The rows for people."""
        head = f"{'':<72} {'ours':>10} {'reference':>10} {'unit':<8} {'ratio':>7}  goal"
        lines = [
            f"{row.name:<72} {row.ours:>10.4f} {row.reference:>10.4f} {row.unit:<8} "
            f"{row.ratio:>7.3f}  {row.goal} {'met' if row.met else 'MISSED'}"
            for row in self.rows
        ]
        return "\n".join([head, *lines])


def cpu_seconds(
    commands: Sequence[Sequence[str]], *, rounds: int, env: Mapping[str, str] | None = None
) -> list[list[float]]:
    """CPU seconds of each command in each round, children included, in turn after a warm-up."""
    times: list[list[float]] = [[] for _ in commands]
    for turn in range(rounds + 1):
        for command, found in zip(commands, times, strict=True):
            spent = one_cpu(command, env)
            if turn:
                found.append(spent)
    return times


def one_cpu(command: Sequence[str], env: Mapping[str, str] | None = None) -> float:
    """CPU seconds of one run of a command that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        check=True,
        env=None if env is None else {**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
