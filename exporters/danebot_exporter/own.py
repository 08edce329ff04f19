"""What the exporter counts about itself, in a registry of its own, beside the process's metrics."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Metric,
    ProcessCollector,
    generate_latest,
)

from danebot import __version__
from danebot.domain.status.document import StatusFault
from danebot_exporter import metrics as m
from danebot_exporter.refusals import RefusalReason

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

HANDLERS = ("page", "runbook", "metrics", "probe", "sd", "check", "healthy", "other")
_CLASSES = ("2xx", "4xx", "5xx")


class _Registry(CollectorRegistry):
    """Without the moments at which counters were made: a second series for each, unasked."""

    def collect(self) -> Iterator[Metric]:
        for family in super().collect():
            family.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield family


class OwnMetrics:
    """Thread-safe counters."""

    def __init__(self) -> None:
        self._registry = _Registry()
        ProcessCollector(registry=self._registry)
        build = Gauge(
            m.BUILD_INFO.name, m.BUILD_INFO.help, m.BUILD_INFO.labels, registry=self._registry
        )
        build.labels(__version__).set(1)
        self._failures = self._counter(m.READ_FAILURES)
        for reason in StatusFault:
            self._failures.labels(reason.value)
        self._watched = Gauge(m.WATCHED.name, m.WATCHED.help, registry=self._registry)
        self._blind = self._counter(m.COULD_NOT_LOOK)
        self._refused = self._counter(m.REFUSED)
        for refusal in RefusalReason:
            self._refused.labels(refusal.value)
        self._requests = self._counter(m.REQUESTS)
        for handler in HANDLERS:
            for status in _CLASSES:
                self._requests.labels(handler, status)

    def add(self, collector: Collector) -> None:
        """Show what another counts, too."""
        self._registry.register(collector)

    def _counter(self, metric: m.Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self._registry)

    def read_failed(self, reason: StatusFault) -> None:
        """Count a change of the document that could not be read."""
        self._failures.labels(reason.value).inc()

    def watching(self, endpoints: int) -> None:
        """Note of how many endpoints a round begins."""
        self._watched.set(endpoints)

    def could_not_look(self, endpoints: int) -> None:
        """Count endpoints of which a round could say nothing."""
        self._blind.inc(endpoints)

    def refused(self, reason: RefusalReason) -> None:
        """Count what a peer was refused."""
        self._refused.labels(reason.value).inc()

    def request(self, handler: str, status: HTTPStatus) -> None:
        """Count an answer."""
        self._requests.labels(handler, f"{status // 100}xx").inc()

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)
