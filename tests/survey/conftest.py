"""One small internet for all tests of a module's worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from survey.internet import Internet, missing


@pytest.fixture(scope="session")
def internet() -> Iterator[Internet]:
    """Running; each test is inside it."""
    pytest.importorskip("distributed", reason="danebot[survey] isn't installed")
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Internet() as running, running.inside():
        yield running
