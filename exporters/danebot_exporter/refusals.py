"""What the exporter refuses: counted, and told to the journal once."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable

_QUIET = 3600.0  # seconds after which the same is news again


class RefusalReason(enum.Enum):
    """What was refused; the value is a label."""

    CONNECTION_CLOSED = "connection-closed"
    ADDRESS_LIMIT = "address-limit"
    CONNECTION_LIMIT = "connection-limit"
    PROBE_LIMIT = "probe-limit"
    CHECK_LIMIT = "check-limit"
    PASSWORD_LIMIT = "password-limit"  # noqa: S105 - none


_WORDS = {
    RefusalReason.CONNECTION_CLOSED: "closed a connection that waited, of {}: there were too many",
    RefusalReason.ADDRESS_LIMIT: "{} has too many connections, all of them busy: "
    "hung up on another",
    RefusalReason.CONNECTION_LIMIT: "too many connections, all of them busy: hung up on {}",
    RefusalReason.PROBE_LIMIT: "too many requests for /probe at once, one of {} waited in vain: "
    "have Prometheus ask less often, or wait longer (scrape_timeout)",
    RefusalReason.CHECK_LIMIT: "too many checks at once, one of {} waited in vain: "
    "have it check less often, or use what was seen a moment ago (--max-age)",
    RefusalReason.PASSWORD_LIMIT: "too many wrong passwords: put off {}",
}


class Refusals:
    """Counts each, and tells of a kind when it begins; thread-safe."""

    def __init__(
        self, count: Callable[[RefusalReason], None], complain: Callable[[str], None]
    ) -> None:
        """Nothing is refused yet."""
        self._count = count
        self._complain = complain
        self._lock = threading.Lock()
        self._last: dict[RefusalReason, float] = {}

    def __call__(self, reason: RefusalReason, peer: str) -> None:
        """Note a refusal."""
        self._count(reason)
        now = time.monotonic()
        with self._lock:
            last = self._last.get(reason)
            self._last[reason] = now
        if last is None or now - last > _QUIET:
            words = _WORDS[reason].format(peer or "a peer")
            self._complain(f"{words} (counted in danebot_exporter_refused_total)")
