"""A clock that was behind shortens no wait: what can be compared is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import pytest

from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.finding import Code, Severity
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.clock import SKEW, behind, put_right
from danebot.domain.rollover.evidence.dates import RECKONABLE, moved
from danebot.domain.rollover.evidence.memory import (
    Awaiting,
    Call,
    CallResult,
    CancelledKey,
    Contact,
    CurrentKey,
    Deployment,
    Failure,
    Memory,
    OwnerMemory,
    PastKey,
    Publishing,
    Reading,
    Request,
    RRsetSighting,
    TtlSighting,
)
from danebot.domain.rollover.evidence.policy import LONGEST_GAP, Policy
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.steps.phases import Hold, Observation, Step
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.rollover.steps.safe_time import safe_time
from domain import gate_world
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    MX2,
    OTHER,
    T0,
    Wait,
    blind,
    key_file,
    look,
    seen,
    silent,
    state,
)

BEGINS = T0 - 10 * DAY  # of the certificate that the builders make
GOOD = look("old", "new")


def times(value: object) -> Iterator[datetime]:
    """Every time in a part of the memory, in its order."""
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, Mapping):
        yield from times(tuple(value.values()))
    elif isinstance(value, tuple):
        for item in value:
            yield from times(item)


def test_a_certificate_that_begins_later_proves_that_the_clock_is_behind() -> None:
    assert behind(state(), {}, BEGINS - SKEW) is None
    found = behind(state(), {}, BEGINS - SKEW - MINUTE)
    assert found is not None
    assert str(found) == "the certificate of mx.example.org begins later, 2026-05-22 12:00 UTC"


def test_so_does_a_signature_in_dns() -> None:
    later = GOOD._replace(answer=GOOD.answer._replace(signed_since=T0))
    assert behind(state(), seen(later), T0 - SKEW) is None
    found = behind(state(), seen(later), T0 - 5 * DAY)
    assert found is not None
    assert found.at == T0
    assert "signature of _25._tcp.mx.example.org's records" in str(found)


def test_so_does_one_that_a_server_shows_behind_the_resolver_s_cache() -> None:
    """Else a lag that the cache explains would have begun under the wrong clock."""
    late = look("old", "new", resolver=["old"])
    servers = tuple(one._replace(signed_since=T0) for one in late.servers)
    late = late._replace(servers=servers)
    assert behind(state(), seen(late), T0 - SKEW) is None
    found = behind(state(), seen(late), T0 - 33 * HOUR)
    assert found is not None
    assert found.at == T0
    assert "example.org [192.0.2.1] shows a later signature" in str(found)


def test_no_wait_begins_under_a_clock_that_is_behind() -> None:
    """A host that boots in 1970 looks, and NTP puts its clock right a minute later."""
    wait = Wait(daily=False)
    wait.look(T0, look("old"))
    before = wait.memory
    plan = wait.look(datetime.fromtimestamp(0, T0.tzinfo), GOOD)
    assert (plan.step, plan.hold) == (None, Hold.CLOCK_BEHIND)
    assert wait.memory.awaiting == before.awaiting
    assert wait.memory.owners[MX].watched_since == before.owners[MX].watched_since
    assert not wait.promotes(T0 + MINUTE, GOOD)
    assert not wait.promotes(T0 + 2 * HOUR, GOOD)
    assert wait.promotes(T0 + 2 * HOUR + MINUTE, GOOD)


def test_a_break_that_is_seen_under_it_ends_the_wait() -> None:
    """And as its TTL wasn't remembered, that is assumed."""
    wait = Wait(daily=False)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, GOOD)
    wait.look(BEGINS - DAY, look("old"))
    assert wait.steps[-1] is Step.BACK_TO_NEXT
    plan = wait.look(T0 + 2 * HOUR, GOOD)
    assert plan.safe is not None
    assert plan.safe.at == T0 + 3 * HOUR + Policy().unseen_ttl


