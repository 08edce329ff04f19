"""Small text files of the operator, read with care: they may be anything."""

from __future__ import annotations

import os
from pathlib import Path

from danebot.domain.text import quoted
from danebot.errors import ConfigError
from danebot.regular import NotRegularError, OversizeError, read_regular

_MAX_SIZE = 1024 * 1024
_BY_ANYONE = 0o002


def read_text(path: Path) -> str | None:
    """The text of a file, a byte-order mark aside; None if there is no such file.

    Raises `ConfigError` for what is unreadable, too large, not UTF-8, no regular file, or
    writable by anyone: what it says is done as root.
    """

    def allow(found: os.stat_result) -> None:
        if found.st_mode & _BY_ANYONE:
            raise ConfigError(
                f"{path}: not read, since anyone may write to it; chmod o-w {quoted(path)}"
            )

    try:
        data = read_regular(path, _MAX_SIZE, allow)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except NotRegularError as exc:
        raise ConfigError(f"{path}: not read, since it is not a regular file") from exc
    except OversizeError as exc:
        raise ConfigError(f"{path}: not read, since it is larger than any settings are") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from exc
