"""The desk, for tests of what verbs say."""

from __future__ import annotations

from pathlib import Path

import pytest

from verbs.desk import Desk, at_desk


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    return at_desk(tmp_path, capsys, monkeypatch)
