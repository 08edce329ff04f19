"""What every job is given: the tree, the settings, and the outside things behind their ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from danebot.adapters.ports import Clock, Prober, TlsaObserver
    from danebot.adapters.tree import Tree
    from danebot.config import Settings


def system_clock() -> datetime:
    """The system's clock, as aware UTC."""
    return datetime.now(UTC)


def silent(message: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Context:
    """The outside world of one run.  ``progress`` takes a line for whoever watches."""

    tree: Tree
    settings: Settings
    observer: TlsaObserver
    prober: Prober
    clock: Clock = system_clock
    progress: Callable[[str], None] = silent
