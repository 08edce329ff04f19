"""The outside view, assessed: one row per situation that real servers can't all be brought into."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.judgements import Judgement, judge_address
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.report import (
    Criteria,
    HostObservation,
    MailSubject,
    ServiceSubject,
    SrvSubject,
    Subject,
    parse_subject,
)
from danebot.domain.delivery.routes import (
    Dane,
    Discovery,
    SrvRoute,
)
from danebot.domain.dns.answers import Presence, Security
from danebot.domain.dns.records import MxRecord, SrvRecord
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association
from danebot.domain.finding import Severity
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.domain.thresholds import AtLeast, Thresholds
from danebot.errors import NameSyntaxError
from danebot.render.report import host_lines, report_document
from domain.delivery_world import (
    BOGUS,
    CA,
    DOMAIN,
    DOUBTED,
    HOST,
    LEAF,
    LOST,
    MATCHING,
    MUTE,
    OPTIONAL,
    OTHER,
    STRANGER,
    Code,
    answer,
    codes,
    host,
    mail,
    report,
    served,
    spki,
    visit,
)
from domain.pki import DAY, NOW, issue, name
from schemas import faults, paths

# ---- what was asked for -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Example.ORG.", MailSubject(DOMAIN)),
        ("mx.example.org:25", ServiceSubject(Endpoint(HOST, 25, Protocol.SMTP))),
        (" mx.example.org:993 ", ServiceSubject(Endpoint(HOST, 993, Protocol.TLS))),
    ],
)
def test_subjects(text: str, subject: Subject) -> None:
    assert parse_subject(text) == subject
    assert str(parse_subject(str(subject))) == str(subject)


@pytest.mark.parametrize(
    "text",
    ["", "a..b", "mx.example.org:", "mx.example.org:0", "mx.example.org:65536", "[::1]:25",
     "mx.example.org:٢٥", "mx.example.org:000025", "mx.example.org:00002599999",
     "192.0.2.1:25", "x:" + "9" * 5000],
)  # fmt: skip
def test_no_subjects(text: str) -> None:
    with pytest.raises(NameSyntaxError) as caught:
        parse_subject(text)
    assert len(str(caught.value)) < 300


def test_protocol_told() -> None:
    subject = parse_subject("mx.example.org:2143", Protocol.IMAP)
    assert subject == ServiceSubject(Endpoint(HOST, 2143, Protocol.IMAP))


# ---- the way to the hosts -----------------------------------------------------------------------


def test_fine() -> None:
    found = report(visit(host(MATCHING)))
    assert found.severity is Severity.NOTICE
    assert found.findings == ()
    assert found.expires == NOW + 60 * DAY


@pytest.mark.parametrize("days", [(10, 60), (60, 10)])
def test_what_ends_first_is_told_whatever_its_key(days: tuple[int, int]) -> None:
    leaves = [
        issue(
            "mx.example.org",
            CA,
            names=["mx.example.org"],
            of_key=of_key,
            valid=(NOW - 30 * DAY, NOW + left * DAY),
        )
        for of_key, left in zip(("one", "another"), days, strict=True)
    ]
    route = host(*(TlsaRecord(3, 1, 1, spki(leaf)) for leaf in leaves))
    results = [
        served(route, leaf=leaf, address=f"192.0.2.{number}")
        for number, leaf in enumerate(leaves, 1)
    ]
    assert report(visit(route, *results)).expires == NOW + 10 * DAY


@pytest.mark.parametrize(
    ("how", "code", "severity"),
    [
        (BOGUS, Code.BOGUS, Severity.CRITICAL),
        (LOST, Code.LOOKUP_FAILED, Severity.CRITICAL),
        (MUTE, Code.RESOLVER_FAILED, Severity.UNJUDGED),
    ],
)
def test_lookups_that_fail(how: dict[str, Any], code: DeliveryCode, severity: Severity) -> None:
    """MX, addresses and TLSA fail alike, and alike with --optional."""
    lost = answer("lost", **how)
    situations = (
        report(route=mail(discovery=Discovery.FAILED, mx=lost)),
        report(visit(host(dane=Dane.ADDRESS_FAILED, ipv4=lost))),
        report(visit(host(dane=Dane.DEFERRED, tlsa=lost))),
        report(visit(host(dane=Dane.ADDRESS_FAILED)._replace(alias=lost))),
        report(visit(host(dane=Dane.DEFERRED, tlsa=lost)), criteria=OPTIONAL),
    )
    for found in situations:
        assert codes(found) == {code: severity}
        assert how["detail"] in found.findings[0].text


@pytest.mark.parametrize(
    ("criteria", "severity"), [(None, Severity.CRITICAL), (OPTIONAL, Severity.WARNING)]
)
def test_hosts_without_dane_are_not_silent(criteria: Criteria | None, severity: Severity) -> None:
    """Nobody asked them: senders deliver there, if without DANE (row "downbesidewithout")."""
    lost = host(MATCHING, of=OTHER)
    silent = visit(lost, served(lost, outcome=ProbeOutcome.TIMEOUT))
    found = report(visit(host(dane=Dane.ABSENT)), silent, criteria=criteria)
    assert found.severity is severity
    (whole,) = [one for one in found.findings if one.where == "example.org"]
    assert whole.text == "no address with DANE gives an answer: 192.0.2.1 timed out"


def test_one_family_fails() -> None:
    found = report(visit(host(MATCHING, ipv6=answer("mx.example.org", **BOGUS))))
    assert codes(found) == {Code.BOGUS: Severity.WARNING}
    assert "so senders use its addresses of the other family" in found.findings[0].text


def test_malformed_mx() -> None:
    mx = answer("example.org", presence=Presence.PRESENT, rejects=("MX record: rdata of 1 octets",))
    found = report(route=mail(discovery=Discovery.FAILED, mx=mx))
    assert codes(found) == {Code.LOOKUP_FAILED: Severity.CRITICAL}
    assert "rdata of 1 octets" in found.findings[0].text


@pytest.mark.parametrize(
    ("odd", "code", "severity", "words"),
    [
        (
            {"records": (MxRecord(0, None),)},
            Code.NO_SERVICE,
            Severity.CRITICAL,
            '"." stands among the MX records, though it must be alone: Postfix takes it for',
        ),
        (
            {"rejects": ("MX record: '192.0.2.1' is an address",)},
            Code.LOOKUP_FAILED,
            Severity.WARNING,
            "not every MX record names a host: MX record: '192.0.2.1' is an address; senders pass",
        ),
    ],
)
@pytest.mark.parametrize("criteria", [None, OPTIONAL])
def test_what_leads_nowhere_beside_a_host(
    odd: dict[str, Any], code: Code, severity: Severity, words: str, criteria: Criteria | None
) -> None:
    """Real Postfix: rows "nullbeside" and "addressbeside" of the mail situations."""
    good = visit(host(MATCHING))
    records = (MxRecord(10, HOST), *odd.get("records", ()))
    mx = answer("example.org", *records, rejects=odd.get("rejects", ()))
    found = report(good, route=mail(good, mx=mx), criteria=criteria)
    assert codes(found) == {code: severity}
    assert words in found.findings[0].text
    srv = answer("_imaps._tcp.example.org", SrvRecord(0, 0, 25, HOST), SrvRecord(0, 0, 25, None))
    way = SrvRoute(DOMAIN, "imaps", Discovery.LISTED, srv, (good.route,))
    found = report(good, route=way, criteria=criteria, subject=SrvSubject(DOMAIN, "imaps"))
    assert codes(found) == {Code.NO_SERVICE: Severity.WARNING}
    assert found.findings[0].text.endswith(": clients differ")


@pytest.mark.parametrize(
    ("discovery", "required", "optional"),
    [
        (Discovery.ABSENT, Severity.CRITICAL, Severity.CRITICAL),
        (Discovery.NOT_OFFERED, Severity.CRITICAL, Severity.NOTICE),
    ],
)
def test_no_service(discovery: Discovery, required: Severity, optional: Severity) -> None:
    route = mail(discovery=discovery, mx=answer("example.org"))
    assert codes(report(route=route)) == {Code.NO_SERVICE: required}
    assert codes(report(route=route, criteria=OPTIONAL)) == {Code.NO_SERVICE: optional}


def test_srv_records() -> None:
    subject = SrvSubject(DOMAIN, "imaps")
    srv = answer("_imaps._tcp.example.org", SrvRecord(0, 0, 25, HOST))
    one = visit(host(MATCHING))
    route = SrvRoute(DOMAIN, "imaps", Discovery.LISTED, srv, (one.route,))
    assert report(one, route=route, subject=subject).findings == ()
    bar = visit(host(dane=Dane.INSECURE_SERVICE))
    insecure = srv._replace(security=Security.INSECURE)
    route = SrvRoute(DOMAIN, "imaps", Discovery.LISTED, insecure, (bar.route,))
    found = codes(report(bar, route=route, subject=subject))
    assert found == {Code.INSECURE_MX: Severity.CRITICAL, Code.NO_DANE: Severity.CRITICAL}
    none = SrvRoute(DOMAIN, "imaps", Discovery.ABSENT, answer("x"))
    assert codes(report(route=none, subject=subject, criteria=OPTIONAL)) == {
        Code.NO_SERVICE: Severity.NOTICE
    }


def test_insecure_mx() -> None:
    mx = answer("example.org", MxRecord(10, HOST), security=Security.INSECURE)
    one = visit(host(MATCHING))
    assert codes(report(one, route=mail(one, mx=mx))) == {Code.INSECURE_MX: Severity.CRITICAL}
    lenient = report(one, route=mail(one, mx=mx), criteria=OPTIONAL)
    assert codes(lenient) == {Code.INSECURE_MX: Severity.NOTICE}
    signed = report(one, route=mail(one, mx=mx._replace(signed_until=NOW)))
    assert "signed, but not validated" in signed.findings[0].text


def test_a_resolver_that_is_not_trusted() -> None:
    """Not absence: it can't be told from here."""
    mx = answer("example.org", MxRecord(10, HOST), **DOUBTED)
    one = visit(host(dane=Dane.INSECURE_ADDRESS, ipv4=answer("mx", "192.0.2.1", **DOUBTED)))
    found = report(one, route=mail(one, mx=mx))
    assert codes(found) == {Code.RESOLVER_UNTRUSTED: Severity.UNJUDGED}
    assert len(found.findings) == 1
    assert "trust-ad" in found.findings[0].remedy


