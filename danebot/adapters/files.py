"""Files that are read within bounds, and replaced whole: write, fsync, rename, fsync of directory.

Whatever is written lies under a name that begins with `TEMP_PREFIX` until it is complete, so that
a crash leaves nothing but a file that `remove_leftovers` knows.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from danebot.adapters.access import Access, access_of
from danebot.adapters.presence import ABSENT, is_there, unreadable
from danebot.adapters.replacing import (
    PRIVATE,
    TEMP_PREFIX,
    NewFile,
    advice,
    replace,
    sync_directory,
    temporary,
)
from danebot.errors import ForeignError, TreeError
from danebot.regular import NotRegularError, OversizeError, read_regular

_OTHERS_WRITE = 0o022
_MAX_STATE = 512 * 1024 * 1024  # a hundred thousand lineages
_PARENTS = 0o755
MAX_FILE = 4 * 1024 * 1024


def read_bytes(path: Path | str, *, follow: bool = True) -> bytes:
    """A file's content, or `TreeError`; bounded, and only of regular files.

    With ``follow`` False a symbolic link is an error.
    """
    try:
        return read_regular(path, MAX_FILE, follow=follow)
    except OversizeError as exc:
        raise TreeError(
            f"{path} is larger than {MAX_FILE >> 20} MiB, so it can't be what its name says; "
            "move it away and run the command again"
        ) from exc
    except (*ABSENT, NotRegularError) as exc:
        raise TreeError(f"cannot read {path}: {exc.strerror}") from exc
    except OSError as exc:
        raise unreadable(path, exc) from exc


def read_own(path: Path) -> bytes:
    """`read_bytes` of what danebot alone writes: what anybody else may have written is refused.

    Raises `ForeignError` unless file and directory belong to this user, or root, and are for no
    other user to write in.
    """

    def allow(found: os.stat_result) -> None:
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & _OTHERS_WRITE:
            raise ForeignError(f"{path}: others may write there, so it isn't believed")

    try:
        allow(os.stat(path.parent))
        return read_regular(path, _MAX_STATE, allow)
    except (*ABSENT, NotRegularError, OversizeError) as exc:
        raise TreeError(f"cannot read {path}: {exc.strerror}") from exc
    except OSError as exc:
        raise unreadable(path, exc) from exc


def open_lock(path: Path) -> int:
    """Return a descriptor to lock, of a file that is made where it isn't there (0600).

    The caller closes it.  `OSError` for what is no regular file, a link to one included.
    """
    flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, PRIVATE)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise NotRegularError(path)


def sync(*paths: Path) -> None:
    """Make files that others wrote, or directories, durable; `TreeError` if that fails."""
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise TreeError(f"cannot sync {path}: {exc.strerror}; {advice(exc)}") from exc


def make_directory(path: Path, mode: int) -> None:
    """Create ``path`` unless it is there, with ``mode``, and what lacks above it with 0755.

    The umask has no say: what danebot makes is as it says.  Raises `OSError`.
    """
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_directory(path.parent, _PARENTS)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
        return  # somebody else was faster: it is theirs
    path.chmod(mode)


def write_file(path: Path, data: bytes, mode: int = PRIVATE, group: int | None = None) -> None:
    """Replace ``path`` by ``data``.

    The file is 0600 from its first byte and gets ``mode`` and ``group`` when it is complete, just
    before it takes its name; the access control list and the security label stay.  Raises
    `TreeError`, with ``path`` as it was.
    """
    replace(NewFile(path, data, Access(mode, group)))


def rewrite_file(path: Path, data: bytes, mode: int) -> None:
    """Replace ``path`` by ``data``, for those who might use it before; ``mode`` if it is new."""
    replace(rewritten(path, data, mode))


def rewritten(path: Path, data: bytes, mode: int, model: Path | None = None) -> NewFile:
    """The change of `rewrite_file`, for those who may use ``model``; raises `TreeError`."""
    try:
        return NewFile(path, data, access_of(model or path, mode), model)
    except OSError as exc:
        raise unreadable(path, exc) from exc


def copy_file(file: Path, path: Path, mode: int) -> None:
    """Replace ``path`` by a copy of ``file``, for those who may use that; raises `TreeError`."""
    replace(rewritten(path, read_bytes(file), mode, file))


def edit_text(path: Path, edit: Callable[[str], str], mode: int = 0o644) -> None:
    """Replace a file of UTF-8 text ("" where there is none) by what ``edit`` makes of it.

    Nothing is written where that is the same.  Raises `TreeError`.
    """
    try:
        old = read_bytes(path).decode() if is_there(path) else ""
        new = edit(old)
        data = new.encode()
    except (UnicodeDecodeError, UnicodeEncodeError) as exc:
        raise TreeError(f"{path} is left as it is: not UTF-8 ({exc.reason})") from exc
    if new != old:
        rewrite_file(path, data, mode)


def keep(path: Path, kept: Path) -> None:
    """Keep what ``path`` is under the name ``kept`` too, since ``path`` is about to be replaced.

    Where no hard link can be made, ``kept`` is a copy.
    """
    try:
        kept.unlink(missing_ok=True)
        try:
            os.link(path, kept, follow_symlinks=False)
        except OSError:
            _copy(path, kept)
        sync_directory(kept.parent)
    except OSError as exc:
        raise TreeError(f"cannot keep {path} as {kept}: {exc.strerror}; {advice(exc)}") from exc


def _copy(path: Path, copy: Path) -> None:
    import shutil

    found = path.lstat()
    if not path.is_symlink():
        copy.touch(mode=PRIVATE, exist_ok=False)
    shutil.copy2(path, copy, follow_symlinks=False)
    os.chown(copy, found.st_uid, found.st_gid, follow_symlinks=False)
    if not copy.is_symlink():
        copy.chmod(found.st_mode & 0o7777)  # a new owner takes some bits off
        sync(copy)


def move(old: Path, new: Path) -> None:
    """Rename durably on both sides; where they are mounted apart, copy it first."""
    try:
        try:
            old.rename(new)
        except OSError as exc:
            if exc.errno != errno.EXDEV:
                raise
            _carry(old, new)
        sync_directory(new.parent)
        if old.parent != new.parent:
            sync_directory(old.parent)
    except OSError as exc:
        raise TreeError(f"cannot move {old} to {new}: {exc.strerror}; {advice(exc)}") from exc


def _carry(old: Path, new: Path) -> None:
    """Move a file or directory to another file system; its content is private until it is whole."""
    import shutil

    place = temporary(new.parent)
    place.mkdir(mode=0o700)
    try:
        copy = place / old.name
        if old.is_dir() and not old.is_symlink():
            shutil.copytree(old, copy, symlinks=True)
        else:
            shutil.copy2(old, copy, follow_symlinks=False)
        sync(*(path for path in (copy, *copy.rglob("*")) if not path.is_symlink()))
        copy.rename(new)
        sync_directory(new.parent)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if new.is_dir() and not new.is_symlink():
        shutil.rmtree(old)
    else:
        old.unlink()


def remove(path: Path) -> None:
    """Remove a file or link; it may be gone already."""
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise TreeError(f"cannot remove {path}: {exc.strerror}; {advice(exc)}") from exc


def leftovers(directory: Path) -> list[Path]:
    """What a crash of danebot left in ``directory``, or what a running one is making there."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise TreeError(f"cannot list {directory}: {exc.strerror}; {advice(exc)}") from exc
    return [directory / name for name in names if name.startswith(TEMP_PREFIX)]


def remove_leftovers(directory: Path) -> None:
    """Remove what a crash of danebot left in ``directory``; the caller holds the lock."""
    for leftover in leftovers(directory):
        if leftover.is_dir() and not leftover.is_symlink():
            _remove_all(leftover)
        else:
            remove(leftover)


def _remove_all(directory: Path) -> None:
    import shutil

    try:
        shutil.rmtree(directory)
    except OSError as exc:
        raise TreeError(f"cannot remove {directory}: {exc.strerror}; {advice(exc)}") from exc
