"""Fixtures for the tests of hooks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory that daemons which gave up root may enter."""
    with tempfile.TemporaryDirectory(prefix="danebot-hooks.") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)