# ---- hosts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dane", [Dane.ABSENT, Dane.INSECURE_TLSA, Dane.INSECURE_ADDRESS])
def test_without_dane(dane: Dane) -> None:
    without = visit(host(of=OTHER, dane=dane))
    assert codes(report(without)) == {Code.NO_DANE: Severity.CRITICAL}
    assert codes(report(without, criteria=OPTIONAL)) == {Code.NO_DANE: Severity.NOTICE}
    for criteria in (Criteria(), OPTIONAL):
        mixed = report(visit(host(MATCHING)), without, criteria=criteria)
        assert codes(mixed) == {Code.HOST_WITHOUT_DANE: Severity.WARNING}


def test_no_address() -> None:
    nowhere = visit(host(of=OTHER, dane=Dane.NO_ADDRESS, addresses=()))
    found = report(visit(host(MATCHING)), nowhere)
    assert codes(found) == {Code.NO_ADDRESS: Severity.WARNING}
    alone = report(nowhere, criteria=OPTIONAL)
    assert codes(alone)[Code.NO_SERVICE] is Severity.CRITICAL


# ---- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "code", "one", "all_"),
    [
        (ProbeOutcome.UNREACHABLE, Code.UNREACHABLE, Severity.WARNING, Severity.CRITICAL),
        (ProbeOutcome.TIMEOUT, Code.UNREACHABLE, Severity.WARNING, Severity.CRITICAL),
        (ProbeOutcome.REFUSED, Code.UNREACHABLE, Severity.WARNING, Severity.CRITICAL),
        (ProbeOutcome.NO_ROUTE, Code.NOT_ASKED, Severity.NOTICE, Severity.UNJUDGED),
        (ProbeOutcome.SHORTAGE, Code.NOT_ASKED, Severity.UNJUDGED, Severity.UNJUDGED),
        (ProbeOutcome.CUT_SHORT, Code.UNREACHABLE, Severity.UNJUDGED, Severity.UNJUDGED),
        (ProbeOutcome.NO_STARTTLS, Code.NO_STARTTLS, Severity.CRITICAL, Severity.CRITICAL),
        (ProbeOutcome.TLS_FAILED, Code.TLS_FAILED, Severity.CRITICAL, Severity.CRITICAL),
        (ProbeOutcome.PROTOCOL_ERROR, Code.PROTOCOL_BROKEN, Severity.CRITICAL, Severity.CRITICAL),
        (ProbeOutcome.INJECTED, Code.PROTOCOL_BROKEN, Severity.CRITICAL, Severity.CRITICAL),
    ],
)
def test_outcomes(outcome: ProbeOutcome, code: DeliveryCode, one: Severity, all_: Severity) -> None:
    """At one of two addresses, and at the only one."""
    route = host(MATCHING)
    bad = served(route, outcome=outcome, address="192.0.2.2", detail="its words")
    found = report(visit(route, served(route), bad))
    assert codes(found) == {code: one}
    assert "its words" in found.findings[0].text
    alone = report(visit(route, bad))
    assert alone.severity is all_
    assert code in codes(alone)


