"""The status document begins anew where it is absent or damaged; otherwise it waits."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from danebot.errors import TreeError
from danebot.jobs.snapshot import leave_word, this_run
from jobs.world import World

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_a_document_that_fails_to_read_is_not_replaced(tmp_path: Path) -> None:
    """A link to itself stands for a disk that fails to read."""
    path = tmp_path / "status.json"
    path.symlink_to(path)
    with pytest.raises(TreeError, match=r"status\.json can't be read: .*remove it to begin anew"):
        leave_word(path, this_run("renew", NOW, NOW, 1), ())
    assert path.is_symlink()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]"])
def test_absence_and_damage_begin_anew(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "status.json"
    if content is not None:
        path.write_bytes(content)
    leave_word(path, this_run("renew", NOW, NOW, 1), ())
    assert b'"schema": 1' in path.read_bytes()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_directories_are_for_all_to_read_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new" / "state" / "status.json"
    before = os.umask(umask)
    try:
        leave_word(path, this_run("renew", NOW, NOW, 1), ())
    finally:
        os.umask(before)
    for one, mode in ((path, 0o644), (path.parent, 0o755), (path.parent.parent, 0o755)):
        assert one.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize(("mode", "owner"), [(0o777, 0), (0o1777, 0), (0o755, 65534)])
def test_a_directory_where_others_may_write_is_told(tmp_path: Path, mode: int, owner: int) -> None:
    """Nothing that danebot keeps there is believed: that must not be silent."""
    if owner and os.geteuid():
        pytest.skip("only root gives a directory away")
    world = World(tmp_path)
    state = world.settings.state_directory
    state.mkdir(mode=0o755)
    assert not any(str(state) in one.text for one in world.renew().findings)
    state.chmod(mode)
    os.chown(state, owner or -1, -1)
    (told,) = (one for one in world.renew().findings if str(state) in one.text)
    assert "isn't believed" in told.text
    assert told.remedy.startswith(f"run: chown root: {state}; chmod go-w {state}")
