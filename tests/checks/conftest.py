"""Fixtures for the tests of plugins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from checking import Plugin, World, plugin_here, world_in


@pytest.fixture
def plugin(capsys: pytest.CaptureFixture[str]) -> Plugin:
    return plugin_here(capsys)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as found:
        yield found
