"""What is said of a lineage's owners by whom the records there name, with real chains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from danebot.domain.dane.authorities import Authorities, Authority, Use
from danebot.domain.dane.mistakes import pem
from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.lineage.keys import Algorithm, PublicKey
from danebot.domain.lineage.state import Anchored, KeyFile
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.findings.named_records import (
    has_anchors,
    named_records,
    names_in_records,
)
from danebot.domain.rollover.records.in_use import KeysInUse
from danebot.domain.rollover.records.publication import publication
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.status.summary import lineage_status
from danebot.render.lineage import publication_lines, status_lines
from domain import builders
from domain.builders import MX, T0, line
from domain.gate_world import EVERYWHERE, There, chain, shown, tlsa

NOTHING = TlsaRecord(3, 1, 1, hashlib.sha256(b"").digest())


def table(use: Use, *others: Use) -> Authorities:
    """Of the intermediate A with that use, and of others that it has beside."""
    rows = [
        Authority(
            name,
            Algorithm.ECDSA,
            use,
            date(2030, 1, 1),
            tlsa("2 1 1", by=name).data,
            (tlsa("2 0 1", by=name).data,),
        )
        for name, use in zip("ABC", (use, *others), strict=False)
    ]
    return Authorities(date(2026, 5, 4), tuple(rows))


def at(observed: OwnerObservation) -> Observation:
    live = chain()
    lineage = builders.state(line())._replace(
        live=live, combo=live._replace(version=None), staged=live
    )
    return Observation(lineage, {MX: observed})


def told(
    *records: TlsaRecord,
    of: Authorities | None,
    security: Security = Security.SECURE,
    awaited: KeyType | None = None,
    servers: Mapping[str, There] = EVERYWHERE,
) -> dict[FindingKind, Finding]:
    """What is told of records that the resolver has, and the servers too unless others are said."""
    seen = at(shown(*records, security=security, at=servers))
    if awaited is not None:
        file = KeyFile(PublicKey(b"next", awaited), T0)
        seen = seen._replace(state=seen.state._replace(next=file))
    names = names_in_records(seen.state, seen.owners, (tlsa("3 1 1"),), of, T0)
    found = named_records(seen.state, seen.owners, names, of, in_use=KeysInUse(), now=T0)
    return {one.code: one for one in found}


def test_anchors_are_not_advised_beside_a_stronger_digest() -> None:
    """The table has SHA2-256 digests, which senders pass over there (RFC 7671 section 9)."""
    of = table(Use.RETIRED, Use.ACTIVE)
    remedy = told(tlsa("2 1 2"), of=of)[Code.TLSA_ANCHOR_RETIRED].remedy
    assert remedy == f"add: {MX}. IN TLSA {tlsa('3 1 1')}"
    assert "--anchors" in told(tlsa("2 0 2"), of=of)[Code.TLSA_ANCHOR_RETIRED].remedy


PUBLISH = f"publish what this prints: danebot tlsa --anchors {builders.state().name}"
SOMEBODYS = tlsa("3 1 1", key="x")


def test_what_to_add_is_only_what_helps() -> None:
    """The key's record may be there unseen by the resolver, or count at one server alone."""
    of = table(Use.RETIRED, Use.ACTIVE)

    def remedy(anchor: TlsaRecord, *others: TlsaRecord, servers: Mapping[str, There]) -> str:
        return told(anchor, *others, of=of, servers=servers)[Code.TLSA_ANCHOR_RETIRED].remedy

    weak, strong = tlsa("2 1 1"), tlsa("2 1 2")
    add = f"add: {MX}. IN TLSA {tlsa('3 1 1')}"
    assert remedy(weak, servers=EVERYWHERE) == f"{add}; or {PUBLISH}"
    lagging = {"ns1": [weak, tlsa("3 1 1")], "ns2": [weak, tlsa("3 1 1")]}
    assert remedy(weak, servers=lagging) == PUBLISH
    differ = {"ns1": [weak, tlsa("3 1 2", key="y")], "ns2": [weak, SOMEBODYS]}
    assert remedy(weak, SOMEBODYS, servers=differ) == PUBLISH
    ours = {name: [strong, tlsa("3 1 1")] for name in ("ns1", "ns2")}
    assert remedy(strong, servers=ours) == (
        "see that a 3 1 1 record counts there: beside a 2 1 2 one senders pass 2 1 1 over"
    )


