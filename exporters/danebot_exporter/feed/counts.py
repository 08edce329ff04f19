"""What the feed counts about itself, for /metrics; nothing without ``--feed``."""

from __future__ import annotations

import enum
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from danebot_exporter import metrics as m

if TYPE_CHECKING:
    from prometheus_client import Metric

STATES = ("ok", "warning", "critical", "unknown")


class Fate(enum.Enum):
    """What became of a result; the value is a label."""

    SUBMITTED = "submitted"
    REFUSED = "refused"
    REPLACED = "replaced"


class FeedCounts(Collector):
    """Thread-safe.  Times are Unix seconds, None before the first."""

    def __init__(self) -> None:
        """Nothing happened yet."""
        self._lock = threading.Lock()
        self._looks: Counter[str] = Counter()
        self._fates: Counter[Fate] = Counter()
        self.services: int | None = None
        self.waiting = 0
        self.behind = 0.0
        self.submitted: float | None = None
        self.listed: float | None = None
        self.failures = 0
        self.overdue: Callable[[], float] = float
        self.threads: Callable[[], int] = int

    def looked(self, status: int) -> None:
        """Count a look."""
        with self._lock:
            self._looks[STATES[status]] += 1

    def count(self, fate: Fate, number: int = 1) -> None:
        """Count what became of results."""
        with self._lock:
            self._fates[fate] += number

    def collect(self) -> Iterator[Metric]:
        """Every family, for the registry."""
        gauges = (
            (m.FEED_SERVICES, self.services),
            (m.FEED_WAITING, self.waiting),
            (m.FEED_BEHIND, self.behind),
            (m.FEED_SUBMITTED_AT, self.submitted),
            (m.FEED_LISTED_AT, self.listed),
            (m.FEED_OVERDUE, self.overdue()),
            (m.FEED_THREADS, self.threads()),
        )
        for row, value in gauges:
            gauge = GaugeMetricFamily(row.name, row.help)
            if value is not None:
                gauge.add_metric((), value)
            yield gauge
        with self._lock:
            looks, fates = Counter(self._looks), Counter(self._fates)
        counter = CounterMetricFamily(m.FEED_LOOKS.name, m.FEED_LOOKS.help, labels=["status"])
        for state in STATES:
            counter.add_metric((state,), looks[state])
        yield counter
        counter = CounterMetricFamily(m.FEED_FAILURES.name, m.FEED_FAILURES.help)
        counter.add_metric((), self.failures)
        yield counter
        counter = CounterMetricFamily(m.FEED_RESULTS.name, m.FEED_RESULTS.help, labels=["result"])
        for fate in Fate:
            counter.add_metric((fate.value,), fates[fate])
        yield counter
