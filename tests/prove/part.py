"""One part of the proof: what it tried within a time, and what of it wasn't as promised."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

_ROOT = Path(__file__).resolve().parents[2]
KEPT = _ROOT / "build" / "prove"
"""Where timelines and the like are kept."""


class Row(NamedTuple):
    """A line of the table: ``what`` was tried, how much of it, and what was broken, in words."""

    what: str
    amount: str
    broken: tuple[str, ...] = ()


class Budget(NamedTuple):
    """Until when (`time.monotonic`) on how many processors; ``seed`` is for what is by chance."""

    ends: float
    seed: int = 0
    cores: int = 1

    @classmethod
    def of(cls, seconds: float, seed: int = 0, cores: int = 1) -> Self:
        """So many seconds from now on."""
        return cls(time.monotonic() + seconds, seed, cores)

    def left(self) -> float:
        """Seconds until its end, none less than zero."""
        return max(self.ends - time.monotonic(), 0.0)

    def over(self) -> bool:
        """Whether its end has come."""
        return time.monotonic() >= self.ends

    def share(self, share: float) -> Self:
        """A part of what is left."""
        return self._replace(ends=time.monotonic() + self.left() * share)


Run = Callable[[Budget], Iterator[Row]]
"""Try as much as the time allows; a row that comes again, with more in it, replaces the former.

Nothing begins that can't end some seconds after the time; what takes longer is ended from outside.
"""


class Part(NamedTuple):
    """``share`` is how much of the time is its own, beside the other parts' shares."""

    name: str
    share: float
    run: Run


def counted(count: int, wanted: int | None = None) -> str:
    """A number that people can read; of how many, where that is known."""
    return f"{count:,}" if wanted is None else f"{count:,} of {wanted:,}"


def keep(name: str, lines: list[str]) -> Path:
    """Put a timeline into a file."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
