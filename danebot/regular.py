"""Regular files of the operator, opened with care: they may be anything, of any size.

Below the settings, which are read so too; how files are replaced is `danebot.adapters.files`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

_PIECE = 32 * 1024
_OPEN = "/proc/self/fd"


class NotRegularError(OSError):
    """A directory, a pipe, a device or a socket is there instead of a file."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(errno.EINVAL, "not a regular file", str(path))


class OversizeError(OSError):
    """The file is larger than what is looked for can be."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(errno.EFBIG, "larger than what its name says can be", str(path))


def open_regular(path: Path | str, limit: int, *, follow: bool = True) -> int:
    """Return a descriptor to read from; the caller closes it.

    Raises `NotRegularError`, `OversizeError` for more than ``limit`` octets, and any `OSError` of
    the system's: `FileNotFoundError` and `NotADirectoryError` alone say that there is nothing.
    What is no file isn't opened at all: that alone frees a pipe's writer, rewinds a tape, or arms
    a watchdog.  With ``follow`` False a symbolic link is an error.
    """
    place = os.open(path, os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        found = os.fstat(place)
        if stat.S_ISLNK(found.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        if not stat.S_ISREG(found.st_mode):
            raise NotRegularError(path)
        if found.st_size > limit:
            raise OversizeError(path)
        return _opened(place, path)
    finally:
        os.close(place)


def _opened(place: int, path: Path | str) -> int:
    """What ``place`` is the place of, opened to be read."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    same = f"{_OPEN}/{place}"
    try:
        return os.open(same, flags)
    except OSError as exc:
        if not os.path.lexists(same):  # no /proc here, or not for this process
            return os.open(path, flags)
        raise OSError(exc.errno, exc.strerror, str(path)) from exc


def require_regular(path: Path | str, limit: int) -> None:
    """Raise as `open_regular` does; for what others open by name, and would wait or read on."""
    os.close(open_regular(path, limit))


def read_regular(
    path: Path | str,
    limit: int,
    allow: Callable[[os.stat_result], None] | None = None,
    *,
    follow: bool = True,
    begins: bytes = b"",
) -> bytes:
    """Return a file's content; raises as `open_regular` does, also where it grows meanwhile.

    ``allow`` is shown the open file's status before anything is read, and may raise.  Of a file
    that doesn't begin with ``begins`` the rest isn't read.
    """
    descriptor = open_regular(path, limit, follow=follow)
    try:
        if allow is not None:
            allow(os.fstat(descriptor))
        data = b""
        while len(data) <= limit and (more := os.read(descriptor, _PIECE)):
            data += more
            if not data.startswith(begins):
                break
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise OversizeError(path)
    return data
