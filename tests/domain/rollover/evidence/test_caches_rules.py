"""What a look adds to the RRsets that a cache may hold, and who may say that one is gone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import Cause, OwnerObservation, Security, ServerOutcome
from danebot.domain.rollover.evidence.caches import (
    explained,
    gone_at,
    in_force,
    open_rrsets,
    past_known_at,
    remember_rrsets,
    undated_rrsets,
    watched_since,
)
from danebot.domain.rollover.evidence.memory import OwnerMemory, OwnerRoute, RRsetSighting, Witness
from danebot.domain.rollover.evidence.policy import LONGEST_WAIT, Policy
from domain.builders import DAY, HOUR, MINUTE, MX, OTHER, T0, UNREACHABLE, blind, look, record

RECORDS = (record("old"),)
BY_SERVERS = RRsetSighting(RECORDS, HOUR, T0 - DAY, witness=Witness.SERVERS)
BY_RESOLVER = BY_SERVERS._replace(witness=Witness.RESOLVER)
ONE_MUTE = {"ns1": None, "ns2": UNREACHABLE}


def after(one: RRsetSighting, seen: OwnerObservation, now: datetime = T0) -> RRsetSighting:
    """What becomes of a sighting of the old records by a look."""
    kept = remember_rrsets(OwnerMemory(rrsets=(one,)), seen, now)
    return next(other for other in kept if other.first == min(one.first, now))


def said(one: OwnerObservation, security: Security, cause: Cause | None) -> OwnerObservation:
    """The look with another standing of the resolver's answer."""
    return one._replace(answer=one.answer._replace(security=security, cause=cause))


# ---- for how long a cache may hold what is there ------------------------------------------------


def test_the_longest_ttl_on_the_way_counts_and_none_is_none() -> None:
    aliased = look("old", aliases=[(OTHER, DAY)], at={})
    assert in_force(aliased) == {(RECORDS, DAY)}
    assert in_force(look("old", ttl=timedelta(0), at={})) == {(RECORDS, timedelta(0))}


def test_of_what_nobody_watched_no_past_is_known() -> None:
    over = BY_SERVERS._replace(until=T0)
    policy = Policy(min_wait=timedelta(0), margin=HOUR)
    assert past_known_at(OwnerMemory(), policy) is None
    assert gone_at(over, OwnerMemory(), policy) == T0 + 2 * HOUR


def test_only_what_has_not_ended_can_be_asked_for() -> None:
    over = RRsetSighting((record("new"),), HOUR, T0, until=T0 + HOUR)
    assert list(open_rrsets(OwnerMemory(rrsets=(BY_SERVERS, over)))) == [RECORDS]


# ---- since when an owner is watched -------------------------------------------------------------


def test_a_server_s_word_begins_the_watch_where_the_resolver_is_silent() -> None:
    assert watched_since(OwnerMemory(), look("old", security=Security.BOGUS), T0) == T0
    mute = look(at={"ns1": UNREACHABLE}, security=Security.BOGUS)
    assert watched_since(OwnerMemory(), mute, T0) is None


def test_who_delegates_is_not_lost_where_it_could_not_be_told() -> None:
    seen = look("old")
    heard = {str(one.server): T0 - HOUR for one in seen.servers}
    route = OwnerRoute(MX, seen.name_servers, parents=(seen.servers[0].server,))
    old = OwnerMemory(watched_since=T0 - DAY, route=route, heard=heard, answered_at=T0 - HOUR)
    assert watched_since(old, seen, T0) == T0 - DAY


# ---- who may say that an RRset is gone ----------------------------------------------------------


@pytest.mark.parametrize(
    ("security", "cause", "ended"),
    [
        (Security.SECURE, None, True),
        (Security.INSECURE, Cause.OPT_OUT, True),
        (Security.INSECURE, Cause.UNTRUSTED, True),
        (Security.INSECURE, Cause.UNSIGNED, True),
        (Security.INSECURE, None, False),
        (Security.INDETERMINATE, Cause.DOMAIN, False),
        (Security.BOGUS, None, False),
    ],
)
def test_the_resolver_alone_ends_what_it_alone_showed_if_it_validates(
    security: Security, cause: Cause | None, *, ended: bool
) -> None:
    seen = said(blind(), security, cause)
    assert after(BY_RESOLVER, seen).until == (T0 if ended else None)


@pytest.mark.parametrize("seen", [look("new", at=ONE_MUTE), said(blind(), Security.SECURE, None)])
def test_what_servers_had_the_resolver_alone_does_not_end(seen: OwnerObservation) -> None:
    assert after(BY_SERVERS, seen).until is None


def test_nor_what_it_showed_itself_where_a_server_is_heard_and_another_not() -> None:
    assert after(BY_RESOLVER, look("new", at=ONE_MUTE)).until is None


