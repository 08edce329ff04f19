"""Whether something is there: only "no such file" says that it isn't, any other error says nothing.

A disk that fails (EIO), a server that lost a handle (ESTALE) or a door that is shut (EACCES) is no
absence, and nothing may be decided as if it were.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from danebot.errors import UnreadableError

_SET_ASIDE = re.compile(
    r"[.#]|.*(~|\.(bak|disabled|dpkg-\w+|off|old|orig|rpm\w+|save|swp|ucf-\w+))\Z"
)
ABSENT = (FileNotFoundError, NotADirectoryError)
"""The errors that prove an absence."""


def unreadable(path: Path | str, exc: OSError) -> UnreadableError:
    """The error to raise where nothing can be told of ``path``."""
    advice = "; run danebot as root" if isinstance(exc, PermissionError) else ""
    return UnreadableError(f"cannot read {path}: {exc.strerror}{advice}")


def is_there(path: Path | str) -> bool:
    """Whether there is anything, a dangling link included; raises `UnreadableError`."""
    return _mode(path, follow=False) is not None


def is_file(path: Path | str) -> bool:
    """Whether there is a regular file, or a link to one; raises `UnreadableError`."""
    mode = _mode(path, follow=True)
    return mode is not None and stat.S_ISREG(mode)


def is_same(one: Path | str, other: Path | str) -> bool:
    """Whether both lead to the same file or directory; raises `UnreadableError`."""
    try:
        return os.path.samestat(os.stat(one), os.stat(other))
    except ABSENT:
        return False
    except OSError as exc:
        raise unreadable(one, exc) from exc


def is_empty(path: Path | str) -> bool:
    """Whether there is a file without content; raises `UnreadableError`."""
    try:
        return os.stat(path).st_size == 0
    except ABSENT:
        return False
    except OSError as exc:
        raise unreadable(path, exc) from exc


def is_directory(path: Path | str) -> bool:
    """Whether there is a directory, or a link to one; raises `UnreadableError`."""
    mode = _mode(path, follow=True)
    return mode is not None and stat.S_ISDIR(mode)


def permissions(path: Path | str) -> int:
    """The permission bits of what is there, behind a link; raises `UnreadableError`."""
    try:
        return os.stat(path).st_mode & 0o777
    except OSError as exc:
        raise unreadable(path, exc) from exc


def written_by_others(path: Path | str) -> bool:
    """Whether anybody but root and this user may have written a file; an absent one counts not."""
    try:
        found = os.stat(path)
    except ABSENT:
        return False
    except OSError as exc:
        raise unreadable(path, exc) from exc
    return found.st_uid not in (0, os.geteuid()) or bool(found.st_mode & 0o022)


def is_plain_file(path: Path | str) -> bool:
    """Whether there is a regular file, and no link to one; raises `UnreadableError`."""
    mode = _mode(path, follow=False)
    return mode is not None and stat.S_ISREG(mode)


def is_own_directory(path: Path | str) -> bool:
    """Whether there is a directory, and no link to one; raises `UnreadableError`."""
    mode = _mode(path, follow=False)
    return mode is not None and stat.S_ISDIR(mode)


def _mode(path: Path | str, *, follow: bool) -> int | None:
    try:
        return os.stat(path, follow_symlinks=follow).st_mode
    except ABSENT:
        return None
    except OSError as exc:
        raise unreadable(path, exc) from exc


def is_set_aside(name: str) -> bool:
    """Whether a file or directory is in nobody's use, by its name: hidden, or left over."""
    return _SET_ASIDE.match(name) is not None
