"""The locks of one tree: danebot's own, and certbot's, held in certbot's way.

danebot's lock keeps two runs apart.  certbot's keeps away a certbot that a timer starts, and makes
a run wait for an orphan that a killed danebot left, before anything is read.  It is given up while
danebot's own certbot runs.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Self

from danebot.errors import LockedError, TreeError

OWN_LOCK, CERTBOT_LOCK = ".danebot.lock", ".certbot.lock"
_POLL = 0.1  # seconds
_MODE = 0o600


class TreeLock:
    """Both locks of a tree, held from ``with`` to its end; waits up to ``patience`` for each.

    Raises `LockedError` when they can't be had in time, `TreeError` when there is no right to.
    """

    def __init__(self, tree: Path, patience: timedelta) -> None:
        """Nothing is locked yet."""
        self._own = tree / OWN_LOCK
        self._certbot = tree / CERTBOT_LOCK
        self._patience = patience.total_seconds()
        self._held: dict[Path, int] = {}

    def __enter__(self) -> Self:
        """Take both."""
        self._take(self._own, "danebot")
        try:
            self._take(self._certbot, "certbot")
        except BaseException:
            self._give(self._own)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Give both up."""
        self._give(self._certbot)
        self._give(self._own)

    @contextmanager
    def certbot_may_run(self) -> Iterator[None]:
        """Let danebot's own certbot lock the tree meanwhile."""
        self._give(self._certbot)
        try:
            yield
        finally:
            self._take(self._certbot, "certbot")

    def _take(self, path: Path, whose: str) -> None:
        end = time.monotonic() + self._patience
        while (descriptor := _attempt(path)) is None:
            if time.monotonic() >= end:
                raise LockedError(
                    f"another {whose} is at work{_holder(path)} and holds {path}; "
                    "wait for it, or see what it hangs on"
                )
            time.sleep(_POLL)
        self._held[path] = descriptor

    def _give(self, path: Path) -> None:
        """Unlink before closing, as certbot does: whoever opened the old file looks again."""
        descriptor = self._held.pop(path, None)
        if descriptor is None:
            return
        try:
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _attempt(path: Path) -> int | None:
    """A descriptor that holds the lock, or None if somebody else has it."""
    while True:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, _MODE)
        except OSError as exc:
            raise TreeError(f"cannot lock {path}: {exc.strerror}; run danebot as root") from exc
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(descriptor)
            if exc.errno in (errno.EACCES, errno.EAGAIN):
                return None
            raise TreeError(f"cannot lock {path}: {exc.strerror}") from exc
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the locked file is the one that lies at ``path``: a former holder unlinks it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    """Who holds the lock, in words, as far as the kernel tells."""
    try:
        inode = path.stat().st_ino
        text = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return ""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 5 and fields[5].endswith(f":{inode}"):  # noqa: PLR2004 - proc(5)
            return f" (process {fields[4]})"
    return ""