def test_what_is_seen_under_it_is_judged_before_a_deployment() -> None:
    """The new authority's record was withdrawn, in a look that can't be dated: caches have that."""
    one, other = (gate_world.tlsa("2 1 1", by=by) for by in ("A", "B"))
    watch = gate_world.watch(gate_world.chain(by="B", version=2), one, other)
    watch.state = gate_world.renewal(gate_world.chain())
    watch.look(T0 - DAY, gate_world.shown(one, other))
    watch.state = gate_world.renewal(gate_world.chain(by="B", version=2))
    left = gate_world.shown(one)
    undated = left._replace(answer=left.answer._replace(signed_since=T0 + 3 * HOUR))
    plan = watch.look(T0, undated)
    assert (plan.step, plan.hold) == (None, Hold.GATE)
    back = watch.look(T0, gate_world.shown(one, other))
    assert (back.step, back.hold) == (None, Hold.CACHES)
    assert watch.look(T0 + 3 * DAY, gate_world.shown(one, other)).step is Step.DEPLOY


def test_it_is_a_warning_that_names_the_evidence() -> None:
    wait = Wait()
    now = BEGINS - 5 * DAY
    plan = wait.look(now, GOOD)
    observation = Observation(wait.state, seen(GOOD), distrust="")
    found = {f.code: f for f in assess(observation, plan, wait.memory, Policy(), now)}
    clock = found[Code.CLOCK_BEHIND]
    assert clock.severity is Severity.WARNING
    assert "2026-05-17" in clock.text
    assert "begins later, 2026-05-22" in clock.text
    right = assess(observation, wait.look(T0, GOOD), wait.memory, Policy(), T0)
    assert Code.CLOCK_BEHIND not in {f.code for f in right}


# ---- put right since the last look -----------------------------------------------------------


def read(at: datetime, up: timedelta, boot: str = "a") -> Reading:
    return Reading(boot, up, at)


def looked(behind_by: timedelta) -> Wait:
    """Two looks by a clock that is behind, an hour apart; the second finds the record."""
    start = T0 - behind_by
    wait = Wait(memory=Memory(), past=Memory(), daily=False)
    wait.look(start, look("old"))
    wait.look(start + HOUR, GOOD)
    wait.memory = put_right(wait.memory, read(start + HOUR, HOUR))
    return wait


def test_a_clock_that_was_days_behind_at_the_first_look_shortens_no_wait() -> None:
    late = looked(4 * DAY)
    late.memory = put_right(late.memory, read(T0 + 2 * HOUR, 2 * HOUR))
    right = looked(timedelta(0))
    ready = late.state.ready
    assert ready is not None
    plan = late.look(T0 + 2 * HOUR, GOOD)
    assert plan.safe == right.look(T0 + 2 * HOUR, GOOD).safe
    assert plan.step is not Step.PROMOTE


def test_without_it_the_wait_would_seem_to_have_begun_days_ago() -> None:
    late = looked(4 * DAY)
    plan = late.look(T0 + 2 * HOUR, GOOD)
    assert plan.safe is not None
    assert plan.safe.since == T0 - 4 * DAY + HOUR


def test_times_stay_while_the_clock_goes_as_the_host_does() -> None:
    memory = looked(timedelta(0)).memory
    for reading in (
        read(T0 + 2 * HOUR, 2 * HOUR),
        read(T0 + 2 * HOUR, HOUR),  # not more than the skew
        read(T0 + 2 * HOUR, 2 * HOUR + timedelta(seconds=1)),  # two clocks, read one after another
    ):
        assert put_right(memory, reading) == memory, reading
    assert put_right(memory, None) == memory


@pytest.mark.parametrize(
    "reading",
    [
        Reading("b", MINUTE, T0 + 2 * DAY),  # another boot tells nothing
        Reading("a", 2 * HOUR, T0 - DAY),  # put back: times in the future count as now
        Reading("a", 2 * HOUR + timedelta(seconds=2), T0 + 2 * HOUR),
    ],
)
def test_from_then_on_another_reading_counts(reading: Reading) -> None:
    memory = looked(timedelta(0)).memory
    after = put_right(memory, reading)
    assert without_heard(after) == without_heard(memory)
    assert after.clock == reading


