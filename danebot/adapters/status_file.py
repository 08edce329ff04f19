"""Reads the status document; who writes it is `danebot.jobs.snapshot`.

`read_status` takes one lineage at a time, so that ten thousand fit into little memory: it never
holds more than a piece of the text and one lineage.  Whatever is wrong with the document is a
`StatusError`, never another exception.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from danebot.adapters.codec import decode
from danebot.domain.status.document import SCHEMA, Former, LineageStatus, Snapshot, StatusFault
from danebot.domain.text import printable
from danebot.errors import DanebotError, TreeError
from danebot.regular import NotRegularError, OversizeError, open_regular
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

KindT = TypeVar("KindT")
_BLANKS = re.compile(r"[ \t\r\n]*")
_LARGEST = 512 * 1024 * 1024
_PIECE = 256 * 1024
_DECODER = json.JSONDecoder()


class StatusError(TreeError):
    """The document can't be used; the text is one line for the operator."""

    def __init__(self, reason: StatusFault, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class FileSignature(NamedTuple):
    """Tells one version of a file from the next; a rename changes the inode."""

    inode: int
    size: int
    modified: int
    changed: int  # its mode, for instance


def signature(path: Path) -> FileSignature | None:
    """What the file looks like from outside; None if it can't be seen."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return FileSignature(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def load_status(path: Path | str) -> Snapshot:
    """Return the whole document, or raise `StatusError`."""
    lineages: list[LineageStatus] = []
    rest = read_status(path, lineages.append)
    return rest._replace(lineages=tuple(lineages))


def load_former(path: Path | str) -> tuple[Snapshot, tuple[Former, ...]]:
    """Return the document without its lineages, and what the next takes from them.

    Raises as `load_status` does; what else a lineage has is passed over.
    """
    lineages: list[Former] = []
    return _read(path, lambda file: walk(file, lineages.append, Former)), tuple(lineages)


def read_status(path: Path | str, each: Callable[[LineageStatus], None]) -> Snapshot:
    """Hand every lineage to ``each``, and return the rest, or raise `StatusError`.

    ``each`` has been called by then with lineages of a document that turns out to be damaged.
    """
    return _read(path, lambda file: walk(file, each, LineageStatus))


def _read(path: Path | str, read: Callable[[TextIO], Snapshot]) -> Snapshot:
    try:
        with _open(path) as file:
            return read(file)
    except StatusError as fault:
        raise StatusError(fault.reason, f"{path}: {fault}") from fault
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    except (ValueError, RecursionError, DanebotError) as exc:
        words = f"{path} is damaged: {printable(str(exc))}; run danebot renew to write it anew"
        raise StatusError(StatusFault.DAMAGED, words) from exc


def _open(path: Path | str) -> TextIO:
    try:
        descriptor = open_regular(path, _LARGEST)
    except ValueError as exc:  # a NUL in the name
        raise StatusError(StatusFault.MISSING, str(exc)) from exc
    except (NotRegularError, OversizeError) as exc:
        raise StatusError(StatusFault.FOREIGN, "not a status document") from exc
    return os.fdopen(descriptor, encoding="utf-8", newline="")


def _unreadable(path: Path | str, exc: OSError) -> StatusError:
    match exc.errno:
        case errno.EACCES | errno.EPERM:
            words = f"{path} may not be read; it ought to be 0644"
            return StatusError(StatusFault.FORBIDDEN, words)
        case errno.ENOENT | errno.ENOTDIR:
            words = f"{path} is not there yet: danebot renew writes it"
            return StatusError(StatusFault.MISSING, words)
        case _:
            words = f"{path} can't be read: {exc.strerror}"
            return StatusError(StatusFault.UNREADABLE, words)


def walk(file: TextIO, each: Callable[[KindT], None], kind: type[KindT]) -> Snapshot:
    """`read_status` for what is open already; ValueError for what isn't JSON or doesn't fit."""
    head: dict[str, Any] = {}
    text = _Text(file)
    for key in text.members():
        if key == "lineages":
            if "schema" not in head:
                raise StatusError(StatusFault.FOREIGN, "not a danebot status document: no schema")
            for item in text.items():
                each(decode(kind, item))
        else:
            head[key] = text.value()
            if key == "schema":
                _check_schema(head[key])
    _check_schema(head.get("schema"))
    return decode(Snapshot, {**head, "lineages": []})


def _check_schema(schema: object) -> None:
    if isinstance(schema, int) and schema > SCHEMA:
        raise StatusError(
            StatusFault.FOREIGN,
            f"status document of schema {schema}, newer than what this version reads; "
            "install the same version of both",
        )
    if schema != SCHEMA or isinstance(schema, bool):
        raise StatusError(StatusFault.FOREIGN, f"not a danebot status document of schema {SCHEMA}")


class _Text:
    """JSON, taken value by value; only what a value needs is in memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._all = False

    def members(self) -> Iterator[str]:
        """The object's names; the caller takes each one's value before the next."""
        self._expect("{")
        if not self._accept("}"):
            while True:
                key = self.value()
                if not isinstance(key, str):
                    raise ValueError("a member has no name")  # noqa: TRY004 - one for all damage
                self._expect(":")
                yield key
                if not self._accept(","):
                    break
            self._expect("}")
        if self._next():
            raise ValueError("something follows its end")

    def items(self) -> Iterator[Any]:
        """The items of the list that comes next."""
        self._expect("[")
        if self._accept("]"):
            return
        yield self.value()
        while self._accept(","):
            yield self.value()
        self._expect("]")

    def value(self) -> object:
        """The value that comes next."""
        while True:
            self._next()
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except (StopIteration, ValueError) as exc:
                if self._all:
                    raise ValueError(str(exc) or "it ends too early") from exc
            else:
                if end < len(self._text) or self._all:  # else a number may go on
                    self._at = end
                    return found
            self._fill()

    def _fill(self) -> None:
        """Twice as much text, so that a long value is looked at a few times only."""
        rest = self._text[self._at :]
        more = self._file.read(max(len(rest), _PIECE))
        self._text, self._at, self._all = rest + more, 0, not more

    def _next(self) -> str:
        """The next character that is no blank; "" at the end."""
        while True:
            blanks = _BLANKS.match(self._text, self._at)
            self._at = blanks.end() if blanks is not None else self._at
            if self._at < len(self._text) or self._all:
                return self._text[self._at : self._at + 1]
            self._fill()

    def _accept(self, char: str) -> bool:
        if self._next() != char:
            return False
        self._at += 1
        return True

    def _expect(self, char: str) -> None:
        if not self._accept(char):
            raise ValueError(f"{char!r} expected, found {self._next()!r}")