def test_an_anchor_matters_beside_records_of_other_keys_and_of_nothing() -> None:
    of = table(Use.RETIRED, Use.ACTIVE)
    assert set(told(tlsa("2 1 1"), SOMEBODYS, of=of)) == {Code.TLSA_ANCHOR_RETIRED}
    nothing = TlsaRecord(2, 0, 2, hashlib.sha512(b"").digest())
    assert set(told(tlsa("2 1 1"), nothing, of=of)) == {
        Code.TLSA_ANCHOR_RETIRED,
        Code.TLSA_MISMADE,
    }


def test_the_table_is_of_use_where_an_anchor_is_among_the_records() -> None:
    for records, useful in (
        ([], False),
        ([tlsa("3 1 1")], False),
        ([tlsa("1 1 1")], False),
        ([tlsa("2 1 1")], True),
        ([tlsa("3 1 1"), tlsa("2 1 1")], True),
    ):
        assert has_anchors({MX: shown(*records)}) is useful
    assert has_anchors({}) is False


def test_an_owner_that_rests_on_a_retired_anchor() -> None:
    found = told(tlsa("2 1 1"), of=table(Use.RETIRED, Use.ACTIVE))
    assert set(found) == {Code.TLSA_ANCHOR_RETIRED}
    finding = found[Code.TLSA_ANCHOR_RETIRED]
    assert finding.severity is Severity.WARNING
    assert finding.text == (
        f"{MX}: Let's Encrypt A: retired, issues no more; no other record is known to match the "
        "next certificate, which may come from B (as of 2026-05-04)"
    )
    assert f"add: {MX}. IN TLSA {tlsa('3 1 1')}" in finding.remedy
    assert f"danebot tlsa --anchors {builders.state().name}" in finding.remedy


def test_beside_the_live_key_s_record_it_doesn_t_matter() -> None:
    assert told(tlsa("2 1 1"), tlsa("3 1 1"), of=table(Use.RETIRED, Use.ACTIVE)) == {}


def test_the_next_key_s_type_has_issuers_of_its_own() -> None:
    """RSA certificates come from others than ECDSA ones."""
    of = table(Use.ACTIVE, Use.ACTIVE)
    first, second = of.rows
    of = of._replace(rows=(first, second._replace(key=Algorithm.RSA)))
    anchor = tlsa("2 1 1")
    assert told(anchor, of=of) == {}
    assert told(anchor, of=of, awaited=KeyType.P384) == {}
    (found,) = told(anchor, of=of, awaited=KeyType.RSA_2048).values()
    assert (found.code, found.severity) == (Code.TLSA_ISSUERS_UNLISTED, Severity.WARNING)
    assert "may come from Let's Encrypt B, which no record names" in found.text


def test_who_issues_for_the_next_key_alone_is_one_that_issues() -> None:
    """The live key's authority is retired, and the record of the next one's is there."""
    of = table(Use.RETIRED, Use.ACTIVE)
    first, second = of.rows
    of = of._replace(rows=(first, second._replace(key=Algorithm.RSA)))
    both = (tlsa("2 1 1"), tlsa("2 1 1", by="B"))
    assert told(*both, of=of, awaited=KeyType.RSA_2048) == {}
    for awaited in (None, KeyType.P384):
        assert set(told(*both, of=of, awaited=awaited)) == {Code.TLSA_ANCHOR_RETIRED}


@pytest.mark.parametrize(
    ("uses", "severity"), [((Use.ACTIVE,), Severity.WARNING), ((Use.BACKUP,), Severity.NOTICE)]
)
def test_siblings_that_are_not_listed(uses: tuple[Use, ...], severity: Severity) -> None:
    found = told(tlsa("2 0 1"), of=table(Use.ACTIVE, *uses))
    assert {code: one.severity for code, one in found.items()} == {
        Code.TLSA_ISSUERS_UNLISTED: severity
    }
    assert "Let's Encrypt B, which no record names" in found[Code.TLSA_ISSUERS_UNLISTED].text
    assert told(tlsa("2 0 1"), tlsa("2 1 1", by="B"), of=table(Use.ACTIVE, *uses)) == {}


