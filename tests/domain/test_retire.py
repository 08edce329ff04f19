"""What ought to be published, and which records may be removed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from danebot.domain.dns import OwnerObservation
from danebot.domain.lineage import KeyFile, LineageState
from danebot.domain.memory import Deployment, Memory, PastKey
from danebot.domain.retire import OwnedRecord, Publication, keys_in_use, publication
from danebot.domain.tlsa import MatchingType, TlsaRecord
from domain.builders import (
    DAY,
    HOUR,
    MX,
    MX2,
    T0,
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

PAST = (PastKey(key("old").spki, T0),)
UNCONFIRMED = Deployment(b"chain", b"digest", T0)
AFTER = Memory(deployment=replace(UNCONFIRMED, confirmed_at=T0), past_keys=PAST)
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


def test_a_past_keys_records_go_once_the_new_key_is_confirmed() -> None:
    found = published(AFTER, BOTH)
    assert records(found.remove) == [record("old")]
    assert records(found.keep) == [record("new")]
    assert found.add == found.foreign == ()
    waiting = published(replace(AFTER, deployment=UNCONFIRMED), BOTH)
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
    lineage = replace(NEW, next=key_file("next"))
    found = published(AFTER, look("new", "next", mtypes=[1, 2]), lineage=lineage)
    assert found.foreign == ()
    assert set(records(found.keep)) == {record(n, m) for n in ("new", "next") for m in (1, 2)}


def test_other_usages_of_a_past_key_are_not_danebots_own() -> None:
    one = look("new")
    other = replace(record("old"), usage=1)
    servers = tuple(replace(s, records=(*s.records, other)) for s in one.servers)
    found = published(AFTER, replace(one, servers=servers))
    assert (found.remove, records(found.foreign)) == ((), [other])


def test_a_past_key_that_any_lineage_uses_again_stays() -> None:
    again = key_file("old")
    uses = (
        state(current="old"),
        state(current="x", staged=held("old", 2)),
        state(current="x", next_key=again),
        state(current="x", ready=again),
        replace(state(current="x"), live=held("old")),
    )
    for lineage in uses:
        assert published(AFTER, BOTH, others=(lineage,)).remove == ()
    assert published(AFTER, BOTH, lineage=replace(NEW, ready=again)).remove == ()


def test_keys_in_use_are_those_of_every_place() -> None:
    lineage = replace(
        state(current="a", staged=held("b"), next_key=key_file("c"), ready=key_file("d")),
        combo=held("e"),
    )
    broken = replace(state(current="f"), ready=KeyFile(None, T0), live=None, combo=None)
    wanted = {key(name).spki for name in "abcdef"}
    assert keys_in_use((lineage, broken)) == wanted


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
    one = look("new", at={"ns1": None, "ns2": ["old"]}, resolver=["new"])
    assert records(published(AFTER, one).remove) == [record("old")]
    assert records(published(AFTER, blind("old", "new")).remove) == [record("old")]


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
    deployment = replace(UNCONFIRMED, confirmed_at=T0 if confirmed else None)
    memory = Memory(
        deployment=deployment, past_keys=tuple(PastKey(key(one).spki, T0) for one in past)
    )
    others = tuple(state(current=one) for one in elsewhere)
    found = published(memory, look(*there, mtypes=(1, 2)), lineage=lineage, others=others)
    unused = set(past) & set(there) - {"new", awaited, *elsewhere}
    old = {record(one, mtype) for one in unused for mtype in (1, 2)}
    parts = [set(records(part)) for part in (found.keep, found.remove, found.foreign)]
    assert parts[1] == (old if confirmed else set())
    shown = {record(one, mtype) for one in there for mtype in (1, 2)}
    assert sum(map(len, parts)) == len(set().union(*parts))
    theirs = {record(one, mtype) for one in {*elsewhere} - {"new", awaited} for mtype in (1, 2)}
    assert set().union(*parts) == shown - theirs - (set() if confirmed else old)


def test_the_keys_of_another_lineage_at_the_same_owner_are_no_strangers() -> None:
    """RSA beside ECDSA: neither says anything of the other's current, next or staged key."""
    other = replace(state(current="other"), next=key_file("other next"))
    both = look("new", "other", "other next", "somebody")
    found = published(AFTER, both, others=(other,))
    assert records(found.foreign) == [record("somebody")]
    assert found.remove == found.add == ()
    assert records(published(Memory(), both, lineage=other, others=(NEW,)).foreign) == [
        record("somebody")
    ]