@pytest.mark.parametrize("criteria", [Criteria(), OPTIONAL], ids=["required", "optional"])
def test_nothing_is_fine_that_nobody_asked(criteria: Criteria) -> None:
    """``check_dane -6`` where no host has an IPv6 address, DANE or no DANE on IPv4."""
    route = host(MATCHING)
    unasked = HostObservation(route, Protocol.SMTP)
    found = report(unasked, criteria=criteria)
    assert codes(found) == {Code.NOT_ASKED: Severity.UNJUDGED}
    words = f"no address was authenticated: {HOST} has IPv4 addresses only"
    assert found.findings[0].text == words
    assert "it has IPv4 addresses only" in found.findings[1].text
    modern = answer(OTHER.text, "2001:db8::1")
    other = host(MATCHING, of=OTHER, ipv4=answer(OTHER.text), ipv6=modern)
    some = report(unasked, visit(other), criteria=criteria)
    assert [one.severity for one in some.findings] == [Severity.NOTICE]


def test_a_host_that_this_one_has_no_way_to_may_be_well() -> None:
    """So the silence of all others stops no mail, as far as can be told."""
    far, down = host(MATCHING), host(MATCHING, of=OTHER)
    no_way = visit(far, served(far, outcome=ProbeOutcome.NO_ROUTE))
    silent = visit(down, served(down, outcome=ProbeOutcome.TIMEOUT))
    assert report(no_way, silent).severity is Severity.WARNING
    assert report(silent).severity is Severity.CRITICAL


