"""Whether something is there: only "no such file" says that it isn't, any other error says nothing.

A disk that fails (EIO), a server that lost a handle (ESTALE) or a door that is shut (EACCES) is no
absence, and nothing may be decided as if it were.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from danebot.errors import UnreadableError

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


def is_directory(path: Path | str) -> bool:
    """Whether there is a directory, or a link to one; raises `UnreadableError`."""
    mode = _mode(path, follow=True)
    return mode is not None and stat.S_ISDIR(mode)


def _mode(path: Path | str, *, follow: bool) -> int | None:
    try:
        return os.stat(path, follow_symlinks=follow).st_mode
    except ABSENT:
        return None
    except OSError as exc:
        raise unreadable(path, exc) from exc
