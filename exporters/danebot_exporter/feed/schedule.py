"""Which service is due: each at its interval, spread evenly, sooner after a change.

Pure: ``now`` is a parameter, in seconds of whatever clock only goes forward.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable

from danebot_exporter.feed.services import Fed, Key

_APART = 1.0  # seconds between the first looks at services that are new in the list


class _Entry:
    """What is known of one service; ``same`` counts looks that found the same ``status``.

    ``place`` is one of its regular times: all others are whole intervals away.  ``since`` is when
    its last look ended, or, before, when it came; ``number`` is 0 while it is looked at.
    """

    def __init__(self, service: Fed, place: float, since: float) -> None:
        self.service = service
        self.place = place
        self.since = since
        self.taken = 0.0
        self.number = 0
        self.status: int | None = None
        self.same = 0


class Schedule:
    """The services of the list, and when each is due."""

    def __init__(self) -> None:
        """Empty."""
        self._entries: dict[Key, _Entry] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._numbers = itertools.count(1)
        self.behind = 0.0
        """How late the last look began, in seconds."""

    def __len__(self) -> int:
        return len(self._entries)

    def replace(self, services: Iterable[Fed], now: float) -> None:
        """Take in a list.  What stays keeps its time; what is new, or changed, is due at once.

        Many are looked at a second apart at most, and then at places spread over their interval.
        """
        wanted = {service.key: service for service in services}
        for key in self._entries.keys() - wanted.keys():
            del self._entries[key]
        new = [
            one
            for key, one in wanted.items()
            if key not in self._entries or self._entries[key].service != one
        ]
        for number, service in enumerate(new):
            apart = service.pace.interval.total_seconds() / len(new)
            entry = self._entries[service.key] = _Entry(service, now + number * apart, now)
            self._at(entry, now + number * min(apart, _APART))

    def take(self, now: float) -> Fed | None:
        """A service that is due; it isn't due again before `done`."""
        while self._heap and self._heap[0][0] <= now:
            due, number, key = heapq.heappop(self._heap)
            entry = self._entries.get(key)
            if entry is not None and entry.number == number:
                self.behind = now - due
                entry.taken, entry.number = now, 0
                return entry.service
        return None

    def done(self, service: Fed, status: int, now: float) -> bool:
        """Note what a look found, and when the next is due; whether the service is wanted still."""
        entry = self._entries.get(service.key)
        if entry is None or entry.service != service:
            return False
        entry.since = now
        if status == entry.status:
            entry.same += 1
        else:
            entry.same = 1 if entry.status is not None or status else service.pace.attempts
            entry.status = status
        pace = service.pace
        if entry.same < pace.attempts and pace.retry < pace.interval:
            self._at(entry, now + pace.retry.total_seconds())
        else:
            self._at(entry, _next(entry.place, pace.interval.total_seconds(), entry.taken))
        return True

    def recover(self, now: float) -> None:
        """Have all be due again that were looked at when the looks ended before their time."""
        for entry in self._entries.values():
            if not entry.number:
                self._at(entry, now)

    def overdue(self, now: float) -> float:
        """For how many seconds too long the one waits that waits longest: beyond two intervals.

        Any thread may ask.
        """
        late = (
            now - one.since - 2 * one.service.pace.interval.total_seconds()
            for one in list(self._entries.values())
        )
        return max([0.0, *late])

    def _at(self, entry: _Entry, due: float) -> None:
        entry.number = next(self._numbers)
        heapq.heappush(self._heap, (due, entry.number, entry.service.key))


def _next(place: float, interval: float, last: float) -> float:
    """The first regular time that is at least half an interval after the ``last`` look."""
    return place + math.ceil((last - place) / interval + 0.5) * interval
