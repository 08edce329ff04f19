"""What is said of DANE-TA records by whom they name, and of records that were made of nothing.

The table is made up, so that the authorities in it can issue; the real one is read in
tests/adapters/test_authorities.py.
"""

from __future__ import annotations

import hashlib
from datetime import date

import pytest

from danebot.domain.dane.authorities import Authorities, Authority, Use
from danebot.domain.dane.mistakes import pem
from danebot.domain.dane.naming import Outlook, named, outlook
from danebot.domain.dane.profiles import Profile
from danebot.domain.dane.references import References
from danebot.domain.dane.verify import verify_chain
from danebot.domain.delivery.report import Criteria, Report
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association
from danebot.domain.finding import Severity
from danebot.domain.lineage.keys import Algorithm
from danebot.render.report import host_lines, report_document
from domain.delivery_world import (
    CA,
    HOST,
    LEAF,
    MATCHING,
    STRANGER,
    Code,
    answer,
    codes,
    host,
    report,
    served,
    spki,
    visit,
)
from domain.pki import NOW, Issued, issue

ROOT = issue("House Root", ca=True)


def middle(name: str) -> Issued:
    return issue(name, ROOT, ca=True, of_key=name)


def row(issued: Issued, use: Use, algorithm: Algorithm = Algorithm.ECDSA) -> Authority:
    name = issued.certificate.subject.rfc4514_string().removeprefix("CN=")
    certificate = hashlib.sha256(issued.der).digest()
    return Authority(name, algorithm, use, date(2030, 1, 1), spki(issued), (certificate,))


GONE, FIRST, SECOND, SPARE = map(middle, ("E1", "YE1", "YE2", "YE3"))
OTHER_KEY, OTHER_GONE = middle("YR1"), middle("R10")
TABLE = Authorities(
    date(2026, 5, 4),
    (
        row(GONE, Use.RETIRED),
        row(FIRST, Use.ACTIVE),
        row(SECOND, Use.ACTIVE),
        row(SPARE, Use.BACKUP),
        row(OTHER_KEY, Use.ACTIVE, Algorithm.RSA),
        row(OTHER_GONE, Use.RETIRED, Algorithm.RSA),
        row(ROOT, Use.ROOT),
    ),
)
CRITERIA = Criteria(authorities=TABLE)


def anchor(issued: Issued, selector: int = 1, mtype: int = 1) -> TlsaRecord:
    part = issued.spki if selector else issued.der
    return TlsaRecord(2, selector, mtype, association(part, MatchingType(mtype)))


def seen(
    *records: TlsaRecord,
    by: Issued = FIRST,
    of_key: str | None = None,
    criteria: Criteria = CRITERIA,
) -> Report:
    """A server that presents a leaf of ``by``, the intermediate and the root."""
    leaf = issue("mx.example.org", by, names=["mx.example.org"], of_key=of_key)
    route = host(*records)
    return report(visit(route, served(route, leaf=leaf, rest=(by, ROOT))), criteria=criteria)


def lines(found: Report) -> list[str]:
    return [line.strip() for line in host_lines(found, NOW) if " 1 " in line or " 0 " in line]


# ---- who is named -------------------------------------------------------------------------------


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("mtype", [0, 1, 2])
def test_the_only_anchor_is_retired(selector: int, mtype: int) -> None:
    """In every form: what a digest hides is known by the certificate that is presented."""
    found = seen(anchor(GONE, selector, mtype), by=GONE)
    assert codes(found) == {Code.RETIRED_ANCHOR: Severity.WARNING}
    finding = found.findings[0]
    assert finding.text == (
        "Let's Encrypt E1: retired, issues no more; no other record is known to match the next "
        "certificate, which may come from YE1, YE2 or YE3 (as of 2026-05-04)"
    )
    assert finding.where == "_25._tcp.mx.example.org"
    assert "_25._tcp.mx.example.org. IN TLSA 3 1 1 " in finding.remedy
    counted = (selector, mtype) != (1, 2)  # beside that one, 2 1 1 records are passed over
    assert ("danebot tlsa --anchors" in finding.remedy) is counted
    (line,) = lines(found)
    assert line.endswith("matches (Let's Encrypt E1: retired, issues no more)")


