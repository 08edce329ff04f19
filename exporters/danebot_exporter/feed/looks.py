"""Looks at services side by side, in one thread: one event loop, whatever their number.

A *worker* is a program of `danebot.adapters.loop` without an end: it takes a service that is due,
looks at it, and hands over what it found.  Where none is due, all of them wait for the same tick.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from danebot.adapters.dns.resolvconf import RESOLV_CONF
from danebot.adapters.loop import Lane, Program, drive
from danebot.domain.text import internal_error
from danebot.errors import DanebotError
from danebot.jobs.sharing import Sharing
from danebot.plugin.command_line import HelpShown
from danebot.plugin.dane_options import NAME, Options, parse_options
from danebot.plugin.dane_result import report_result
from danebot.plugin.output import PluginResult, State, render
from danebot.tuples import NamedTuple
from danebot_exporter.feed.services import Fed, FedResult, Pace

WORKERS = 200
_TICK = 0.25  # seconds; what falls due meanwhile begins together
_QUERIES, _CONNECTIONS = 200, 100
_MOST_OPTIONS = 20_000  # services whose options are kept as values
_GRACE = timedelta(seconds=10)

Next: TypeAlias = Callable[[], Fed | None]
"""A service that is due now."""
Done: TypeAlias = Callable[[FedResult], None]


class Tick(NamedTuple):
    """A want that is met at ``when`` (`time.monotonic`)."""

    when: float


class _Waiting:
    """A tick under way (`danebot.adapters.loop.Work`)."""

    events = selectors.EVENT_READ

    def __init__(self, tick: Tick) -> None:
        """Wait on a socket that nobody can reach."""
        self.sock: socket.socket | None = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.deadline = tick.when
        self.reply: Tick | None = None

    def ready(self, sock: socket.socket, events: int) -> None:
        """Go on waiting: nothing can have come."""

    def failed(self, error: OSError) -> None:
        """End before its time."""
        del error
        self.expired()

    def expired(self) -> None:
        """End."""
        self.reply = Tick(self.deadline)


class Looks:
    """What the workers share."""

    def __init__(self, take: Next, done: Done, max_age: timedelta) -> None:
        """``take`` gives what is due, ``done`` is told what was found: in the loop's thread."""
        self._take = take
        self._done = done
        self._max_age = max_age
        self._sharing = Sharing()
        self._options: OrderedDict[tuple[str, ...], Options] = OrderedDict()
        self._resolvers: object = None
        self._stopped = False

    def stop(self) -> None:
        """End at the next tick."""
        self._stopped = True

    def keep(self, max_age: timedelta) -> None:
        """Let what is asked from now on count for so long."""
        self._max_age = max_age

    def run(self) -> None:
        """Look at what falls due, until `stop`."""
        from danebot.adapters.dns import exchange
        from danebot.adapters.probe import prober

        lanes = exchange.query_lane(_QUERIES) | prober.probe_lane(_CONNECTIONS)
        lanes[Tick] = Lane(_Waiting, 2)
        workers = (self._worker() for _ in range(WORKERS))
        for _ in drive(workers, lanes, at_once=WORKERS, cache=self._sharing.arrivals):
            pass

    def _worker(self) -> Program[None]:
        while not self._stopped:
            service = self._take()
            if service is None:
                now = time.monotonic()
                yield (Tick((now // _TICK + 1) * _TICK),)
                continue
            began, clock = datetime.now(UTC), time.monotonic()
            options, result = self._parsed(service)
            if options is not None:
                program = self._look(options, clock)
                age = min(self._max_age, _longest(service.pace)).total_seconds()
                result = yield from self._sharing.share(program, age)
            limit = timedelta(0) if options is None else options.timeout
            fresh = 2 * service.pace.interval + limit + _GRACE
            output = render(NAME, result)
            ended = datetime.now(UTC)
            self._done(FedResult(service, result.state.value, output, began, ended, fresh))

    def _parsed(self, service: Fed) -> tuple[Options | None, PluginResult]:
        """The options as values, or what is wrong with them."""
        if service.fault:
            return None, PluginResult(State.UNKNOWN, service.fault)
        self._refresh()
        options = self._options.get(service.options)
        try:
            if options is None:
                options = self._options[service.options] = parse_options(service.options)
                if len(self._options) > _MOST_OPTIONS:
                    self._options.popitem(last=False)
        except (DanebotError, HelpShown) as exc:
            return None, PluginResult(State.UNKNOWN, str(exc))
        except Exception as exc:  # noqa: BLE001 - the other services are looked at all the same
            return None, PluginResult(State.UNKNOWN, f"{internal_error(exc)}; please report this")
        return options, PluginResult(State.UNKNOWN, "")

    def _refresh(self) -> None:
        """Read options again where they may mean something else: they name /etc/resolv.conf."""
        from danebot.adapters.status_file import signature

        now = signature(RESOLV_CONF)
        if now != self._resolvers:
            self._options.clear()
            self._resolvers = now

    def _look(self, options: Options, begin: float) -> Program[PluginResult]:
        from danebot.jobs.verify import look

        inquiry = options.inquiry
        criteria = inquiry.criteria._replace(placed=tuple(inquiry.places))
        inquiry = inquiry._replace(criteria=criteria)
        try:
            report = yield from look(options.subject, inquiry, _clock, options.timeout)
            return report_result(report, _clock(), time.monotonic() - begin, options)
        except DanebotError as exc:
            return PluginResult(State.UNKNOWN, str(exc))
        except Exception as exc:  # noqa: BLE001 - the other services are looked at all the same
            return PluginResult(State.UNKNOWN, f"{internal_error(exc)}; please report this")


def _longest(pace: Pace) -> timedelta:
    """The most that ``max_age`` can be: looks that are to agree must not be of one observation."""
    return min(pace.retry / 2, pace.interval / 4)


def _clock() -> datetime:
    return datetime.now(UTC)
