"""What programs share: replies that are young enough, and wants under way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from danebot.adapters.dns.queries import Ask, Query, QueryFailure, Trouble
from danebot.adapters.dns.response import Rdata, Response, RRset, RRsetKey
from danebot.adapters.loop import Pause
from danebot.adapters.probe.prober import Probe
from danebot.adapters.probe.target import DEFAULT_LIMITS, Target
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.jobs.sharing import Sharing

NOW = 1_800_000_000.0
A, SOA, RRSIG = 1, 6, 46


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return 100.0 + self.passed

    def unix(self) -> float:
        return NOW + self.passed


def query(name: str = "a.example", timeout: float = 5.0, ask: Ask = Ask.RECURSIVE) -> Query:
    return Query("127.0.0.1", 53, name, A, ask, timeout)


def rrset(*ttls: int, data: bytes = b"\x7f\0\0\1") -> RRset:
    found = RRset(ttls[0], Rdata(data, 0, len(data)))
    for ttl in ttls[1:]:
        found.add(ttl, Rdata(data, 0, len(data)))
    return found


def response(*ttls: int, rcode: int = 0, ends: float | None = None) -> Response:
    answer = {RRsetKey("a.example", A): rrset(*ttls)} if ttls else {}
    if ends is not None:
        octets = b"\0\1\x0d\2" + (300).to_bytes(4, "big") + int(NOW + ends).to_bytes(4, "big")
        octets += bytes(4) + bytes(2) + b"\0" + b"signature"
        answer[RRsetKey("a.example", RRSIG, A)] = rrset(300, data=octets)
    return Response(rcode, 0x8180, answer, {}, {})


def negative(ttl: int, minimum: int) -> Response:
    octets = b"\0\0" + bytes(16) + minimum.to_bytes(4, "big")
    return Response(3, 0x8180, {}, {RRsetKey("example", SOA): rrset(ttl, data=octets)}, {})


class Asker:
    """Runs programs of one want each."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sharing = Sharing(self.clock.monotonic, self.clock.unix)

    def asks(self, reply: Any, max_age: float = 1000.0, **what: Any) -> bool:  # noqa: ANN401
        """Whether a program's want goes out, and is answered so; else what is known."""

        def program() -> Any:  # noqa: ANN401
            (found,) = yield (query(**what),)
            return found

        running = self.sharing.share(program(), max_age)
        try:
            (want,) = next(running)
        except StopIteration:
            return False
        self.sharing.arrivals[want] = reply
        with pytest.raises(StopIteration):
            running.send((reply,))
        return True


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (response(300), 300),
        (response(300, 20), 20),  # RFC 2181 section 5.2 forbids that
        (response(300, 0x80000001), 0),
        (response(0x80000001), 0),
        (response(0), 0),
        (response(300, ends=40), 40),
        (response(30, ends=40), 30),
        (response(300, ends=-5), 0),
        (negative(300, 60), 60),
        (negative(30, 60), 30),
        (negative(300, 0x80000000 - 1), 300),
        (Response(3, 0x8180, {}, {}, {}), 0),
        (response(300, rcode=2), 0),
        (QueryFailure(Trouble.TIMEOUT), 0),
    ],
)
def test_for_how_long_a_reply_counts(reply: Any, seconds: int) -> None:  # noqa: ANN401
    asker = Asker()
    assert asker.asks(reply, max_age=3600)
    asker.clock.passed = max(seconds - 1, 0)
    assert asker.asks(reply, max_age=3600) is (seconds == 0)
    asker.clock.passed = seconds + 1
    assert asker.asks(reply, max_age=3600)


@pytest.mark.parametrize(("age", "again"), [(0, True), (9.9, True), (10.1, False)])
def test_no_older_than_allowed(age: float, again: bool) -> None:  # noqa: FBT001
    asker = Asker()
    assert asker.asks(response(300))
    asker.clock.passed = 10
    assert asker.asks(response(300), max_age=age) is again


def test_patience_is_no_part_of_the_question_but_checking_is() -> None:
    asker = Asker()
    assert asker.asks(response(300))
    assert not asker.asks(response(300), timeout=1.0)
    assert asker.asks(response(300), name="b.example")
    for _ in range(2):  # what is asked without validation is never used again
        assert asker.asks(response(300), ask=Ask.UNCHECKED)


