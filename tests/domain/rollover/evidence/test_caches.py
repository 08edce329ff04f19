"""How long an RRset that nobody shows any more may be in a cache."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import Security
from danebot.domain.rollover.evidence.caches import (
    alone_before,
    gone_at,
    held_until,
    remember_rrsets,
    undated_rrsets,
)
from danebot.domain.rollover.evidence.memory import OwnerMemory, RRsetSighting, Witness
from danebot.domain.rollover.evidence.policy import Policy
from domain.builders import DAY, HOUR, MINUTE, T0, look, record

POLICY = Policy(min_wait=timedelta(0), margin=HOUR, unseen_ttl=7 * DAY)
SHORT = RRsetSighting((record("old"),), HOUR, T0, until=T0 + 2 * HOUR)


@pytest.mark.parametrize(
    ("sighting", "gone"),
    [
        (SHORT._replace(until=None), None),
        # At the first look it may have been in caches under a TTL that nobody saw.
        (SHORT, T0 + 7 * DAY + HOUR),
        (SHORT._replace(first=T0 + MINUTE), T0 + 4 * HOUR),
        (SHORT._replace(until=T0 + 8 * DAY), T0 + 8 * DAY + 2 * HOUR),
    ],
)
def test_when_the_last_cache_has_dropped_it(sighting: RRsetSighting, gone: object) -> None:
    assert gone_at(sighting, OwnerMemory(watched_since=T0), POLICY) == gone


def test_neither_before_the_minimum_wait_nor_before_the_old_route_is_forgotten() -> None:
    later = SHORT._replace(first=T0 + MINUTE)
    patient = POLICY._replace(min_wait=DAY)
    assert gone_at(later, OwnerMemory(watched_since=T0), patient) == T0 + 2 * HOUR + DAY
    moved = OwnerMemory(watched_since=T0, old_route_until=T0 + DAY)
    assert gone_at(later, moved, POLICY) == T0 + DAY + 2 * HOUR


def test_records_that_servers_have_again_under_another_ttl_are_held_since_then() -> None:
    """Though the resolver lagged all the while, and the look that shows them proves nothing."""
    old, both = ("old",), ("old", "new")
    left = look(*both, resolver=old, ttl=3 * DAY)
    again = look(*old, ttl=DAY, security=Security.BOGUS)
    owner = OwnerMemory()
    for hours, one in ((0, look(*old, ttl=3 * DAY)), (1, left), (90, again), (100, look(*both))):
        now = T0 + hours * HOUR
        owner = owner._replace(rrsets=remember_rrsets(owner, one, now))
    ends = [s.until for s in owner.rrsets if s.records == (record("old"),) and s.ttl == DAY]
    assert ends == [T0 + 100 * HOUR]


@pytest.mark.parametrize("hours", [(50,), (50, 60), (50, 60, 70)])
def test_records_under_another_ttl_count_while_the_resolver_has_them_from_its_cache(
    hours: tuple[int, ...],
) -> None:
    """Servers had them for as long as a look showed that; what the resolver lagged by ends sooner.

    The same records are known by both TTLs then, and the former TTL's end is when servers left it.
    """
    first = look("old", ttl=3 * DAY)
    lags = look("old", ttl=DAY)
    lags = lags._replace(answer=first.answer)
    owner = OwnerMemory(watched_since=T0 - 30 * DAY)
    looks = [(0, first), *((hour, lags) for hour in hours), (100, look("old", "new"))]
    for hour, one in looks:
        owner = owner._replace(rrsets=remember_rrsets(owner, one, T0 + hour * HOUR))
    gone = [gone_at(one, owner, POLICY) for one in owner.rrsets if one.records == (record("old"),)]
    assert max(end for end in gone if end is not None) == T0 + 100 * HOUR + DAY + POLICY.margin


def test_what_servers_show_makes_the_resolver_s_word_for_the_same_superfluous() -> None:
    told = SHORT._replace(witness=Witness.RESOLVER, until=None)
    for ttl, kept in ((HOUR, [Witness.SERVERS]), (MINUTE, [Witness.RESOLVER, Witness.SERVERS])):
        owner = OwnerMemory(rrsets=(told,), watched_since=T0 - DAY)
        found = remember_rrsets(owner, look("old", ttl=ttl), T0 + HOUR)
        assert sorted((one.witness for one in found), key=str) == kept


def test_records_that_come_back_are_there_once_more() -> None:
    memory = OwnerMemory()
    for hours, name in ((0, "old"), (1, "new"), (2, "old")):
        now = T0 + hours * HOUR
        memory = memory._replace(rrsets=remember_rrsets(memory, look(name), now))
    assert [one.records for one in memory.rrsets if one.until is None] == [(record("old"),)]


def test_what_servers_had_left_they_have_left_still_where_they_show_something_else() -> None:
    """Under a clock that is behind, too: the resolver's lag is explained by when they left it."""
    left = SHORT._replace(until=None, left_at=T0, lagged_at=T0)
    owner = OwnerMemory(rrsets=(left,), watched_since=T0 - 30 * DAY)
    assert undated_rrsets(owner, look("new"), T0 - DAY)[0] == left


LONGER = SHORT._replace(first=T0 - DAY, ttl=5 * DAY)


@pytest.mark.parametrize(
    ("one", "other", "end"),
    [
        (SHORT, LONGER, T0 + 5 * DAY + 3 * HOUR),
        (SHORT, LONGER._replace(until=None), None),
        (SHORT._replace(until=None), LONGER, None),
    ],
)
def test_of_the_ttls_under_which_an_rrset_was_there_the_last_to_end_counts(
    one: RRsetSighting, other: RRsetSighting, end: datetime | None
) -> None:
    """In whatever order they are remembered."""
    for both in ((one, other), (other, one)):
        owner = OwnerMemory(rrsets=both, watched_since=T0 - 30 * DAY)
        assert held_until(owner, POLICY) == {one.records: end}


def test_records_of_the_first_look_may_be_alone_as_long_as_they_may_be_cached() -> None:
    later = SHORT._replace(records=(record("new"),), first=T0 + MINUTE)
    owner, end = OwnerMemory(rrsets=(SHORT, later), watched_since=T0), T0 + 7 * DAY + HOUR
    assert alone_before(owner, POLICY, end - MINUTE) == {record("old")}
    assert alone_before(owner, POLICY, end) == frozenset()
    there = owner._replace(rrsets=(SHORT, later._replace(until=None)))
    assert alone_before(there, POLICY, end) == {record("new")}
    assert alone_before(owner._replace(watched_since=None), POLICY, T0) == frozenset()
