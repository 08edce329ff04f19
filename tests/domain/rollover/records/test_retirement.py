"""What ought to be published, and which records may be removed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord
from danebot.domain.finding import Code, Severity
from danebot.domain.lineage.state import KeyFile, LineageState, Management
from danebot.domain.rollover.evidence.anchors import anchored
from danebot.domain.rollover.evidence.change_outcomes import Part
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Exposure,
    Memory,
    Occurrence,
    PastKey,
    PendingRevocation,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.records.changes import changes
from danebot.domain.rollover.records.in_use import KeysInUse, keys_in_use
from danebot.domain.rollover.records.publication import (
    OwnedRecord,
    Publication,
    lingering,
    publication,
)
from danebot.domain.rollover.records.retirement import (
    leaving,
    probed,
    proved,
    retire,
    retire_at,
    unsettled,
)
from danebot.domain.rollover.steps.remember import remember
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    MX2,
    T0,
    UNREACHABLE,
    blind,
    held,
    key,
    key_file,
    line,
    look,
    record,
    seen,
    silent,
    state,
)
from domain.gate_world import chain, renewal, shown, tlsa

PAST = (PastKey(key("old").spki, T0),)
UNCONFIRMED = Deployment(b"chain", b"digest", T0)
CONFIRMED = UNCONFIRMED._replace(confirmed_at=T0, clear_since=T0)
CLEARED = CONFIRMED._replace(cleared_at=T0 + HOUR)
AFTER = Memory(deployment=CLEARED, past_keys=PAST)
NEW = state(current="new")
BOTH = look("old", "new")


def published(
    memory: Memory,
    *looks: OwnerObservation,
    lineage: LineageState = NEW,
    others: tuple[LineageState, ...] = (),
) -> Publication:
    return publication(lineage, memory, seen(*looks), keys_in_use((lineage, *others)))


def records(owned: tuple[OwnedRecord, ...]) -> list[TlsaRecord]:
    return [one.record for one in owned]


def test_a_past_keys_records_go_once_it_is_out_of_use() -> None:
    found = published(AFTER, BOTH)
    assert records(found.remove) == [record("old")]
    assert records(found.keep) == [record("new")]
    assert found.add == found.foreign == ()
    for deployment in (None, UNCONFIRMED, CONFIRMED):
        waiting = published(AFTER._replace(deployment=deployment), BOTH)
        assert waiting.remove == ()
        assert records(waiting.keep) == [record("new")]


def test_a_past_keys_records_go_in_whatever_form_they_are() -> None:
    found = published(AFTER, look("old", "new", mtypes=[0, 1, 2]))
    assert set(records(found.remove)) == {record("old", mtype) for mtype in MatchingType}


def test_records_of_others_are_left_alone() -> None:
    found = published(AFTER, look("old", "new", "somebody"))
    assert records(found.foreign) == [record("somebody")]
    assert records(found.remove) == [record("old")]


def test_another_form_of_a_published_key_is_no_stranger() -> None:
    lineage = NEW._replace(next=key_file("next"))
    found = published(AFTER, look("new", "next", mtypes=[1, 2]), lineage=lineage)
    assert found.foreign == ()
    assert set(records(found.keep)) == {record(n, m) for n in ("new", "next") for m in (1, 2)}


def test_other_usages_of_a_past_key_are_not_danebots_own() -> None:
    one = look("new")
    other = record("old")._replace(usage=1)
    servers = tuple(s._replace(records=(*s.records, other)) for s in one.servers)
    found = published(AFTER, one._replace(servers=servers))
    assert (found.remove, records(found.foreign)) == ((), [other])


def test_a_past_key_that_any_lineage_uses_again_stays() -> None:
    again = key_file("old")
    uses = (
        state(current="old"),
        state(current="x", staged=held("old", 2)),
        state(current="x", next_key=again),
        state(current="x", ready=again),
        state(current="x")._replace(live=held("old")),
    )
    for lineage in uses:
        assert published(AFTER, BOTH, others=(lineage,)).remove == ()
    assert published(AFTER, BOTH, lineage=NEW._replace(ready=again)).remove == ()


def test_keys_in_use_are_those_of_every_place() -> None:
    lineage = state(
        current="a", staged=held("b"), next_key=key_file("c"), ready=key_file("d")
    )._replace(
        combo=held("e"),
    )
    broken = state(current="f")._replace(ready=KeyFile(None, T0), live=None, combo=None)
    wanted = frozenset(key(name).spki for name in "abcdef")
    assert keys_in_use((lineage,)).unread == ()
    assert keys_in_use((lineage, broken), ["gone"]) == KeysInUse(wanted, ("gone", broken.name))


@pytest.mark.parametrize(
    "other",
    [
        state(current="x")._replace(live=None),
        state(current="x")._replace(combo=None),
        state(current="x")._replace(staged=None),
        state(current="x")._replace(next=KeyFile(None, T0)),
        state(current="x")._replace(ready=KeyFile(None, T0)),
    ],
)
def test_keys_that_cant_be_read_are_in_use(other: LineageState) -> None:
    """Nothing goes that a lineage may use, and that is said; nor is it taken for somebody's."""
    other = other._replace(name="other")
    found = published(AFTER, BOTH, others=(other,))
    assert (found.remove, found.foreign) == ((), ())
    in_use = keys_in_use((NEW, other))
    (said,) = lingering(NEW, AFTER, found, in_use)
    assert (said.code, said.severity) == (Code.RECORDS_KEPT, Severity.NOTICE)
    assert "the keys of other can't be read" in said.text
    for quiet in (Memory(), AFTER._replace(deployment=CONFIRMED)):
        assert lingering(NEW, quiet, found, in_use) == ()


