"""What is fed: a service as the monitor knows it, how often it is looked at, what was found."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeAlias

from danebot.tuples import NamedTuple

Key: TypeAlias = tuple[str, str]
"""The host's name and the service's: what a monitor tells services apart by."""


class Pace(NamedTuple):
    """Every ``interval``; after a change every ``retry``, until ``attempts`` looks agree."""

    interval: timedelta = timedelta(minutes=5)
    retry: timedelta = timedelta(minutes=1)
    attempts: int = 3


class Fed(NamedTuple):
    """One service.  ``options`` are those of ``check_dane``; ``fault`` says why there are none."""

    host: str
    name: str
    options: tuple[str, ...] = ()
    pace: Pace = Pace()
    fault: str = ""

    @property
    def key(self) -> Key:
        """What tells it apart."""
        return self.host, self.name


class FedResult(NamedTuple):
    """What a look found: ``status`` from 0 to 3, ``output`` as ``check_dane`` prints it.

    ``fresh`` is how long this is to count; times are aware, UTC.
    """

    service: Fed
    status: int
    output: str
    began: datetime
    ended: datetime
    fresh: timedelta

    @property
    def text(self) -> str:
        """The output without performance data."""
        first, _, rest = self.output.rstrip("\n").partition("\n")
        words = first.partition(" | ")[0]
        return f"{words}\n{rest}" if rest else words

    @property
    def performance(self) -> tuple[str, ...]:
        """The performance data, a datum each."""
        return tuple(self.output.partition("\n")[0].partition(" | ")[2].split())
