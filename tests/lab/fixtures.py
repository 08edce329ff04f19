"""pytest fixtures: one lab per worker, cleaned for each module or each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lab import Lab, missing


@pytest.fixture(scope="session")
def running_lab() -> Iterator[Lab]:
    """The worker's lab, in whatever state the last user left it: use ``lab`` instead."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def lab(running_lab: Lab) -> Lab:
    """A lab, clean at the beginning of the module."""
    running_lab.reset()
    return running_lab


@pytest.fixture
def fresh_tree(lab: Lab) -> Path:
    """An empty certbot tree on a lab that is clean at the beginning of the test."""
    lab.reset()
    return lab.tree