def test_a_combo_that_nobody_keeps_up_to_date_says_nothing_of_keys() -> None:
    through = state()._replace(management=Management.PASS_THROUGH, staged=None, combo=None)
    assert keys_in_use((through,)).unread == ()


def test_the_current_and_the_awaited_key_are_to_be_published_for_every_line() -> None:
    lineage = state(line(), line(MX2, 2), next_key=key_file("new"))
    found = published(Memory(), look("old"), look(owner=MX2), lineage=lineage)
    assert records(found.keep) == [record("old")]
    assert {(one.owner, one.record) for one in found.add} == {
        (MX, record("new")),
        (MX2, record("old", 2)),
        (MX2, record("new", 2)),
    }


def test_a_record_at_any_server_is_there() -> None:
    one = look("new", at={"ns1": None, "ns2": ["old", "new"]}, resolver=["new"])
    assert records(published(AFTER, one).remove) == [record("old")]
    assert records(published(AFTER, blind("old", "new")).remove) == [record("old")]


@pytest.mark.parametrize(
    "one",
    [
        look("old"),
        look("old", "new", at={"ns1": None, "ns2": ["old"]}),
        look("old", "new", at={"ns1": None, "ns2": UNREACHABLE}),
        look("old", "new", resolver=["old"]),
        look("old", "new", security=Security.BOGUS),
        look("old", "new", security=Security.INSECURE),
    ],
)
def test_nothing_goes_where_the_live_keys_record_is_not_seen_everywhere(
    one: OwnerObservation,
) -> None:
    assert published(AFTER, one).remove == ()


def test_servers_that_were_heard_before_must_be_heard_again() -> None:
    memory = remember(AFTER, NEW, seen(BOTH), T0)
    assert records(published(memory, BOTH).remove) == [record("old")]
    assert published(memory, blind("old", "new")).remove == ()


def test_each_owner_is_looked_at_for_itself() -> None:
    lineage = state(line(), line(MX2), current="new")
    found = published(AFTER, BOTH, look("old", owner=MX2), lineage=lineage)
    assert {one.owner for one in found.remove} == {MX}


def test_where_the_authority_is_relied_on_its_record_is_what_must_stay() -> None:
    live = chain(key="new", version=2)
    anchor, old = tlsa("2 1 1"), tlsa("3 1 1")
    one = shown(anchor, old)
    lineage = anchored(renewal(live, live), Memory(), seen(one), T0)
    memory = Memory(deployment=CLEARED, past_keys=(PastKey(chain().key.spki, T0),))
    found = publication(lineage, memory, seen(one), keys_in_use((lineage,)))
    assert records(found.remove) == [old]
    (change,) = changes(lineage, found, seen(one), Part.REMOVE, None)
    assert change.needs == (anchor,)
    assert change.safe((anchor, old))
    assert not change.safe((old,))


def test_of_what_nobody_shows_nothing_is_removed() -> None:
    for looks in ((), (silent(),)):
        found = published(AFTER, *looks)
        assert found.remove == found.keep == found.foreign == ()


def test_a_record_is_printed_as_in_a_zone_file_with_the_ttl_in_force() -> None:
    found = published(AFTER, look("old", "new", ttl=HOUR, ttls={"ns2": DAY}))
    assert str(found.remove[0]) == f"{MX}. 86400 IN TLSA {record('old')}"
    assert str(OwnedRecord(MX, record("old"))) == f"{MX}. IN TLSA {record('old')}"
    absent = published(AFTER, look(negative=timedelta(minutes=5)))
    assert absent.add[0].ttl is None


