"""What an operator demands beyond DANE: records of a kind, and a chain for those without it."""

from __future__ import annotations

import pytest

from danebot.domain.dane.certificate import read
from danebot.domain.dane.references import References
from danebot.domain.delivery.codes import DeliveryCode as Code
from danebot.domain.delivery.demands import judge_without_dane
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.report import Criteria, Expectation, Report, SrvSubject, Trust
from danebot.domain.delivery.routes import Dane, Discovery, SrvRoute
from danebot.domain.dns.forms import RecordForm
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association
from danebot.domain.finding import Severity
from danebot.domain.names import Hostname, Protocol
from danebot.errors import RecordSyntaxError
from domain import oracle
from domain.dane_cases import CASES
from domain.dane_world import MX, der
from domain.delivery_world import (
    CA,
    DOMAIN,
    HOST,
    LEAF,
    MATCHING,
    OTHER,
    STRANGER,
    answer,
    codes,
    host,
    report,
    served,
    spki,
    visit,
)
from domain.pki import DAY, NOW, issue

ANCHOR = TlsaRecord(2, 1, 1, spki(CA))
UNLIKE = "and none that is published matches: 3 1 1 matches no presented certificate"
STRONG = TlsaRecord(3, 1, 2, association(LEAF.spki, MatchingType.SHA2_512))
OTHERS = TlsaRecord(3, 1, 2, b"\x5a" * 64)


# ---- kinds of records -----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["3 1 1", "311", "  3  1 1 ", "31 1"])
def test_two_spellings_of_a_kind(text: str) -> None:
    assert RecordForm.parse(text) == RecordForm(3, 1, 1)
    assert str(RecordForm.parse(text)) == "3 1 1"


@pytest.mark.parametrize(
    "text", ["", "3 1", "3 1 1 1", "4 1 1", "3 2 1", "3 1 3", "3,1,1", "311,211", "a b c", "٣11"]
)
def test_what_is_no_kind_is_refused(text: str) -> None:
    with pytest.raises(RecordSyntaxError, match="want '3 1 1' or 311"):
        RecordForm.parse(text)


def required(*kinds: str, expectation: Expectation = Expectation.REQUIRED) -> Criteria:
    return Criteria(require=tuple(map(RecordForm.parse, kinds)), expectation=expectation)


@pytest.mark.parametrize(
    ("records", "kinds", "words"),
    [
        ((MATCHING,), ("311",), ""),
        ((MATCHING, ANCHOR), ("211",), ""),
        ((ANCHOR,), ("311", "211"), ""),  # any of them
        ((MATCHING, STRONG), ("311",), ""),  # senders prefer the other, which matches as well
        (
            (ANCHOR, MATCHING, OTHERS),
            ("311",),
            (
                "a 3 1 1 record is required, and none that is published matches: 3 1 1 ignored "
                "beside records with a stronger digest, 3 1 2 matches no presented certificate"
            ),
        ),
        ((MATCHING, STRONG), ("312",), ""),
        ((MATCHING,), ("211",), "a 2 1 1 record is required, and none is published"),
        (
            (MATCHING,),
            ("211", "301"),
            "a 2 1 1 or 3 0 1 record is required, and none is published",
        ),
        (
            (ANCHOR, STRANGER),
            ("311",),
            f"a 3 1 1 record is required, {UNLIKE}",
        ),
        (
            (ANCHOR, STRANGER),
            ("311", "301"),
            f"a 3 1 1 or 3 0 1 record is required, {UNLIKE}",
        ),
    ],
)
def test_a_kind_is_required(
    records: tuple[TlsaRecord, ...], kinds: tuple[str, ...], words: str
) -> None:
    found = report(visit(host(*records)), criteria=required(*kinds))
    told = [one for one in found.findings if one.code is Code.REQUIRED_RECORD]
    assert [(one.text, one.severity) for one in told] == (
        [(words, Severity.CRITICAL)] if words else []
    )