def test_a_record_by_which_nobody_knows_the_live_chain_has_no_outlook() -> None:
    assert told(tlsa("2 1 1", by="B"), of=table(Use.ACTIVE, Use.RETIRED)) == {}


def test_an_answer_that_is_not_secure_or_a_table_that_is_not_there_says_nothing() -> None:
    assert told(tlsa("2 1 1"), of=None) == {}
    lost = told(tlsa("2 1 1"), of=table(Use.RETIRED), security=Security.INSECURE)
    assert lost == {}


def test_without_a_look_or_anything_served_no_record_is_judged() -> None:
    """A record made of nothing is told even then."""
    of, seen = table(Use.RETIRED), at(shown(tlsa("2 1 1"), NOTHING))
    bare = seen.state._replace(live=None, combo=None)
    names = names_in_records(bare, seen.owners, (), of, T0)
    found = named_records(bare, seen.owners, names, of, in_use=KeysInUse(), now=T0)
    assert [one.code for one in found] == [Code.TLSA_MISMADE]
    assert list(named_records(seen.state, {}, names, of, in_use=KeysInUse(), now=T0)) == []


def test_records_that_nobody_knows_have_no_name() -> None:
    seen, of = at(shown(tlsa("2 1 1"), SOMEBODYS)), table(Use.ACTIVE)
    (name,) = names_in_records(seen.state, seen.owners, (), of, T0).items()
    assert (name[0], name[1].words) == (tlsa("2 1 1"), "Let's Encrypt A: issues now")
    others = of._replace(rows=())
    assert names_in_records(seen.state, seen.owners, (), others, T0) == {}
    every = (tlsa("2 1 1"), SOMEBODYS)
    assert names_in_records(seen.state, seen.owners, every, of, T0) == {}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (NOTHING, "digest of nothing"),
        (TlsaRecord(2, 0, 2, hashlib.sha512(b"").digest()), "digest of nothing"),
    ],
)
def test_a_record_made_of_nothing(record: TlsaRecord, words: str) -> None:
    found = told(tlsa("3 1 1"), record, of=None)
    assert {code: one.severity for code, one in found.items()} == {
        Code.TLSA_MISMADE: Severity.WARNING
    }
    assert f"{MX}: {str(record)[:22]}... {words}" in found[Code.TLSA_MISMADE].text


def test_a_record_made_of_the_live_certificate_s_text() -> None:
    text = pem("CERTIFICATE", chain().chain.ders[0])
    wrong = TlsaRecord(3, 0, 1, hashlib.sha256(text).digest())
    found = told(tlsa("3 1 1"), wrong, of=None)
    assert "PEM text" in found[Code.TLSA_MISMADE].text


def test_status_and_tlsa_name_what_is_there() -> None:
    of = table(Use.RETIRED, Use.ACTIVE)
    seen = at(shown(tlsa("2 1 1"), NOTHING))
    state = seen.state._replace(anchored=(Anchored(line(), tlsa("2 1 1")),), required=())
    seen = seen._replace(state=state)
    planned = plan(seen, Memory(), Policy(), T0)
    names = names_in_records(state, seen.owners, (), of, T0)
    wanted = publication(state, Memory(), seen.owners, KeysInUse())
    status = lineage_status(
        seen, Memory(), planned, wanted, (), policy=Policy(), at=T0, names=names
    )
    (record,) = status.records
    words = "Let's Encrypt A: retired, issues no more"
    assert record.name == words
    lines = list(status_lines(status, T0 + timedelta(hours=1)))
    assert any(line.endswith(f"seen everywhere ({words})") for line in lines)
    printed = list(publication_lines(wanted, names))
    assert f"{MX}. 3600 IN TLSA {tlsa('2 1 1')} ; {words}" in printed
    assert any("; digest of nothing" in line for line in printed)
