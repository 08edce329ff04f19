"""The setting ``textfile``: what a run does after it has written the status document."""

from __future__ import annotations

from pathlib import Path

import pytest

from danebot.config import Settings
from danebot.jobs.textfile import replace_textfile
from exporter import sample
from exporter.running import environment


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])


def test_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "danebot.prom"
    settings = Settings(snapshot=sample.write(tmp_path / "status.json"), textfile=path)
    assert replace_textfile(settings) == ""
    assert "danebot_snapshot_readable 1\n" in path.read_text()


def test_without_the_setting_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent")
    assert replace_textfile(Settings()) == ""


def test_what_goes_wrong_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(snapshot=tmp_path / "absent", textfile=tmp_path / "danebot.prom")
    assert "is not there yet" in replace_textfile(settings)
    assert "danebot_snapshot_readable 0\n" in (tmp_path / "danebot.prom").read_text()
    monkeypatch.setattr("sys.executable", "/nonexistent")
    reason = replace_textfile(settings)
    assert reason.startswith(f"{tmp_path}/danebot.prom could not be written: ")
    assert "\n" not in reason
