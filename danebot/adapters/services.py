"""Which services read a file: configurations below /etc that name it, judged from files alone.

A configuration may build the name of parts (Exim's ``$tls_sni``, Postfix's ``$config_directory``):
what isn't found is no proof that nobody reads it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from danebot.regular import read_regular

_PLACES = ("etc", "usr/local/etc", "usr/pkg/etc", "opt/local/etc")
_SKIPPED = re.compile(r"(letsencrypt|danebot|.+-available|\..*|ssl|ca-certificates|alternatives)\Z")
_LEFT_OVER = re.compile(r".*(~|\.(bak|orig|old|save|swp|rpmsave|rpmnew|dpkg-\w+|ucf-\w+))\Z")
_COMMENT = re.compile(rb"\s*(#|;|//|--)")
_LARGEST = 1024 * 1024  # octets; no configuration is larger
_MOST = 20_000  # files


class Reader(NamedTuple):
    """A place that names the file: by its configuration's ``line``, 0 where it is a link to it.

    ``service`` is the directory or file right below /etc, mostly the service's own name.
    """

    service: str
    file: Path
    line: int

    def __str__(self) -> str:
        at = f":{self.line}" if self.line else ""
        return f"{self.service} ({self.file}{at})"


class Readers(NamedTuple):
    """What was found; ``whole`` is False where there was more than is looked at."""

    found: tuple[Reader, ...]
    whole: bool = True


def readers_of(path: Path, root: Path = Path("/"), most: int = _MOST) -> Readers:
    """Look for ``path``, by the name that it is given and by its real one; raises nothing.

    A file counts once, by the first line that isn't a comment.
    """
    names = {str(path), os.path.realpath(path)}
    words = b"|".join(sorted(re.escape(os.fsencode(name)) for name in names))
    named = re.compile(rb"(?<![\w./-])(?:" + words + rb")(?![\w./-])")
    found: list[Reader] = []
    seen = 0
    for place in _PLACES:
        for file in _files(root / place):
            seen += 1
            if seen > most:
                return Readers(tuple(found), whole=False)
            line = _line_of(file, names, named)
            if line is not None:
                found.append(Reader(file.relative_to(root / place).parts[0], file, line))
    return Readers(tuple(found))


def _files(directory: Path) -> Iterator[Path]:
    """Files, and links to files, in a fixed order; directories behind links are passed over."""
    for current, directories, files in os.walk(directory):
        directories[:] = sorted(name for name in directories if not _SKIPPED.match(name))
        for name in sorted(files):
            if not _LEFT_OVER.match(name):
                yield Path(current, name)


def _line_of(file: Path, names: set[str], named: re.Pattern[bytes]) -> int | None:
    """The line, from 1, on which ``file`` names it; 0 for a link to it, None if it doesn't."""
    try:
        if file.is_symlink() and os.path.realpath(file) in names:
            return 0
        data = read_regular(file, _LARGEST)
    except (OSError, ValueError):
        return None
    if named.search(data) is None:
        return None
    for number, line in enumerate(data.splitlines(), 1):
        if named.search(line) is not None and not _COMMENT.match(line):
            return number
    return None
