"""What is advised or published takes no record's effect away, and has one itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danebot.domain.dane.certificate_types import CertificateType
from danebot.domain.dane.references import References
from danebot.domain.dane.verdicts import Reason
from danebot.domain.dane.verify import verify_chain
from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord
from danebot.domain.finding import Code
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.change_outcomes import Part
from danebot.domain.rollover.evidence.memory import Deployment, Exposure, Memory, PastKey
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.records.advice import (
    Advice,
    Obstruction,
    advise,
    effective,
    overruled_by,
)
from danebot.domain.rollover.records.changes import Change, changes, overruling
from danebot.domain.rollover.records.in_use import KeysInUse
from danebot.domain.rollover.records.publication import (
    Publication,
    additions,
    conflicts,
    publication,
)
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from danebot.render.lineage import nsupdate_lines, zone_lines
from domain.builders import (
    HOUR,
    MX,
    OTHER,
    T0,
    UNREACHABLE,
    key,
    key_file,
    line,
    look,
    record,
    seen,
    state,
)

OLD, NEW = key("old").spki, key("new").spki
ROLLING = state(next_key=key_file("new"))


def rrset(*records: TlsaRecord, owner: DnsName = MX) -> OwnerObservation:
    """A look at which everybody shows these records."""
    return shows({"ns1": records, "ns2": records}, owner)


def shows(at: dict[str, Sequence[TlsaRecord]], owner: DnsName = MX) -> OwnerObservation:
    """A look at which each server shows its own; the resolver what the first has."""
    one = look("old", at=dict.fromkeys(at), owner=owner)
    servers = tuple(
        server._replace(records=tuple(records))
        for server, records in zip(one.servers, at.values(), strict=True)
    )
    first = tuple(next(iter(at.values())))
    return one._replace(servers=servers, answer=one.answer._replace(records=first))


def wildcard(one: OwnerObservation) -> OwnerObservation:
    return one._replace(servers=tuple(s._replace(wildcard=True) for s in one.servers))


def advised(one: OwnerObservation, mtype: int, *keys: bytes, known: Sequence[bytes] = ()) -> Advice:
    return advise(MX, one, [(line(mtype=mtype), spki) for spki in keys], {OLD, NEW, *known})


def published(one: OwnerObservation, mtype: int = 1, known: Sequence[bytes] = ()) -> Publication:
    lineage = ROLLING._replace(required=(line(mtype=mtype),))
    in_use = KeysInUse(frozenset({OLD, NEW, *known}))
    return publication(lineage, Memory(), seen(one), in_use)


# ---- digest agility -------------------------------------------------------------------------


def test_a_stronger_digest_restates_the_current_key() -> None:
    """``newkey`` told to add 3 1 2 of the next key alone: mail stopped at once."""
    lineage = ROLLING._replace(required=(line(mtype=2),))
    found, objections = additions(lineage, key("new"), seen(rrset(record("old"))), [OLD, NEW])
    assert {item.record for item in found} == {record("new", 2), record("old", 2)}
    assert objections == ()


def test_another_lineage_s_record_is_restated_too() -> None:
    """Types 1 and 2 of two lineages at one owner."""
    other = key("other").spki
    advice = advised(rrset(record("other")), 2, OLD, known=[other])
    assert set(advice.add) == {record("old", 2), record("other", 2)}
    assert advice.restated == (record("other", 2),)


def test_beside_somebody_else_s_record_no_stronger_digest_is_advised() -> None:
    advice = advised(rrset(record("old"), record("stranger")), 2, OLD, NEW)
    assert advice.add == ()
    assert {one.why for one in advice.objections} == {Obstruction.OVERRULES}
    assert "write '1 _25._tcp.mx.example.org'" in str(advice.objections[0])
    (finding,) = conflicts(ROLLING, published(rrset(record("stranger")), 2))
    assert finding.code is Code.DIGEST_CONFLICT


def test_beside_a_stronger_digest_the_weaker_one_is_not_enough() -> None:
    """Mail is down: '3 1 1 live' beside somebody else's 3 1 2 would not help."""
    one = rrset(record("stranger", 2))
    assert set(advised(one, 1, OLD).add) == {record("old"), record("old", 2)}
    lineage = state()
    observation = Observation(lineage, seen(one))
    planned = plan(observation, Memory(), Policy(), T0)
    findings = assess(observation, planned, Memory(), Policy(), T0)
    remedy = next(f.remedy for f in findings if f.code is Code.TLSA_MISMATCH)
    assert str(record("old", 2)) in remedy