def test_the_record_to_publish_is_told() -> None:
    (told,) = report(visit(host(ANCHOR)), criteria=required("311")).findings[:1]
    assert told.remedy == f"publish: _25._tcp.{HOST}. IN TLSA {MATCHING}"
    certificate = association(LEAF.der, MatchingType.SHA2_256).hex()
    for kind, remedy in (
        ("211", "publish a record of that kind for what is served"),
        ("310", "publish a record of that kind for what is served"),
        ("312", f"publish: _25._tcp.{HOST}. IN TLSA {STRONG}"),
        ("301", f"publish: _25._tcp.{HOST}. IN TLSA 3 0 1 {certificate}"),
    ):
        (told,) = report(visit(host(MATCHING)), criteria=required(kind)).findings[:1]
        assert told.remedy == remedy


@pytest.mark.parametrize("chain", [(), (b"junk",)])
def test_nothing_to_publish_is_known_of_what_nobody_can_read(chain: tuple[bytes, ...]) -> None:
    route = host(TlsaRecord(3, 1, 9, b"x"))
    found = report(visit(route, served(route)._replace(chain=chain)), criteria=required("311"))
    (told,) = [one for one in found.findings if one.code is Code.REQUIRED_RECORD]
    assert told.remedy == "publish a record of that kind for what is served"


def test_where_dane_binds_nobody_no_chain_is_looked_at() -> None:
    bare = host(dane=Dane.ABSENT, tlsa=answer(f"_25._tcp.{HOST}"))
    found = report(visit(bare, served(bare)), criteria=required("311"))
    assert codes(found) == {Code.NO_DANE: Severity.CRITICAL}


def test_a_mismatch_is_told_once() -> None:
    found = report(visit(host(STRANGER)), criteria=required("311"))
    assert set(codes(found)) == {Code.MISMATCH}


def test_every_address_must_match_by_the_kind() -> None:
    other = issue("mx.example.org", CA, names=["mx.example.org"], of_key="another")
    route = host(MATCHING, ANCHOR, addresses=("192.0.2.1", "192.0.2.2"))
    lagging = served(route, leaf=other, address="192.0.2.2")
    found = report(visit(route, served(route), lagging), criteria=required("311"))
    told = [one for one in found.findings if one.code is Code.REQUIRED_RECORD]
    assert [one.where for one in told] == ["mx.example.org:25 [192.0.2.2]"]


@pytest.mark.parametrize("expectation", Expectation)
def test_a_host_without_records_has_none_of_the_kind(expectation: Expectation) -> None:
    bare = host(of=OTHER, dane=Dane.ABSENT, tlsa=answer(f"_25._tcp.{OTHER}"))
    criteria = required("311", expectation=expectation)
    found = report(visit(host(MATCHING)), visit(bare), criteria=criteria)
    assert codes(found) == {Code.HOST_WITHOUT_DANE: Severity.CRITICAL}
    alone = report(visit(bare), criteria=criteria)
    assert codes(alone) == {Code.NO_DANE: Severity.CRITICAL}


def test_a_kind_that_needs_a_trust_store() -> None:
    route = host(TlsaRecord(1, 1, 1, spki(LEAF)), MATCHING)
    one = visit(route)._replace(protocol=Protocol.TLS)
    found = report(one, criteria=required("111"))
    assert codes(found) == {Code.REQUIRED_RECORD: Severity.UNJUDGED}
    (lacking,) = report(
        visit(host(MATCHING))._replace(protocol=Protocol.TLS), criteria=required("111")
    ).findings
    assert lacking.remedy == "publish a record of that kind for what is served"
    trusting = required("111")._replace(trust_anchors=(CA.der,))
    assert report(one, criteria=trusting).severity is Severity.NOTICE


# ---- those without DANE ---------------------------------------------------------------------

PKIX = Criteria(trust=Trust.PKIX_TOO, trust_anchors=(CA.der,))
HERE = Hostname("imap.example.org")


def refused(found: Report) -> list[str]:
    return [one.text for one in found.findings if one.code is Code.NOT_TRUSTED]


