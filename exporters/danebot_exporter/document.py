"""Reads the status document one lineage at a time, so that ten thousand fit into little memory.

`walk` never holds more than the text and one lineage.  Whatever is wrong with the document is a
`DocumentError`, never another exception.
"""

from __future__ import annotations

import enum
import errno
import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from danebot.adapters.codec import decode
from danebot.domain.names import printable
from danebot.domain.snapshot import SCHEMA, LineageStatus, Snapshot
from danebot.errors import DanebotError

_BLANKS = re.compile(r"[ \t\r\n]*")
_LARGEST = 512 * 1024 * 1024
_DECODER = json.JSONDecoder()


class Reason(enum.Enum):
    """Why there is nothing to show.  Frozen: the values are public labels."""

    MISSING = "missing"
    FORBIDDEN = "forbidden"
    DAMAGED = "damaged"
    FOREIGN = "foreign"  # no danebot document, or of another schema


class DocumentError(DanebotError):
    """The document can't be used; the text is one line for the operator."""

    def __init__(self, reason: Reason, text: str) -> None:
        """See `Reason`."""
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Signature:
    """Tells one version of a file from the next; a rename changes the inode."""

    inode: int
    size: int
    modified: int
    changed: int  # its mode, for instance


def signature(path: Path) -> Signature | None:
    """What the file looks like from outside; None if it can't be seen."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return Signature(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def read(path: Path, each: Callable[[LineageStatus], None]) -> Snapshot:
    """Hand every lineage to ``each``, and return the rest, or raise `DocumentError`.

    ``each`` has been called by then with lineages of a document that turns out to be damaged.
    """
    text = _text(path)
    try:
        return walk(text, each)
    except DocumentError as fault:
        raise DocumentError(fault.reason, f"{path}: {fault}") from fault
    except (ValueError, RecursionError, DanebotError) as exc:
        words = printable(str(exc))
        raise DocumentError(
            Reason.DAMAGED, f"{path} is damaged: {words}; run danebot renew to write it anew"
        ) from exc


def _text(path: Path) -> str:
    try:
        # Not to hang on a pipe that somebody named by mistake.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
                raise DocumentError(Reason.FOREIGN, f"{path} is not a status document")
            return file.read().decode()
    except UnicodeDecodeError as exc:
        raise DocumentError(Reason.DAMAGED, f"{path} is damaged: not UTF-8") from exc
    except (OSError, ValueError) as exc:
        code = exc.errno if isinstance(exc, OSError) else None
        if code in {errno.EACCES, errno.EPERM}:
            raise DocumentError(
                Reason.FORBIDDEN, f"{path} may not be read; it ought to be 0644"
            ) from exc
        if code == errno.ENOENT:
            words = f"{path} is not there yet: danebot renew writes it"
            raise DocumentError(Reason.MISSING, words) from exc
        raise DocumentError(Reason.MISSING, f"{path} can't be read: {printable(str(exc))}") from exc


def walk(text: str, each: Callable[[LineageStatus], None]) -> Snapshot:
    """`read` for text that is there already; ValueError for what isn't JSON or doesn't fit."""
    head: dict[str, Any] = {}
    for key, at in _Members(text):
        if key == "lineages":
            if "schema" not in head:
                raise DocumentError(Reason.FOREIGN, "not a danebot status document: no schema")
            at.each(each)
        else:
            head[key] = at.value()
            if key == "schema":
                _check_schema(head[key])
    _check_schema(head.get("schema"))
    return decode(Snapshot, {**head, "lineages": []})


def _check_schema(schema: object) -> None:
    if isinstance(schema, int) and schema > SCHEMA:
        raise DocumentError(
            Reason.FOREIGN, f"status document of schema {schema}, newer than this danebot-exporter"
        )
    if schema != SCHEMA or isinstance(schema, bool):
        raise DocumentError(Reason.FOREIGN, f"not a danebot status document of schema {SCHEMA}")


class _Members:
    """The members of the object that a JSON text is, each with the place of its value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def __iter__(self) -> _Members:
        self._expect("{")
        self._first = True
        return self

    def __next__(self) -> tuple[str, _Members]:
        if self._first and self._accept("}"):
            self._end()
        if not self._first and not self._accept(","):
            self._expect("}")
            self._end()
        self._first = False
        key = self.value()
        if not isinstance(key, str):
            raise ValueError("a member has no name")  # noqa: TRY004 - one class for all damage
        self._expect(":")
        return key, self

    def value(self) -> Any:  # noqa: ANN401 - JSON
        """The value here."""
        try:
            found, self._at = _DECODER.raw_decode(self._text, self._skip())
        except StopIteration as exc:
            raise ValueError("it ends too early") from exc
        return found

    def each(self, take: Callable[[LineageStatus], None]) -> None:
        """The items of the list here, decoded."""
        self._expect("[")
        if self._accept("]"):
            return
        while True:
            take(decode(LineageStatus, self.value()))
            if not self._accept(","):
                break
        self._expect("]")

    def _skip(self) -> int:
        found = _BLANKS.match(self._text, self._at)
        return found.end() if found is not None else self._at

    def _accept(self, char: str) -> bool:
        self._at = self._skip()
        if not self._text.startswith(char, self._at):
            return False
        self._at += 1
        return True

    def _expect(self, char: str) -> None:
        if not self._accept(char):
            raise ValueError(f"{char!r} expected at character {self._at}")

    def _end(self) -> None:
        if self._skip() != len(self._text):
            raise ValueError(f"something follows its end, at character {self._at}")
        raise StopIteration
