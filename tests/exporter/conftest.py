"""An exporter's server within the test's own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter import sample
from exporter.test_peers import serving

if TYPE_CHECKING:
    from danebot_exporter.server import ExporterServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExporterServer]:
    with serving(sample.write(tmp_path / "status.json")) as found:
        yield found
