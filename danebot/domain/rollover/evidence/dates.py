"""The times in what is remembered: found, and moved, wherever they stand.

A field that is new is found by itself, so that none is forgotten when a clock was put right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TypeVar, cast

from danebot.domain.rollover.evidence.memory import CurrentKey, Reading

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""The times with which can be reckoned: whatever is added to them stays a time."""

T = TypeVar("T")


def times(value: object) -> list[datetime]:
    """Return every time in a part of the memory, in its order."""
    found: list[datetime] = []
    _collect(value, found)
    return found


def _collect(value: object, found: list[datetime]) -> None:
    if isinstance(value, datetime):
        found.append(value)
    elif isinstance(value, tuple):
        for item in value:
            _collect(item, found)
    elif isinstance(value, (dict, MappingProxyType)):
        for item in value.values():
            _collect(item, found)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            _collect(getattr(value, name), found)


def check_times(value: object) -> None:
    """Raise ValueError for a part of the memory with a time that can't be reckoned with."""
    for moment in times(value):
        if not EARLIEST <= moment < LATEST:
            raise ValueError(f"{moment.date()} is no time of a run")


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
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: on(getattr(value, f.name)) for f in fields(value)})
    return value