MIXED = {
    "ns1": (record("old"), record("stranger", 2)),
    "ns2": (record("old"), record("stranger")),
}


@pytest.mark.parametrize("mtype", [1, 2])
@pytest.mark.parametrize("order", [("ns1", "ns2"), ("ns2", "ns1")])
def test_where_servers_differ_so_that_no_record_counts_at_all_they_are_named(
    mtype: int, order: Sequence[str]
) -> None:
    """A 3 1 1 counts at ns2 alone, and a 3 1 2 would take the stranger's effect there."""
    one = shows({name: MIXED[name] for name in order})
    advice = advised(one, mtype, NEW)
    assert advice.add == ((record("new"),) if mtype == 1 else ())
    (said,) = advice.objections
    assert said.why is Obstruction.DIFFERS
    assert "differ: at ns1.example.org [192.0.2.1] senders pass over a 3 1 1" in said.text
    assert str(record("stranger"))[:22] in said.text
    (finding,) = {f.text: f for f in conflicts(ROLLING, published(one, mtype))}.values()
    assert finding.code is Code.DIGEST_CONFLICT
    assert "see why these servers" in finding.remedy


def test_where_they_differ_in_our_own_digests_the_advice_counts_at_all() -> None:
    one = shows({"ns1": (record("old"), record("old", 2)), "ns2": (record("old"),)})
    advice = advised(one, 1, OLD, NEW)
    assert advice.objections == ()
    assert set(advice.add) == {record("old", 2), record("new"), record("new", 2)}


def test_a_stranger_s_overruled_record_is_one_that_counts_where_the_stronger_is_not() -> None:
    ours = record("old"), record("old", 2), record("stranger")
    one = shows({"ns1": ours, "ns2": (record("old"), record("stranger"))})
    (said,) = advised(one, 1, NEW).objections
    assert said.why is Obstruction.DIFFERS


def test_where_the_current_key_has_both_the_next_one_gets_both() -> None:
    """Else its 3 1 1 stays overruled for ever, and nothing is said to be lacking."""
    one = rrset(record("old"), record("old", 2))
    assert set(advised(one, 1, OLD, NEW).add) == {record("new"), record("new", 2)}
    one = rrset(record("old"), record("old", 2), record("new"))
    assert [item.record for item in published(one).add] == [record("new", 2)]


def test_a_weaker_digest_where_there_is_no_stronger_one_is_all() -> None:
    assert advised(rrset(record("old")), 1, OLD, NEW).add == (record("new"),)
    assert advised(rrset(record("old")), 0, OLD, NEW).add == (record("old", 0), record("new", 0))


def test_a_stronger_digest_on_one_server_excuses_none_on_another() -> None:
    """On ns1 the stranger is known by 3 1 1 alone, which a 3 1 2 would overrule there."""
    weak = record("stranger")
    one = shows({"ns1": [record("old"), weak], "ns2": [record("old"), weak, record("stranger", 2)]})
    advice = advised(one, 2, OLD, NEW)
    assert advice.add == ()
    assert {said.why for said in advice.objections} == {Obstruction.DIFFERS}
    assert advised(one, 1, OLD, NEW).add == (record("new"),)


# ---- places ---------------------------------------------------------------------------------


def test_a_wildcard_s_records_are_copied_beside_the_first_at_the_name() -> None:
    advice = advised(wildcard(rrset(record("old"), record("stranger"))), 1, OLD, NEW)
    assert set(advice.add) == {record("old"), record("new"), record("stranger")}


def test_where_the_wildcard_has_all_records_nothing_is_added() -> None:
    """Else each run would repair what isn't broken, and hide the wildcard by it."""
    one = wildcard(rrset(record("old"), record("new"), record("stranger")))
    assert advised(one, 1, OLD, NEW).add == ()
    found = published(one)
    assert (found.add, found.repair) == ((), ())
    assert changes(ROLLING, found, seen(one), Part.ADD, None) == ()