def test_records_of_which_none_can_be_read_are_unusable() -> None:
    lost = answer("_25._tcp.mx2.example.org", presence=Presence.PRESENT, rejects=("3 octets",))
    odd = host(of=OTHER, tlsa=lost)
    found = report(visit(host(MATCHING)), visit(odd, served(odd)))
    assert codes(found)[Code.ALL_UNUSABLE] is Severity.CRITICAL
    assert "3 octets" in found.findings[0].text


def test_a_certificate_of_neither_type_is_no_evidence() -> None:
    route = host(MATCHING)
    results = (
        served(route, outcome=ProbeOutcome.TLS_FAILED, algorithm=one)
        for one in (Algorithm.RSA, Algorithm.ECDSA)
    )
    found = report(visit(route, *results))
    assert (found.severity, found.findings[0].text) == (
        Severity.UNJUDGED,
        "no address was authenticated",
    )


def test_where_dane_is_due_no_host_at_all_is_not_fine() -> None:
    assert codes(report()) == {Code.NOT_ASKED: Severity.UNJUDGED}
    assert codes(report(criteria=OPTIONAL)) == {}


def test_silence_is_worse_where_no_other_host_takes_mail() -> None:
    """Whether or not DANE is due."""
    route = host(MATCHING)
    silent = visit(route, served(route, outcome=ProbeOutcome.TIMEOUT))
    free = visit(host(of=OTHER, dane=Dane.ABSENT))
    assert report(silent, criteria=OPTIONAL).severity is Severity.CRITICAL
    found = report(silent, free, criteria=OPTIONAL)
    assert {one.severity for one in found.findings if one.code is Code.UNREACHABLE} == {
        Severity.WARNING
    }