def test_small_steps_add_up() -> None:
    """Forty minutes on three days are two hours, as one step of two hours is."""
    memory = Memory(request=Request(b"", T0), clock=read(T0, HOUR))
    for day, requested in ((1, T0), (2, T0 + 80 * MINUTE), (3, T0 + 80 * MINUTE)):
        at = T0 + day * DAY + day * 40 * MINUTE
        memory = put_right(memory, read(at, HOUR + day * DAY))
        assert memory.request == Request(b"", requested), day
    assert memory.clock == read(T0 + 2 * DAY + 80 * MINUTE, HOUR + 2 * DAY)


def test_a_clock_that_was_put_back_and_forward_moves_what_it_dated_meanwhile() -> None:
    memory = put_right(Memory(clock=read(T0, HOUR)), read(T0 - 3 * DAY, 2 * HOUR))
    memory = memory._replace(request=Request(b"", T0 - 3 * DAY))
    memory = put_right(memory, read(T0 + 2 * HOUR, 3 * HOUR))
    assert memory.request == Request(b"", T0 + HOUR)


@pytest.mark.parametrize("days", [3, 4])
def test_a_clock_that_was_put_right_makes_no_gap_shorter(days: int) -> None:
    """It had gone wrong after the last look before the gap, and that look counts as dated then."""
    waits = looked(timedelta(0))
    waits.memory = waits.memory._replace(clock=read(T0 - days * DAY, HOUR))
    end = T0 + LONGEST_GAP + 2 * HOUR
    waits.memory = put_right(waits.memory, read(end, HOUR + LONGEST_GAP + 2 * HOUR))
    waits.look(end, GOOD)
    assert {one.watched_since for one in waits.memory.owners.values()} == {end}


def gap_under_a_clock_ahead(boot: str) -> Wait:
    """Longer than the longest, between a look by a clock that was ahead and one by a right clock.

    The host has been up all the while, or has booted: then nothing can tell.
    """
    waits = looked(timedelta(0))
    up, ahead = 2 * HOUR, LONGEST_GAP - 4 * HOUR
    waits.memory = put_right(waits.memory, read(T0 + up + ahead, up, "later"))
    waits.look(T0 + up + ahead, GOOD)
    span = 2 * LONGEST_GAP - 12 * HOUR
    end = T0 + up + span
    waits.memory = put_right(waits.memory, read(end, up + span, boot))
    waits.look(end, GOOD)
    return waits


def test_a_clock_that_was_ahead_at_the_last_look_hides_no_gap() -> None:
    """The host was up all the while, and tells how long that was."""
    waits = gap_under_a_clock_ahead("later")
    assert waits.last is not None
    end = waits.last[0]
    assert {one.watched_since for one in waits.memory.owners.values()} == {end}
    assert waits.memory.awaiting is not None
    assert waits.memory.awaiting.seen_since == end


def test_one_that_is_put_right_as_the_host_boots_hides_it() -> None:
    """A documented limit: nothing in the memory tells that the look was earlier than it says."""
    waits = gap_under_a_clock_ahead("another")
    assert waits.last is not None
    assert waits.last[0] not in {one.watched_since for one in waits.memory.owners.values()}


def test_a_server_that_was_silent_since_a_clock_was_ahead_counts_as_silent() -> None:
    """It was heard then, and not in all the days since the clock was put back."""
    one, old = "ns1.example.org [192.0.2.1]", OwnerMemory(watched_since=T0)
    owners = {MX: old._replace(heard={one: T0 + 30 * DAY}, answered_at=T0 + 30 * DAY)}
    memory = Memory(owners=owners, clock=read(T0 + 30 * DAY, HOUR))
    after = put_right(memory, read(T0 + HOUR, 2 * HOUR)).owners[MX]
    assert (after.heard, after.answered_at) == ({one: T0}, T0)
    assert after.watched_since == T0


def test_a_clock_that_was_ahead_by_thousands_of_years_is_put_back_all_the_same() -> None:
    one, at = "ns1.example.org [192.0.2.1]", T0.replace(year=8999)
    owners = {MX: OwnerMemory(heard={one: T0}, answered_at=None)}
    memory = Memory(owners=owners, clock=read(at, HOUR))
    after = put_right(memory, read(T0 + HOUR, 2 * HOUR)).owners[MX]
    assert after.heard == {one: RECKONABLE[0]}
    assert after.answered_at is None


