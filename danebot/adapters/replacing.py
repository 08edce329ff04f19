"""Several files and links replaced as one change: all of them, or none.

Whatever needs space is made first, beside what it replaces; then only names change.  What fails
among these is taken back at once; what a crash interrupts there, recovery heals.  Each name lies at
every instant on the old or on the new, complete.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

from danebot.adapters.access import Access, keep_labels, settle
from danebot.adapters.presence import is_there
from danebot.errors import TreeError
from danebot.regular import read_regular
from danebot.tuples import NamedTuple

TEMP_PREFIX = ".danebot-tmp-"
PRIVATE = 0o600


class NewFile(NamedTuple):
    """A file's next content; its access list and label are those of ``model``, or of ``path``."""

    path: Path
    data: bytes
    access: Access = Access(PRIVATE)
    model: Path | None = None


class NewLink(NamedTuple):
    """A symbolic link's next ``target``, which must lead to the very ``file``, unless None."""

    path: Path
    target: str
    file: Path | None = None


Change = NewFile | NewLink


class _Prepared(NamedTuple):
    """``new`` takes the name; ``former`` is another name of what has it now, None for nothing."""

    change: Change
    new: Path
    former: Path | None


def replace(*changes: Change) -> None:
    """Make all changes, in their order; raises `TreeError` with everything as it was.

    What the system doesn't let be given back stays beside its name until recovery has healed.
    Each is durable before the next one.  One alone is as it is to be where only the sync fails.
    """
    alone = len(changes) == 1
    prepared: list[_Prepared] = []
    begun: list[_Prepared] = []
    stuck: list[_Prepared] = []
    change = changes[0]
    try:
        for change in changes:
            directory = change.path.parent
            former = temporary(directory) if not alone and is_there(change.path) else None
            prepared.append(_Prepared(change, temporary(directory), former))
            _prepare(prepared[-1])
        for one in prepared:
            change = one.change
            if isinstance(change, NewLink) and change.file is not None:
                _leads(one.new, change.file)
            if not alone:
                begun.append(one)
            one.new.rename(change.path)
            sync_directory(change.path.parent)
    except BaseException as exc:  # told to end, too
        stuck = _take_back(begun)
        _discard(*(one.new for one in prepared))
        if not isinstance(exc, OSError):
            raise
        verb = "link" if isinstance(change, NewLink) else "write"
        raise TreeError(f"cannot {verb} {change.path}: {exc.strerror}; {advice(exc)}") from exc
    finally:
        _discard(*(one.former for one in prepared if one not in stuck))


def _prepare(prepared: _Prepared) -> None:
    """Make the new one, durably, and the way back."""
    change, new, former = prepared
    if isinstance(change, NewLink):
        new.symlink_to(change.target)
    else:
        _create(new, change)
    if former is None:
        return
    if change.path.is_symlink():
        former.symlink_to(change.path.readlink())
    elif not change.path.is_dir():  # which no rename replaces
        try:
            os.link(change.path, former)
        except OSError:  # not every file system can
            found = change.path.stat()
            access = Access(found.st_mode & 0o777, found.st_gid)
            data = read_regular(change.path, sys.maxsize)
            _create(former, NewFile(former, data, access, change.path))


def _create(new: Path, change: NewFile) -> None:
    model = change.model or change.path
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(new, flags, PRIVATE)
    try:
        keep_labels(descriptor, model)
        view = memoryview(change.data)
        while view:
            view = view[os.write(descriptor, view) :]
        settle(descriptor, change.access, model)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _leads(link: Path, file: Path) -> None:
    """Raise `OSError` unless the link leads to that very file."""
    if not os.path.samestat(link.stat(), file.stat()):
        raise FileNotFoundError(errno.ENOENT, f"it would lead to another file than {file}")


def _take_back(begun: list[_Prepared]) -> list[_Prepared]:
    """Give every name back to what had it; return those for which the system didn't let it."""
    stuck = []
    for one in reversed(begun):
        change, new, former = one
        if os.path.lexists(new):  # its name wasn't changed
            continue
        try:
            if former is None:
                change.path.unlink()
            else:
                former.rename(change.path)
            sync_directory(change.path.parent)
        except OSError:
            stuck.append(one)
    return stuck


def temporary(directory: Path) -> Path:
    """A fresh name in ``directory`` that recovery recognises as a leftover."""
    return directory / f"{TEMP_PREFIX}{os.urandom(8).hex()}"


def sync_directory(directory: Path) -> None:
    """Make renames in ``directory`` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(*paths: Path | None) -> None:
    for path in filter(None, paths):
        with suppress(OSError):  # the next run removes it
            path.unlink(missing_ok=True)


def advice(exc: OSError) -> str:
    """What helps against an error of the file system's, in words."""
    match exc.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "free some space and run the command again"
        case errno.EROFS:
            return "the file system is read-only: remount it and run the command again"
        case errno.EACCES | errno.EPERM if os.geteuid():
            return "run danebot as root"
        case errno.EACCES | errno.EPERM:
            return "not even root may: see lsattr, and how it is mounted"
        case _:
            return "mend that and run the command again"
