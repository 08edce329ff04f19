"""One small internet for all tests of a worker, which are inside it one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from survey import job
from survey.internet import Internet, missing

FEW = 2000


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


@pytest.fixture(scope="session")
def undisturbed(running_internet: Internet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey that nothing happened to; its domains are listed beside it."""
    at = tmp_path_factory.mktemp("undisturbed")
    words = job.run_words(job.listed(at, FEW), at / "out", "--rows", "150")
    with running_internet.inside():
        status, _, err = job.done(at, *words)
    assert (status, err) == (0, "")
    return at / "out"