def without_heard(memory: Memory) -> Memory:
    """When servers were heard isn't moved: that would make gaps shorter."""
    owners = {name: one._replace(heard={}, answered_at=None) for name, one in memory.owners.items()}
    return memory._replace(owners=owners, clock=None, current=None)


def test_every_time_of_a_wait_is_moved() -> None:
    until = T0 + HOUR
    owner = OwnerMemory(
        sightings=(TtlSighting(HOUR, T0, until),),
        old_route_until=until,
        rrsets=(RRsetSighting((), HOUR, T0, until, left_at=until, lagged_at=until),),
        watched_since=T0,
        heard={"ns1.example.org [192.0.2.1]": T0},
        answered_at=T0,
    )
    wait = Awaiting(b"", T0, *(T0,) * 4, forgotten_at=T0, belied_at=T0, stood_by_at=T0)
    memory = Memory(owners={MX: owner}, awaiting=wait, clock=read(until, HOUR))
    after = put_right(memory, read(until + 5 * DAY, HOUR))
    assert after.awaiting is not None
    assert after.owners[MX].heard == owner.heard
    assert after.owners[MX].answered_at == owner.answered_at
    shifted = without_heard(after).owners[MX]
    for old, new in ((without_heard(memory).owners[MX], shifted), (wait, after.awaiting)):
        assert list(times(new)) == [at + 5 * DAY for at in times(old)]
    assert len(list(times(owner))) == 10
    assert len(list(times(wait))) == 8


def test_every_time_that_the_clock_gave_is_moved() -> None:
    """What others dated stays: when certificates begin.  So does a key's age that is theirs."""
    failure = Failure("no", 1, T0 - DAY, T0 - DAY, T0)
    memory = Memory(
        owners=looked(timedelta(0)).memory.owners,
        deployment=Deployment(b"", b"", *(T0 - DAY,), (), *(T0,) * 3, insisted_at=T0),
        promotion_failure=failure,
        renewal_failure=failure,
        publishing=Publishing(T0, failure),
        past_keys=(PastKey(b"", T0, retired_at=T0),),
        current=CurrentKey(b"", T0, (BEGINS,)),
        request=Request(b"", T0),
        cancelled=(CancelledKey(b"", T0, until=T0 + HOUR),),
        contacts=(Contact(T0, Call.RENEWAL, CallResult.DONE),),
        clock=read(T0, HOUR),
    )
    after = put_right(memory, read(T0 + 5 * DAY, HOUR))
    was = list(times(without_heard(memory)))
    assert list(times(without_heard(after))) == [at + 5 * DAY for at in was]
    assert len(was) == 21 + len(list(times(without_heard(memory).owners)))
    assert after.current == CurrentKey(b"", T0 + 5 * DAY, (BEGINS,))
    theirs = memory._replace(current=CurrentKey(b"", BEGINS, (BEGINS,)))
    assert put_right(theirs, read(T0 + 5 * DAY, HOUR)).current == theirs.current


def test_what_was_tried_is_no_time_of_the_future() -> None:
    """It was tried before the clock was put back, and counts in the CA's budget from now on."""
    failure = Failure("no", 1, T0, T0, T0 + HOUR)
    memory = Memory(
        contacts=(Contact(T0, Call.RENEWAL, CallResult.FAILED),),
        renewal_failure=failure,
        promotion_failure=failure,
        publishing=Publishing(failure=failure),
        clock=read(T0 - DAY, HOUR),
    )
    now = T0 + HOUR
    after = put_right(memory, read(now, 2 * HOUR))
    assert [one.at for one in after.contacts] == [now]
    late = Failure("no", 1, now, now, T0 + HOUR + DAY)
    assert (after.renewal_failure, after.promotion_failure) == (late, late)
    assert after.publishing.failure == late


