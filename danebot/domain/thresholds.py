"""Bounds within which a number is fine, and how serious it is beyond them."""

from __future__ import annotations

from typing import Protocol

from danebot.domain.finding import Severity
from danebot.tuples import NamedTuple


class Range(Protocol):
    """Values that are fine, such as `nagiosplugin.Range`."""

    def match(self, value: float) -> bool:
        """Whether ``value`` is fine."""


class AtLeast(NamedTuple):
    """Fine from ``low`` upwards: ``low:`` in the syntax of Nagios."""

    low: float

    def match(self, value: float) -> bool:
        """Whether ``value`` is fine."""
        return value >= self.low


class Thresholds(NamedTuple):
    """What is fine and what is not critical; None is no bound."""

    warning: Range | None = None
    critical: Range | None = None

    def severity(self, value: float) -> Severity:
        """How bad ``value`` is."""
        if self.critical is not None and not self.critical.match(value):
            return Severity.CRITICAL
        if self.warning is not None and not self.warning.match(value):
            return Severity.WARNING
        return Severity.NOTICE