def test_signatures_belie_that_the_zone_is_unsigned() -> None:
    """Then a server that is silent may have it, for whoever validates."""
    seen = said(look(at=ONE_MUTE), Security.INSECURE, Cause.UNSIGNED)
    assert after(BY_SERVERS, seen).until == T0
    (first, *others) = seen.servers
    signed = seen._replace(servers=(first._replace(signed_since=T0 - DAY), *others))
    assert after(BY_SERVERS, signed).until is None


# ---- what the resolver has still, and servers have left ---------------------------------------


def test_servers_left_it_when_all_of_them_were_heard() -> None:
    lags = look("new", resolver=["old"])
    assert after(BY_SERVERS, lags) == BY_SERVERS._replace(left_at=T0, lagged_at=T0)
    mute = look("new", resolver=["old"], at=ONE_MUTE)
    assert after(BY_SERVERS, mute) == BY_SERVERS._replace(lagged_at=T0)


def test_what_was_left_is_so_no_more_where_servers_have_it_or_it_has_ended() -> None:
    left = BY_SERVERS._replace(left_at=T0 - 2 * HOUR, lagged_at=T0 - HOUR)
    assert after(left, look("old")) == BY_SERVERS
    assert after(left, look("new")) == BY_SERVERS._replace(until=T0 - 2 * HOUR)
    old = OwnerMemory(rrsets=(left,))
    assert undated_rrsets(old, look("old"), T0)[0] == BY_SERVERS


def test_what_has_ended_is_not_begun_again_by_the_resolver_s_word() -> None:
    over = BY_SERVERS._replace(until=T0 - HOUR)
    kept = remember_rrsets(OwnerMemory(rrsets=(over,)), blind("old"), T0)
    assert kept == (over, RRsetSighting(RECORDS, HOUR, T0))


@pytest.mark.parametrize(
    ("since", "lagged_at", "fine"),
    [
        (None, T0, True),
        (T0, None, True),
        (T0, T0, True),
        (T0, T0 + HOUR, True),
        (T0, T0 + HOUR + MINUTE, False),
        (T0, T0 - MINUTE, False),
    ],
)
def test_a_cache_explains_a_lag_for_its_ttl(
    since: datetime | None, lagged_at: datetime | None, *, fine: bool
) -> None:
    assert explained(since, lagged_at, HOUR) is fine


# ---- times, and what is superfluous -------------------------------------------------------------


def test_no_time_is_in_the_future() -> None:
    ahead = T0 + DAY
    left = BY_RESOLVER._replace(first=ahead, left_at=ahead, lagged_at=T0)
    seen = look("new", resolver=["old"], at={"ns1": UNREACHABLE})
    assert after(left, seen) == left._replace(first=T0, left_at=T0)
    over = BY_SERVERS._replace(until=ahead)
    assert after(over, look("new")) == over._replace(until=T0)


@pytest.mark.parametrize(("late", "kept"), [(timedelta(0), True), (MINUTE, False)])
def test_what_is_gone_for_longer_than_any_wait_is_forgotten(late: timedelta, *, kept: bool) -> None:
    over = BY_SERVERS._replace(until=T0)
    now = T0 + HOUR + LONGEST_WAIT + late
    assert (over in remember_rrsets(OwnerMemory(rrsets=(over,)), look("new"), now)) is kept


LONGER = BY_SERVERS._replace(ttl=DAY)
ENDED = BY_SERVERS._replace(until=T0 - HOUR)


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        (BY_SERVERS, BY_SERVERS._replace(first=T0), True),
        (LONGER, BY_SERVERS, True),
        (BY_SERVERS, BY_RESOLVER, True),
        (BY_SERVERS, ENDED, True),
        (ENDED._replace(until=T0), ENDED, True),
        (LONGER, BY_SERVERS._replace(records=(record("new"),)), False),
        (LONGER._replace(witness=Witness.RESOLVER), BY_SERVERS, False),
        (ENDED._replace(ttl=DAY), BY_SERVERS, False),
        (ENDED._replace(ttl=DAY), ENDED._replace(until=T0), False),
        # Servers had it under the other TTL before they left this one, or later.
        (LONGER._replace(left_at=T0), BY_SERVERS, True),
        (LONGER._replace(left_at=T0 - DAY), BY_SERVERS, False),
        (BY_SERVERS._replace(left_at=T0 - DAY), BY_RESOLVER, True),  # the same TTL
    ],
)
def test_the_same_records_held_for_longer_make_others_superfluous(
    one: RRsetSighting, other: RRsetSighting, *, covers: bool
) -> None:
    """Whichever comes first; nobody says anything in this look."""
    mute = look(
        at=dict.fromkeys(("ns1", "ns2"), ServerOutcome.UNREACHABLE), security=Security.BOGUS
    )
    for both in ((one, other), (other, one)):
        kept = remember_rrsets(OwnerMemory(rrsets=both), mute, T0)
        assert set(kept) == ({one} if covers else {one, other})
