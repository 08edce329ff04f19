"""Files and links are replaced as a whole, or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from danebot.adapters.files import edit_text, move, remove, remove_leftovers, sync, write_file
from danebot.adapters.replacing import TEMP_PREFIX, NewLink, advice, replace, temporary
from danebot.errors import TreeError


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write_file(tmp_path / "key.pem", b"secret")
    finally:
        os.umask(old)
    assert _mode(tmp_path / "key.pem") == 0o600
    assert (tmp_path / "key.pem").read_bytes() == b"secret"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_mode_and_content_are_replaced(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "combo.pem"
    path.write_bytes(b"old and longer than the new")
    path.chmod(0o666)
    old = os.umask(0o077)
    try:
        write_file(path, b"new", mode, os.getgid())
    finally:
        os.umask(old)
    assert path.read_bytes() == b"new"
    assert _mode(path) == mode
    assert path.stat().st_gid == os.getgid()
    assert os.listdir(tmp_path) == ["combo.pem"]


def test_a_file_takes_the_place_of_a_link_and_leaves_its_target(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    write_file(tmp_path / "link", b"new")
    assert target.read_bytes() == b"old"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("obstacle", ["missing/file", "directory"])
def test_what_cannot_be_written_stays_as_it_was(tmp_path: Path, obstacle: str) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(TreeError, match=r"cannot write .*; mend that and run the command again"):
        write_file(tmp_path / obstacle, b"new")
    assert os.listdir(tmp_path) == ["directory"]


def test_links_are_replaced(tmp_path: Path) -> None:
    replace(NewLink(tmp_path / "link", "one"))
    replace(NewLink(tmp_path / "link", "two"))
    assert os.readlink(tmp_path / "link") == "two"
    assert os.listdir(tmp_path) == ["link"]


def test_a_link_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(TreeError, match="cannot link"):
        replace(NewLink(tmp_path / "directory", "one"))
    assert os.listdir(tmp_path) == ["directory"]


def test_move_within_and_between_directories(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "sub").mkdir()
    move(tmp_path / "a", tmp_path / "b")
    move(tmp_path / "b", tmp_path / "sub/c")
    assert (tmp_path / "sub/c").read_bytes() == b"1"
    with pytest.raises(TreeError, match="cannot move"):
        move(tmp_path / "b", tmp_path / "d")


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A directory of another file system than temporary files are in."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


def test_move_to_another_file_system(tmp_path: Path, elsewhere: Path) -> None:
    if tmp_path.stat().st_dev == elsewhere.stat().st_dev:
        pytest.skip(f"{tmp_path} and {elsewhere} are one file system")
    key = tmp_path / "key.pem"
    write_file(key, b"secret")
    os.utime(key, (7, 7))
    move(key, elsewhere / "kept.pem")
    kept = (elsewhere / "kept.pem").stat()
    assert (kept.st_mode & 0o777, kept.st_mtime) == (0o600, 7)
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    (keys / "one.pem").write_bytes(b"one")
    (keys / "link").symlink_to("/nowhere")
    move(keys, elsewhere / "keys")
    assert (elsewhere / "keys" / "one.pem").read_bytes() == b"one"
    assert os.readlink(elsewhere / "keys" / "link") == "/nowhere"
    assert sorted(os.listdir(elsewhere)) == ["kept.pem", "keys"]
    assert os.listdir(tmp_path) == []


def test_remove_forgives_absence_only(tmp_path: Path) -> None:
    remove(tmp_path / "absent")
    (tmp_path / "directory").mkdir()
    with pytest.raises(TreeError, match="cannot remove"):
        remove(tmp_path / "directory")


def test_sync_takes_files_and_directories(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    sync(tmp_path / "file", tmp_path)
    with pytest.raises(TreeError, match="cannot sync"):
        sync(tmp_path / "absent")


def test_leftovers_go_and_nothing_else(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    place = tmp_path / "place"
    place.mkdir()
    temporary(place).touch()
    temporary(place).mkdir()
    full = temporary(place)
    full.mkdir()
    (full / "key.pem").touch()
    temporary(place).symlink_to(outside)
    (place / f"x{TEMP_PREFIX}").touch()
    remove_leftovers(place)
    assert os.listdir(place) == [f"x{TEMP_PREFIX}"]
    assert (outside / "kept").exists()


def test_leftovers_of_what_is_no_directory(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(TreeError, match="cannot list"):
        remove_leftovers(tmp_path / "file")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EROFS, "remount"),
        (errno.EACCES, "as root"),
        (errno.EPERM, "as root"),
        (errno.EIO, "mend that"),
    ],
)
def test_every_cause_has_its_advice(number: int, words: str) -> None:
    """Who runs it isn't root, whoever runs the tests."""
    with mock.patch.object(os, "geteuid", return_value=1000):
        assert words in advice(OSError(number, os.strerror(number)))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_root_is_not_told_to_be_root(number: int) -> None:
    with mock.patch.object(os, "geteuid", return_value=0):
        assert "lsattr" in advice(OSError(number, os.strerror(number)))


@pytest.mark.parametrize(("there", "edit"), [(b"\xff", str.upper), (b"a", lambda _: "\udcff")])
def test_what_is_no_text_is_left_as_it_is(
    tmp_path: Path, there: bytes, edit: Callable[[str], str]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(there)
    with pytest.raises(TreeError, match="file is left as it is: not UTF-8"):
        edit_text(file, edit)
    assert file.read_bytes() == there
