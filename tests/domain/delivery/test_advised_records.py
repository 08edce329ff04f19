"""What is advised from outside is tried: the record, added where it is said, has to help."""

from __future__ import annotations

import re

import pytest

from danebot.domain.dane.verdicts import Reason
from danebot.domain.delivery.report import Criteria, Report
from danebot.domain.dns.forms import RecordForm
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association
from danebot.domain.finding import Finding
from danebot.domain.names import DnsName, Protocol
from domain.delivery.test_anchors import FIRST, GONE, ROOT, SECOND, SPARE, TABLE, anchor
from domain.delivery_world import (
    CA,
    HOST,
    LEAF,
    MATCHING,
    STRANGER,
    Code,
    answer,
    host,
    report,
    served,
    spki,
    visit,
)
from domain.pki import DAY, NOW, Issued, issue

OWNER = f"_25._tcp.{HOST}"
STRONG = TlsaRecord(3, 1, 2, b"\x5a" * 64)
OWN_STRONG = TlsaRecord(3, 1, 2, association(LEAF.spki, MatchingType.SHA2_512))
CERT_STRONG = TlsaRecord(3, 0, 2, b"\x5a" * 64)
PAST = (NOW - 90 * DAY, NOW - DAY)
ANCHOR = TlsaRecord(2, 1, 1, spki(CA))
ADVISED = re.compile(r"(\S+)\. IN TLSA (\d \d \d [0-9a-f]+)")


def seen(
    *records: TlsaRecord, by: Issued = CA, kinds: tuple[str, ...] = (), wildcard: bool = False
) -> Report:
    leaf = LEAF if by is CA else issue("mx.example.org", by, names=["mx.example.org"])
    route = host(tlsa=answer(OWNER, *records, wildcard=wildcard))
    criteria = Criteria(authorities=TABLE, require=tuple(map(RecordForm.parse, kinds)))
    probed = served(route, leaf=leaf, rest=(by, ROOT) if by is not CA else (CA,))
    return report(visit(route, probed), criteria=criteria)


def advice(found: Report, code: Code) -> tuple[Finding, tuple[TlsaRecord, ...]]:
    finding = next(one for one in found.findings if one.code is code)
    return finding, tuple(TlsaRecord.parse(text) for _, text in ADVISED.findall(finding.remedy))


@pytest.mark.parametrize(
    ("code", "records", "by", "kinds"),
    [
        (Code.MISMATCH, (STRANGER,), CA, ()),
        (Code.MISMATCH, (STRONG, MATCHING), CA, ()),
        (Code.RETIRED_ANCHOR, (anchor(GONE),), GONE, ()),
        (Code.RETIRED_ANCHOR, (anchor(GONE), STRONG), GONE, ()),
        (Code.UNLISTED_ISSUERS, (anchor(FIRST), STRONG), FIRST, ()),
        (Code.REQUIRED_RECORD, (ANCHOR,), CA, ("311",)),
        (Code.REQUIRED_RECORD, (ANCHOR, STRONG), CA, ("311",)),
        (Code.REQUIRED_RECORD, (ANCHOR, STRONG, MATCHING), CA, ("311",)),
        (Code.REQUIRED_RECORD, (ANCHOR, CERT_STRONG), CA, ("301",)),
        (Code.REQUIRED_RECORD, (MATCHING,), CA, ("312",)),
    ],
)
def test_a_record_that_is_advised_helps(
    code: Code, records: tuple[TlsaRecord, ...], by: Issued, kinds: tuple[str, ...]
) -> None:
    """Once it is there, nothing more is to be said, and senders use one of what was advised."""
    _, added = advice(seen(*records, by=by, kinds=kinds), code)
    assert added
    after = seen(*records, *added, by=by, kinds=kinds)
    assert code not in {one.code for one in after.findings}
    (address,) = after.hosts[0].addresses
    assert address.verdict is not None
    reasons = {one.record: one.reason for one in address.verdict.records}
    assert Reason.MATCHED in {reasons[one] for one in added}


@pytest.mark.parametrize(
    ("records", "kind", "added"),
    [
        ((ANCHOR, CERT_STRONG), "311", MATCHING),  # a digest of something else
        ((ANCHOR, TlsaRecord(3, 1, 9, b"x")), "311", MATCHING),  # that nobody can use
        ((ANCHOR, STRONG, MATCHING), "311", OWN_STRONG),  # the other one is there
        ((ANCHOR, STRONG), "312", OWN_STRONG),  # another key's, as strong
        ((ANCHOR, TlsaRecord(3, 1, 0, CA.spki)), "312", OWN_STRONG),  # never passed over
    ],
)
def test_no_more_is_advised_than_helps(
    records: tuple[TlsaRecord, ...], kind: str, added: TlsaRecord
) -> None:
    finding, told = advice(seen(*records, kinds=(kind,)), Code.REQUIRED_RECORD)
    assert told == (added,)
    assert "pass over" not in finding.remedy


