"""What every job is given: the tree, the settings, and the outside things behind their ports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.adapters.ports import Clock, Prober, Publisher, TlsaObserver
    from danebot.adapters.tree.tree import Tree
    from danebot.config import Settings
    from danebot.domain.event import Event
    from danebot.domain.rollover.evidence.memory import Reading


def system_clock() -> datetime:
    """The system's clock, as aware UTC."""
    return datetime.now(UTC)


def silent(message: str) -> None:
    """Progress that nobody watches."""


def unrecorded(event: Event) -> None:
    """A change of which nobody keeps a record."""


def by_hand(lineage: str) -> Publisher | None:
    """Nobody: the operator publishes."""
    del lineage
    return None


def timeless() -> Reading | None:
    """Nothing: how long the host has been up isn't known."""
    return None


class Context(NamedTuple):
    """The outside world of one run.  ``progress`` takes a line for a person who watches.

    ``tell`` takes a line that the operator must see whatever the verb.

    ``record`` takes each change as soon as it is made.

    ``reading`` compares the clock with how long the host has been up.

    ``publisher`` gives the publisher of a lineage's records; None where it is done by hand.
    """

    tree: Tree
    settings: Settings
    observer: TlsaObserver
    prober: Prober
    publisher: Callable[[str], Publisher | None] = by_hand
    clock: Clock = system_clock
    progress: Callable[[str], None] = silent
    reading: Callable[[], Reading | None] = timeless
    tell: Callable[[str], None] = silent
    record: Callable[[Event], None] = unrecorded
