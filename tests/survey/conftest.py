"""One small internet for all tests of a worker, which are inside it one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from survey.internet import Internet, missing


@pytest.fixture(scope="session")
def running_internet() -> Iterator[Internet]:
    """Running, outside; whoever stays inside takes what the worker runs afterwards with it."""
    pytest.importorskip("distributed", reason="danebot[survey] isn't installed")
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Internet() as running:
        yield running


@pytest.fixture
def internet(running_internet: Internet) -> Iterator[Internet]:
    """The same, for a test that is inside it."""
    with running_internet.inside():
        yield running_internet
