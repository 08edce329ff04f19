"""A verdict rests on the path as it was climbed, in whatever order and company it was presented."""

from __future__ import annotations

from datetime import datetime

import pytest

from danebot.domain.dane.authorities import Authorities
from danebot.domain.dane.cautions import Caution, CautionCode
from danebot.domain.delivery.judgements import judge_address
from danebot.domain.delivery.report import AddressReport, Criteria, PathEnd, Report
from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, association
from danebot.domain.finding import Severity
from danebot.domain.names import Protocol
from domain.delivery_world import CA, LEAF, Code, codes, host, report, served, visit
from domain.pki import DAY, NOW, Issued, issue

LONG = (NOW - 30 * DAY, NOW + 900 * DAY)
SOON = (NOW - 30 * DAY, NOW + 3 * DAY)
INTER = issue("Inter", CA, ca=True, valid=LONG)
ENDING = issue("Ending", CA, ca=True, valid=SOON)
ROOT = issue("Ending Root", ca=True, valid=SOON)
OF_ROOT = issue("mx.example.org", ROOT, names=["mx.example.org"])
OF_INTER = issue("mx.example.org", INTER, names=["mx.example.org"])
OF_ENDING = issue("mx.example.org", ENDING, names=["mx.example.org"])
EXPIRED = issue("Junk", ca=True, valid=(NOW - 90 * DAY, NOW - DAY))
EXPIRED_TWIN = issue("Inter", CA, ca=True, valid=(NOW - 90 * DAY, NOW - DAY))
JUNK = issue("Stranger", ca=True, valid=LONG)
CROSS = issue("Delivery CA", issue("Old Root", ca=True), ca=True)


def names(issued: Issued, usage: int = 2, *, full: bool = False) -> TlsaRecord:
    mtype = MatchingType.FULL if full else MatchingType.SHA2_256
    selector = Selector.CERT if full else Selector.SPKI
    named = issued.der if full else issued.spki
    return TlsaRecord(usage, selector, mtype, association(named, mtype))


def seen(
    record: TlsaRecord, leaf: Issued, *rest: Issued, criteria: Criteria | None = None
) -> Report:
    route = host(record)
    return report(visit(route, served(route, leaf=leaf, rest=rest)), criteria=criteria)


def only(found: Report) -> AddressReport:
    (one,) = found.addresses
    assert one.authenticated
    return one


@pytest.mark.parametrize(
    "rest",
    [
        (EXPIRED, CA),
        (EXPIRED, EXPIRED, CA),
        (CA, EXPIRED),
        (LEAF, CA),
        (CROSS, CA),
        (CA, CROSS, EXPIRED),
    ],
)
def test_what_was_not_climbed_ends_no_certificate(rest: tuple[Issued, ...]) -> None:
    found = seen(names(CA), LEAF, *rest)
    assert Code.CERTIFICATE_EXPIRED not in codes(found)
    leaf = only(found).leaf
    assert leaf is not None
    assert leaf.expires == NOW + 60 * DAY


@pytest.mark.parametrize(
    "rest",
    [(ENDING,), (JUNK, ENDING), (JUNK, JUNK, ENDING, CA), (CA, ENDING), (OF_ENDING, ENDING)],
)
def test_what_was_climbed_ends_it_wherever_it_was_presented(rest: tuple[Issued, ...]) -> None:
    found = seen(names(ENDING), OF_ENDING, *rest)
    leaf = only(found).leaf
    assert leaf is not None
    assert (leaf.expires, leaf.ends) == (NOW + 3 * DAY, 1)
    (finding,) = [one for one in found.findings if one.code is Code.CERTIFICATE_EXPIRES]
    assert finding.text == (
        "the DANE-TA anchor, at depth 1 of the path, expires 2026-06-04 12:00 UTC: "
        "some senders refuse the chain then, Postfix and Exim don't"
    )


def test_a_certificate_of_the_record_alone_ends_it_too() -> None:
    leaf = only(seen(names(ENDING, full=True), OF_ENDING)).leaf
    assert leaf is not None
    assert leaf.expires == NOW + 3 * DAY


def test_an_expired_anchor_is_not_called_the_certificate() -> None:
    old = issue("Old", CA, ca=True, valid=(NOW - 90 * DAY, NOW - DAY))
    leaf = issue("mx.example.org", old, names=["mx.example.org"])
    found = seen(names(old), leaf, JUNK, old)
    (finding,) = [one for one in found.findings if one.code is Code.CERTIFICATE_EXPIRED]
    assert finding.severity is Severity.WARNING
    assert finding.text == (
        "the DANE-TA anchor, at depth 1 of the path, expired 2026-05-31 12:00 UTC: "
        "some senders refuse the chain then, Postfix and Exim don't"
    )


def test_an_intermediate_below_the_anchor_is_named_by_its_depth() -> None:
    found = seen(names(CA), OF_ENDING, JUNK, CA, ENDING)
    (finding,) = [one for one in found.findings if one.code is Code.CERTIFICATE_EXPIRES]
    assert finding.text == (
        "the issuer's certificate, at depth 1 of the path, expires 2026-06-04 12:00 UTC: "
        "DANE senders refuse the chain then"
    )


@pytest.mark.parametrize("record", [names(OF_ENDING, 1), names(ENDING, 0), names(CA, 0)])
def test_a_pkix_usage_rests_on_all_of_its_path(record: TlsaRecord) -> None:
    route = host(record)
    looked = visit(route, served(route, leaf=OF_ENDING, rest=(JUNK, ENDING)))
    found = report(
        looked._replace(protocol=Protocol.IMAP), criteria=Criteria(trust_anchors=(CA.der,))
    )
    leaf = only(found).leaf
    assert leaf is not None
    assert leaf.expires == NOW + 3 * DAY