def test_a_mismatch_says_whom_the_record_names() -> None:
    found = seen(anchor(GONE))
    assert codes(found) == {Code.MISMATCH: Severity.CRITICAL}
    words = "2 1 1 matches no presented certificate (Let's Encrypt E1: retired, issues no more)"
    assert words in found.findings[0].text
    (record,) = report_document(found)["hosts"][0]["addresses"][0]["records"]
    assert record["text"] == words.removeprefix("2 1 1 ")
    assert record["reason"] == "no_match"
    assert record["name"] == "Let's Encrypt E1: retired, issues no more"


@pytest.mark.parametrize(
    "others",
    [
        (anchor(FIRST), anchor(SECOND), anchor(SPARE)),
        (anchor(ROOT),),
        (TlsaRecord(2, 1, 1, b"\1" * 32),),  # of a CA that the table lacks
    ],
)
def test_a_retired_one_beside_what_may_issue_is_left_over(others: tuple[TlsaRecord, ...]) -> None:
    """Of a CA that isn't in the table nobody is warned; the others that may issue are named."""
    found = codes(seen(anchor(GONE), *others, by=GONE))
    assert Code.RETIRED_ANCHOR not in found


def test_beside_the_server_s_own_key_it_is_named_among_what_matches_nothing() -> None:
    route = host(MATCHING, anchor(GONE))
    found = report(visit(route, served(route)), criteria=CRITERIA)
    assert codes(found) == {Code.UNMATCHED_RECORDS: Severity.NOTICE}
    assert "... (Let's Encrypt E1: retired, issues no more)" in found.findings[0].text


def test_one_for_another_type_of_key_is_no_help() -> None:
    found = seen(anchor(GONE), anchor(OTHER_KEY), by=GONE)
    assert codes(found)[Code.RETIRED_ANCHOR] is Severity.WARNING
    assert "YR1" not in found.findings[0].text


def test_a_record_of_the_certificate_alone_does_not_outlive_it() -> None:
    leaf = issue("mx.example.org", CA, names=["mx.example.org"])
    record = TlsaRecord(3, 0, 1, association(leaf.der, MatchingType.SHA2_256))
    route = host(record, anchor(GONE))
    found = codes(report(visit(route, served(route, leaf=leaf)), criteria=CRITERIA))
    assert found[Code.RETIRED_ANCHOR] is Severity.WARNING
    route = host(record, TlsaRecord(2, 1, 1, spki(CA)))
    assert codes(report(visit(route, served(route, leaf=leaf)), criteria=CRITERIA)) == {}


# ---- who may issue next -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "severity", "words"),
    [
        ((FIRST,), Severity.WARNING, "YE2 or YE3"),
        ((FIRST, SECOND), Severity.NOTICE, "YE3"),
        ((FIRST, SPARE), Severity.WARNING, "YE2"),
        ((FIRST, SECOND, SPARE), None, ""),
        ((FIRST, ROOT), None, ""),
    ],
)
def test_siblings_that_are_not_listed(
    listed: tuple[Issued, ...], severity: Severity | None, words: str
) -> None:
    """A backup alone is worth a note; of another type of key nothing is said."""
    found = seen(*map(anchor, listed))
    told = {code: grade for code, grade in codes(found).items() if code != Code.UNMATCHED_RECORDS}
    assert told == ({Code.UNLISTED_ISSUERS: severity} if severity is not None else {})
    if words:
        (finding,) = (one for one in found.findings if one.code is Code.UNLISTED_ISSUERS)
        assert finding.text == (
            f"the next certificate may come from Let's Encrypt {words}, which no record names "
            "(as of 2026-05-04)"
        )