def test_so_is_what_the_probes_wait_for() -> None:
    """Or the old records would go at the second probe, however soon that is."""
    deployment = Deployment(b"", b"", T0, confirmed_at=T0, clear_since=T0)
    memory = Memory(deployment=deployment, clock=read(T0, HOUR))
    after = put_right(memory, read(T0 + 5 * DAY + MINUTE, HOUR + MINUTE)).deployment
    assert after is not None
    assert (after.confirmed_at, after.clear_since) == (T0 + 5 * DAY, T0 + 5 * DAY)


def test_what_is_shown_under_a_clock_that_is_behind_counts_until_it_is_found_gone() -> None:
    """A TTL and an RRset that no other look shows: caches have them all the same."""
    waiting = state(next_key=key_file("new"))
    memory = remember(Memory(), waiting, seen(look("old")), T0)
    longer = look("old", ttl=3 * DAY)
    signed = longer._replace(answer=longer.answer._replace(signed_since=T0 + 9 * HOUR))
    for hours in (2, 3):  # it is ten hours later
        memory = remember(memory, waiting, seen(signed), T0 + hours * HOUR)
    assert memory.awaiting is not None
    assert memory.awaiting.seen_since is None
    assert [one.ttl for one in memory.owners[MX].sightings] == [HOUR, 3 * DAY]
    back = T0 + 14 * HOUR
    memory = remember(memory, waiting, seen(GOOD), back)
    gone = [one.until for one in memory.owners[MX].rrsets if one.ttl == 3 * DAY]
    assert gone == [back]
    safe = safe_time(memory, waiting.owners, Policy(min_wait=0 * DAY, margin=0 * DAY))
    assert safe is not None
    assert safe.at >= back + 3 * DAY


def test_an_owner_that_was_never_seen_is_none_that_was_watched() -> None:
    signed = GOOD._replace(answer=GOOD.answer._replace(signed_since=T0 + 9 * HOUR))
    assert remember(Memory(), state(), seen(signed), T0).owners == {}


# ---- what is seen under a clock that is behind, and by no other look --------------------------

REAL = T0 + 2 * DAY - 2 * HOUR
"""When the clock says three days less."""
THREE = {"ns1": None, "ns2": None, "ns3": None}


def undated(one: OwnerObservation) -> OwnerObservation:
    """The look with a signature that was made an hour before."""
    return one._replace(answer=one.answer._replace(signed_since=REAL - HOUR))


def leading_on(one: OwnerObservation) -> OwnerObservation:
    """The look with a server that leads to what nobody looks at."""
    first, *others = one.servers
    return one._replace(servers=(first._replace(elsewhere=OTHER), *others))


def promoted_after(
    usual: Callable[..., OwnerObservation],
    stray: OwnerObservation,
    *,
    at: datetime = REAL - 3 * DAY,
    then: Sequence[OwnerObservation] = (),
) -> timedelta:
    """How long after ``REAL`` a key may be used whose records have been there for two days."""
    wait = Wait(daily=False, policy=Policy(min_wait=2 * DAY, margin=HOUR))
    for day in (-12, -8, -4, 0):
        wait.look(T0 + day * DAY, usual("old"))
    wait.look(T0 + HOUR, usual("old", "new"))
    wait.look(at, stray)
    for hour, one in enumerate(then, 1):
        wait.look(REAL + hour * HOUR, one)
    hours = range(1 + len(then), 24 * 30)
    return next(
        hour * HOUR
        for hour in hours
        if wait.look(REAL + hour * HOUR, usual("old", "new")).step is Step.PROMOTE
    )


@pytest.mark.parametrize(
    ("way", "stray"),
    [
        ([(OTHER, DAY)], look("old", "new", ttl=2 * DAY, ns_ttl=3 * DAY, aliases=[(MX2, DAY)])),
        ([], look("old", "new", ttl=2 * DAY, ns_ttl=3 * DAY, at=THREE)),
        ([], look("old", "new", ttl=2 * DAY, ns_ttl=3 * DAY, at={"ns1": None})),
        ([], leading_on(look("old", "new", ttl=2 * DAY, ns_ttl=3 * DAY))),
    ],
    ids=["alias", "server more", "server less", "server that leads on"],
)
def test_a_way_that_only_a_clock_that_is_behind_saw_is_waited_for(
    way: list[tuple[DnsName, timedelta]], stray: OwnerObservation
) -> None:
    """Resolvers follow it as long as its TTL says, to what it may have had since."""
    usual = partial(look, ttl=2 * DAY, ns_ttl=3 * DAY, aliases=way)
    dated = promoted_after(usual, stray, at=REAL)
    assert dated >= 5 * DAY
    assert promoted_after(usual, undated(stray)) >= dated