def test_what_our_own_limit_cut_short_hides_no_silence() -> None:
    route = host(MATCHING)
    slow = served(route, outcome=ProbeOutcome.CUT_SHORT, detail="no greeting within 15 s")
    found = report(visit(route, served(route, outcome=ProbeOutcome.TIMEOUT), slow))
    assert found.severity is Severity.WARNING
    assert "no greeting within 15 s" in str([one.text for one in found.findings])


def test_another_host_answers() -> None:
    route = host(MATCHING, of=OTHER)
    down = visit(route, served(route, outcome=ProbeOutcome.TIMEOUT))
    assert codes(report(visit(host(MATCHING)), down)) == {Code.UNREACHABLE: Severity.WARNING}


def test_mismatch_names_the_record_that_would_match() -> None:
    found = report(visit(host(STRANGER)))
    assert codes(found) == {Code.MISMATCH: Severity.CRITICAL}
    (finding,) = found.findings
    assert finding.where == "mx.example.org:25 [192.0.2.1]"
    assert finding.remedy.endswith(f"_25._tcp.mx.example.org. IN TLSA 3 1 1 {spki(LEAF).hex()}")


def test_who_refuses_is_said_where_senders_differ() -> None:
    """By the raw public key (RFC 7250) a record counts that is ignored with a certificate."""
    strong = association(LEAF.spki, MatchingType.SHA2_512)
    route = host(MATCHING, TlsaRecord(3, 1, 2, b"\x5b" * 64))
    found = report(visit(route))
    (finding,) = (one for one in found.findings if one.code is Code.MISMATCH)
    assert finding.severity is Severity.CRITICAL
    assert "senders that are given a certificate refuse to deliver" in finding.text
    assert "Postfix from 3.9" in finding.text
    assert f"IN TLSA 3 1 2 {strong.hex()}" in (finding.remedy or "")
    (line,) = (one for one in host_lines(found, NOW) if "192.0.2.1" in one)
    assert "senders that are given the raw public key don't" in line
    (address,) = report_document(found)["hosts"][0]["addresses"]
    assert (address["verdict"], address["raw_public_key"]) == ("failed", "authenticated")
    served_there = judge_address(served(route), route, NOW)
    assert served_there.judgement is Judgement.MISMATCH
    assert "given a certificate" in served_there.detail
    anchored = host(MATCHING, TlsaRecord(3, 1, 2, b"\x5b" * 64), TlsaRecord(2, 1, 1, b"a" * 32))
    other = report(visit(anchored))
    assert "raw_public_key" not in report_document(other)["hosts"][0]["addresses"][0]


def test_its_json_fits_the_schema_and_a_missing_key_is_found() -> None:
    route = host(MATCHING, TlsaRecord(3, 1, 2, b"\x5b" * 64))
    document = report_document(report(visit(route)))
    assert faults("verify", document) == []
    (served_there,) = document["hosts"][0]["addresses"]
    for one in (*document["hosts"][0]["tlsa"]["records"], *served_there["records"]):
        parts = (one["usage"], one["selector"], one["matching_type"], one["data"])
        assert " ".join(map(str, parts)) == one["record"]
    for path in paths(document):
        broken = deepcopy(document)
        inner: Any = broken
        for step in path[:-1]:
            inner = inner[step]
        inner["unheard-of"] = inner.pop(path[-1])
        assert faults("verify", broken), path


