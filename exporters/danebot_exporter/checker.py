"""Checks asked of a process that stays: the options of ``check_dane`` in, its words out."""

from __future__ import annotations

import functools
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from danebot.adapters.wiring import resolver_config
from danebot.domain.text import internal_error
from danebot.errors import DanebotError
from danebot.jobs.sharing import Sharing
from danebot.jobs.verify import look_at_one, shared_lanes, verify_one
from danebot.plugin.command_line import HelpShown, UsageError
from danebot.plugin.dane_options import NAME, Options, dane_parser, options_of
from danebot.plugin.dane_result import report_result
from danebot.plugin.output import PluginResult, State, render
from danebot.tuples import NamedTuple
from danebot_exporter.budget import CHECKS
from danebot_exporter.permits import OWN, Permit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from danebot.adapters.dns.resolvconf import ResolverConfig
    from danebot.adapters.resident import Resident
    from danebot.config import Settings
    from danebot.domain.delivery.report import Report

PER_ADDRESS = 16
"""Connections that they may have open to one address."""
_TRACES = 2  # at once: each has lanes of its own
_REMEMBERED = 2048
_SHORT = 1000  # characters of arguments that are worth remembering
_MOST = 2000  # arguments: the time to parse them grows with their square


class Answer(NamedTuple):
    """An exit status, and exactly what ``check_dane`` would print."""

    status: int
    output: str


class Checker:
    """Answers checks; thread-safe.

    All run on one loop: who looks at the same host at the same time, or after one that looked a
    moment ago and allows it, shares lookups and connections.
    """

    def __init__(
        self, settings: Callable[[], Settings] | None = None, *, width: int = CHECKS
    ) -> None:
        """Nothing runs yet.  ``settings`` name the resolver, unless the arguments do.

        ``width`` bounds the queries, and the connections, that are open at once.
        """
        self._settings = settings
        self._width = width
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._running = 0
        self._loop: Resident | None = None
        self._sharing = Sharing()
        self._traces = threading.BoundedSemaphore(_TRACES)

    def check(
        self,
        arguments: Sequence[str],
        *,
        max_age: timedelta = timedelta(0),
        permit: Permit = OWN,
    ) -> Answer:
        """Look, judge, and tell, within the time that the arguments allow; never raises.

        What was observed within ``max_age``, or within the arguments' own, may be used again,
        unless a TTL or a signature's end forbids it.
        """
        begin = time.monotonic()
        with self.busy():
            try:
                words = _words(arguments)
                permit.check(words)
                options = options_of(words, self._resolver())
                options = options._replace(
                    inquiry=options.inquiry._replace(reach=permit.reach),
                    max_age=max(options.max_age, max_age),
                )
                result = self._result(options, begin)
            except HelpShown as shown:
                return Answer(State.UNKNOWN.value, shown.text)
            except DanebotError as exc:
                result = PluginResult(State.UNKNOWN, str(exc))
            except Exception as exc:  # noqa: BLE001 - whoever asked must get an answer
                result = PluginResult(State.UNKNOWN, f"{internal_error(exc)}; please report this")
            return Answer(result.state.value, render(NAME, result))

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Have `ended` wait for what is done here."""
        with self._lock:
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._idle.notify_all()

    def ended(self, within: timedelta) -> bool:
        """Wait until no check runs and all is said; False if that takes longer."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._running, within.total_seconds())

    def _resolver(self) -> ResolverConfig | None:
        return None if self._settings is None else resolver_config(self._settings())

    def _result(self, options: Options, begin: float) -> PluginResult:
        if options.trace:
            if not self._traces.acquire(blocking=False):
                raise DanebotError("too many checks with --trace at once; ask later, or without it")
            try:
                return _traced(options, begin)
            finally:
                self._traces.release()
        report = self._looked(options, options.timeout.total_seconds(), begin)
        return report_result(report, _clock(), time.monotonic() - begin, options)

    def _looked(self, options: Options, seconds: float, begin: float) -> Report:
        left = begin + seconds - time.monotonic()
        program = look_at_one(options.subject, options.inquiry, _clock, timedelta(seconds=left))
        shared = self._sharing.share(program, options.max_age.total_seconds())
        try:
            return self._running_loop().run(shared, left)
        except TimeoutError:
            raise DanebotError(f"no result within {seconds:.0f} s") from None

    def _running_loop(self) -> Resident:
        from danebot.adapters.resident import Resident

        with self._lock:
            if self._loop is None:
                self._loop = Resident(
                    shared_lanes(self._width, PER_ADDRESS), self._sharing.arrivals
                )
            return self._loop


def _words(arguments: Sequence[str]) -> argparse.Namespace:
    """The parser's; most come every minute, so that those are read once."""
    arguments = tuple(arguments)
    if len(arguments) > _MOST:
        raise UsageError(f"{len(arguments)} arguments are too many; give at most {_MOST}")
    short = sum(map(len, arguments)) <= _SHORT
    return _remembered(arguments) if short else dane_parser().parse_args(arguments)


@functools.lru_cache(_REMEMBERED)
def _remembered(arguments: tuple[str, ...]) -> argparse.Namespace:
    return dane_parser().parse_args(arguments)


def _traced(options: Options, begin: float) -> PluginResult:
    """A check of its own: what is told is what was said in it."""
    from danebot.adapters.trace import Trace

    trace = Trace()
    allowed = options.timeout - timedelta(seconds=time.monotonic() - begin)
    report = verify_one(options.subject, options.inquiry, _clock, allowed, trace=trace)
    result = report_result(report, _clock(), time.monotonic() - begin, options)
    return result._replace(trace=tuple(trace.lines()))


def _clock() -> datetime:
    return datetime.now(UTC)
