"""The table of all benchmarks, printed and written at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure import Bench


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """Where each benchmark adds its rows."""
    found = Bench()
    yield found
    found.write(Path(__file__).parents[2] / "build" / "bench.json")
    print(f"\n\n{found.table()}")