def test_a_chain_that_nobody_can_read() -> None:
    route = host(STRANGER)
    junk = served(route)._replace(chain=(b"junk",))
    assert codes(report(visit(route, junk))) == {Code.MISMATCH: Severity.CRITICAL}


def test_unusable_records() -> None:
    odd = TlsaRecord(3, 1, 9, b"x")
    assert codes(report(visit(host(odd)))) == {Code.ALL_UNUSABLE: Severity.CRITICAL}
    lenient = report(visit(host(odd)), criteria=OPTIONAL)
    assert codes(lenient) == {Code.ALL_UNUSABLE: Severity.WARNING}
    assert codes(report(visit(host(odd, MATCHING)))) == {Code.UNUSABLE_RECORDS: Severity.NOTICE}


def test_pkix_without_a_trust_store() -> None:
    route = host(TlsaRecord(1, 1, 1, spki(LEAF)))
    one = visit(route)._replace(protocol=Protocol.TLS)
    assert codes(report(one)) == {Code.NOT_JUDGED: Severity.UNJUDGED}
    trusting = Criteria(trust_anchors=(CA.der,))
    assert report(one, criteria=trusting).findings == ()


def test_additional_names() -> None:
    leaf = issue("elsewhere.example", CA, names=["elsewhere.example"])
    route = host(TlsaRecord(2, 1, 1, spki(CA)))
    one = visit(route, served(route, leaf=leaf))
    assert report(one).severity is Severity.CRITICAL
    aka = Criteria(aka=(Hostname("elsewhere.example"),))
    assert report(one, criteria=aka).severity is Severity.NOTICE
    of_domain = issue("example.org", CA, names=["example.org"])  # RFC 7672 section 3.2.2
    assert report(visit(route, served(route, leaf=of_domain))).severity is Severity.NOTICE


def test_the_other_certificate() -> None:
    """One key type failing is a mismatch; a server without that type is fine."""
    route = host(MATCHING)
    stranger = issue("mx.example.org", CA, names=["mx.example.org"], of_key="stranger")
    rsa = served(route, leaf=stranger, algorithm=Algorithm.RSA)
    found = report(visit(route, served(route), rsa))
    assert codes(found) == {Code.MISMATCH: Severity.CRITICAL}
    assert found.findings[0].where.endswith("[192.0.2.1] RSA")
    none = served(route, outcome=ProbeOutcome.TLS_FAILED, algorithm=Algorithm.RSA)
    assert codes(report(visit(route, served(route), none))) == {Code.NOT_ASKED: Severity.NOTICE}


def test_left_out() -> None:
    found = report(visit(host(MATCHING), served(host(MATCHING)), left_out=5))
    assert codes(found) == {Code.NOT_ASKED: Severity.WARNING}
    assert "5 of 6 addresses" in found.findings[0].text


def test_what_cannot_be_judged_hides_nothing() -> None:
    lost = visit(host(of=OTHER, dane=Dane.DEFERRED, tlsa=answer("lost", **MUTE)))
    found = report(visit(host(STRANGER)), lost)
    assert [one.severity for one in found.findings] == [Severity.CRITICAL, Severity.UNJUDGED]
    assert report(visit(host(MATCHING)), lost).severity is Severity.UNJUDGED


# ---- what will fail -----------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "severity"), [(200, Severity.WARNING), (201, Severity.NOTICE)])
def test_only_certificate_records(days: int, severity: Severity) -> None:
    leaf = issue("mx.example.org", CA, names=["mx.example.org"], valid=(NOW, NOW + days * DAY))
    record = TlsaRecord(3, 0, 1, association(leaf.der, MatchingType.SHA2_256))
    route = host(record)
    found = report(visit(route, served(route, leaf=leaf)))
    assert codes(found) == {Code.ONLY_CERTIFICATE_RECORDS: severity}
    assert "IN TLSA 3 1 1" in found.findings[0].remedy


