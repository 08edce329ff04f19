"""A trace: what was said with name servers and peers, a line each, for people and tickets.

Loaded only where it is asked for.  What is recorded holds no secret: no password is ever sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from danebot.domain.text import printable

MAX_TRACE = 65536  # characters
_MAX_TEXT = 400


class Trace:
    """Collects lines until there are too many; foreign text is made printable here."""

    def __init__(self) -> None:
        self._since = datetime.now(UTC)
        self._begin = time.monotonic()
        self._lines: list[str] = []
        self._left = MAX_TRACE
        self._left_out = 0

    def say(self, peer: str, text: str) -> None:
        """Note one line about ``peer``, which is our own text; ``text`` may be foreign."""
        seconds = time.monotonic() - self._begin
        line = f"{seconds:8.3f}  {peer}  {printable(text, _MAX_TEXT)}"
        self._left -= len(line)
        if self._left < 0:
            self._left_out += 1
        else:
            self._lines.append(line)

    def lines(self) -> Iterator[str]:
        """Return it, with a title; times are in seconds since the moment there."""
        yield f"trace, in seconds since {self._since:%Y-%m-%d %H:%M:%S} UTC:"
        yield from self._lines
        if self._left_out:
            yield f"... and {self._left_out} more lines"
