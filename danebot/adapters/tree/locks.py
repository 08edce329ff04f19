"""One danebot at a time, and no certbot meanwhile: locks on a tree.

``.danebot.lock`` keeps two runs of danebot apart.  ``.certbot.lock`` is certbot's, which certbot
locks, compares with what is at that path, and removes before it lets go; danebot does the same, so
that a certbot started by its own timer, or one that outlived a killed danebot, is waited for.  Both
are record locks (fcntl): they end with the process, and no child inherits them.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Self

from danebot.adapters.files import open_lock
from danebot.domain.names import printable
from danebot.errors import LockedError, TreeError

OWN, CERTBOT = ".danebot.lock", ".certbot.lock"
_POLL = 0.1  # seconds
_FLOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux: type, whence, start, length, pid


class TreeLock:
    """Both locks of one tree, as a context manager.

    Entering raises `LockedError` when another holds one for longer than ``wait``, and `TreeError`
    when the tree can't be written to.  ``progress`` learns for whom it waits.
    """

    def __init__(
        self,
        tree: Path,
        wait: timedelta = timedelta(minutes=2),
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.tree = tree
        self.wait = wait
        self._progress = progress
        self._held: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._acquire(OWN)
        try:
            self._acquire(CERTBOT)
        except BaseException:
            self._release(OWN)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._release(CERTBOT)
        self._release(OWN)

    @contextmanager
    def certbot_may_run(self) -> Iterator[None]:
        """Let certbot have its lock for a while; afterwards another's certbot is waited for, too.

        Whatever was read of the tree before may be out of date then.  When the lock can't be had
        again, `LockedError` is raised, and nothing more may be read or changed.
        """
        self._release(CERTBOT)
        try:
            yield
        except Exception:
            self._acquire(CERTBOT)
            raise
        self._acquire(CERTBOT)  # not when danebot is told to end: it would have to wait

    def _acquire(self, name: str) -> None:
        deadline = time.monotonic() + self.wait.total_seconds()
        path = self.tree / name
        waited = False
        while True:
            descriptor = _opened(path)
            if _try_lock(path, descriptor):
                self._held[name] = descriptor
                return
            holder = _holder(descriptor)
            os.close(descriptor)
            program = "danebot" if name == OWN else "certbot"
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"another {program}{holder} is at work in {self.tree}, still after "
                    f"{int(self.wait.total_seconds())} s; run the command again when it has ended, "
                    "or end it if it hangs"
                )
            if not waited:
                self._progress(f"waiting for another {program}{holder} to end")
            waited = True
            time.sleep(_POLL)

    def _release(self, name: str) -> None:
        """Remove the file, then let go of the lock: a process that has it open looks again.

        A file that can't be removed harms nobody, and must not hide what the run has to say.
        """
        descriptor = self._held.pop(name, None)
        if descriptor is not None:
            with suppress(OSError):
                (self.tree / name).unlink(missing_ok=True)
            os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return open_lock(path)
    except PermissionError as exc:
        raise TreeError(f"cannot write to {path.parent}; run danebot as root") from exc
    except FileNotFoundError as exc:
        raise TreeError(
            f"there is no directory {path.parent}; name certbot's tree with --config-dir"
        ) from exc
    except OSError as exc:
        raise TreeError(
            f"cannot open {path}: {exc.strerror}; mend that and run the command again"
        ) from exc


def _try_lock(path: Path, descriptor: int) -> bool:
    """Lock the open file; False if another has it, or has just removed it from ``path``."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _is_at(path, descriptor)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, says POSIX
        return False
    except OSError as exc:
        os.close(descriptor)
        raise TreeError(
            f"cannot lock {path}: {exc.strerror}; does its file system have locks?"
        ) from exc


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file still is what the path names."""
    try:
        there = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def _holder(descriptor: int) -> str:
    """The process that holds the lock, in words; "" where the system doesn't tell."""
    if not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        return ""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        found = fcntl.fcntl(descriptor, fcntl.F_GETLK, asked)
    except OSError:
        return ""
    kind, _, _, _, pid = _FLOCK.unpack(found)
    return f" (process {pid}{_command(pid)})" if kind != fcntl.F_UNLCK and pid > 0 else ""


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return ""
    return ": " + printable(words.decode("utf-8", "replace").strip(), 80)
