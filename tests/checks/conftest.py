"""Fixtures for the tests of plugins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.nameserver import nameservers
from checking import DAY, NAME, Plugin, Told, World
from danebot_checks.dane import outcome
from domain.pki import issue


@pytest.fixture
def plugin(capsys: pytest.CaptureFixture[str]) -> Plugin:
    """The plugin, run in this process."""

    def run(*words: str) -> Told:
        try:
            status = outcome(words)
        except SystemExit as ended:  # after --help and --version
            status = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert err == ""
        return Told(status, out)

    return run


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    now = datetime.now(UTC)
    valid = (now - DAY, now + 89 * DAY)
    ca = issue("Check CA", ca=True, valid=(now - DAY, now + 900 * DAY))
    leaf = issue(NAME, ca, names=[NAME], valid=valid)
    with nameservers("127.0.0.1") as (told,):
        yield World(told, tmp_path, leaf, ca)
