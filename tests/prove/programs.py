"""What other programs here prove: mutants, and earlier defects with their mending taken out."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import pytest

from prove.part import Budget, Part, Row, counted

_ROOT = Path(__file__).resolve().parents[2]
_READING = 5  # seconds in which sources and tests are read
_LEFT = re.compile(r"\[(survived|no test reaches it)\]$")


# ---- tests, one after the other ------------------------------------------------------------------


class _Until:
    """A plugin of pytest: tests in an order by chance, and none begins once the time is over."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.tests = 0
        self.begun = 0
        self.passed = 0
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        random.Random(self.budget.seed).shuffle(items)
        self.tests = len(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._told(report)  # the loop below goes on with what others have

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed += report.when == "call" and report.passed
        self._told(report)

    def _told(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        if report.failed:
            text = f"{report.longreprtext}\nmake test T='{report.nodeid}'"
            self.failed.append("\n".join(text.splitlines()[-15:]))

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = session.items
        for item, following in zip(items, [*items[1:], None], strict=True):
            if self.begun and self.budget.over():
                break
            self.begun += 1
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return True


def _tests(what: str, tests: Sequence[str], budget: Budget) -> Iterator[Row]:
    until = _Until(budget)
    words = ["-q", "-p", "no:cacheprovider", f"--rootdir={_ROOT}", f"-c{_ROOT}/pyproject.toml"]
    with redirect_stdout(sys.stderr):
        status = pytest.main([*words, *(str(_ROOT / name) for name in tests)], plugins=[until])
    if not until.begun:
        until.failed.append(f"pytest ended with {status}")
    yield Row(what, f"{counted(until.passed, until.tests)} shown again", tuple(until.failed))


CLAUSES = Part(
    "clauses",
    1,
    partial(
        _tests,
        "earlier defects, with their mending taken out",
        (
            *(
                f"tests/sim/{path.name}"
                for path in sorted(Path(_ROOT, "tests/sim").glob("test_*.py"))
            ),
            "tests/prove/test_small_worlds.py",
        ),
    ),
)


# ---- mutants -------------------------------------------------------------------------------------


def _mutants(budget: Budget) -> Iterator[Row]:
    """Killed, explained, and those that no fast test notices; after a survivor the others go on."""
    words = ["--seconds", f"{budget.left() - _READING:.0f}", "--seed", f"{budget.seed}"]
    command = [sys.executable, "-m", "mutants", *words, "--workers", f"{budget.cores}"]
    env = {**os.environ, "PYTHONPATH": str(_ROOT / "tools")}
    ran = subprocess.run(command, cwd=_ROOT, env=env, capture_output=True, text=True, check=False)
    lines = ran.stdout.splitlines()
    left = tuple(line for line in lines if _LEFT.search(line))
    if ran.returncode and not left:
        left = ("\n".join(["it broke off:", *(ran.stdout + ran.stderr).splitlines()[-15:]]),)
    yield Row("mutants of danebot/domain", lines[-1] if lines else "none", left)


MUTANTS = Part("mutants", 3, _mutants)
