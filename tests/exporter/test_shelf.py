"""What is kept of a lineage: the severities that the page counts."""

from __future__ import annotations

from datetime import timedelta

from danebot.domain.finding import Severity
from danebot_exporter.shelf import PackedLineage
from exporter import sample

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


def test_what_has_expired_is_critical_from_its_last_second_and_once() -> None:
    healthy = sample.lineage("mail.example.test")
    assert healthy.live is not None
    end, instant = healthy.live.not_after, timedelta(microseconds=1)
    for severities in ((), (WARNING,), (CRITICAL,), (CRITICAL, WARNING)):
        told = tuple(sample.finding(healthy.name, "x", one.word, "x") for one in severities)
        packed = PackedLineage.of(healthy._replace(findings=told))
        assert packed.severities(end - instant) == list(severities)
        expired = [*severities] if CRITICAL in severities else [*severities, CRITICAL]
        assert packed.severities(end) == packed.severities(end + instant) == expired
