"""One part of the proof: what it tried within a time, and what of it wasn't as promised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple


class Row(NamedTuple):
    """A line of the table: ``what`` was tried, how much of it, and what was broken, in words."""

    what: str
    amount: str
    broken: tuple[str, ...] = ()


Run = Callable[[timedelta], list[Row]]
"""Try as much as the time allows, by the clock on the wall; no less than a little of each kind."""


class Part(NamedTuple):
    """``share`` is how much of the time is its own, beside the other parts' shares."""

    name: str
    share: float
    run: Run


def counted(count: int) -> str:
    """A number that people can read."""
    return f"{count:,}"