names = st.sampled_from(("old", "new", "older", "next", "somebody"))
several = st.lists(names, max_size=4)


@given(
    there=several,
    past=several,
    elsewhere=several,
    awaited=st.none() | names,
    confirmed=st.booleans(),
)
def test_only_unused_past_keys_of_this_lineage_are_ever_removed(
    *, there: list[str], past: list[str], elsewhere: list[str], awaited: str | None, confirmed: bool
) -> None:
    lineage = state(current="new", next_key=key_file(awaited) if awaited else None)
    deployment = CLEARED if confirmed else CONFIRMED
    memory = Memory(
        deployment=deployment, past_keys=tuple(PastKey(key(one).spki, T0) for one in past)
    )
    others = tuple(state(current=one) for one in elsewhere)
    found = published(memory, look(*there, mtypes=(1, 2)), lineage=lineage, others=others)
    unused = set(past) & set(there) - {"new", awaited, *elsewhere}
    old = {record(one, mtype) for one in unused for mtype in (1, 2)}
    parts = [set(records(part)) for part in (found.keep, found.remove, found.foreign)]
    assert parts[1] == (old if confirmed and "new" in there else set())
    shown = {record(one, mtype) for one in there for mtype in (1, 2)}
    assert sum(map(len, parts)) == len(set().union(*parts))
    theirs = {record(one, mtype) for one in {*elsewhere} - {"new", awaited} for mtype in (1, 2)}
    assert set().union(*parts) == shown - theirs - (set() if confirmed and "new" in there else old)


def test_the_keys_of_another_lineage_at_the_same_owner_are_no_strangers() -> None:
    """RSA beside ECDSA: neither says anything of the other's current, next or staged key."""
    other = state(current="other")._replace(next=key_file("other next"))
    both = look("new", "other", "other next", "somebody")
    found = published(AFTER, both, others=(other,))
    assert records(found.foreign) == [record("somebody")]
    assert found.remove == found.add == ()
    assert records(published(Memory(), both, lineage=other, others=(NEW,)).foreign) == [
        record("somebody")
    ]


# ---- two probes in a row --------------------------------------------------------------------

POLICY = Policy(retire_after=HOUR)


def after(*probes: tuple[timedelta, bool], policy: Policy = POLICY) -> Deployment:
    found = UNCONFIRMED
    for at, clean in probes:
        found = probed(found, clean=clean, policy=policy, now=T0 + at)
    return found


def test_two_probes_in_a_row_an_hour_apart_clear_an_old_key() -> None:
    once = after((0 * HOUR, True))
    assert (once.clear_since, once.cleared_at) == (T0, None)
    soon = after((0 * HOUR, True), (HOUR - MINUTE, True))
    assert (soon.clear_since, soon.cleared_at) == (T0, None)
    assert after((0 * HOUR, True), (MINUTE, True), (HOUR, True)).cleared_at == T0 + HOUR


def test_anything_else_in_between_begins_the_count_anew() -> None:
    broken = after((0 * HOUR, True), (MINUTE, False), (HOUR, True))
    assert (broken.clear_since, broken.cleared_at) == (T0 + HOUR, None)
    assert after((0 * HOUR, True), (HOUR, True), (2 * HOUR, False)).cleared_at is None
    late = after((0 * HOUR, True), (HOUR, True), (2 * HOUR, False), (9 * HOUR, True))
    assert (late.clear_since, late.cleared_at) == (T0 + 9 * HOUR, None)


def test_without_a_wait_one_probe_will_do() -> None:
    assert after((0 * HOUR, True), policy=Policy(retire_after=0 * HOUR)).cleared_at == T0


def test_a_clock_that_was_ahead_shortens_nothing() -> None:
    assert after((5 * HOUR, True), (0 * HOUR, True), (MINUTE, True)).cleared_at is None


@given(st.lists(st.tuples(st.integers(-30, 90), st.booleans()), max_size=12))
def test_a_cleared_key_was_found_gone_for_an_hour_unbroken(
    probes: list[tuple[int, bool]],
) -> None:
    found, now = UNCONFIRMED, T0
    row: list[datetime] = []
    for minutes, clean in probes:
        now += minutes * MINUTE
        row = [*row, now] if clean else []
        found = probed(found, clean=clean, policy=POLICY, now=now)
        if found.cleared_at is not None:
            assert len(row) > 1
            assert found.cleared_at in row
            assert found.cleared_at - min(row) >= HOUR
        assert found.clear_since is None or found.clear_since in row