def test_an_alias_is_told_and_its_target_named() -> None:
    one = look("old", aliases=[(OTHER, HOUR)])._replace(zone=DnsName("example.net"))
    found, _ = additions(ROLLING, key("new"), seen(one), [OLD, NEW])
    assert list(zone_lines(found)) == [
        f"{OTHER}. 3600 IN TLSA {record('new')} ; {MX} is an alias of it"
    ]
    assert list(nsupdate_lines(found)) == [
        "zone example.net.",
        f"; {MX} is an alias of {OTHER}",
        f"update add {OTHER}. 3600 IN TLSA {record('new')}",
        "send",
    ]


def test_each_zone_has_its_own_message() -> None:
    elsewhere = DnsName("_25._tcp.mx2.example.org")
    lineage = ROLLING._replace(required=(line(), line(elsewhere)))
    one = look("old")
    other = look("old", owner=elsewhere)._replace(zone=DnsName("mx2.example.org"))
    lines = list(nsupdate_lines(additions(lineage, key("new"), seen(one, other), [OLD])[0]))
    assert [text for text in lines if not text.startswith("update")] == [
        "zone example.org.",
        "send",
        "zone mx2.example.org.",
        "send",
    ]


# ---- what is seen ---------------------------------------------------------------------------


def test_of_what_could_not_be_seen_nothing_is_advised() -> None:
    quiet = look(security=Security.INDETERMINATE, at={"ns1": UNREACHABLE})
    for one in (quiet, look("old", security=Security.BOGUS)):
        advice = advised(one, 1, OLD)
        assert (advice.add, advice.unseen) == ((), (record("old"),))
        assert {said.why for said in advice.objections} == {Obstruction.UNSEEN}
    assert advise(MX, None, [(line(), OLD)], [OLD]).add == ()
    assert not list(conflicts(ROLLING, published(quiet)))


def test_a_record_that_one_server_lost_is_repaired() -> None:
    one = shows({"ns1": [record("new")], "ns2": [record("old"), record("new")]})
    found = published(one)
    assert (found.add, [item.record for item in found.repair]) == ((), [record("old")])
    (change,) = changes(ROLLING, found, seen(one), Part.ADD, None)
    assert change.add == (record("old"),)


def test_the_rrset_for_a_program_is_what_servers_have_without_what_is_on_its_way_out() -> None:
    """The resolver's cache still has a compromised key's record, and a secondary lags."""
    stolen = record("stolen")
    lagging = shows({"ns1": [record("old")], "ns2": [record("old"), stolen]})
    cached = rrset(record("old"))
    cached = cached._replace(
        answer=cached.answer._replace(records=(record("old"), record("cached")))
    )
    for one in (lagging, cached):
        (change,) = changes(
            ROLLING, published(one), seen(one), Part.ADD, None, past=[key("stolen").spki]
        )
        assert change.result(change.base) == {record("old"), record("new")}
    needed = rrset(record("old"), stolen)  # a service may still have that key
    (change,) = changes(
        ROLLING, published(needed), seen(needed), Part.ADD, None, past=[key("stolen").spki]
    )
    assert stolen in change.result(change.base)


def test_a_publisher_is_stopped_where_an_addition_would_do_harm() -> None:
    one = rrset(record("stranger"))
    change = Change("mx", (MX,), MX, add=(record("old", 2),), known=(OLD,))
    assert overruling(change, seen(one)) == str(record("stranger"))
    mine = Change("mx", (MX,), MX, add=(record("old", 2),), known=(OLD,))
    assert overruling(mine, seen(rrset(record("old")))) == ""


def test_a_key_that_was_put_away_is_not_restated() -> None:
    memory = Memory(past_keys=(PastKey(key("gone").spki, T0),))
    lineage = ROLLING._replace(required=(line(mtype=2),))
    one = rrset(record("old"))
    found = publication(lineage, memory, seen(one), KeysInUse(frozenset({OLD, NEW})))
    assert record("gone", 2) not in {item.record for item in found.add}


