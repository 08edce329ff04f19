"""Small text files of the operator, read with care: they may be anything."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from danebot.errors import ConfigError

_MAX_SIZE = 1024 * 1024
_BY_ANYONE = 0o002


def read_text(path: Path) -> str | None:
    """The text of a file, a byte-order mark aside; None if there is no such file.

    Raises `ConfigError` for what is unreadable, too large, not UTF-8, no regular file, or
    writable by anyone: what it says is done as root.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise ConfigError(f"{path}: not read, since it is not a regular file")
            if mode & _BY_ANYONE:
                raise ConfigError(
                    f"{path}: not read, since anyone may write to it; chmod o-w {path}"
                )
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(_MAX_SIZE + 1)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    if len(data) > _MAX_SIZE:
        raise ConfigError(f"{path}: not read, since it is larger than any settings are")
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from exc