def test_the_server_s_own_key_needs_no_siblings() -> None:
    leaf = issue("mx.example.org", FIRST, names=["mx.example.org"], of_key="own")
    assert seen(anchor(FIRST), TlsaRecord(3, 1, 1, spki(leaf)), of_key="own").findings == ()


CERTIFICATE = issue("mx.example.org", FIRST, names=["mx.example.org"])
OF_IT = TlsaRecord(3, 0, 1, association(CERTIFICATE.der, MatchingType.SHA2_256))


def told(
    *records: TlsaRecord, by: Issued = FIRST, rest: tuple[Issued, ...] | None = None
) -> Report:
    """The same, of a server that may present less than its path."""
    route, leaf = host(*records), CERTIFICATE
    if by is not FIRST:
        leaf = issue("mx.example.org", by, names=["mx.example.org"])
    looked = visit(route, served(route, leaf=leaf, rest=(by, ROOT) if rest is None else rest))
    return report(looked, criteria=CRITERIA)


@pytest.mark.parametrize(
    "beside",
    [STRANGER, TlsaRecord(2, 1, 1, b"\1" * 5), TlsaRecord(2, 1, 1, hashlib.sha256(b"").digest())],
    ids=["another key's", "malformed", "made of nothing"],
)
def test_what_authenticates_nobody_next_time_is_no_help(beside: TlsaRecord) -> None:
    assert codes(told(anchor(FIRST), beside))[Code.UNLISTED_ISSUERS] is Severity.WARNING
    assert codes(told(anchor(GONE), beside, by=GONE))[Code.RETIRED_ANCHOR] is Severity.WARNING


def test_a_weaker_digest_lists_nobody() -> None:
    found = told(anchor(SECOND, mtype=1), anchor(FIRST, mtype=2)).findings[0]
    assert "Let's Encrypt YE2 or YE3, which no record names" in found.text


def test_anchors_that_nothing_rests_on_are_told_to_match_nothing_alone() -> None:
    for beside in (anchor(SECOND), anchor(ROOT)):
        found = codes(told(OF_IT, beside, rest=(FIRST,)))
        assert Code.UNMATCHED_RECORDS in found
        assert not {Code.RETIRED_ANCHOR, Code.UNLISTED_ISSUERS} & found.keys()


def test_a_root_that_is_not_presented_is_none_that_issues_no_more() -> None:
    text = told(anchor(GONE), anchor(ROOT), by=GONE, rest=(GONE,)).findings[0].text
    assert text.startswith("Let's Encrypt E1: retired, issues no more; no other record")


def test_of_a_ca_that_the_table_lacks_nothing_is_said() -> None:
    unknown = middle("Elsewhere")
    found = told(anchor(unknown), anchor(FIRST), by=unknown)
    assert Code.UNLISTED_ISSUERS not in codes(found)
    assert [line for line in lines(found) if line.endswith("matches")]


def test_where_nobody_issues_nobody_is_named() -> None:
    criteria = Criteria(authorities=TABLE._replace(rows=(row(GONE, Use.RETIRED),)))
    found = seen(anchor(GONE), by=GONE, criteria=criteria).findings[0]
    assert found.text.endswith("is known to match the next certificate (as of 2026-05-04)")


def test_a_pkix_record_of_the_key_lasts_where_it_counts() -> None:
    chain = (CERTIFICATE.der, FIRST.der, ROOT.der)

    def ahead(*records: TlsaRecord) -> Outlook | None:
        judged = verify_chain(
            records, chain, References(HOST), NOW, Profile.GENERIC, trust_anchors=[ROOT.der]
        )
        return outlook(named(judged, chain, TABLE, NOW), chain, TABLE, NOW)

    assert ahead(anchor(FIRST)) is not None
    assert ahead(anchor(FIRST), TlsaRecord(1, 1, 1, spki(CERTIFICATE))) is None
    assert ahead(anchor(FIRST), OF_IT._replace(usage=1)) is not None