def test_a_wildcard_s_record_of_a_stolen_key_that_may_go_is_not_copied() -> None:
    stolen = PastKey(key("stolen").spki, T0, Exposure.COMPROMISED)
    clear = Deployment(b"chain", key("old").digest, T0, confirmed_at=T0, clear_since=T0)
    one = wildcard(rrset(record("old"), record("stolen")))
    in_use = KeysInUse(frozenset({OLD, NEW}))
    for deployment, copied in ((clear, False), (clear._replace(clear_since=None), True)):
        memory = Memory(past_keys=(stolen,), deployment=deployment)
        found = publication(ROLLING, memory, seen(one), in_use)
        added = {item.record for item in (*found.add, *found.repair)}
        assert (record("stolen") in added) is copied  # a service may still have that key
        assert {record("old"), record("new")} <= added


# ---- whatever the RRset ---------------------------------------------------------------------

_NAMES = ("old", "new", "other", "stranger")
_RECORDS = st.builds(record, st.sampled_from(_NAMES), st.sampled_from((0, 1, 2)))
_RRSETS = st.lists(_RECORDS, max_size=5, unique=True)


def accepted(
    records: Sequence[TlsaRecord], name: str, kind: CertificateType = CertificateType.X509
) -> bool:
    """Whether senders of that kind accept the key by an RRset."""
    return bool(effective(records, kind) & {record(name, mtype) for mtype in MatchingType})


def test_what_is_restated_alone_takes_a_wildcards_records_along() -> None:
    """All that is demanded is there, and another key's record is to get its effect back."""
    there = (record("old", 2), record("new", 2), record("other"))
    advice = advised(wildcard(rrset(*there)), 2, OLD, NEW, known=[key("other").spki])
    assert set(advice.add) == {*there, record("other", 2)}


@given(there=_RRSETS, mtype=st.sampled_from((0, 1, 2)), wild=st.booleans())
def test_advice_that_is_followed_harms_nobody_and_helps(
    *, there: list[TlsaRecord], mtype: int, wild: bool
) -> None:
    one = rrset(*there)
    one = wildcard(one) if wild and there else one
    advice = advised(one, mtype, OLD, NEW, known=[key("other").spki])
    made = advice.add
    after = [*made] if wild and there and made else [*there, *made]
    for name, kind in product(_NAMES, CertificateType):
        assert accepted(after, name, kind) or not accepted(there, name, kind), name
    if not advice.objections:
        assert accepted(after, "old")
        assert accepted(after, "new")
    known = [key(name).spki for name in ("old", "new", "other")]
    if not wild:
        assert overruled_by(there, after, known) == ()


@given(st.lists(st.builds(record, st.sampled_from(_NAMES), st.sampled_from((1, 2))), unique=True))
def test_what_counts_is_what_senders_count(there: list[TlsaRecord]) -> None:
    verdict = verify_chain(there, (), References(Hostname("mx.example.org")), T0)
    passed_over = {one.record for one in verdict.records if one.reason is Reason.WEAKER_DIGEST}
    assert effective(there) == set(there) - passed_over


def test_a_record_that_takes_a_certificate_harms_who_is_known_by_the_raw_key_alone() -> None:
    """Nobody asks for that any more (RFC 7250; see tests/domain/dane/test_raw_keys.py)."""
    hidden, strong = record("other"), record("stranger", 2)
    anchor = TlsaRecord(2, 1, 1, b"a" * 32)
    assert overruled_by((hidden, strong), (hidden, strong, anchor), ()) == (hidden,)
    assert overruled_by((hidden, strong, anchor), (hidden, strong), ()) == ()
    assert overruled_by((hidden, strong), (hidden, strong, record("new", 2)), ()) == ()
    known = [key("other").spki]
    assert overruled_by((hidden, strong), (hidden, strong, anchor), known) == (hidden,)
    restated = (hidden, strong, anchor, record("other", 2))
    assert overruled_by((hidden, strong), restated, known) == ()
    unusable = TlsaRecord(9, 0, 1, b"a" * 32)
    assert overruled_by((hidden, strong), (hidden, strong, unusable), ()) == ()


@given(one=_RRSETS, two=_RRSETS, mtype=st.sampled_from((0, 1, 2)))
def test_advice_harms_nobody_at_any_server(
    *, one: list[TlsaRecord], two: list[TlsaRecord], mtype: int
) -> None:
    made = advised(shows({"ns1": one, "ns2": two}), mtype, OLD, NEW, known=[key("other").spki]).add
    for there in (one, two):
        for name, kind in product(_NAMES, CertificateType):
            assert accepted([*there, *made], name, kind) or not accepted(there, name, kind), name
