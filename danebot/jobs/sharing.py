"""What programs of one process share: replies that are young enough, and wants under way.

A reply of DNS is used again for no longer than the smallest TTL in it since it arrived, its SOA
MINIMUM where it tells of absence (RFC 2308 section 5), and the end of its signatures (RFC 4034
3.1.5).  What a peer served has no such limit.  Trouble is never used again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from danebot.adapters.dns.queries import Ask, Query
from danebot.adapters.dns.rcodes import Rcode
from danebot.adapters.dns.rdata import SOA
from danebot.adapters.dns.response import Response
from danebot.adapters.dns.wire_names import MalformedError
from danebot.adapters.loop import Program, Recent, ResultT
from danebot.adapters.probe.prober import Probe
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.tuples import NamedTuple

_KEPT = 20_000  # replies: some 40 MiB
_SLACK = 0.5  # seconds by which patience may differ for wants to count as one


class _Observed(NamedTuple):
    """A reply, since when it is known, and until when it may be used again (monotonic seconds)."""

    reply: object
    at: float
    until: float


class _Begun(NamedTuple):
    """A want under way, when it began, and when its patience ends (monotonic seconds)."""

    want: Any
    at: float
    end: float


class _Arrivals(dict[Any, Any]):
    """What a loop takes for its cache: keeps no reply, and hands each on as it arrives."""

    def __init__(self, arrived: Callable[[Any, object], None]) -> None:
        super().__init__()
        self._arrived = arrived

    def __setitem__(self, want: object, reply: object) -> None:
        self._arrived(want, reply)


class Sharing:
    """The replies and wants; for the programs of one loop, whose cache is ``arrivals``.

    The loop hands a program its replies when the last of a batch is there.  Only the cache learns
    when each came: ages and TTLs count from then, and a want is under way no longer.
    """

    def __init__(
        self, now: Callable[[], float] = time.monotonic, clock: Callable[[], float] = time.time
    ) -> None:
        """Nothing is known yet; ``clock`` is Unix time, which signatures end by."""
        self._now, self._clock = now, clock
        self._observed: Recent = Recent(_KEPT)
        self._begun: dict[Hashable, list[_Begun]] = {}
        self.arrivals: dict[Any, Any] = _Arrivals(self._arrived)

    def share(self, program: Program[ResultT], max_age: float) -> Program[ResultT]:
        """The same program, with replies used again that are at most ``max_age`` seconds old.

        Without any that is young enough, it joins a want for the same that is under way, if that
        ends when its own would.
        """
        try:
            batch = next(program)
            while True:
                found = {want: self._young(want, max_age) for want in batch}
                missing = [want for want, one in found.items() if one is None]
                replies = dict.fromkeys(missing)
                if missing:
                    begun = [self._joined(want) for want in missing]
                    try:
                        came = yield tuple(one.want for one in begun)
                    finally:  # given up: whoever joins what isn't under way would begin it anew
                        for other in begun:
                            self._ended(other)
                    replies = dict(zip(missing, came, strict=True))
                batch = program.send(
                    tuple(
                        replies[want] if (one := found[want]) is None else one.reply
                        for want in batch
                    )
                )
        except StopIteration as stop:
            result: ResultT = stop.value
            return result

    def _young(self, want: object, max_age: float) -> _Observed | None:
        key = _key(want)
        if max_age <= 0 or key not in self._observed:
            return None
        found = self._observed[key]
        now = self._now()
        if isinstance(found, _Observed) and now < found.until and now - found.at <= max_age:
            return found
        return None

    def _joined(self, want: object) -> _Begun:
        now = self._now()
        end = now + _patience(want)
        under_way = self._begun.setdefault(_key(want), [])
        for other in under_way:
            if abs(other.end - end) <= _SLACK:
                return other
        under_way.append(_Begun(want, now, end))
        return under_way[-1]

    def _ended(self, begun: _Begun) -> None:
        key = _key(begun.want)
        others = [one for one in self._begun.get(key, ()) if one is not begun]
        if others:
            self._begun[key] = others
        else:
            self._begun.pop(key, None)

    def _arrived(self, want: object, reply: object) -> None:
        """Note a reply.  What a peer serves may be as old as the connection."""
        if not isinstance(want, Query | Probe):
            return  # a loop's own, such as a pause
        key, now = _key(want), self._now()
        begun = [one for one in self._begun.get(key, ()) if one.want == want]
        for one in begun:
            self._ended(one)
        probed = isinstance(reply, ProbeResult)
        at = min((one.at for one in begun), default=now) if probed else now
        until = now + self._fresh(want, reply)
        if until > now:
            self._observed[key] = _Observed(reply, at, until)

    def _fresh(self, want: object, reply: object) -> float:
        """For how many seconds it may be used again."""
        if isinstance(reply, ProbeResult):
            return math.inf if reply.outcome is ProbeOutcome.SERVED else 0.0
        if not isinstance(want, Query) or not isinstance(reply, Response):
            return 0.0
        if want.ask is not Ask.RECURSIVE or reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
            return 0.0
        ttl = min(_seconds(reply), default=0)
        until = reply.signed_until()
        return float(ttl if until is None else min(ttl, until.timestamp() - self._clock()))


def _seconds(response: Response) -> Iterator[int]:
    """What bounds its reuse."""
    for section in (response.answer, response.authority):
        for key, rrset in section.items():
            yield rrset.fresh
            if key.rdtype == SOA.rdtype:
                try:
                    yield int(SOA.decode(rrset.rdatas[0]).minimum.total_seconds())
                except MalformedError:
                    yield 0


def _key(want: object) -> Hashable:
    """What is asked, whatever the patience."""
    if isinstance(want, Query):
        return want._replace(timeout=0.0)
    if isinstance(want, Probe):
        return (want.target, want.helo)
    raise TypeError(f"{type(want).__name__} can't be shared")


def _patience(want: object) -> float:
    if isinstance(want, Query):
        return want.timeout
    return want.limits.total.total_seconds() if isinstance(want, Probe) else 0.0
