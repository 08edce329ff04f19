"""Where the socket for checks is: made so that nobody puts another in its place.

Its folder, those above, and the links on the way may be changed by root and this user alone, and
nobody else has this user's number.  A lock beside it says whether an exporter lives, so that what a
dead one left is replaced and two never share a path.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS = 40  # as Linux has it
_ALL_USERS = (1 << 32) - 1
_BACKLOG = 1024  # who finds it full waits and tries again


class CheckPlace:
    """A listening socket at a path, until `leave`."""

    def __init__(self, path: Path, mode: int) -> None:
        """Listen there, or raise `ConfigError` that says why not."""
        self.path = path.absolute()
        self._lock = -1
        try:
            _require_distinct(self.path)
            _require_own(self.path)
            self._lock = _locked(self.path)
            self.sock = _listening(self.path, mode)
        except OSError as exc:
            self._unlock()
            raise ConfigError(f"--check.socket {path}: {exc.strerror or exc}") from exc
        except ConfigError:
            self._unlock()
            raise

    def leave(self) -> None:
        """Take no more: who comes from now on learns at once that nobody answers.

        Those that wait to be accepted still are.  The lock is held until the process ends.
        """
        with contextlib.suppress(OSError):
            self.path.unlink()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give up the socket and the lock."""
        self.sock.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1


def _require_distinct(path: Path) -> None:
    """Raise `ConfigError` where other users have this one's number, too.

    In a user namespace, as of a rootless container, all have one number that it doesn't map
    (user_namespaces(7)): nobody's.
    """
    try:
        mapped = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
        strangers = int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))
    except FileNotFoundError:  # a kernel without such
        return
    if os.geteuid() == strangers and sum(int(one.split()[2]) for one in mapped) < _ALL_USERS:
        raise ConfigError(
            f"--check.socket {path}: {strangers} is every user whom this container doesn't know, "
            "so nobody could tell who asks; run it as another user"
        )


def _require_own(path: Path) -> None:
    """Raise `ConfigError` where somebody else could put another socket in its place."""
    own = (0, os.geteuid())
    *way, folder = _way(path.parent)
    for one in (*way, folder):
        found = one.lstat()
        others = not stat.S_ISLNK(found.st_mode) and found.st_mode & _OTHERS
        shared = others and not (found.st_mode & stat.S_ISVTX and one != folder)
        if shared or found.st_uid not in own:
            raise ConfigError(
                f"--check.socket {path}: others than root and this user can change {one}; take a "
                "folder of this user's own, such as RuntimeDirectory= of systemd makes"
            )


def _way(folder: Path) -> Iterator[Path]:
    """Every directory and link that the system goes by to a folder, and last that itself.

    Raises `OSError` where it can't get there.
    """
    at, links = Path("/"), 0
    left = list(reversed(folder.parts[1:]))
    while left:
        yield at
        name = left.pop()
        at = at.parent if name == ".." else at / name
        if at.is_symlink():
            yield at
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
            target = at.readlink()
            at = Path("/") if target.is_absolute() else at.parent
            left += reversed(target.parts[target.is_absolute() :])
    folder.stat()
    yield at


def _locked(path: Path) -> int:
    """The descriptor of a lock that ends with this process."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(f"{path}.lock", flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ConfigError(
            f"--check.socket {path}: another exporter answers there; stop it, or take another path"
        ) from None
    return lock


def _listening(path: Path, mode: int) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError(f"--check.socket {path}: what is there is no socket; remove it")
    beside = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(os.fsencode(beside))
        beside.chmod(mode)
        sock.listen(_BACKLOG)
        beside.rename(path)
    except BaseException:
        sock.close()
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    return sock