def test_services_are_asked_until_all_is_settled() -> None:
    assert not unsettled(Memory())
    assert unsettled(Memory(deployment=UNCONFIRMED))
    assert not unsettled(Memory(deployment=CONFIRMED))
    assert unsettled(Memory(deployment=CONFIRMED, past_keys=PAST))
    assert unsettled(AFTER)
    gone = PAST[0]._replace(retired_at=T0)
    assert not unsettled(Memory(deployment=CLEARED, past_keys=(gone,)))


def test_when_old_records_may_go_is_known_between_the_probes() -> None:
    waiting = Memory(deployment=CONFIRMED, past_keys=PAST)
    assert retire_at(waiting, POLICY) == T0 + HOUR
    assert retire_at(waiting._replace(deployment=UNCONFIRMED), POLICY) is None
    assert retire_at(AFTER, POLICY) is None
    assert retire_at(waiting._replace(past_keys=()), POLICY) is None


def test_of_a_compromised_key_one_probe_will_do() -> None:
    bad = PAST[0]._replace(exposure=Exposure.COMPROMISED)
    other = PastKey(key("older").spki, T0)
    memory = Memory(deployment=CONFIRMED, past_keys=(bad, other))
    found = published(memory, look("old", "older", "new"))
    assert records(found.remove) == [record("old")]
    assert retire_at(memory, POLICY) == T0 + HOUR
    assert published(memory._replace(deployment=UNCONFIRMED), BOTH).remove == ()
    assert leaving(retire(memory, NEW, seen(look("older", "new")), T0)) == (other,)


# ---- gone -----------------------------------------------------------------------------------


def test_a_key_is_forgotten_when_no_server_has_its_records_any_more() -> None:
    assert retire(AFTER, NEW, seen(look("new")), T0).past_keys == ()
    assert leaving(retire(AFTER, NEW, seen(BOTH), T0)) == PAST


@pytest.mark.parametrize(
    ("memory", "one"),
    [
        (AFTER, look("new", at={"ns1": None, "ns2": ["old"]})),
        (AFTER, look("new", at={"ns1": None, "ns2": UNREACHABLE})),
        (AFTER, look("new", resolver=["old", "new"])),
        (AFTER, look("old", "new", mtypes=[2])),
        (AFTER, silent()),
        (AFTER._replace(deployment=CONFIRMED), look("new")),
        (AFTER._replace(deployment=None), look("new")),
    ],
)
def test_until_then_it_is_remembered(memory: Memory, one: OwnerObservation) -> None:
    assert retire(memory, NEW, seen(one), T0) == memory


def test_of_a_lineage_without_owners_nothing_is_known_to_be_gone() -> None:
    bare = NEW._replace(required=())
    assert retire(AFTER, bare, {}, T0) == AFTER


def test_a_compromised_key_is_known_for_good() -> None:
    bad = PAST[0]._replace(exposure=Exposure.COMPROMISED)
    memory = AFTER._replace(past_keys=(bad,))
    found = retire(memory, NEW, seen(look("new")), T0)
    assert found.past_keys == (bad._replace(retired_at=T0),)
    assert not unsettled(found)
    assert retire(found, NEW, seen(look("new")), T0 + DAY) == found


def test_records_that_linger_are_worth_knowing() -> None:
    assert lingering(NEW, AFTER, published(AFTER, look("new")), KeysInUse()) == ()
    (said,) = lingering(NEW, AFTER, published(AFTER, BOTH), KeysInUse())
    assert (said.code, said.severity) == (Code.RECORDS_TO_REMOVE, Severity.NOTICE)
    assert str(record("old")) in said.text
    (more,) = lingering(
        NEW, AFTER, published(AFTER, look("old", "new", mtypes=[1, 2])), KeysInUse()
    )
    assert "2 records of old keys" in more.text


def test_a_key_that_is_live_is_no_past_one() -> None:
    """Its deployment went no further than the memory, or a rollover went back to a former key."""
    memory = Memory(deployment=CLEARED, past_keys=(*PAST, PastKey(key("new").spki, T0)))
    assert retire(memory, NEW, seen(BOTH), T0).past_keys == PAST
    assert retire(memory, NEW, {}, T0).past_keys == PAST
    compromised = PastKey(key("new").spki, T0, Exposure.COMPROMISED)  # known for good
    memory = memory._replace(past_keys=(compromised,))
    assert retire(memory, NEW, {}, T0) == memory


def test_what_was_only_found_stays_while_certificates_are_to_be_revoked() -> None:
    """What came live by itself was confirmed before the CA answered: it is asked on."""
    found = Memory(deployment=CLEARED._replace(origin=Occurrence.FOUND))
    assert proved(found).deployment is None
    waiting = found._replace(revocations=(PendingRevocation(key("old").spki),))
    assert proved(waiting) == waiting
