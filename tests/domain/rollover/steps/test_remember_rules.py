"""What one observation adds to the memory, clause by clause: TTLs, the wait and what ends it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.rollover.evidence.memory import (
    Awaiting,
    Interruption,
    Memory,
    OwnerMemory,
    TtlSighting,
)
from danebot.domain.rollover.steps.remember import remember
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    T0,
    UNREACHABLE,
    key_file,
    look,
    seen,
    silent,
    state,
)
from domain.gate_world import chain, renewal, shown, tlsa

WAITING = state(next_key=key_file("new"))
BEHIND = T0 - 20 * DAY  # the certificate of the builders begins ten days later
BEFORE = T0 - 2 * DAY


def sightings(
    *old: TtlSighting, one: OwnerObservation | None = None, now: datetime = T0
) -> set[TtlSighting]:
    """The TTLs that are known after a look, one in which nobody answers if none is told."""
    memory = Memory(owners={MX: OwnerMemory(sightings=old)})
    return set(remember(memory, state(), seen(one or silent()), now).owners[MX].sightings)


def waited(*looks: OwnerObservation) -> Awaiting:
    """The wait after looks an hour apart, the first of which finds no record."""
    memory = Memory()
    for number, one in enumerate((look("old"), *looks)):
        memory = remember(memory, WAITING, seen(one), T0 + number * HOUR)
    assert memory.awaiting is not None
    return memory.awaiting


# ---- TTLs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        (TtlSighting(DAY, BEFORE), TtlSighting(HOUR, BEFORE), True),
        (TtlSighting(DAY, BEFORE), TtlSighting(HOUR, T0 - HOUR), True),
        (TtlSighting(DAY, BEFORE, T0), TtlSighting(HOUR, BEFORE, T0), True),
        (TtlSighting(DAY, BEFORE, T0), TtlSighting(HOUR, BEFORE, T0 - MINUTE), True),
        (TtlSighting(DAY, BEFORE, T0 - MINUTE), TtlSighting(HOUR, BEFORE, T0), False),
        (TtlSighting(DAY, BEFORE, T0), TtlSighting(HOUR, BEFORE), False),
        (TtlSighting(DAY, T0 - HOUR), TtlSighting(HOUR, BEFORE), False),
    ],
)
def test_a_longer_ttl_all_the_while_makes_another_superfluous(
    one: TtlSighting, other: TtlSighting, *, covers: bool
) -> None:
    for both in ((one, other), (other, one)):
        assert sightings(*both) == ({one} if covers else {one, other})


def test_a_ttl_that_ended_counts_until_it_is_over() -> None:
    over = TtlSighting(HOUR, BEFORE, T0 - HOUR)
    assert sightings(over) == {over}
    assert sightings(over, now=T0 + MINUTE) == set()


def test_no_ttl_begins_in_the_future() -> None:
    assert sightings(TtlSighting(DAY, T0 + DAY)) == {TtlSighting(DAY, T0)}


def test_a_ttl_that_is_seen_again_under_a_clock_that_is_behind_has_begun_again() -> None:
    over = TtlSighting(HOUR, BEHIND - DAY, BEHIND - HOUR)
    found = sightings(over, one=look("old"), now=BEHIND)
    assert found == {over, TtlSighting(HOUR, BEHIND)}


# ---- the wait ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "forgotten"),
    [
        (timedelta(0), False),
        (MINUTE, False),
        (MINUTE + timedelta(seconds=1), True),
        (DAY, True),
    ],
)
def test_a_key_that_is_older_than_its_wait_has_a_past_that_was_lost(
    age: timedelta, *, forgotten: bool
) -> None:
    older = state(next_key=key_file("new", T0 - age))
    found = remember(Memory(), older, seen(look("old")), T0).awaiting
    assert found is not None
    assert found.forgotten_at == (T0 if forgotten else None)


def test_where_nothing_can_be_told_the_wait_stays() -> None:
    before = remember(Memory(), WAITING, seen(look("old", "new")), T0)
    assert before.awaiting is not None
    unread = WAITING._replace(required=None)
    for lineage, one in ((unread, look("old", "new")), (WAITING, silent())):
        after = remember(before, lineage, seen(one), T0 + HOUR)
        assert after.awaiting == before.awaiting


def test_a_record_that_is_gone_is_named_with_those_who_lack_it() -> None:
    there = look("old", "new")
    ns1, ns2 = (str(one.server) for one in there.servers)
    gone = waited(there, look("old"))
    assert gone.begun_anew == 1
    assert gone.interruption == Interruption(T0 + 2 * HOUR, MX, lacking=("", ns1, ns2))
    half = waited(there, look("old", at={"ns1": None, "ns2": UNREACHABLE}))
    assert half.interruption == Interruption(T0 + 2 * HOUR, MX, lacking=("", ns1))
    never = waited(look("old"))
    assert (never.begun_anew, never.interruption) == (0, None)
    lags = waited(look("old", "new", resolver=["old"]), look("old", "new", resolver=["old"]))
    assert (lags.begun_anew, lags.interruption) == (0, None)


NS1 = "ns1.example.org [192.0.2.1]"
THERE, LAGS = look("old", "new"), look("old", "new", resolver=["old"])
MOVED = look("old", "new", at={"ns1": None, "ns2": None, "ns3": None})


@pytest.mark.parametrize(
    ("looks", "lacking"),
    [
        ((THERE, LAGS), ("",)),  # it has lost what it had
        ((LAGS, look("old", at={"ns1": None, "ns2": UNREACHABLE})), ("", NS1)),
    ],
)
def test_what_had_begun_by_anybody_s_word_and_ends_is_counted(
    looks: tuple[OwnerObservation, ...], lacking: tuple[str, ...]
) -> None:
    found = waited(*looks)
    assert found.begun_anew == 1
    assert found.interruption is not None
    assert found.interruption.lacking == lacking


def test_what_ends_leaves_no_lag_behind() -> None:
    assert waited(LAGS).lagged_at == T0 + HOUR
    gone = waited(LAGS, look("old"))
    assert (gone.served_since, gone.lagged_at, gone.begun_anew) == (None, None, 1)
    assert waited(LAGS, THERE).lagged_at is None
    lost = waited(THERE, LAGS)
    assert (lost.served_since, lost.belied_at) == (T0 + 2 * HOUR, T0 + 2 * HOUR)


@pytest.mark.parametrize("before", [THERE, LAGS])
def test_a_move_is_counted_where_the_wait_had_begun_and_not_before(
    before: OwnerObservation,
) -> None:
    memory = Memory(awaiting=waited(before)._replace(begun_anew=3))
    first = remember(memory, WAITING, seen(before), T0 + 2 * HOUR)
    for now in (T0 + 3 * HOUR, BEHIND):
        after = remember(first, WAITING, seen(MOVED), now).awaiting
        assert after is not None
        assert after.begun_anew == 4
        assert after.interruption is not None
        assert after.interruption.new == ("ns3.example.org [192.0.2.1]",)
    never = waited(look("old", at={"ns1": None}))
    assert (never.begun_anew, never.interruption) == (0, None)


def test_another_key_has_a_wait_of_its_own() -> None:
    begun = Memory(awaiting=waited(THERE))
    other = remember(begun, state(next_key=key_file("other")), seen(THERE), T0 + 2 * HOUR)
    assert other.awaiting is not None
    assert (other.awaiting.begun_anew, other.awaiting.interruption) == (0, None)


# ---- anchors -----------------------------------------------------------------------------------


def test_anchors_are_remembered_and_a_damaged_file_takes_none_away() -> None:
    a = tlsa("2 1 1", by="A")
    site = renewal(chain(version=2))
    after = remember(Memory(), site, seen(shown(a)), T0)
    assert after.anchors == {MX: a}
    unread = site._replace(required=None)
    assert remember(after, unread, seen(shown(a)), T0 + HOUR).anchors == {MX: a}
    assert remember(after, site, seen(shown(tlsa("3 1 1"))), T0 + HOUR).anchors == {}
