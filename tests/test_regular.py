"""What is opened as a file is one: no pipe that never ends, no device, no more than expected."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from danebot.adapters.files import open_lock, read_bytes
from danebot.errors import TreeError, UnreadableError
from danebot.regular import NotRegularError, OversizeError, open_regular, read_regular

NOBODY = 65534
LIMIT = 100
_IN_OPEN = 0x20  # inotify(7)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read what nobody else may: so not as root, where that's who runs the tests."""
    was = os.geteuid()
    os.seteuid(was or NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"x" * LIMIT)
    return path


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def test_up_to_the_limit_all_is_read(file: Path) -> None:
    assert read_regular(file, LIMIT) == b"x" * LIMIT


def test_it_is_not_inherited(file: Path) -> None:
    descriptor = open_regular(file, LIMIT)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_of_a_file_of_another_kind_the_rest_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(b"#!" + b"x" * LIMIT * 1000)
    assert read_regular(file, LIMIT * 2000, begins=b"#!") == file.read_bytes()
    assert len(read_regular(file, LIMIT * 2000, begins=b"%PDF")) < LIMIT * 1000


def test_a_link_is_followed_unless_it_must_not_be(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    assert read_regular(link, LIMIT) == b"x" * LIMIT
    with pytest.raises(OSError, match="symbolic links"):
        read_regular(link, LIMIT, follow=False)


def test_one_octet_too_many(file: Path) -> None:
    with pytest.raises(OversizeError, match="larger than what its name says"):
        read_regular(file, LIMIT - 1)


def test_what_grows_meanwhile_is_read_up_to_the_limit(file: Path) -> None:
    def grow(_: os.stat_result) -> None:
        file.write_bytes(b"x" * LIMIT * 1000)

    with pytest.raises(OversizeError):
        read_regular(file, LIMIT, grow)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, listening], ids=["pipe", "folder", "socket"])
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "odd"
    make(path)
    with pytest.raises(OSError, match=r"not a regular file|No such device") as caught:
        read_regular(path, LIMIT)
    assert not isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_not_even_opened(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """That would free a pipe's writer, rewind a tape, arm a watchdog."""
    path = tmp_path / "odd"
    make(path)
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(watch, os.fsencode(path), _IN_OPEN) >= 0
    with pytest.raises(NotRegularError):
        read_regular(path, LIMIT)
    with pytest.raises(BlockingIOError):  # it has seen nothing
        os.read(watch, 4096)
    os.close(watch)


def test_without_proc_it_is_read_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("danebot.regular._OPEN", "/nonexistent/fd")
    assert read_regular(file, LIMIT) == b"x" * LIMIT
    file.chmod(0)
    file.parent.chmod(0o755)
    with unprivileged(), pytest.raises(PermissionError, match=str(file)):
        read_regular(file, LIMIT)


def test_a_device() -> None:
    with pytest.raises(NotRegularError):
        read_regular("/dev/zero", LIMIT)


def test_links_are_followed_unless_that_is_refused(file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    assert read_regular(link, LIMIT) == b"x" * LIMIT
    with pytest.raises(OSError, match="symbolic links"):
        open_regular(link, LIMIT, follow=False)


def test_what_may_not_be_read_is_no_absence(file: Path) -> None:
    file.chmod(0)
    file.parent.chmod(0o755)
    with unprivileged(), pytest.raises(PermissionError, match=str(file)):
        read_regular(file, LIMIT)


def test_nothing_is_left_open(file: Path, tmp_path: Path) -> None:
    def refuse(_: os.stat_result) -> None:
        raise ValueError("as told")

    before = os.listdir("/proc/self/fd")
    for path, limit in ((file, 1), (tmp_path, LIMIT)):
        with pytest.raises(OSError, match=r"larger|regular"):
            open_regular(path, limit)
    with pytest.raises(ValueError, match="as told"):
        read_regular(file, LIMIT, refuse)
    assert os.listdir("/proc/self/fd") == before


def test_what_is_not_there_and_what_cannot_be_told_differ(tmp_path: Path) -> None:
    """For files of the tree: only the first may be decided upon."""
    with pytest.raises(TreeError, match="No such file") as caught:
        read_bytes(tmp_path / "none")
    assert not isinstance(caught.value, UnreadableError)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UnreadableError):
        read_bytes(tmp_path / "loop")


def test_a_lock_is_a_file_that_nobody_else_opens(tmp_path: Path) -> None:
    descriptor = open_lock(tmp_path / "lock")
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_no_lock_on_what_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "lock")
    with pytest.raises(OSError, match=r"."):
        open_lock(tmp_path / "lock")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        open_lock(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()
