"""A site for each test, on the worker's lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.far import Far
from e2e.site import Site
from lab.lab import Lab
from lab.second import SecondLab


@pytest.fixture
def site(lab: Lab, fresh_tree: Path) -> Site:
    """danebot over an empty tree; `Site.staged` and its like fill it."""
    assert fresh_tree == lab.tree
    return Site(lab)


@pytest.fixture
def far(second: SecondLab) -> Far:
    """The same on the second world."""
    return Far(second)