def test_of_several_certificates_one_that_lives_shortly_is_enough() -> None:
    leaves = [
        issue("mx.example.org", CA, names=["mx.example.org"], valid=(NOW, NOW + days * DAY))
        for days in (201, 200)
    ]
    route = host(
        *(TlsaRecord(3, 0, 1, association(one.der, MatchingType.SHA2_256)) for one in leaves)
    )
    found = report(visit(route, *(served(route, leaf=one) for one in leaves)))
    assert codes(found) == {Code.ONLY_CERTIFICATE_RECORDS: Severity.WARNING}


@pytest.mark.parametrize(
    ("organisation", "severity"),
    [("Let's Encrypt", Severity.WARNING), ("A House", Severity.NOTICE)],
)
def test_a_single_intermediate(organisation: str, severity: Severity) -> None:
    subject = name("R99", organisation)
    middle = issue(subject, CA, ca=True, of_key="middle")
    leaf = issue("mx.example.org", middle, names=["mx.example.org"])
    record = TlsaRecord(2, 1, 1, spki(middle))
    route = host(record)
    chain = served(route, leaf=leaf, rest=(middle, CA))
    assert codes(report(visit(route, chain))) == {Code.SINGLE_ANCHOR: severity}
    own = TlsaRecord(3, 1, 1, spki(leaf))
    beside = host(record, own)
    assert report(visit(beside, chain)).findings == ()
    several = host(record, TlsaRecord(2, 1, 1, b"\1" * 32))
    assert codes(report(visit(several, chain))) == {Code.UNMATCHED_RECORDS: Severity.NOTICE}
    unused = host(record, TlsaRecord(1, 1, 1, spki(leaf)))
    assert codes(report(visit(unused, chain)))[Code.SINGLE_ANCHOR] is severity
    root = host(TlsaRecord(2, 1, 1, spki(CA)))
    assert report(visit(root, chain)).findings == ()


def test_many_records() -> None:
    others = [TlsaRecord(3, 1, 1, bytes([n]) * 32) for n in range(12)]
    found = codes(report(visit(host(MATCHING, *others))))
    assert found[Code.MANY_RECORDS] is Severity.WARNING
    assert Code.MANY_RECORDS not in codes(report(visit(host(MATCHING, *others[:11]))))


@pytest.mark.parametrize("severity", [Severity.NOTICE, Severity.WARNING])
def test_unmatched_records(severity: Severity) -> None:
    """Listed with the date of their signature; of two addresses, one that matches is enough."""
    stranger = issue("mx.example.org", CA, names=["mx.example.org"], of_key="stranger")
    both = host(MATCHING, TlsaRecord(3, 1, 1, spki(stranger)), STRANGER)
    results = served(both), served(both, leaf=stranger, address="192.0.2.2")
    dated = both.tried[0].answer._replace(signed_since=NOW - 3 * DAY)
    both = both._replace(tried=(both.tried[0]._replace(answer=dated),))
    found = report(visit(both, *results), criteria=Criteria(unmatched=severity))
    assert codes(found) == {Code.UNMATCHED_RECORDS: severity}
    text = found.findings[0].text
    assert text.startswith(f"1 TLSA records match nothing that is served: 3 1 1 {'5a' * 8}...")
    assert "dated 2026-05-29 12:00 UTC" in text
    assert found.hosts[0].unmatched == (STRANGER,)


def test_what_presents_nothing_readable_uses_no_record() -> None:
    both = host(MATCHING, STRANGER)
    garbage = served(both, address="192.0.2.2")._replace(chain=(b"no certificate",))
    found = report(visit(both, served(both), garbage))
    assert found.hosts[0].unmatched == (STRANGER,)


LATE = Thresholds(AtLeast(14), AtLeast(3))


