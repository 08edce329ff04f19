"""On which line of a TOML document each key stands (TOML 1.0.0); `tomllib` doesn't say.

Only for documents that `tomllib` has accepted: this looks for the extent of things, and leaves
what they mean to `tomllib`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""Keys from the top; in arrays and arrays of tables, the index from 0."""

_SPACE = re.compile(r"[ \t\r]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """The line (from 1) of the first mention of each key, table and array item.

    Never raises: lines only serve messages, and those found so far are better than none.
    """
    scanner = _Scanner(text)
    try:
        scanner.document()
    except (ValueError, RecursionError):
        return scanner.lines
    return scanner.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of ``path``, or of the nearest of its parents that is known."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


class _Scanner:
    """Walks through a document once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.arrays: dict[KeyPath, int] = {}  # arrays of tables: the index of the latest

    def document(self) -> None:
        table: KeyPath = ()
        self.skip(_GAP)
        while self.at < len(self.text):
            if self.peek("["):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_GAP)

    def header(self) -> KeyPath:
        brackets = 2 if self.peek("[[") else 1
        self.at += brackets
        keys = self.key()
        self.at += brackets
        path: KeyPath = ()
        for key in keys[:-1]:
            self.note((*path, key))
            path = self.latest((*path, key))
        path = (*path, keys[-1])
        self.note(path)
        if brackets == 1:
            return self.latest(path)
        self.arrays[path] = self.arrays.get(path, -1) + 1
        self.note(self.latest(path))
        return self.latest(path)

    def latest(self, path: KeyPath) -> KeyPath:
        return (*path, self.arrays[path]) if path in self.arrays else path

    def pair(self, table: KeyPath) -> None:
        start = self.at
        path = table
        for key in self.key():
            path = (*path, key)
            self.note(path, start)
        self.at += 1  # the equals sign
        self.value(path)

    def key(self) -> list[str]:
        """A dotted key; what follows it is next."""
        keys = []
        while True:
            self.skip(_SPACE)
            if self.peek('"') or self.peek("'"):
                keys.append(_unquoted(self.string()))
            else:
                keys.append(self.skip(_BARE_KEY))
            self.skip(_SPACE)
            if not self.peek("."):
                return keys
            self.at += 1

    def value(self, path: KeyPath) -> None:
        self.skip(_SPACE)
        if self.peek('"') or self.peek("'"):
            self.string()
        elif self.peek("["):
            self.sequence("]", path)
        elif self.peek("{"):
            self.sequence("}", path)
        else:
            self.skip(_BARE_VALUE)

    def sequence(self, end: str, path: KeyPath) -> None:
        """An array's items, or an inline table's pairs."""
        self.at += 1
        index = 0
        while True:
            self.skip(_GAP)
            if self.peek(","):
                self.at += 1
            elif self.at >= len(self.text) or self.peek(end):
                self.at += 1
                return
            elif end == "}":
                self.pair(path)
            else:
                self.note((*path, index))
                self.value((*path, index))
                index += 1

    def string(self) -> str:
        for pattern in _STRINGS:
            match = pattern.match(self.text, self.at)
            if match is not None:
                self.at = match.end()
                return match[0]
        raise ValueError("not a document that tomllib accepts")

    def skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError("not a document that tomllib accepts")
        self.at = match.end()
        return match[0]

    def peek(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def note(self, path: KeyPath, at: int | None = None) -> None:
        self.lines.setdefault(path, self.text.count("\n", 0, self.at if at is None else at) + 1)


def _unquoted(key: str) -> str:
    import tomllib

    return next(iter(tomllib.loads(f"{key} = 0")))
