"""The status document as plain JSON, read with suspicion and without its dataclasses.

Decoding into `danebot.domain.status` would load half of danebot, every minute, for every concern.
"""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from danebot.domain.text import printable
from danebot.errors import DanebotError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = 1  # of danebot.domain.status; a test holds them together
_LARGEST = 64 * 1024 * 1024
_AGAIN = "danebot renew writes it anew"


class AbsentError(DanebotError):
    """There is no document, or it is damaged: the job that writes it doesn't do its work."""


class UnusableError(DanebotError):
    """There is a document, but it isn't ours to read or to understand."""


class Entry:
    """A JSON object whose members have the types that are asked for, or `AbsentError`."""

    __slots__ = ("_at", "_members")

    def __init__(self, members: object, at: str = "document") -> None:
        """``at`` says where it stands, for errors."""
        if not isinstance(members, dict):
            raise AbsentError(f"the status document is damaged: {at} is no object; {_AGAIN}")
        self._members: dict[str, Any] = members
        self._at = at

    def text(self, name: str) -> str:
        """A string, "" for none."""
        found = self._members.get(name)
        return "" if found is None else str(self._typed(name, found, str))

    def number(self, name: str) -> int:
        """A whole number, 0 for none."""
        found = self._members.get(name)
        return 0 if found is None else int(self._typed(name, found, int))

    def seconds(self, name: str) -> float | None:
        """A duration."""
        found = self._members.get(name)
        if found is None:
            return None
        return float(self._typed(name, found, int if type(found) is int else float))

    def moment(self, name: str) -> datetime | None:
        """A time, as aware UTC."""
        text = self.text(name)
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
            if found.tzinfo is not None:
                return found.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self._wrong(name)

    def entry(self, name: str) -> Entry | None:
        """An object."""
        found = self._members.get(name)
        return None if found is None else Entry(found, name)

    def entries(self, name: str) -> Iterator[Entry]:
        """The objects of a list."""
        for item in self._typed(name, self._members.get(name, []), list):
            yield Entry(item, name)

    def texts(self, name: str) -> list[str]:
        """The strings of a list."""
        found = self._typed(name, self._members.get(name, []), list)
        if not all(isinstance(item, str) for item in found):
            raise self._wrong(name)
        return list(found)

    def needed(self, name: str) -> datetime:
        """A time that must be there."""
        found = self.moment(name)
        if found is None:
            raise self._wrong(name)
        return found

    def _typed(self, name: str, found: object, wanted: type) -> Any:  # noqa: ANN401 - JSON
        if type(found) is not wanted:
            raise self._wrong(name)
        return found

    def _wrong(self, name: str) -> AbsentError:
        where = f"{name} of {self._at}"
        return AbsentError(f"the status document is damaged: {where} doesn't fit; {_AGAIN}")


def read_document(path: str) -> Entry:
    """The document; raises `AbsentError` or `UnusableError`."""
    try:
        root = json.loads(_bytes(path))
    except (ValueError, RecursionError) as exc:
        words = printable(str(exc), 80)
        raise AbsentError(f"{path} is damaged: {words}; {_AGAIN}") from exc
    schema = root.get("schema") if isinstance(root, dict) else None
    if type(schema) is not int:
        raise UnusableError(f"{path} is no status document of danebot; see --snapshot")
    if schema != SCHEMA:
        raise UnusableError(
            f"{path} has schema {schema}, this check_danebot reads {SCHEMA}; "
            "install the same version of both"
        )
    return Entry(root)


def _bytes(path: str) -> bytes:
    try:
        # not to hang on a pipe that somebody named by mistake
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
                raise UnusableError(f"{path} is no status document of danebot; see --snapshot")
            return file.read()
    except FileNotFoundError as exc:
        raise AbsentError(f"{path} is not there; {_AGAIN}") from exc
    except (OSError, ValueError) as exc:
        words = getattr(exc, "strerror", None) or str(exc)
        raise UnusableError(f"{path} can't be read: {printable(words)}; it is 0644") from exc
