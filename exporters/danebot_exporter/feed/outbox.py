"""What was found and isn't taken yet: the newest of each service, so never more than the list has.

Pure but for its lock: one thread puts, another takes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from danebot_exporter.feed.services import FedResult, Key

_FIRST, _LONGEST = 1.0, 60.0  # seconds of waiting after a failure: doubled each time


class Outbox:
    """Results by service, the one that waits longest first."""

    def __init__(self) -> None:
        """Empty."""
        self._lock = threading.Lock()
        self._any = threading.Condition(self._lock)
        self._waiting: dict[Key, FedResult] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, found: FedResult) -> bool:
        """Keep a result; whether it took the place of one that nobody had taken."""
        with self._lock:
            known = found.service.key in self._waiting
            self._waiting[found.service.key] = found
            self._any.notify()
        return known

    def take(self, most: int, patience: float) -> list[FedResult]:
        """Up to ``most`` results; waits ``patience`` seconds for the first."""
        with self._lock:
            if not self._waiting:
                self._any.wait(patience)
            keys = list(self._waiting)[:most]
            return [self._waiting.pop(key) for key in keys]

    def give_back(self, results: Iterable[FedResult]) -> None:
        """Keep what could not be handed on, unless something newer came meanwhile."""
        with self._lock:
            for found in results:
                self._waiting.setdefault(found.service.key, found)

    def retain(self, keys: set[Key]) -> None:
        """Forget results of services that are no longer fed."""
        with self._lock:
            for key in self._waiting.keys() - keys:
                del self._waiting[key]


class Patience:
    """How long to wait after failures in a row, in seconds."""

    def __init__(self) -> None:
        """None yet."""
        self._next = _FIRST

    def failed(self) -> float:
        """One more: how long to wait now."""
        pause, self._next = self._next, min(self._next * 2, _LONGEST)
        return pause

    def worked(self) -> None:
        """Begin anew."""
        self._next = _FIRST