def test_what_is_under_way_is_joined_by_who_is_as_patient() -> None:
    sharing = Sharing()

    def program(timeout: float) -> Any:  # noqa: ANN401
        return (yield (query(timeout=timeout),))

    running = [sharing.share(program(each), 0.0) for each in (5.0, 5.1, 2.0)]
    wants = [next(one)[0] for one in running]
    assert wants[0] == wants[1]
    assert wants[2] == query(timeout=2.0)


def probe(patience: float) -> Probe:
    target = Target(Endpoint(Hostname("a.example"), 25, Protocol.SMTP), "127.0.0.1")
    limits = DEFAULT_LIMITS._replace(total=timedelta(seconds=patience))
    return Probe(target, Hostname("me.example"), limits)


def served(outcome: ProbeOutcome = ProbeOutcome.SERVED) -> ProbeResult:
    return ProbeResult(probe(1).target.endpoint, "127.0.0.1", outcome)


def wanting(*wants: Any) -> Any:  # noqa: ANN401
    return (yield wants)


def test_a_reply_ages_from_its_arrival_and_not_from_that_of_a_slower_one() -> None:
    clock = Clock()
    sharing = Sharing(clock.monotonic, clock.unix)
    quick, slow = query(), query("slow.example")
    running = sharing.share(wanting(quick, slow), 60)
    assert next(running) == (quick, slow)
    sharing.arrivals[quick] = response(2)
    clock.passed = 3
    sharing.arrivals[slow] = response(300)
    with pytest.raises(StopIteration):
        running.send((response(2), response(300)))
    assert next(sharing.share(wanting(quick, slow), 60)) == (quick,)  # its TTL is over
    clock.passed = 5
    assert next(sharing.share(wanting(slow), 1)) == (slow,)
    with pytest.raises(StopIteration):
        next(sharing.share(wanting(slow), 3))  # it was asked 5 seconds ago


def test_signatures_count_from_the_arrival() -> None:
    clock = Clock()
    sharing = Sharing(clock.monotonic, clock.unix)
    next(sharing.share(wanting(query(), query("slow.example")), 60))
    sharing.arrivals[query()] = response(300, ends=4)
    clock.passed = 5
    assert next(sharing.share(wanting(query()), 60)) == (query(),)


def test_what_a_peer_served_ages_from_the_beginning_of_its_probe() -> None:
    clock = Clock()
    sharing = Sharing(clock.monotonic, clock.unix)
    first = sharing.share(wanting(probe(12)), 60)
    next(first)
    clock.passed = 8
    sharing.arrivals[probe(12)] = served()
    assert next(sharing.share(wanting(probe(4)), 7)) == (probe(4),)
    with pytest.raises(StopIteration):
        next(sharing.share(wanting(probe(4)), 9))


@pytest.mark.parametrize("outcome", [one for one in ProbeOutcome if one is not ProbeOutcome.SERVED])
def test_trouble_with_a_peer_is_never_used_again(outcome: ProbeOutcome) -> None:
    sharing = Sharing()
    next(sharing.share(wanting(probe(12)), 60))
    sharing.arrivals[probe(12)] = served(outcome)
    assert next(sharing.share(wanting(probe(12)), 60)) == (probe(12),)


def test_what_has_arrived_is_joined_no_more() -> None:
    """Begun again with another's patience, it would last beyond one's own end."""
    clock = Clock()
    sharing = Sharing(clock.monotonic, clock.unix)
    first = sharing.share(wanting(probe(12), query("slow.example")), 0)
    next(first)
    sharing.arrivals[probe(12)] = served()
    clock.passed = 8
    assert next(sharing.share(wanting(probe(4)), 0)) == (probe(4),)


def test_what_was_given_up_is_joined_no_more() -> None:
    clock = Clock()
    sharing = Sharing(clock.monotonic, clock.unix)
    first = sharing.share(wanting(probe(12)), 0)
    next(first)
    first.close()
    clock.passed = 8
    assert next(sharing.share(wanting(probe(4)), 0)) == (probe(4),)


def test_of_two_under_way_the_end_of_one_leaves_the_other_to_be_joined() -> None:
    sharing = Sharing()
    running = [sharing.share(wanting(probe(patience)), 0) for patience in (12, 4)]
    for one in running:
        next(one)
    sharing.arrivals[probe(12)] = served(ProbeOutcome.TIMEOUT)
    assert next(sharing.share(wanting(probe(4.1)), 0)) == (probe(4),)


def test_what_a_loop_wants_for_itself_is_passed_over() -> None:
    sharing = Sharing()
    sharing.arrivals[Pause(1.0, "tick")] = True
    assert not sharing.arrivals