def test_a_chain_that_everybody_takes() -> None:
    assert report(visit(host(MATCHING)), criteria=PKIX).findings == ()


@pytest.mark.parametrize(
    ("names", "end", "store", "words"),
    [
        (["mx.example.org"], -DAY, CA, "leaf: expired"),
        (
            ["example.org"],
            DAY * 60,
            CA,
            "leaf: names none of the reference identifiers; it must name mx.example.org",
        ),
        (["mx.example.org"], DAY * 60, LEAF, "the chain does not end in the trust store"),
    ],
)
def test_dane_is_content_and_others_are_not(
    names: list[str], end: object, store: object, words: str
) -> None:
    leaf = issue("mx.example.org", CA, names=names, valid=(NOW - 90 * DAY, NOW + end))  # type: ignore[operator]
    route = host(TlsaRecord(3, 1, 1, spki(leaf)))
    criteria = PKIX._replace(trust_anchors=(store.der,))  # type: ignore[attr-defined]
    found = report(visit(route, served(route, leaf=leaf)), criteria=criteria)
    assert found.severity is Severity.CRITICAL
    assert refused(found) == [f"senders and clients without DANE refuse the certificate: {words}"]
    assert found.findings[0].where == "mx.example.org:25 [192.0.2.1]"
    without = report(visit(route, served(route, leaf=leaf)))
    assert refused(without) == []


def test_a_self_signed_certificate_is_refused_by_those_without_dane() -> None:
    alone = issue("mx.example.org", names=["mx.example.org"])
    route = host(TlsaRecord(3, 1, 1, spki(alone)))
    found = report(visit(route, served(route, leaf=alone, rest=())), criteria=PKIX)
    assert refused(found)[0].endswith(": the chain does not end in the trust store")


PRESENTED = sorted({(case.chain, case.now) for case in CASES if case.chain and not case.apart})


@pytest.mark.parametrize("store", ["root", "other root", "inter", "leaf-self"])
def test_openssl_decides_the_same_about_those_without_dane(store: str) -> None:
    """A PKIX-EE record of the very leaf leaves all to names, dates and the trust store."""
    anchors = tuple(map(der, store.split()))
    for labels, now in PRESENTED:
        chain = [der(label) for label in labels.split()]
        leaf = read(chain[0])
        assert leaf is not None
        own = TlsaRecord(1, 1, 1, association(leaf.spki, MatchingType.SHA2_256))
        decision = oracle.decide([own], chain, [MX], now, store=anchors)
        judged = judge_without_dane(chain, References(Hostname(MX)), anchors, now)
        if labels.startswith(("leaf-bad-san", "odd-signature")):  # what cryptography can't read
            assert judged.faults
        else:
            assert decision.authenticated is not bool(judged.faults), (labels, decision, judged)


@pytest.mark.parametrize(
    ("chain", "code"),
    [("leaf-weak inter", "WEAK_KEY"), ("sha1", "WEAK_SIGNATURE"), ("leaf-cn inter", "COMMON_NAME")],
)
def test_what_only_some_of_them_refuse(chain: str, code: str) -> None:
    anchors = (der("root"), der("bad-rsa"))
    given = [der(label) for label in chain.split()]
    judged = judge_without_dane(given, References(Hostname(MX)), anchors, NOW)
    (found,) = judged.cautions
    assert (found.code.name.startswith(code), found.depth) == (True, 0)


def test_what_some_without_dane_refuse_is_a_warning() -> None:
    leaf = issue("mx.example.org", CA)  # a common name alone
    route = host(TlsaRecord(3, 1, 1, spki(leaf)))
    one = visit(route, served(route, leaf=leaf))
    assert report(one).severity is Severity.NOTICE
    assert codes(report(one, criteria=PKIX)) == {Code.SOME_SENDERS_FAIL: Severity.WARNING}


def test_a_root_need_not_be_presented() -> None:
    route = host(MATCHING)
    assert report(visit(route, served(route, rest=())), criteria=PKIX).findings == ()


