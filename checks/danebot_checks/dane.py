"""``check_dane``: whether DANE works for a mail domain or a service, as senders see it.

Runs every minute on many hosts, so what it imports is counted: neither asyncio nor click.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from danebot_checks.start import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from danebot.adapters.trace import Trace
    from danebot.plugin.output import PluginResult

NAME = "DANE"
_SPARE = 0.5  # seconds to tell what is known, where others have used up some of the time


def main(spent: float = 0.0) -> NoReturn:
    """Run the check and end the process; ``spent`` seconds of its time are over."""
    run(NAME, lambda: outcome(spent=spent))


def outcome(arguments: Sequence[str] | None = None, *, spent: float = 0.0) -> int:
    """Run the check and print its result; return the exit status."""
    from danebot_checks.plugin import run_check

    return run_check(NAME, lambda: check_dane(arguments, time.monotonic() - spent))


def check_dane(arguments: Sequence[str] | None, begin: float | None = None) -> PluginResult:
    """Look, judge, and tell; `DanebotError` if that is impossible.

    What it may take counts from ``begin`` (monotonic).
    """
    begin = time.monotonic() if begin is None else begin
    spare = min(time.monotonic() - begin, _SPARE)
    from danebot.errors import DanebotError
    from danebot.jobs.verify import verify_one
    from danebot.plugin.dane_options import parse_options
    from danebot.plugin.dane_result import report_result
    from danebot.plugin.output import PluginResult, State
    from danebot_checks.plugin import limit

    options = parse_options(arguments)
    allowed = options.timeout - timedelta(seconds=time.monotonic() - begin)
    looking = max(allowed - timedelta(seconds=spare), allowed / 2)
    trace = _trace() if options.trace else None
    try:
        with limit(allowed):
            report = verify_one(options.subject, options.inquiry, _clock, looking, trace=trace)
        result = report_result(report, _clock(), time.monotonic() - begin, options)
    except DanebotError as exc:
        result = PluginResult(State.UNKNOWN, str(exc))
    return result if trace is None else result._replace(trace=tuple(trace.lines()))


def _trace() -> Trace:
    from danebot.adapters.trace import Trace

    return Trace()


def _clock() -> datetime:
    return datetime.now(UTC)
