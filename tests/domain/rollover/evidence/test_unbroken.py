"""Gaps between looks: whose silence counts, and what one does to a wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

import pytest

from danebot.domain.dns.answers import (
    WITNESS,
    AliasObservation,
    Cause,
    OwnerObservation,
    Security,
    Server,
    ServerOutcome,
)
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory, OwnerRoute, Witness
from danebot.domain.rollover.evidence.policy import LONGEST_GAP
from danebot.domain.rollover.evidence.unbroken import (
    RESOLVER,
    broken,
    last_answered,
    long_unheard,
)
from danebot.domain.rollover.steps.remember import remember
from domain.builders import (
    DAY,
    EVERY,
    HOUR,
    MINUTE,
    MX,
    MX2,
    T0,
    key_file,
    look,
    seen,
    silent,
    state,
    witnessed,
)

NS1, NS2 = Hostname("ns1.example.org"), Hostname("ns2.example.org")
A1, A2, A3 = (Server(NS1, "192.0.2.1"), Server(NS2, "192.0.2.1"), Server(NS2, "2001:db8::7"))
DUAL = look("old", addresses={"ns2": ["192.0.2.1", "2001:db8::7"]})
SECOND_ALONE = look("old", addresses={"ns2": ["192.0.2.1", "2001:db8::7"]}, dead=["192.0.2.1"])
ROUTE = OwnerRoute(MX, frozenset({NS1, NS2}), (A1, A2, A3))
SILENT = ServerOutcome.UNREACHABLE
RECENT, LONG_AGO = T0 - HOUR, T0 - LONGEST_GAP - MINUTE


def known(**heard: object) -> OwnerMemory:
    return OwnerMemory(watched_since=T0 - 30 * DAY, route=ROUTE)._replace(**heard)  # type: ignore[arg-type]


@pytest.mark.parametrize(("gap", "anew"), [(LONGEST_GAP, False), (LONGEST_GAP + MINUTE, True)])
def test_a_gap_begins_the_wait_anew(gap: object, *, anew: bool) -> None:
    waiting = state(next_key=key_file("new"))
    good = look("old", "new")
    memory = remember(Memory(), waiting, seen(look("old")), T0)
    memory = remember(memory, waiting, seen(good), T0 + HOUR)
    later = T0 + HOUR + gap  # type: ignore[operator]
    memory = remember(memory, waiting, seen(good), later)
    assert memory.awaiting is not None
    since = later if anew else T0 + HOUR
    assert (memory.awaiting.served_since, memory.awaiting.seen_since) == (since, since)


def test_another_address_may_have_spoken_for_one_that_never_did() -> None:
    both = {str(A1): RECENT, str(A2): RECENT}
    assert not broken(known(heard=both), DUAL, T0)
    assert broken(known(heard={str(A1): RECENT}), DUAL, T0)  # that is another server's


def test_the_last_of_its_addresses_counts() -> None:
    heard = {str(A2): LONG_AGO, f"{NS2.text} [192.0.2.9]": RECENT}
    assert not broken(known(heard=heard), SECOND_ALONE, T0)
    assert broken(known(heard=dict.fromkeys(heard, LONG_AGO)), SECOND_ALONE, T0)


@pytest.mark.parametrize(("last", "anew"), [(RECENT, False), (LONG_AGO, True)])
def test_a_witness_that_takes_another_s_place_ends_the_gap_of_that(
    last: datetime, *, anew: bool
) -> None:
    heard = {str(A1): RECENT, str(A2): RECENT, f"{WITNESS.text} [192.0.2.9]": last}
    found = broken(known(heard=heard), witnessed(look("old"), ["old"]), T0)
    assert found is anew
    first = {str(A1): RECENT, str(A2): RECENT}
    assert not broken(known(heard=first), witnessed(look("old"), ["old"]), T0)


@pytest.mark.parametrize(
    ("heard", "anew"),
    [
        ({str(A1): LONG_AGO, str(A2): LONG_AGO}, True),  # a month without a run, both replaced
        ({str(A1): RECENT, str(A2): LONG_AGO}, True),  # a dead secondary, taken out at last
        ({str(A1): RECENT, str(A2): RECENT}, False),  # an ordinary move
    ],
)
def test_who_is_replaced_owes_its_word_to_the_end(heard: dict[str, object], *, anew: bool) -> None:
    """What it had while it said nothing may be in a cache; its successor can't speak for it."""
    moved = look("old", at={"ns3": ["old"], "ns4": ["old"]})
    assert broken(known(heard=heard), moved, T0) is anew
    one_left = look("old", at={"ns1": ["old"], "ns3": ["old"]})
    assert broken(known(heard=heard), one_left, T0) is anew
    assert not broken(known(heard=heard), silent(), T0)