def test_without_a_trust_store_nothing_is_known() -> None:
    found = report(visit(host(MATCHING)), criteria=Criteria(trust=Trust.PKIX_TOO))
    assert codes(found) == {Code.NOT_JUDGED: Severity.UNJUDGED}
    assert found.findings[0].remedy == Code.NOT_JUDGED.remedy


def test_an_address_without_an_answer_shows_no_certificate() -> None:
    route = host(MATCHING)
    lost = served(route, outcome=ProbeOutcome.TIMEOUT, address="192.0.2.2")
    found = report(visit(route, served(route), lost), criteria=PKIX)
    assert codes(found) == {Code.UNREACHABLE: Severity.WARNING}


def test_junk_beside_a_good_chain_does_no_harm() -> None:
    chain, anchors = (LEAF.der, b"junk", CA.der), (b"junk", CA.der)
    judged = judge_without_dane(chain, References(HOST), anchors, NOW)
    assert judged == ((), ())
    middle = issue("Middle", CA, ca=True)
    leaf = issue("mx.example.org", middle, names=["mx.example.org"])
    chain = (leaf.der, b"junk", middle.der)
    assert judge_without_dane(chain, References(HOST), anchors, NOW) == ((), ())


def test_no_more_is_asked_of_a_chain_than_those_without_dane_ask() -> None:
    leaf = issue("mx.example.org", CA, names=["mx.example.org"], authority_key=False)
    assert judge_without_dane((leaf.der,), References(HOST), (CA.der,), NOW) == ((), ())


@pytest.mark.parametrize("chain", [(), (b"junk",)])
def test_what_nobody_can_read_nobody_trusts(chain: tuple[bytes, ...]) -> None:
    route = host(MATCHING)
    junk = served(route)._replace(chain=chain)
    assert refused(report(visit(route, junk), criteria=PKIX)) == [
        "senders and clients without DANE refuse the certificate: it can't be read"
    ]


def test_a_host_that_was_not_asked_is_not_fine() -> None:
    bare = host(dane=Dane.ABSENT, tlsa=answer(f"_25._tcp.{HOST}"))
    lenient = PKIX._replace(expectation=Expectation.OPTIONAL)
    found = report(visit(bare), criteria=lenient)
    assert found.severity is Severity.UNJUDGED
    assert Code.NOT_ASKED in codes(found)


def test_another_name_that_is_right() -> None:
    leaf = issue("elsewhere.example", CA, names=["elsewhere.example"])
    route = host(TlsaRecord(3, 1, 1, spki(leaf)))
    one = visit(route, served(route, leaf=leaf))
    assert refused(report(one, criteria=PKIX)) != []
    aka = PKIX._replace(aka=(Hostname("elsewhere.example"),))
    assert refused(report(one, criteria=aka)) == []


@pytest.mark.parametrize(
    ("name", "protocol", "fine"),
    [
        ("example.org", Protocol.IMAP, True),  # RFC 6186 section 6
        ("mx.example.org", Protocol.IMAP, True),
        ("example.org", Protocol.XMPP_CLIENT, True),  # RFC 6120 section 13.7.2.1
        ("mx.example.org", Protocol.XMPP_CLIENT, False),
        ("mx.example.org", Protocol.XMPP_SERVER, False),
    ],
)
def test_the_name_of_a_service_that_was_looked_up(
    name: str, protocol: Protocol, *, fine: bool
) -> None:
    leaf = issue(name, CA, names=[name])
    route = host(TlsaRecord(3, 1, 1, spki(leaf)))
    one = visit(route, served(route, leaf=leaf))._replace(protocol=protocol)
    srv = SrvRoute(DOMAIN, "imap", Discovery.LISTED, answer("_imap._tcp.example.org"), (route,))
    subject = SrvSubject(DOMAIN, "imap")
    found = report(one, route=srv, subject=subject, criteria=PKIX)
    assert (refused(found) == []) is fine