@pytest.mark.parametrize(
    ("left", "thresholds", "severity"),
    [
        (18, None, Severity.NOTICE),
        (17.9, None, Severity.WARNING),
        (14, LATE, Severity.NOTICE),
        (13.9, LATE, Severity.WARNING),
        (2.9, LATE, Severity.CRITICAL),
        (1, Thresholds(), Severity.NOTICE),
    ],
)
def test_expiry(left: float, thresholds: Thresholds | None, severity: Severity) -> None:
    """Of ninety days a fifth is eighteen."""
    end = NOW + left * DAY
    leaf = issue("mx.example.org", CA, names=["mx.example.org"], valid=(end - 90 * DAY, end))
    route = host(TlsaRecord(3, 1, 1, spki(leaf)))
    found = report(visit(route, served(route, leaf=leaf)), criteria=Criteria(days=thresholds))
    assert found.severity is severity


def test_expired() -> None:
    """DANE-EE asks for no date, so mail goes on; other services have clients that do ask."""
    leaf = issue("mx.example.org", CA, names=["mx.example.org"], valid=(NOW - 90 * DAY, NOW - DAY))
    route = host(TlsaRecord(3, 1, 1, spki(leaf)))
    one = visit(route, served(route, leaf=leaf), served(route, leaf=leaf, address="192.0.2.2"))
    found = report(one)
    assert codes(found) == {Code.CERTIFICATE_EXPIRED: Severity.WARNING}
    assert found.findings[0].where == "mx.example.org:25 [192.0.2.1 192.0.2.2]"
    web = report(one._replace(protocol=Protocol.TLS))
    assert codes(web) == {Code.CERTIFICATE_EXPIRED: Severity.CRITICAL}


def test_an_anchor_expires_first() -> None:
    middle = issue("M", CA, ca=True, valid=(NOW - DAY, NOW + DAY))
    leaf = issue("mx.example.org", middle, names=["mx.example.org"])
    route = host(TlsaRecord(2, 1, 1, spki(middle)), TlsaRecord(2, 1, 1, spki(CA)))
    chain = served(route, leaf=leaf, rest=(middle, CA))
    found = report(visit(route, chain), criteria=Criteria(days=LATE))
    assert found.expires == NOW + DAY
    assert codes(found)[Code.CERTIFICATE_EXPIRES] is Severity.CRITICAL
    by_key = host(TlsaRecord(3, 1, 1, spki(leaf)))
    fine = report(visit(by_key, chain), criteria=Criteria(days=LATE))
    assert fine.expires == NOW + 60 * DAY


@pytest.mark.parametrize(
    ("hours", "severity"), [(12, Severity.NOTICE), (11, Severity.WARNING), (1, Severity.CRITICAL)]
)
def test_signatures(hours: int, severity: Severity) -> None:
    """The earliest of all that are relied on counts, insecure answers don't."""
    until = NOW + timedelta(hours=hours)
    soon = answer("mx.example.org")._replace(signed_until=until)
    one = visit(host(MATCHING, ipv6=soon))
    found = report(one)
    assert (found.severity, found.signed_until) == (severity, until)
    assert len(found.findings) == (severity is not Severity.NOTICE)
    mx = answer("example.org", MxRecord(10, HOST), security=Security.INSECURE, signed_until=NOW)
    assert report(one, route=mail(one, mx=mx)).signed_until == until
    route = host(MATCHING, ipv6=soon)
    assert route.signed_until == until
    later = route.ipv4._replace(signed_until=until + DAY)
    assert route._replace(ipv4=later).signed_until == until
    bare = route._replace(ipv6=soon._replace(security=Security.INSECURE))
    assert bare.signed_until != until


def test_cautions_become_findings() -> None:
    weak = issue("mx.example.org", CA, names=["mx.example.org"], of_key="rsa1024 mx")
    route = host(TlsaRecord(3, 1, 1, spki(weak)))
    found = report(visit(route, served(route, leaf=weak)))
    assert codes(found) == {Code.SOME_SENDERS_FAIL: Severity.WARNING}
