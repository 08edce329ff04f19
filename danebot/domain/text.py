"""Text for people: foreign text made safe to print, times and durations in words."""

from __future__ import annotations

from datetime import datetime, timedelta


def printable(text: str, limit: int = 200) -> str:
    r"""Foreign text made safe for one line of a terminal, a log or plugin output.

    Control characters, including C1 and bidirectional overrides, become ``\xNN`` or ``\uNNNN``.
    """
    shown = text if len(text) <= limit else text[: limit - 3] + "..."
    if shown.isprintable():
        return shown
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in shown
    )


def program_of(command: str) -> str:
    """The program that a command line runs, without what it is given: a secret may be in that."""
    words = [word for word in command.split() if "=" not in word]
    name = words[0] if words else "a command"
    return name if name == command.strip() else f"{name} ..."


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
