"""What a look at several owners adds to the wait, and what each way of lacking a record ends."""

from __future__ import annotations

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.dns.tlsa import Declared
from danebot.domain.rollover.evidence.memory import (
    Awaiting,
    CancelledKey,
    Interruption,
    Memory,
    OwnerMemory,
    OwnerRoute,
    RRsetSighting,
    Witness,
)
from danebot.domain.rollover.steps.remember import remember
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    MX2,
    OTHER,
    T0,
    UNREACHABLE,
    blind,
    key,
    key_file,
    line,
    look,
    record,
    seen,
    silent,
    state,
)
from domain.gate_world import shown

WAITING = state(next_key=key_file("new"))
BOTH = state(line(), line(MX2), next_key=key_file("new"))
OLD, GOOD, LAGS = look("old"), look("old", "new"), look("old", "new", resolver=["old"])
OLD2, GOOD2 = look("old", owner=MX2), look("old", "new", owner=MX2)
NOBODY = {"ns1": UNREACHABLE, "ns2": UNREACHABLE}
BLIND2 = look("old", "new", owner=MX2, at=NOBODY)
BLIND_OLD2 = look("old", owner=MX2, at=NOBODY)
BEHIND = T0 - 20 * DAY  # the certificate of the builders begins ten days later


def waited(*looks: tuple[OwnerObservation, ...]) -> Awaiting:
    """The wait after looks an hour apart, the first at T0."""
    memory, lineage = Memory(), BOTH if len(looks[0]) > 1 else WAITING
    for number, several in enumerate(looks):
        memory = remember(memory, lineage, seen(*several), T0 + number * HOUR)
    assert memory.awaiting is not None
    return memory.awaiting


# ---- several owners ---------------------------------------------------------------------------


def test_a_wait_rests_on_servers_once_those_of_every_owner_were_heard() -> None:
    """Then it begins anew; and what only the resolver says of one owner is no word any more."""
    alone = waited((OLD, BLIND_OLD2), (GOOD, BLIND2))
    assert (alone.witness, alone.seen_since) == (Witness.RESOLVER, T0 + HOUR)
    heard = waited((OLD, BLIND_OLD2), (GOOD, BLIND2), (GOOD, GOOD2))
    assert (heard.witness, heard.seen_since) == (Witness.SERVERS, T0 + 2 * HOUR)
    silent = waited((OLD, OLD2), (GOOD, BLIND2))
    assert (silent.witness, silent.seen_since) == (Witness.SERVERS, None)


def test_where_no_record_is_needed_nobody_was_heard() -> None:
    exempt = WAITING._replace(required=(), declared=Declared.NO_RECORDS)
    after = remember(Memory(), exempt, {}, T0).awaiting
    assert after is not None
    assert (after.witness, after.seen_since) == (Witness.RESOLVER, T0)


def test_a_resolver_lags_behind_servers_alone() -> None:
    """Where nobody but it was asked of one owner, it may be that this has no record yet."""
    assert waited((OLD, OLD2), (LAGS, GOOD2)).served_since == T0 + HOUR
    assert waited((OLD, OLD2), (LAGS, BLIND2)).served_since is None


def test_one_owner_that_is_led_elsewhere_leaves_nothing_known_of_before() -> None:
    moved = look("old", "new", aliases=((OTHER, HOUR),))
    found = waited((OLD, OLD2), (GOOD, GOOD2), (moved, GOOD2))
    assert (found.unseen_at, found.seen_since) == (None, T0 + 2 * HOUR)


def test_what_ended_a_wait_is_told_of_the_owner_that_lacks_its_record() -> None:
    servers = tuple(str(one.server) for one in OLD2.servers)
    cause = Interruption(T0 + 2 * HOUR, MX2, lacking=("", *servers))
    assert waited((OLD, OLD2), (GOOD, GOOD2), (GOOD, OLD2)).interruption == cause


# ---- where a record is lacking ----------------------------------------------------------------

RECORDS = NEW, STRONGER = record("new"), record("old", 2)  # who has both passes over the former
SILENT2 = look("old", "new", resolver=["old"], at={"ns1": None, "ns2": UNREACHABLE})


@pytest.mark.parametrize(
    ("looks", "known"),
    [
        ((OLD,), True),
        ((shown(*RECORDS, resolver=[NEW]),), True),  # overruled at the servers
        ((shown(NEW, resolver=RECORDS),), False),  # at the resolver, which may be out of its cache
        ((LAGS,), False),
        ((SILENT2,), False),  # one server has it, and who knows of the other
        ((blind("old"),), True),  # nobody but the resolver can be asked
        ((OLD, OLD2), True),
        ((OLD, GOOD2), False),
        ((OLD, silent(MX2)), False),  # nobody says anything of the other
    ],
)
def test_a_record_is_known_to_lack_where_the_ttl_of_that_shows(
    looks: tuple[OwnerObservation, ...], *, known: bool
) -> None:
    """By that look the wait is one whose TTLs were seen before the records were there."""
    assert waited(looks).unseen_at == (T0 if known else None)