@pytest.mark.parametrize(
    ("leaf", "rest"),
    [
        (issue("mx.example.org", CA, names=["mx.example.org"], valid=PAST), (CA,)),
        (issue("mx.example.org", CA, names=["elsewhere.example"]), (CA,)),
        (issue("mx.example.org", FIRST, names=["mx.example.org"]), (CA,)),
    ],
    ids=["expired", "another name", "of another CA"],
)
def test_where_the_anchor_is_right_the_chain_is_to_be_mended(
    leaf: Issued, rest: tuple[Issued, ...]
) -> None:
    """No key is wrong there."""
    route = host(ANCHOR, STRANGER)
    finding, added = advice(
        report(visit(route, served(route, leaf=leaf, rest=rest))), Code.MISMATCH
    )
    assert finding.remedy.startswith("mend the chain that is served, or add the record of this key")
    after = host(ANCHOR, STRANGER, *added)
    found = report(visit(after, served(after, leaf=leaf, rest=rest)))
    assert Code.MISMATCH not in {one.code for one in found.findings}


def test_where_a_trust_store_lacks_the_root_the_chain_is_to_be_mended() -> None:
    route = host(TlsaRecord(1, 1, 1, spki(LEAF)))
    looked = visit(route)._replace(protocol=Protocol.IMAP)
    found = report(looked, criteria=Criteria(trust_anchors=(ROOT.der,)))
    finding, _ = advice(found, Code.MISMATCH)
    assert finding.remedy.startswith("mend the chain that is served, or add")


@pytest.mark.parametrize("code", [Code.RETIRED_ANCHOR, Code.UNLISTED_ISSUERS])
def test_anchors_are_not_advised_where_they_would_not_count(code: Code) -> None:
    """The table has no SHA2-512 digests, and beside one senders pass SHA2-256 over."""
    by = GONE if code is Code.RETIRED_ANCHOR else FIRST
    assert "tlsa --anchors" in advice(seen(anchor(by), by=by), code)[0].remedy
    finding, _ = advice(seen(anchor(by, mtype=2), by=by), code)
    assert "tlsa --anchors" not in finding.remedy
    all_of_them = map(anchor, (FIRST, SECOND, SPARE))
    assert code in {one.code for one in seen(anchor(by, mtype=2), *all_of_them, by=by).findings}
    other_selector = anchor(by, selector=0, mtype=2)
    assert "tlsa --anchors" in advice(seen(other_selector, by=by), code)[0].remedy


def test_a_stronger_digest_is_no_other_key_s_end() -> None:
    """Beside the 3 1 2 of one key senders pass the 3 1 1 of the next one over."""
    finding, added = advice(seen(MATCHING, STRANGER, kinds=("312",)), Code.REQUIRED_RECORD)
    assert added == (OWN_STRONG,)
    assert finding.remedy.endswith(
        "; and 3 1 2 records of what the others there name (3 1 1 5a5a5a5a5a5a5a5a...), which "
        "senders pass over beside it"
    )


@pytest.mark.parametrize(
    ("code", "records", "kinds"),
    [
        (Code.MISMATCH, (STRANGER,), ()),
        (Code.ALL_UNUSABLE, (TlsaRecord(3, 1, 9, b"x"),), ()),
        (Code.ONLY_CERTIFICATE_RECORDS, (TlsaRecord(3, 0, 0, LEAF.der),), ()),
        (Code.SINGLE_ANCHOR, (anchor(FIRST),), ()),
        (Code.REQUIRED_RECORD, (ANCHOR,), ("311",)),
    ],
)
def test_the_place_is_the_end_of_aliases(
    code: Code, records: tuple[TlsaRecord, ...], kinds: tuple[str, ...]
) -> None:
    """A zone with something beside a CNAME doesn't load (RFC 2181 section 10.1)."""
    end = answer(OWNER, *records)._replace(canonical=DnsName("tlsa.example.net"))
    criteria = Criteria(require=tuple(map(RecordForm.parse, kinds)))
    route = host(tlsa=end)
    probed = served(route)
    if code is Code.SINGLE_ANCHOR:
        leaf = issue("mx.example.org", FIRST, names=["mx.example.org"])
        probed = served(route, leaf=leaf, rest=(FIRST,))
    finding, _ = advice(report(visit(route, probed), criteria=criteria), code)
    assert [place for place, _ in ADVISED.findall(finding.remedy)] == ["tlsa.example.net"]


def test_a_wildcard_is_not_hidden_unawares() -> None:
    """RFC 4592 section 2.2.1: the first record at the name itself hides all of them."""
    for found, code in (
        (seen(STRANGER, wildcard=True), Code.MISMATCH),
        (seen(ANCHOR, wildcard=True, kinds=("311",)), Code.REQUIRED_RECORD),
    ):
        words = "; repeat the wildcard's records beside it, which it hides at that name"
        assert advice(found, code)[0].remedy.endswith(words)


@pytest.mark.parametrize("kind", ["111", "011"])
def test_what_can_not_count_is_not_to_be_published(kind: str) -> None:
    finding, added = advice(seen(MATCHING, kinds=(kind,)), Code.REQUIRED_RECORD)
    assert not added
    assert finding.remedy == (
        "require another kind: PKIX-TA and PKIX-EE are unusable in SMTP between servers"
    )