@pytest.mark.parametrize(
    ("record", "by", "ending"),
    [
        (names(ROOT), ROOT, PathEnd.ROOT),
        (names(ENDING), ENDING, PathEnd.ANCHOR),
        (TlsaRecord(2, 1, 0, CA.spki), ENDING, PathEnd.ISSUER),  # the key is above it
        (names(OF_ROOT, 1), ROOT, PathEnd.ISSUER),
    ],
)
def test_what_ends_first_is_called_what_it_is(
    record: TlsaRecord, by: Issued, ending: PathEnd
) -> None:
    route = host(record)
    looked = visit(route, served(route, leaf=OF_ROOT if by is ROOT else OF_ENDING, rest=(by,)))
    if record.usage == 1:
        looked = looked._replace(protocol=Protocol.IMAP)
    leaf = only(report(looked, criteria=Criteria(trust_anchors=(ROOT.der,)))).leaf
    assert leaf is not None
    assert (leaf.expires, leaf.ends, leaf.ending) == (NOW + 3 * DAY, 1, ending)


def test_without_a_match_the_certificate_itself_ends() -> None:
    leaf = seen(names(INTER), OF_ENDING, ENDING).addresses[0].leaf
    assert leaf is not None
    assert (leaf.ends, leaf.ending) == (0, PathEnd.LEAF)


@pytest.mark.parametrize(
    "rest", [(INTER,), (INTER, CA), (CA, INTER), (JUNK, INTER), (EXPIRED_TWIN, CA, INTER, INTER)]
)
def test_a_single_intermediate_is_one_wherever_it_is_presented(rest: tuple[Issued, ...]) -> None:
    """Whether or not there is a table of authorities, which lacks this one."""
    for criteria in (None, Criteria(authorities=Authorities(NOW.date(), ()))):
        assert Code.SINGLE_ANCHOR in codes(seen(names(INTER), OF_INTER, *rest, criteria=criteria))


@pytest.mark.parametrize("rest", [(INTER, CA), (JUNK, CA, INTER), (INTER, INTER, CA)])
def test_a_root_is_no_intermediate_wherever_it_is_presented(rest: tuple[Issued, ...]) -> None:
    assert Code.SINGLE_ANCHOR not in codes(seen(names(CA), OF_INTER, *rest))


def test_a_single_intermediate_that_only_the_record_holds() -> None:
    assert Code.SINGLE_ANCHOR in codes(seen(names(INTER, full=True), OF_INTER))
    assert Code.SINGLE_ANCHOR not in codes(seen(names(CA, full=True), OF_INTER, INTER))


@pytest.mark.parametrize(
    "more",
    [
        TlsaRecord(2, 1, 2, association(INTER.spki, MatchingType.SHA2_512)),
        TlsaRecord(2, 0, 1, association(INTER.der, MatchingType.SHA2_256)),
        names(INTER, full=True),
        names(INTER),
    ],
)
def test_several_records_of_one_intermediate_are_a_single_anchor(more: TlsaRecord) -> None:
    route = host(names(INTER), more)
    found = report(visit(route, served(route, leaf=OF_INTER, rest=(CA, INTER))))
    assert Code.SINGLE_ANCHOR in codes(found)
    if more.mtype != MatchingType.SHA2_512 and more != names(INTER):
        text = next(one.text for one in found.findings if one.code is Code.SINGLE_ANCHOR)
        assert text.startswith("the DANE-TA records name a single intermediate, and the CA ")
    both = host(names(INTER), more, TlsaRecord(2, 1, 0, CA.spki))  # Full is never ignored
    found = report(visit(both, served(both, leaf=OF_INTER, rest=(CA, INTER))))
    assert Code.SINGLE_ANCHOR not in codes(found)


def test_a_bare_key_that_signed_more_than_the_leaf_is_no_intermediates() -> None:
    key = TlsaRecord(2, 1, 0, INTER.spki)
    assert Code.SINGLE_ANCHOR in codes(seen(key, OF_INTER))
    assert Code.SINGLE_ANCHOR not in codes(seen(TlsaRecord(2, 1, 0, CA.spki), OF_INTER, INTER))


@pytest.mark.parametrize(
    ("record", "ends"),
    [
        (names(OF_ENDING, 3), NOW + 60 * DAY),
        (names(ENDING), NOW + 3 * DAY),
        (names(INTER), NOW + 60 * DAY),  # nothing matches: the leaf's own end is all there is
    ],
)
def test_a_watched_endpoint_ends_with_the_path(record: TlsaRecord, ends: datetime) -> None:
    route = host(record)
    result = served(route, leaf=OF_ENDING, rest=(JUNK, ENDING))
    assert judge_address(result, route, NOW).not_after == ends


def test_a_place_as_presented_is_not_taken_for_a_depth() -> None:
    assert str(Caution(CautionCode.UNREADABLE_CERTIFICATE, 2)).startswith(
        "certificate 3 of those presented: "
    )
    assert str(Caution(CautionCode.WEAK_KEY, 2)).startswith("certificate at depth 2: ")
    assert str(Caution(CautionCode.WEAK_KEY, 0)).startswith("leaf: ")


def test_a_key_in_full_names_its_certificate_where_that_is_presented() -> None:
    record = TlsaRecord(2, 1, 0, CA.spki)
    for rest, named in (((CA,), CA.der), ((), None)):
        verdict = only(seen(record, LEAF, *rest)).verdict
        assert verdict is not None
        assert verdict.matched is not None
        found = verdict.matched.certificate
        assert (found.der if found is not None else None) == named