def test_the_leaf_says_of_which_type_they_are() -> None:
    found = seen(anchor(OTHER_KEY), by=OTHER_KEY, of_key="rsa2048 leaf")
    assert Code.UNLISTED_ISSUERS not in codes(found)
    found = seen(anchor(OTHER_GONE), by=OTHER_GONE, of_key="rsa2048 leaf")
    assert "which may come from YR1 (as of" in found.findings[0].text


def test_without_a_table_it_is_as_before() -> None:
    found = seen(anchor(FIRST), criteria=Criteria())
    assert codes(found) == {Code.SINGLE_ANCHOR: Severity.NOTICE}


# ---- made of nothing ----------------------------------------------------------------------------

PEM = "made of PEM text, where DER has to be"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
            "digest of nothing: the record was made from an empty file",
        ),
        (
            hashlib.sha512(b"").hexdigest(),
            "digest of nothing: the record was made from an empty file",
        ),
        ("", "the record was made from an empty file"),
        (
            hashlib.sha256(b"\n").hexdigest(),
            "digest of an empty line: the record was made from a file without a certificate",
        ),
        (
            hashlib.sha512(b"\n").hexdigest(),
            "digest of an empty line: the record was made from a file without a certificate",
        ),
        (
            hashlib.sha256(LEAF.pem).hexdigest(),
            "digest of a certificate's PEM text: the record has to be made from its DER",
        ),
        (
            hashlib.sha512(LEAF.pem + CA.pem).hexdigest(),
            "digest of a certificate's PEM text: the record has to be made from its DER",
        ),
        (
            hashlib.sha256("".join(LEAF.pem.decode().split("\n")[1:-2]).encode()).hexdigest(),
            "digest of a certificate's base64: the record has to be made from its DER",
        ),
        (
            hashlib.sha256(pem("PUBLIC KEY", LEAF.spki)).hexdigest(),
            "digest of a public key's PEM text: the record has to be made from its DER",
        ),
    ],
    ids=lambda _: "",
)
@pytest.mark.parametrize("numbers", [(3, 1), (3, 0), (2, 0)])
def test_a_record_that_was_made_of_no_certificate_is_told(
    numbers: tuple[int, int], data: str, words: str
) -> None:
    mtype = {0: 0, 64: 1, 128: 2}[len(data)]
    record = TlsaRecord(*numbers, mtype, bytes.fromhex(data))
    alone = report(visit(host(record)))
    assert words in alone.findings[0].text
    found = report(visit(host(TlsaRecord(3, 1, 0, LEAF.spki), record)))
    assert codes(found)[Code.MISMADE_RECORD] is Severity.WARNING
    (finding,) = (one for one in found.findings if one.code is Code.MISMADE_RECORD)
    assert finding.text.endswith(f"... {words}")
    assert "danebot record" in finding.remedy
    assert not {Code.UNMATCHED_RECORDS, Code.UNUSABLE_RECORDS} & set(codes(found))
    assert found.severity is Severity.WARNING


def test_others_that_match_nothing_are_told_beside() -> None:
    empty = TlsaRecord(3, 1, 1, hashlib.sha256(b"").digest())
    found = report(visit(host(MATCHING, STRANGER, empty)))
    assert codes(found) == {
        Code.MISMADE_RECORD: Severity.WARNING,
        Code.UNMATCHED_RECORDS: Severity.NOTICE,
    }
    assert found.findings[1].text.startswith("1 TLSA records match nothing")


def test_a_server_that_gives_no_chain() -> None:
    """Nothing was presented, so that only the digests of nothing can be told."""
    empty = TlsaRecord(3, 1, 1, hashlib.sha256(b"").digest())
    route = host(tlsa=answer("_25._tcp.mx.example.org", empty))
    garbage = served(route)._replace(chain=(b"no certificate",))
    found = report(visit(route, garbage))
    assert "digest of nothing" in found.findings[0].text
