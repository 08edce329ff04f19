"""Rules of changes in DNS, one by one: each test fails where its clause is taken out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from danebot.domain.dns.answers import OwnerObservation, Presence, Security
from danebot.domain.lineage.state import Anchored
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome, Part
from danebot.domain.rollover.records.changes import (
    Change,
    ChangeResult,
    after,
    altered,
    blind,
    changes,
    from_wildcard,
    lost,
    overruling,
    stopped,
)
from danebot.domain.rollover.records.publication import OwnedRecord, Publication
from domain.builders import (
    DAY,
    HOUR,
    MX,
    MX2,
    UNREACHABLE,
    key,
    line,
    look,
    record,
    seen,
    silent,
    state,
)

LIVE, NEW, OLD, OTHER = (record(name) for name in ("old", "new", "past", "other"))
STRONG = record("new", 2)
MUTE = {"ns1": UNREACHABLE, "ns2": UNREACHABLE}


def adding(*looks: OwnerObservation, ttl: timedelta | None = None, known: str = "") -> Change:
    """The change that adds NEW at the first owner."""
    wanted = Publication((), (OwnedRecord(MX, NEW),), (), ())
    spkis = [key(name).spki for name in known.split()]
    past = [key("past").spki]
    (found,) = changes(state(), wanted, seen(*looks), Part.ADD, ttl, known=spkis, past=past)
    return found


# ---- what is asked for -----------------------------------------------------------------------


def test_the_keys_that_might_be_harmed_are_those_with_a_record_there() -> None:
    found = adding(look("old", "other"), known="old other absent new")
    assert set(found.known) == {key(name).spki for name in ("old", "other", "new")}


def test_a_program_is_not_told_a_past_key_s_record_that_some_servers_have_dropped() -> None:
    partly = {"ns1": ["old", "past"], "ns2": ["old"]}
    assert adding(look("old", at=partly)).base == (LIVE,)
    assert set(adding(look("old", "past")).base) == {LIVE, OLD}
    assert set(adding(look("old", at=partly)).seen) == {LIVE, OLD}


def test_the_ttl_of_what_is_there_is_the_longest_that_anybody_has() -> None:
    two = look("old", ttls={"ns1": 2 * HOUR, "ns2": HOUR})
    assert adding(two).seen_ttl == 2 * HOUR
    assert adding(look("old", at={"ns1": None, "ns2": []})).seen_ttl == HOUR
    assert adding(look("old", at=MUTE, ttl=3 * HOUR)).seen_ttl == 3 * HOUR


def test_a_configured_ttl_counts_where_nothing_was_seen_too() -> None:
    assert adding(ttl=DAY).ttl == DAY


def test_each_owner_gets_its_own_records_and_needs_its_own() -> None:
    anchors = (Anchored(line(MX), OTHER), Anchored(line(MX2), OLD))
    lineage = state(line(MX), line(MX2, 2))._replace(anchored=anchors)
    wanted = Publication((), (OwnedRecord(MX, NEW), OwnedRecord(MX2, STRONG)), (), ())
    both = seen(look("old"), look("old", owner=MX2))
    one, two = changes(lineage, wanted, both, Part.ADD, None)
    assert (one.add, set(one.needs)) == ((NEW,), {LIVE, OTHER})
    assert (two.add, set(two.needs)) == ((STRONG,), {record("old", 2), OLD})


def test_where_nothing_is_live_or_readable_no_record_is_needed() -> None:
    wanted = Publication((), (), (OwnedRecord(MX, OLD),), ())
    for lineage in (
        state()._replace(live=None, combo=None),
        state()._replace(required=None, remembered=(line(),)),
    ):
        (found,) = changes(lineage, wanted, {}, Part.REMOVE, None)
        assert found.needs == ()
        assert not found.safe([LIVE])


def test_an_addition_is_safe_whatever_is_there() -> None:
    assert Change("x", (MX,), MX, add=(NEW,)).safe([])


def test_what_was_changed_since_is_taken_in_wherever_it_counts() -> None:
    first = Change("x", (MX,), MX, add=(NEW,), remove=(OLD,))
    there = (LIVE, OLD)
    second = Change("y", (MX,), MX, seen=there, base=there, everywhere=there)
    found = after(second, [first])
    assert set(found.seen) == set(found.base) == set(found.everywhere) == {LIVE, NEW}


# ---- what stops it ---------------------------------------------------------------------------


def test_each_reason_to_stop_has_its_outcome_and_says_where() -> None:
    addition = Change("x", (MX,), MX, add=(STRONG,), known=(key("old").spki,))
    removal = Change("x", (MX,), MX, remove=(OLD,), needs=(LIVE,))
    unseen = stopped(addition, seen(silent()))
    assert unseen == ChangeResult(addition, ChangeOutcome.UNSEEN, detail="unreachable")
    overrules = stopped(addition, seen(look("old")))
    assert overrules == ChangeResult(addition, ChangeOutcome.OVERRULES, detail=str(LIVE))
    unsafe = stopped(removal, seen(look("old", "past", at={"ns1": None, "ns2": ["past"]})))
    assert unsafe == ChangeResult(
        removal, ChangeOutcome.UNSAFE, detail="not at ns2.example.org [192.0.2.1]"
    )
    assert stopped(removal, seen(look("old", "past"))) is None


def test_why_the_resolver_said_nothing_is_passed_on() -> None:
    answer = silent().answer._replace(detail="SERVFAIL")
    change = Change("x", (MX,), MX, add=(NEW,))
    assert answer.presence is Presence.UNKNOWN
    assert answer.security is Security.INDETERMINATE
    assert blind(change, seen(silent()._replace(answer=answer))) == "SERVFAIL"


def test_one_server_that_answers_from_a_wildcard_is_enough_to_stop() -> None:
    one = look("old")
    first, second = one.servers
    mixed = one._replace(servers=(first._replace(wildcard=True), second))
    change = Change("x", (MX, MX2), MX, add=(NEW,))
    assert from_wildcard(change, seen(mixed))
    assert not from_wildcard(change, seen(one)), "the second owner was not looked at"


def test_an_addition_loses_nothing_and_a_removal_overrules_nothing() -> None:
    addition = Change("x", (MX,), MX, add=(NEW,), needs=(LIVE,), known=(key("old").spki,))
    assert lost(addition, seen(look("x"))) == ""
    removal = Change("x", (MX,), MX, remove=(OLD,), known=(key("old").spki,))
    assert overruling(removal, seen(look("old", "past"))) == ""
    assert overruling(addition, {}) == ""
    assert overruling(addition, seen(look("old"))) == ""


def test_each_server_s_rrset_counts_for_what_an_addition_harms() -> None:
    addition = Change("x", (MX,), MX, add=(STRONG,), known=(key("old").spki,))
    second = look("old", at={"ns1": [], "ns2": ["old"]})
    assert overruling(addition, seen(second)) == str(LIVE)


# ---- what is said of it ----------------------------------------------------------------------


def test_what_is_not_known_of_a_failure_leaves_no_brackets_behind() -> None:
    words = ChangeResult(Change("x", (MX,), MX), ChangeOutcome.UNSEEN).text
    assert words == f"{MX} TLSA: DNS could not be observed, so nothing was changed"


def test_of_two_added_records_one_that_arrived_is_no_altered_other() -> None:
    """A zone shows the first of two that are alike; the second is on its way."""
    longer = NEW._replace(data=NEW.data + b"\0")
    change = Change("x", (MX,), MX, add=(NEW, longer))
    assert altered(change, seen(look("new"))) == ""
    assert altered(change, {}) == ""


def test_a_piece_of_eight_octets_is_no_chance() -> None:
    one = look()

    def shows(data: bytes) -> OwnerObservation:
        records = (NEW._replace(data=data),)
        return one._replace(servers=tuple(s._replace(records=records) for s in one.servers))

    def cut(octets: int) -> OwnerObservation:
        return shows(NEW.data[-octets:])

    change = Change("x", (MX,), MX, add=(NEW,))
    assert altered(change, seen(cut(8)))
    assert not altered(change, seen(cut(7)))
    whole = NEW._replace(data=b"\0" + b"\xff" * 31)  # whose piece sorts behind it
    assert altered(replace(change, add=(whole,)), seen(shows(b"\xff" * 8)))


def test_the_remedy_can_be_pasted_whatever_the_lineage_is_called() -> None:
    result = ChangeResult(Change("m x", (MX,), MX), ChangeOutcome.UNSAFE)
    assert result.remedy == "publish that record first: danebot tlsa 'm x'"