def test_once_servers_were_heard_what_the_resolver_lacks_ends_the_wait_all_the_same() -> None:
    assert waited((OLD,), (GOOD,), (blind("old"),)).seen_since is None
    assert waited((OLD,), (GOOD,), (blind("old", "new"),)).seen_since == T0 + HOUR


# ---- what a cache explains --------------------------------------------------------------------


def test_the_longest_ttl_of_then_explains_how_long_the_resolver_lags() -> None:
    """Also one that had been lowered before, and none that was raised since."""
    memory = remember(Memory(), WAITING, seen(look("old", ttl=DAY)), T0)
    lowered, lags = (
        look("old", ttl=MINUTE),
        look("old", "new", resolver=["old"], ttl=MINUTE, negative=MINUTE),
    )
    for hours, one in ((1, lowered), (2, lags), (20, lags), (21, look("old", "new", ttl=2 * DAY))):
        memory = remember(memory, WAITING, seen(one), T0 + hours * HOUR)
    assert memory.awaiting is not None
    assert memory.awaiting.seen_since == T0 + 2 * HOUR


def test_where_no_ttl_is_known_no_cache_explains_a_lag() -> None:
    served, now = T0 - 2 * HOUR, T0
    lagging = Awaiting(key("new").digest, T0 - DAY, T0 - DAY, served, T0 - HOUR)
    lagging = lagging._replace(lines=(line(),), witness=Witness.SERVERS)
    after = remember(Memory(awaiting=lagging), WAITING, seen(GOOD), now).awaiting
    assert after is not None
    assert after.seen_since == now


def test_what_was_seen_before_it_was_lacking_is_dated_anew() -> None:
    """The clock had gone back: what was there by its time may not have been there in truth."""
    memory = Memory()
    for hours, one in ((0, OLD), (5, OLD), (3, GOOD), (6, GOOD)):
        memory = remember(memory, WAITING, seen(one), T0 + hours * HOUR)
    assert memory.awaiting is not None
    assert memory.awaiting.seen_since == T0 + 6 * HOUR


# ---- what earlier versions wrote ---------------------------------------------------------------

BEGUN = Memory(awaiting=waited((OLD,), (GOOD,)))


def test_a_wait_of_a_version_that_knew_only_of_seen_goes_on_and_ends_like_any_other() -> None:
    assert BEGUN.awaiting is not None
    memory = BEGUN._replace(awaiting=BEGUN.awaiting._replace(served_since=None))
    memory = memory._replace(owners=remember(Memory(), WAITING, seen(GOOD), T0 + HOUR).owners)
    moved = look("old", "new", at={"ns1": None, "ns2": None, "ns3": None})
    for now, one, since, anew in (
        (T0 + 2 * HOUR, GOOD, T0 + HOUR, 0),
        (T0 + 2 * HOUR, OLD, None, 1),
        (T0 + 2 * HOUR, moved, T0 + 2 * HOUR, 1),
        (BEHIND, moved, None, 1),
    ):
        after = remember(memory, WAITING, seen(one), now).awaiting
        assert after is not None
        assert (after.seen_since, after.begun_anew) == (since, anew)


def test_a_lag_of_a_version_that_kept_no_end_of_it_is_taken_for_a_cache_s() -> None:
    lagging = Awaiting(key("new").digest, T0 - DAY, T0 - DAY, served_since=T0 - HOUR)
    lagging = lagging._replace(lines=(line(),), witness=Witness.SERVERS)
    after = remember(Memory(awaiting=lagging), WAITING, seen(GOOD), T0).awaiting
    assert after is not None
    assert after.seen_since == T0 - HOUR


# ---- what else is remembered -------------------------------------------------------------------


def test_a_key_whose_file_is_gone_is_remembered_as_lost() -> None:
    assert BEGUN.awaiting is not None
    after = remember(BEGUN, state(), seen(GOOD), T0 + 2 * HOUR)
    assert after.awaiting is None
    assert after.lost == (CancelledKey(key("new").digest, T0 + 2 * HOUR, key("new").spki),)


def test_an_rrset_that_ended_long_ago_may_be_had_by_the_way_that_is_lost_now() -> None:
    """Who still has the former servers in the cache asks these."""
    gone = RRsetSighting((record("former"),), HOUR, T0 - 200 * DAY, T0 - 100 * DAY)
    route = OwnerRoute(MX, frozenset(one.name for one in (a.server for a in OLD.servers)))
    owner = OwnerMemory(route=route, route_ttl=HOUR, rrsets=(gone,), watched_since=T0 - 200 * DAY)
    known = Memory(owners={MX: owner})
    for there, kept in ((look("old"), False), (look("old", at={"ns3": None}), True)):
        after = remember(known, state(), seen(there), T0).owners[MX]
        assert (gone in after.rrsets) is kept
