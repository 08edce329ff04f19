"""Times and durations in words, for people."""

from __future__ import annotations

from datetime import datetime, timedelta


def duration(span: timedelta) -> str:
    """A duration for people: the two largest units, ``2 d 3 h``."""
    seconds = int(span.total_seconds())
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for unit, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def when(moment: datetime) -> str:
    """A UTC time for people, to the minute."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")
