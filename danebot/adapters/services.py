"""Which services read a file: configurations below /etc that name it.

Postfix and Dovecot are asked, too, since they put names together; what others put together (Exim's
``$tls_sni``) isn't seen: what isn't found is no proof that nobody reads it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from danebot.adapters.process import run_program
from danebot.regular import read_regular

_PLACES = ("etc", "usr/local/etc", "usr/pkg/etc", "opt/local/etc")
_SKIPPED = re.compile(r"(letsencrypt|danebot|.+-available|\..*|ssl|ca-certificates|alternatives)\Z")
_LEFT_OVER = re.compile(r".*(~|\.(bak|orig|old|save|swp|rpmsave|rpmnew|dpkg-\w+|ucf-\w+))\Z")
_COMMENT = re.compile(rb"\s*(#|;|//|--)")
_PROGRAMS = (("postfix", "postconf", "-nx"), ("dovecot", "doveconf", "-n"))
_PATIENCE = timedelta(seconds=10)
_PATH = re.compile(r"/[^\s,;<>\"']+")
_LARGEST = 1024 * 1024  # octets; no configuration is larger
_MOST = 20_000  # files


class Reader(NamedTuple):
    """Who names the file, and where: ``FILE:LINE``, a link to it, or a program that says so.

    ``service`` is the directory or file right below /etc, mostly the service's own name.
    """

    service: str
    place: str

    def __str__(self) -> str:
        return f"{self.service} ({self.place})"


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
            at = _named_in(file, names, named)
            if at is not None:
                found.append(Reader(file.relative_to(root / place).parts[0], at))
    known = {one.service for one in found}
    found += [one for one in _asked(names) if one.service not in known]
    return Readers(tuple(found))


def _asked(names: set[str]) -> Iterator[Reader]:
    """Those whose own program says what is in force."""
    for service, program, option in _PROGRAMS:
        argv = [program, option]
        ended = run_program(argv, timeout=_PATIENCE, grace=_PATIENCE, environment={})
        words = (os.path.normpath(word) for word in _PATH.findall(ended.output))
        if ended.succeeded and not names.isdisjoint(words):
            yield Reader(service, f"by {program} {option}")


def _files(directory: Path) -> Iterator[Path]:
    """Files, and links to files, in a fixed order; directories behind links are passed over."""
    for current, directories, files in os.walk(directory):
        directories[:] = sorted(name for name in directories if not _SKIPPED.match(name))
        for name in sorted(files):
            if not _LEFT_OVER.match(name):
                yield Path(current, name)


def _named_in(file: Path, names: set[str], named: re.Pattern[bytes]) -> str | None:
    """Where in ``file`` it is named, or that file itself for a link to it; None if it isn't."""
    try:
        if file.is_symlink() and os.path.realpath(file) in names:
            return str(file)
        data = read_regular(file, _LARGEST)
    except (OSError, ValueError):
        return None
    if named.search(data) is None:
        return None
    for number, line in enumerate(data.splitlines(), 1):
        if named.search(line) is not None and not _COMMENT.match(line):
            return f"{file}:{number}"
    return None
