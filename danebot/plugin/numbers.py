"""Ranges and performance data as the Monitoring Plugins guidelines have them.

The only room that knows nagiosplugin, which has no types.  Its ranges and performance data are
used; its `Check` isn't, since that ranks UNKNOWN above CRITICAL and so hides a problem that was
found.
"""

from __future__ import annotations

import argparse
import contextlib
import re

import nagiosplugin

from danebot.domain.thresholds import Range

_NUMBER = r"-?(?:[0-9]{1,12}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
_RANGE = re.compile(rf"@?(?:(?:~|{_NUMBER}):(?:{_NUMBER})?|:?{_NUMBER})")


def parse_range(text: str) -> Range:
    """Read ``10``, ``10:``, ``~:10``, ``10:20`` or ``@10:20``; what is outside raises the alarm.

    An empty one is refused: it comes from a macro that isn't set, and would alarm of nothing.
    """
    with contextlib.suppress(ValueError):  # such as 5:1
        if _RANGE.fullmatch(text) is not None:
            found: Range = nagiosplugin.Range(text)
            return found
    raise argparse.ArgumentTypeError(f"{text!r} is no range; want for instance 14:")


def parse_remaining(text: str) -> Range:
    """Read a range of what is left; a plain number means fewer than that, as in other checks."""
    return parse_range(f"{text}:" if re.fullmatch(_NUMBER, text) else text)


def performance(
    label: str,
    value: float,
    unit: str = "",
    *,
    warning: Range | None = None,
    critical: Range | None = None,
    least: float | str = "",
    most: float | str = "",
) -> str:
    """One performance datum; ``label`` is our own text, never foreign."""
    number = f"{value:.2f}".rstrip("0").rstrip(".")
    return str(
        nagiosplugin.Performance(label, number, unit, warning, critical, str(least), str(most))
    )