def test_so_is_the_first_way_that_is_known() -> None:
    """The resolver told nothing in the look before, so nobody knew one."""
    memory = remember(Memory(), state(), seen(look("old", security=Security.INDETERMINATE)), T0)
    assert memory.owners[MX].route is None
    stray = undated(look("old", "new", ns_ttl=3 * DAY, at=THREE))
    memory = remember(memory, state(), seen(stray), REAL - 3 * DAY)
    memory = remember(memory, state(), seen(GOOD), REAL)
    assert memory.owners[MX].old_route_until == REAL + 3 * DAY


def test_so_is_a_way_under_a_longer_ttl() -> None:
    """Who asked then has a server that is lost later for as long."""
    memory = remember(Memory(), state(), seen(look("old", at=THREE)), T0)
    longer = undated(look("old", "new", ns_ttl=3 * DAY, at=THREE))
    memory = remember(memory, state(), seen(longer), REAL - 3 * DAY)
    memory = remember(memory, state(), seen(GOOD), REAL)
    assert memory.owners[MX].old_route_until == REAL + 3 * DAY


def test_it_may_last_while_nobody_can_tell_the_way() -> None:
    usual = partial(look, ttl=2 * DAY, ns_ttl=3 * DAY)
    stray = undated(look("old", "new", ttl=2 * DAY, ns_ttl=3 * DAY, at=THREE))
    nobody = [silent() for _ in range(20)]
    assert promoted_after(usual, stray, then=nobody) > promoted_after(usual, stray) + 19 * HOUR


def test_nor_does_the_usual_way_under_it_end_that() -> None:
    memory = remember(Memory(), state(), seen(look("old")), T0)
    stray = undated(look("old", ns_ttl=3 * DAY, at=THREE))
    for hour, one in enumerate((stray, undated(look("old")))):
        memory = remember(memory, state(), seen(one), REAL - 3 * DAY + hour * HOUR)
    memory = remember(memory, state(), seen(look("old")), REAL)
    assert memory.owners[MX].old_route_until == REAL + 3 * DAY


def test_what_was_never_watched_is_not_by_it() -> None:
    memory = remember(Memory(), state(), seen(silent()), T0)
    assert memory.owners[MX].watched_since is None
    memory = remember(memory, state(), seen(undated(look("old", at=THREE))), REAL - 3 * DAY)
    assert memory.owners[MX].watched_since is None


def test_the_usual_way_is_none_that_strayed() -> None:
    usual = partial(look, ttl=2 * DAY, ns_ttl=3 * DAY)
    assert promoted_after(usual, undated(usual("old", "new"))) == 4 * HOUR


def test_what_led_elsewhere_under_it_is_told_as_what_began_the_wait_anew() -> None:
    wait = Wait(daily=False)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, GOOD)
    wait.look(REAL - 3 * DAY, undated(look("old", "new", at=THREE)))
    awaiting = wait.memory.awaiting
    assert awaiting is not None
    assert awaiting.interruption is not None
    assert (awaiting.begun_anew, awaiting.interruption.new) == (1, ("ns3.example.org [192.0.2.1]",))


def test_a_wait_that_had_not_begun_is_none_that_began_anew() -> None:
    """What is remembered of owners that aren't looked at stays as it is."""
    waiting = state(next_key=key_file("new"))
    memory = remember(Memory(), waiting, seen(look("old"), look("old", owner=MX2)), T0)
    stray = undated(look("old", "new", at=THREE))
    after = remember(memory, waiting, seen(stray), REAL - 3 * DAY)
    assert after.awaiting is not None
    assert (after.awaiting.begun_anew, after.awaiting.interruption) == (0, None)
    assert after.owners[MX2] == memory.owners[MX2]