def test_who_is_replaced_owes_its_word_though_only_the_resolver_speaks() -> None:
    """That look is the last to know of the server: the next has no gap of it to find."""
    heard = {str(A1): RECENT, str(A2): LONG_AGO}
    blind = look("old", at=dict.fromkeys(("ns1", "ns3"), ServerOutcome.UNREACHABLE))
    assert broken(known(heard=heard, answered_at=RECENT), blind, T0)
    kept = dict.fromkeys(heard, RECENT)
    assert not broken(known(heard=kept, answered_at=RECENT), blind, T0)


def test_who_was_never_heard_owes_its_word_when_it_is_replaced() -> None:
    """It may have had the records of before alone, which caches that asked it still have."""
    heard = {str(A1): RECENT}
    assert broken(known(heard=heard), look("old", at={"ns1": None, "ns3": None}), T0)
    assert not broken(known(heard=heard), look("old", at={"ns1": None, "ns2": SILENT}), T0)
    assert not broken(known(answered_at=RECENT), look("old", at={"ns3": SILENT}), T0)


@pytest.mark.parametrize("lost", ["alias", "target"])
def test_a_server_with_two_zones_of_the_way_is_heard_where_both_answer(lost: str) -> None:
    """It may have lost one of them, as a secondary does whose copy has expired."""
    waiting, mute = state(next_key=key_file("new")), {"ns1": ServerOutcome.LAME, "ns2": None}
    good, gap = both_zones("old", "new"), both_zones("old", "new", at={lost: mute})
    memory = remember(Memory(), waiting, seen(both_zones("old")), T0)
    memory = remember(memory, waiting, seen(good), T0 + HOUR)
    for days in range(1, LONGEST_GAP.days + 2):
        memory = remember(memory, waiting, seen(gap), T0 + HOUR + days * DAY)
    at = T0 + HOUR + (LONGEST_GAP.days + 1) * DAY
    assert memory.owners[MX].heard == {str(A1): T0 + HOUR, str(A2): at}
    assert long_unheard(memory.owners[MX], gap, at) == (str(A1),)
    memory = remember(memory, waiting, seen(good), at + HOUR)
    assert memory.awaiting is not None
    assert memory.awaiting.seen_since == memory.owners[MX].watched_since == at + HOUR


def both_zones(
    *keys: str, at: Mapping[str, Mapping[str, ServerOutcome | None]] = MappingProxyType({})
) -> OwnerObservation:
    """A look at an owner that is an alias, whose zone the target's servers have, too."""
    there = look(*keys, at=at.get("target", EVERY), aliases=[(MX2, HOUR)])
    leads = tuple(
        one._replace(outcome=ServerOutcome.LEADS_ON, records=()) if one.heard else one
        for one in look(*keys, at=at.get("alias", EVERY)).servers
    )
    (alias,) = there.answer.aliases
    zone = AliasObservation(alias, DnsName("example.org"), frozenset({NS1, NS2}), HOUR, leads)
    return there._replace(aliases=(zone,))


def test_a_witness_that_is_asked_no_longer_owes_nothing() -> None:
    said = str(Server(WITNESS, "192.0.2.53"))
    heard = {str(a.server): RECENT for a in look("old").all_servers}
    assert not broken(known(heard=heard | {said: LONG_AGO}), look("old"), T0)


