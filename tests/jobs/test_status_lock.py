"""Who may read the status directory can stop no run."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from danebot.errors import TreeError
from danebot.jobs import snapshot


def test_a_lock_on_the_directory_itself_holds_nobody_up(tmp_path: Path) -> None:
    """flock needs no more than the right to read, and the directory is 0755."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with snapshot._alone(tmp_path):
        (lock,) = tmp_path.iterdir()
        assert lock.stat().st_mode & 0o777 == 0o600
    os.close(descriptor)


def test_another_run_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_PATIENCE", 0.1)
    with (
        snapshot._alone(tmp_path),
        pytest.raises(TreeError, match="held by another program"),
        snapshot._alone(tmp_path),
    ):
        raise AssertionError("two at once")
