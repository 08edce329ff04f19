"""Reads the files that certbot writes with its ``configobj`` package, as that reads them.

Pure.  Each entry knows its lines, so that a file can be edited and all else stays as it is.  What
configobj refuses is refused, since certbot doesn't renew by such a file.  Interpolation
(``%(name)s``) is left as it is written: certbot writes none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from danebot.errors import TreeError
from danebot.tuples import NamedTuple

_QUOTED = r""""[^\n]*?"|'[^\n]*?'"""
_PLAIN = re.compile(r"(\w+) = ([\w./:@%+-]+)\Z", re.ASCII)  # nearly every line
_PLAIN_SECTION = re.compile(r"(\[)(\w+)(\])\Z", re.ASCII)
# compiled by `re` once a line needs them
_SECTION = r"""\s*((?:\[\s*)+)("\s*\S.*?\s*"|'\s*\S.*?\s*'|[^'"\s].*?)((?:\s*\])+)\s*(?:#.*)?$"""
_ENTRY = rf"\s*({_QUOTED}|[^'\"=].*?)\s*=\s*(.*)$"
_ITEM = rf"(?:{_QUOTED}|[^'\",#][^,#]*?)"
_VALUE = rf"(?:((?:{_ITEM}\s*,\s*)*)({_QUOTED}|[^'\",#\s][^,]*?|(?<!,))?|(,))\s*(#.*)?$"
_ITEMS = rf"({_QUOTED}|[^'\",#]?.*?)\s*,\s*"
_NOWHERE = "has a value with quotes or commas that lead nowhere"
_TRIPLE = ("'''", '"""')


class Entry(NamedTuple):
    """A setting, on the lines ``first`` to ``last`` (from 0).

    ``section`` leads to it from the top, ``value`` is a tuple where it is a list, and ``comment``
    what stands behind it, with its ``#``.
    """

    section: tuple[str, ...]
    name: str
    value: str | tuple[str, ...]
    comment: str
    first: int
    last: int


class Header(NamedTuple):
    """Where a section begins."""

    section: tuple[str, ...]
    line: int


def parse(lines: Sequence[str]) -> Iterator[Entry | Header]:
    """Yield what ``lines`` (without ends) hold, in their order.

    Raises `TreeError` with the number of the line, from 1, where configobj would raise.
    """
    section: tuple[str, ...] = ()
    known: set[tuple[str, ...]] = set()
    number = 0
    while number < len(lines):
        first, line = number, lines[number]
        number += 1
        plain = _PLAIN.match(line)
        if plain is not None:
            name, value = plain.groups()
            place = (*section, name)
            if place in known:
                raise _twice(first, name)
            known.add(place)
            yield Entry(section, name, value, "", first, first)
            continue
        if not line.strip() or line.strip().startswith("#"):
            continue
        header = _PLAIN_SECTION.match(line) or re.match(_SECTION, line)
        if header is not None:
            section = _descend(section, header, first)
            _take(known, section, first)
            yield Header(section, first)
            continue
        match = re.match(_ENTRY, line)
        if match is None:
            raise _error(first, "is neither a section nor NAME = VALUE")
        name = _unquoted(match[1])
        if match[2].startswith(_TRIPLE):
            value, comment, number = _triple(lines, first, match[2])
            entry = Entry(section, name, value, comment, first, number - 1)
        else:
            entry = Entry(section, name, *_value(match[2], first), first, first)
        _take(known, (*section, name), first)
        yield entry


def written(value: str) -> str:
    """A value as it is to stand in a file, so that it is read as it is.

    Raises `TreeError` for one that can't be written.
    """
    if value == value.strip() and not re.search(r"[,#'\"\r\n]", value):
        return value
    for quotes in ('"', "'"):
        if quotes not in value and not re.search(r"[\r\n]", value):
            return f"{quotes}{value}{quotes}"
    raise TreeError(f"certbot's configuration can't hold {value!r}: it has quotes of both kinds")


def _descend(section: tuple[str, ...], header: re.Match[str], line: int) -> tuple[str, ...]:
    depth = header[1].count("[")
    if depth != header[3].count("]"):
        raise _error(line, "has other brackets on the left than on the right")
    if depth > len(section) + 1:
        raise _error(line, "is a section in none")
    return (*section[: depth - 1], _unquoted(header[2]))


def _take(known: set[tuple[str, ...]], name: tuple[str, ...], line: int) -> None:
    if name in known:
        raise _twice(line, name[-1])
    known.add(name)


def _twice(line: int, name: str) -> TreeError:
    return _error(line, f"gives {name} once more")


def _value(text: str, line: int) -> tuple[str | tuple[str, ...], str]:
    match = re.match(_VALUE, text)
    if match is None or (match[1] == "" and match[2] is None and match[3] is None):
        raise _error(line, _NOWHERE)
    items, last, none, comment = match.groups(default=None)
    if none is not None:
        return (), comment or ""
    if not items:
        return _unquoted(last or ""), comment or ""
    found = re.findall(_ITEMS, items)
    if "" in found:
        raise _error(line, _NOWHERE)
    values = [_unquoted(item) for item in found]
    if last:
        values.append(_unquoted(last))
    return tuple(values), comment or ""


def _triple(lines: Sequence[str], first: int, text: str) -> tuple[str, str, int]:
    """A value in three quotes, the comment behind it, and the number of the line after it."""
    quotes = text[:3]
    end = re.compile(rf"(.*?){quotes}\s*(#.*)?$")
    parts, number = [text[3:]], first
    while quotes not in parts[-1]:
        number += 1
        if number == len(lines):
            raise _error(first, f"opens {quotes} that nothing closes")
        parts.append(lines[number])
    match = end.match(parts[-1])
    if match is None:
        raise _error(number, f"goes on after {quotes}")
    return "\n".join([*parts[:-1], match[1]]), match[2] or "", number + 1


def _unquoted(text: str) -> str:
    if text and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def _error(line: int, words: str) -> TreeError:
    return TreeError(f"line {line + 1} {words}")