def test_the_resolver_s_gaps_count_where_no_server_was_ever_heard() -> None:
    alone = look("old", at={})
    assert broken(known(answered_at=LONG_AGO), alone, T0)
    assert not broken(known(answered_at=RECENT), alone, T0)
    assert not broken(known(answered_at=LONG_AGO), silent(), T0)
    assert not broken(known(answered_at=LONG_AGO, heard={str(A1): RECENT}), alone, T0)


def test_an_answer_in_the_future_counts_as_now() -> None:
    assert last_answered(known(answered_at=T0 + DAY), silent(), T0) == T0
    assert last_answered(known(), silent(), T0) is None


@pytest.mark.parametrize(
    ("heard", "answered_at", "anew"),
    [
        (LONG_AGO, LONG_AGO, True),  # a tree from a backup: nobody was asked in between
        (RECENT, LONG_AGO, False),
        (LONG_AGO, RECENT, False),  # its own gap ends when the server speaks again
        (LONG_AGO, None, True),
    ],
)
def test_the_resolver_alone_ends_a_gap_in_which_nobody_spoke(
    heard: datetime, answered_at: datetime | None, *, anew: bool
) -> None:
    old = known(heard={str(A1): heard}, answered_at=answered_at)
    alone = look("old", at=dict.fromkeys(("ns1", "ns2"), ServerOutcome.UNREACHABLE))
    assert broken(old, alone, T0) is anew


def test_the_first_look_ends_no_gap() -> None:
    assert not broken(OwnerMemory(), look("old"), T0)
    assert broken(known(), look("old", at={}), T0)  # before an answer of anybody


def test_a_witness_that_speaks_again_ends_a_gap_of_its_own() -> None:
    said = str(Server(WITNESS, "192.0.2.53"))
    heard = {str(a.server): RECENT for a in look("old").all_servers}
    one = witnessed(look("old"), ["old"])
    assert not broken(known(heard=heard), one, T0)
    assert not broken(known(heard=heard | {said: RECENT}), one, T0)
    assert broken(known(heard=heard | {said: LONG_AGO}), one, T0)


def test_nobody_is_replaced_where_the_way_is_not_known() -> None:
    old = known(heard={str(A1): LONG_AGO}, answered_at=RECENT)
    assert not broken(old, look("old", at={"ns3": ["old"]}, security=Security.BOGUS), T0)
    assert not broken(old, witnessed(look("old", at={}), ["old"]), T0)


@pytest.mark.parametrize("heard", [{}, {str(A1): LONG_AGO}, {f"{WITNESS.text} [192.0.2.9]": T0}])
def test_servers_that_nobody_asked_before_end_a_gap_in_which_nobody_spoke(
    heard: dict[str, datetime],
) -> None:
    """The server that was last heard was replaced by one that wasn't, and that by others."""
    for security in (Security.SECURE, Security.BOGUS, Security.INSECURE):
        moved = look("old", at={"ns3": ["old"]}, security=security)
        assert broken(known(heard=heard, answered_at=LONG_AGO), moved, T0)
        assert not broken(known(heard={}, answered_at=RECENT), moved, T0)
    outside = witnessed(look("old", at={"ns3": SILENT}, security=Security.BOGUS), ["old"])
    assert not broken(known(heard={}, answered_at=LONG_AGO), outside, T0)  # it speaks for no server


def test_who_was_never_heard_owes_its_word_though_nobody_else_is_heard_any_more() -> None:
    """The servers of before are gone, and with them when they were heard."""
    blind = look("old", at={"ns1": SILENT, "ns2": SILENT})
    moved = look("old", at={"ns3": None})
    alone = known(answered_at=RECENT)
    assert not broken(alone, moved, T0)  # where all are silent, the resolver's word is all there is
    assert long_unheard(alone, blind, T0) == ()
    once = alone._replace(witness=Witness.SERVERS)
    assert broken(once, moved, T0)
    assert long_unheard(once, blind, T0) == (str(NS1), str(NS2))


