"""What other programs of this project prove: mutants, crash points, faults of the disk, long runs.

Each is run as a contributor runs it; with too little time for all of it, a sample.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from prove.part import Part, Row

_ROOT = Path(__file__).resolve().parents[2]
_ALL = timedelta(minutes=30)  # for which all points are tried
_LINES = 15


def _ran(arguments: Sequence[str], path: str, *, everything: bool) -> tuple[str, tuple[str, ...]]:
    """The last line that a program prints, and what it prints at last where it fails."""
    env = {**os.environ, "PYTHONPATH": str(_ROOT / path), "PROVE": "all" if everything else ""}
    command = [sys.executable, "-m", *arguments]
    ran = subprocess.run(command, cwd=_ROOT, env=env, capture_output=True, text=True, check=False)
    lines = [line for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
    failed = ("\n".join(lines[-_LINES:]),) if ran.returncode else ()
    return (lines[-1] if lines else ""), failed


def _mutants(budget: timedelta) -> list[Row]:
    sample = max(int(budget.total_seconds() / 3), 10)  # of three seconds each
    last, failed = _ran(("mutants", "--sample", f"{sample}"), "tools", everything=False)
    explained = (_ROOT / "tests/domain/equivalent_mutants.txt").read_text().count("\n") - 2
    return [Row("mutants of danebot/domain", f"{last}; {explained} explained", failed)]


def _tests(what: str, tests: Sequence[str], budget: timedelta) -> list[Row]:
    everything = budget >= _ALL
    last, failed = _ran(
        ("pytest", "-q", "-p", "no:cacheprovider", *tests), "tests", everything=everything
    )
    found = re.search(r"\d+ (passed|failed).*", last)
    words = found[0].strip("= ") if found else last
    return [Row(what, f"{words} ({'all' if everything else 'a sample of'} points)", failed)]


def _files(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/{name}.py" for name in names)


MUTANTS = Part("mutants", 3, _mutants)
CRASHES = Part("crash points", 3, partial(_tests, "crash points", _files("e2e/test_power_cut")))
FAULTS = Part(
    "faults",
    2,
    partial(
        _tests,
        "faults of the disk, calls that fail, signals",
        _files("e2e/test_full_disk", "e2e/test_struck"),
    ),
)
CLAUSES = Part(
    "clauses",
    1,
    partial(
        _tests,
        "histories of earlier defects, with their mending taken out",
        _files("sim/test_sim", "sim/test_gate_sim", "prove/test_small_worlds"),
    ),
)
LONG = Part("long run", 1, partial(_tests, "long run", _files("exporter/test_lasting")))
