"""The times in what is remembered, moved wherever they stand.

A field that is new is found by itself, so that none is forgotten when a clock was put right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

from danebot.domain.rollover.evidence.memory import CurrentKey, Reading

RECKONABLE = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Between these times can be reckoned: whatever is added to one stays a time."""

T = TypeVar("T")


def moved(value: T, by: timedelta) -> T:
    """Return a part of the memory with all that this host's clock dated later by ``by``.

    What others dated stays: when certificates begin, and since when a key is current where that
    was taken from its certificate.  So do readings of the clock.
    """
    return cast("T", _moved(value, by))


def _moved(value: object, by: timedelta) -> object:
    def on(item: object) -> object:
        return _moved(item, by)

    if isinstance(value, datetime):
        return value + by
    if isinstance(value, Reading):
        return value
    if isinstance(value, CurrentKey):
        dated = value.since not in value.certificates
        return value._replace(since=value.since + by) if dated else value
    return _each(value, on)


def _each(value: object, on: Callable[[object], object]) -> object:
    if isinstance(value, tuple):
        items = [on(item) for item in value]
        return value._make(items) if hasattr(value, "_make") else tuple(items)
    if isinstance(value, Mapping):
        return {key: on(item) for key, item in value.items()}
    return value