def test_that_servers_were_heard_outlasts_them() -> None:
    memory = remember(Memory(), state(), seen(look("old", at={"ns1": None})), T0)
    assert memory.owners[MX].witness is Witness.SERVERS
    memory = remember(memory, state(), seen(look("old", at={"ns2": SILENT})), T0 + DAY)
    assert memory.owners[MX].heard == {}
    assert memory.owners[MX].witness is Witness.SERVERS
    third = seen(look("old", at={"ns3": None}))
    after = remember(memory, state(), third, T0 + 2 * DAY)
    assert after.owners[MX].watched_since == T0 + 2 * DAY
    never = remember(Memory(), state(), seen(look("old", at={"ns2": SILENT})), T0)
    assert never.owners[MX].witness is Witness.RESOLVER
    assert remember(never, state(), third, T0 + DAY).owners[MX].watched_since == T0


def test_who_was_asked_and_long_silent_is_named_but_no_witness() -> None:
    heard = {str(A1): LONG_AGO, str(A2): RECENT, str(Server(WITNESS, "192.0.2.53")): LONG_AGO}
    assert long_unheard(known(heard=heard), silent(), T0) == (str(A1),)
    assert long_unheard(known(heard=heard), None, T0) == ()


def test_who_was_never_heard_is_named_until_an_answer_proves_another_way() -> None:
    """A bogus answer leaves the route as it was: what caches are led to is not known."""
    moved = look("old", at={"ns1": None, "ns3": None}, security=Security.BOGUS)
    assert long_unheard(known(heard={str(A1): T0}), moved, T0) == (str(NS2),)
    route = ROUTE._replace(name_servers=moved.all_name_servers)
    heard = dict.fromkeys(("ns1.example.org [192.0.2.1]", "ns3.example.org [192.0.2.1]"), T0)
    assert long_unheard(known(heard=heard, route=route), moved, T0) == ()


def test_who_was_never_heard_is_named_where_others_are_but_no_witness() -> None:
    mute = look("old", at={"ns1": None, "ns2": SILENT})
    assert long_unheard(known(heard={str(A1): T0}), mute, T0) == (str(NS2),)
    assert long_unheard(known(heard={str(A1): T0, str(A2): T0}), mute, T0) == ()
    assert long_unheard(known(), mute, T0) == ()
    assert long_unheard(known(heard={str(A1): T0}, route=None), look("old"), T0) == ()
    outside = witnessed(look("old"), SILENT)
    assert long_unheard(known(heard={str(A1): T0}), outside, T0) == ()


@pytest.mark.parametrize(
    ("security", "cause", "quiet"),
    [
        (Security.BOGUS, None, (RESOLVER,)),
        (Security.INSECURE, None, (RESOLVER,)),  # nothing shows that it validates
        (Security.INSECURE, Cause.UNSIGNED, ()),  # no sender uses the records, whatever they are
    ],
)
def test_the_resolver_is_named_where_no_server_was_ever_heard_nor_it_for_long(
    security: Security, cause: Cause | None, quiet: tuple[str, ...]
) -> None:
    one = look("old", at=dict.fromkeys(("ns1", "ns2"), SILENT), security=security)
    one = one._replace(answer=one.answer._replace(cause=cause))
    assert long_unheard(known(answered_at=LONG_AGO), one, T0) == quiet


def test_the_resolver_is_silent_from_its_last_word_on_where_no_server_speaks() -> None:
    assert long_unheard(known(answered_at=T0 - LONGEST_GAP), silent(), T0) == ()
    assert long_unheard(known(answered_at=LONG_AGO), silent(), T0) == (RESOLVER,)
    assert long_unheard(known(answered_at=LONG_AGO), None, T0) == ()
    assert long_unheard(known(), silent(), T0) == ()  # it never said anything that counts
    assert long_unheard(known(heard={str(A1): T0, str(A2): T0}), silent(), T0) == ()
