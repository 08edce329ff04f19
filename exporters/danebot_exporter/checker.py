"""Checks asked of a process that stays: the options of ``check_dane`` in, its words out."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.text import internal_error
from danebot.errors import DanebotError
from danebot.plugin.command_line import HelpShown
from danebot.plugin.dane_options import NAME, parse_options
from danebot.plugin.dane_result import report_result
from danebot.plugin.output import PluginResult, State, render
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from danebot.plugin.dane_options import Options


class Answer(NamedTuple):
    """An exit status, and exactly what ``check_dane`` would print."""

    status: int
    output: str


class Checker:
    """Answers checks; thread-safe."""

    def check(self, arguments: Sequence[str], *, max_age: timedelta = timedelta(0)) -> Answer:
        """Look, judge, and tell, within the time that the arguments allow; never raises.

        What was observed within ``max_age`` may be used again.
        """
        del max_age
        begin = time.monotonic()
        try:
            result = _result(parse_options(arguments), begin)
        except HelpShown as shown:
            return Answer(State.UNKNOWN.value, shown.text)
        except DanebotError as exc:
            result = PluginResult(State.UNKNOWN, str(exc))
        except Exception as exc:  # noqa: BLE001 - whoever asked must get an answer
            result = PluginResult(State.UNKNOWN, f"{internal_error(exc)}; please report this")
        return Answer(result.state.value, render(NAME, result))


def _result(options: Options, begin: float) -> PluginResult:
    from danebot.jobs.verify import verify_one

    trace = None
    if options.trace:
        from danebot.adapters.trace import Trace

        trace = Trace()
    allowed = options.timeout - timedelta(seconds=time.monotonic() - begin)
    report = verify_one(options.subject, options.inquiry, _clock, allowed, trace=trace)
    result = report_result(report, _clock(), time.monotonic() - begin, options)
    return result if trace is None else result._replace(trace=tuple(trace.lines()))


def _clock() -> datetime:
    return datetime.now(UTC)
