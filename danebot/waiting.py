"""The line on a terminal that says what takes so long; whatever is printed next takes its place."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class WaitingLine:
    """A line of standard error without an end; nothing of it stays."""

    def __init__(self) -> None:
        self._width = 0

    def show(self, text: str) -> None:
        """Show it in place of the one before, as far as the terminal is wide."""
        text = text[: max(0, _columns() - 1)]
        _put(f"\r{text.ljust(self._width)}")
        self._width = len(text)

    def clear(self) -> None:
        """Leave the terminal as it was."""
        if self._width:
            _put(f"\r{' ' * self._width}\r")
            self._width = 0


def _columns() -> int:
    """How wide standard error is; standard output may be elsewhere."""
    from shutil import get_terminal_size

    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or get_terminal_size().columns
    except (OSError, ValueError):
        return get_terminal_size().columns


def _put(text: str) -> None:
    with suppress(OSError):  # the terminal may have gone, and the work goes on
        sys.stderr.write(text)
        sys.stderr.flush()


LINE = WaitingLine()
"""That of this process: it has one terminal."""


@contextmanager
def cleared() -> Iterator[None]:
    """Whatever ends the work, its line is gone."""
    try:
        yield
    finally:
        LINE.clear()
