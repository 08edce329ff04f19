"""Whose turn it is: so many clients at once, of one user not all of them; the others wait."""

from __future__ import annotations

import enum
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING

from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    import socket


class Client(NamedTuple):
    """A connection, and the number of the user who made it."""

    sock: socket.socket
    user: int


class Turn(enum.Enum):
    """What becomes of a client."""

    BEGUN = "its turn"
    WAITING = "waits"
    NONE = "too many wait"


class Queue:
    """Thread-safe; who waits is taken in turn, whichever user it is of that has room."""

    def __init__(self, most: int, each: int) -> None:
        """``most`` at once, ``each`` of one user; as many may wait."""
        self._most, self._each = most, each
        self._lock = threading.Lock()
        self._busy: Counter[int] = Counter()
        self._waiting: dict[int, deque[Client]] = {}

    def admit(self, client: Client) -> Turn:
        """Take a client on."""
        user = client.user
        with self._lock:
            if self._busy.total() < self._most and self._busy[user] < self._each:
                self._busy[user] += 1
                return Turn.BEGUN
            queue = self._waiting.get(user, ())
            if len(queue) >= self._each or sum(map(len, self._waiting.values())) >= self._most:
                return Turn.NONE
            self._waiting.setdefault(user, deque()).append(client)
            return Turn.WAITING

    def ended(self, user: int) -> Client | None:
        """Note that a client of ``user`` was seen to; whose turn it is instead."""
        with self._lock:
            self._busy[user] -= 1
            if not self._busy[user]:
                del self._busy[user]
            for other in list(self._waiting):
                if self._busy[other] < self._each:
                    queue = self._waiting.pop(other)
                    client = queue.popleft()
                    if queue:
                        self._waiting[other] = queue  # behind the others
                    self._busy[other] += 1
                    return client
            return None
