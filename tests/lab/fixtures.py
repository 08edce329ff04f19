"""pytest fixtures: one lab of each world per worker, cleaned for each module or each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lab import Lab, missing
from lab.second import SecondLab, missing_second


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


@pytest.fixture(scope="session")
def running_second() -> Iterator[SecondLab]:
    """The worker's lab with the second world, in whatever state: use ``second`` instead."""
    reason = missing_second()
    if reason:
        pytest.skip(reason)
    with SecondLab() as lab:
        yield lab


@pytest.fixture
def second(running_second: SecondLab) -> Iterator[SecondLab]:
    """A lab with the second world, clean, around a test that is inside its namespace."""
    with running_second.inside():
        running_second.reset()
        yield running_second
        running_second.reset()
