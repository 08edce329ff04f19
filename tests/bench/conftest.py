"""The table of all benchmarks, printed and written at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure import Bench
from lab.lab import Lab


@pytest.fixture(scope="session")
def running_lab() -> Iterator[Lab]:
    """A lab whose certbot costs what it costs."""
    with Lab(forked=False) as lab:
        yield lab


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """Where each benchmark adds its rows."""
    found = Bench()
    yield found
    found.write(Path(__file__).parents[2] / "build" / "bench.json")
    print(f"\n\n{found.table()}")