@pytest.mark.parametrize("slow", [3 * HOUR, 4 * DAY])
@pytest.mark.parametrize("looked", [look, blind], ids=["servers", "resolver alone"])
def test_a_gap_that_it_ends_ends_the_wait(
    looked: Callable[..., OwnerObservation], slow: timedelta
) -> None:
    """A host that was off for six days begins with a clock that is behind."""
    policy = Policy(min_wait=0 * DAY, margin=HOUR, unseen_ttl=DAY)
    wait = Wait(daily=False, policy=policy, memory=Memory(), past=Memory())
    wait.look(T0, looked("old"))
    there = looked("old", "new")
    wait.look(T0 + HOUR, there)
    now = T0 + HOUR + 6 * DAY
    signed = there._replace(answer=there.answer._replace(signed_since=now - MINUTE))
    assert wait.look(now - slow, signed).step is not Step.PROMOTE
    assert wait.memory.awaiting is not None
    assert (wait.memory.awaiting.seen_since, wait.memory.awaiting.begun_anew) == (None, 1)
    assert not wait.promotes(now + HOUR, there)
    assert not wait.promotes(now + DAY, there)
    assert wait.promotes(now + 2 * DAY, there)


@pytest.mark.parametrize(("days", "at"), [(6, gate_world.EVERYWHERE), (1, THREE)])
def test_nor_is_a_chain_deployed_that_only_what_was_there_before_bears(
    days: int, at: Mapping[str, None]
) -> None:
    """Before the gap, or on the way that was there until then."""
    one, other = (gate_world.tlsa("3 0 1", version=version) for version in (1, 2))
    watch = gate_world.watch(gate_world.chain(version=2), one, other)
    there = gate_world.shown(one, other, at=at)
    now = T0 + days * DAY
    watch.look(T0, gate_world.shown(one, other))
    watch.last = None  # no daily looks
    signed = there._replace(answer=there.answer._replace(signed_since=now - MINUTE))
    plan = watch.look(now - 2 * DAY, signed)
    assert (plan.step, plan.hold) == (None, Hold.CACHES)


@pytest.mark.parametrize("ttl", [HOUR, 2 * DAY, 3 * DAY])
def test_records_that_servers_have_again_under_it_are_held_since_then(ttl: timedelta) -> None:
    """They had left them, as far as the last look that was dated knows."""
    one, other = (gate_world.tlsa("3 0 1", version=version) for version in (1, 2))
    watch = gate_world.watch(gate_world.chain(version=2), one)
    watch.look(T0 - DAY, gate_world.shown(one, ttl=3 * DAY))
    lags = gate_world.shown(one, other, resolver=[one], ttl=3 * DAY)
    back = undated(gate_world.shown(one, ttl=ttl))
    new = gate_world.shown(one, other, ttl=3 * DAY)
    for at, found in ((T0, lags), (REAL - 3 * DAY, back), (REAL + HOUR, new)):
        watch.last = None  # no daily looks
        plan = watch.look(at, found)
    assert plan.refusal is not None
    assert plan.refusal.until == REAL + HOUR + 3 * DAY + HOUR


def test_the_strongest_evidence_is_told_and_an_answer_that_proves_nothing_is_none() -> None:
    """The signature is later than the certificate, which is later than the clock."""
    now = BEGINS - DAY
    signed = GOOD._replace(answer=GOOD.answer._replace(signed_since=T0))
    found = behind(state(), seen(signed), now)
    assert found is not None
    assert found.at == T0
    unproven = signed._replace(answer=signed.answer._replace(security=Security.INSECURE))
    found = behind(state(), seen(unproven), now)
    assert found is not None
    assert found.at == BEGINS


def test_readings_of_the_clock_are_not_moved() -> None:
    reading = Reading("boot", HOUR, T0)
    assert moved(reading, DAY) == reading
    assert moved((T0, reading), DAY) == (T0 + DAY, reading)
