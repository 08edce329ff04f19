"""What is said of each situation, about which place, and what helps: whole sentences."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from danebot.domain.dane.cautions import CautionCode
from danebot.domain.dane.references import References
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.report import Criteria, HostReport, SrvSubject
from danebot.domain.delivery.routes import Dane, Discovery, HostRoute, SrvRoute
from danebot.domain.dns.answers import Presence, Security
from danebot.domain.dns.records import MxRecord, SrvRecord
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association, key_record
from danebot.domain.finding import Severity
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import DnsName, Hostname, Protocol
from danebot.domain.thresholds import AtLeast, Thresholds
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
    OTHER,
    STRANGER,
    Code,
    answer,
    host,
    mail,
    report,
    served,
    spki,
    visit,
)
from domain.pki import DAY, NOW, issue, name

OWNER = "_25._tcp.mx.example.org"
HERE = "mx.example.org:25"
AT = f"{HERE} [192.0.2.1]"
OWN = f"{OWNER}. IN TLSA {MATCHING}"
SIGNED = " (signed, but not validated: the parent has no DS record, or the resolver is none)"


def told(*visits: Any, **rest: Any) -> list[tuple[Code, str]]:  # noqa: ANN401 - as for `report`
    """Each finding's code and sentence."""
    found = report(*visits, **rest).findings
    return [(one.code, one.sentence) for one in found]  # type: ignore[misc]


# ---- the way to the hosts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        (BOGUS, Code.BOGUS, "are bogus: DNSSEC validation fails, so senders defer: signature exp"),
        (LOST, Code.LOOKUP_FAILED, "can't be looked up, so senders defer: SERVFAIL"),
        (MUTE, Code.RESOLVER_FAILED, "could not be asked for: timed out"),
        (LOST | {"detail": ""}, Code.LOOKUP_FAILED, "can't be looked up, so senders defer"),
    ],
)
def test_the_lookup_that_fails_is_named(how: dict[str, Any], code: Code, words: str) -> None:
    lost = answer("lost.example", **how)
    for found, what in (
        (told(route=mail(discovery=Discovery.FAILED, mx=lost)), "example.org: MX records"),
        (told(visit(host(dane=Dane.ADDRESS_FAILED, ipv4=lost))), f"{HOST}: A records"),
        (told(visit(host(dane=Dane.ADDRESS_FAILED, ipv6=lost))), f"{HOST}: AAAA records"),
        (told(visit(host(dane=Dane.ADDRESS_FAILED)._replace(alias=lost))), f"{HOST}: CNAME record"),
        (
            told(visit(host(dane=Dane.DEFERRED, tlsa=lost))),
            f"{HOST}: TLSA records at lost.example",
        ),
    ):
        assert found[0][0] is code
        assert found[0][1].startswith(f"{what} {words}")
        assert not found[0][1].endswith(": ")


def test_how_hosts_were_not_found() -> None:
    service = SrvSubject(DOMAIN, "imaps")
    where = str(service)

    def srv(discovery: Discovery, **rest: Any) -> list[tuple[Code, str]]:  # noqa: ANN401
        srv = answer("_imaps._tcp.example.org", **rest)
        return told(route=SrvRoute(DOMAIN, "imaps", discovery, srv), subject=service)

    def mx(discovery: Discovery, **rest: Any) -> list[tuple[Code, str]]:  # noqa: ANN401
        return told(route=mail(discovery=discovery, mx=answer("example.org", **rest)))

    bad: dict[str, Any] = {"presence": Presence.PRESENT, "rejects": ("one", "two")}
    insecure: dict[str, Any] = {"security": Security.INSECURE, "presence": Presence.PRESENT}
    forged = "records are not secured by DNSSEC, so they can be forged"
    assert srv(Discovery.FAILED, **bad)[0][1] == f"{where}: no SRV record can be read: one; two"
    assert mx(Discovery.FAILED, **bad)[0][1] == "example.org: no MX record can be read: one; two"
    assert srv(Discovery.ABSENT)[0][1] == f"{where}: no SRV records"
    assert mx(Discovery.ABSENT)[0][1] == "example.org: no such domain"
    assert srv(Discovery.NOT_OFFERED)[0][1] == f'{where}: not offered here: the SRV record is "."'
    assert mx(Discovery.NOT_OFFERED)[0][1] == 'example.org: not offered here: the MX record is "."'
    assert srv(Discovery.LISTED, **insecure)[0][1] == f"{where}: SRV {forged}"
    dated = mx(Discovery.LISTED, **insecure, signed_until=NOW)
    assert dated[0][1] == f"example.org: MX {forged}{SIGNED}"
    doubted = mx(Discovery.LISTED, **(DOUBTED | {"presence": Presence.PRESENT}))
    assert doubted[0] == (Code.RESOLVER_UNTRUSTED, "example.org: AD isn't believed")


@pytest.mark.parametrize("discovery", [Discovery.LISTED, Discovery.IMPLICIT])
def test_a_way_that_is_secure_or_implied_needs_no_word(discovery: Discovery) -> None:
    one = visit(host(MATCHING))
    security = Security.SECURE if discovery is Discovery.LISTED else Security.INSECURE
    mx = answer("example.org", MxRecord(10, HOST), security=security)
    assert told(one, route=mail(one, discovery=discovery, mx=mx)) == []
    assert report(one, route=one.route).findings == ()  # type: ignore[arg-type]


# ---- hosts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dane", "words"),
    [
        (Dane.ABSENT, f"no TLSA records at {OWNER}"),
        (Dane.INSECURE_TLSA, f"TLSA answer for {OWNER} is not secured by DNSSEC"),
        (Dane.INSECURE_ADDRESS, "address records are not secured by DNSSEC, so senders look"),
        (Dane.INSECURE_SERVICE, "SRV records are not secured by DNSSEC, so clients look"),
    ],
)
def test_a_host_without_dane_says_why(dane: Dane, words: str) -> None:
    without = visit(host(dane=dane))
    ((code, sentence),) = told(without)
    assert code is Code.NO_DANE
    assert sentence.startswith(f"{HERE}: {words}")
    ((code, mixed),) = told(visit(host(MATCHING, of=OTHER)), without)
    assert code is Code.HOST_WITHOUT_DANE
    assert mixed == f"{sentence}: an attacker need only block the other hosts"
    (finding,) = report(without).findings
    assert finding.remedy.split()[0] in {"publish", "sign"}


def test_a_resolver_that_is_not_trusted_is_told_once_for_all_hosts() -> None:
    one = visit(host(dane=Dane.INSECURE_TLSA, tlsa=answer("tlsa", **DOUBTED)))
    other = visit(host(of=OTHER, dane=Dane.INSECURE_ADDRESS, ipv6=answer("mx", **DOUBTED)))
    aliased = visit(host(dane=Dane.INSECURE_ADDRESS)._replace(alias=answer("a", **DOUBTED)))
    expected = (Code.RESOLVER_UNTRUSTED, "example.org: AD isn't believed")
    assert [x for x in told(one, other, aliased) if x[0] is not Code.NOT_ASKED] == [expected]


def test_hosts_without_an_address() -> None:
    nowhere = visit(host(dane=Dane.NO_ADDRESS, addresses=()))
    passed = (Code.NO_ADDRESS, f"{HOST}: has no address: senders pass over it")
    assert told(nowhere)[:2] == [(Code.NO_SERVICE, "example.org: no host has an address"), passed]
    assert told(visit(host(MATCHING, of=OTHER)), nowhere) == [passed]


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_a_host_of_the_other_family_alone(family: str) -> None:
    four = ("192.0.2.1",) if family == "IPv4" else ()
    route = host(MATCHING, addresses=four, ipv6=answer("mx", *(() if four else ("2001:db8::1",))))
    bare = visit(route)._replace(results=())
    sentence = f"{HERE}: not asked: it has {family} addresses only"
    assert (Code.NOT_ASKED, sentence) in told(bare)
    assert (Code.NOT_ASKED, sentence) not in told(bare._replace(left_out=1))
    why = f"no address was authenticated: {HOST} has {family} addresses only"
    nothing = (Code.NOT_ASKED, f"example.org: {why}")
    assert nothing in told(bare)
    assert nothing not in told(bare, visit(host(MATCHING, of=OTHER)))


def test_addresses_that_are_left_out_are_counted_over_all_hosts() -> None:
    one = visit(host(MATCHING), left_out=2)
    other = visit(host(MATCHING, of=OTHER), left_out=1)
    assert told(one, other) == [
        (Code.NOT_ASKED, "example.org: 3 of 5 addresses were not asked: too many")
    ]


# ---- addresses -----------------------------------------------------------------------------------

BY_OUTCOME = {
    ProbeOutcome.NO_STARTTLS: "STARTTLS is not offered, though TLSA records demand it: "
    "senders defer",
    ProbeOutcome.TLS_FAILED: "the TLS handshake fails",
    ProbeOutcome.PROTOCOL_ERROR: "the service breaks its protocol",
    ProbeOutcome.INJECTED: "plain text follows the answer to STARTTLS: a broken service, "
    "or somebody in between",
    ProbeOutcome.NO_ROUTE: "not asked: no route from here",
    ProbeOutcome.UNREACHABLE: "cannot connect",
    ProbeOutcome.TIMEOUT: "timed out",
    ProbeOutcome.REFUSED: "service refused the session",
    ProbeOutcome.CUT_SHORT: ProbeOutcome.CUT_SHORT.value,
    ProbeOutcome.SHORTAGE: f"not asked: {ProbeOutcome.SHORTAGE.value}",
}


@pytest.mark.parametrize("outcome", BY_OUTCOME)
@pytest.mark.parametrize("detail", ["", "its words"])
def test_what_one_of_two_addresses_said(outcome: ProbeOutcome, detail: str) -> None:
    route = host(MATCHING)
    bad = served(route, outcome=outcome, address="192.0.2.2", detail=detail)
    ((_, sentence),) = told(visit(route, served(route), bad))
    words = f"{BY_OUTCOME[outcome]}: {detail}" if detail else BY_OUTCOME[outcome]
    assert sentence == f"{HERE} [192.0.2.2]: {words}"


@pytest.mark.parametrize("detail", ["", "its words"])
def test_a_key_type_that_is_not_there_is_no_fault(detail: str) -> None:
    route = host(MATCHING)
    none = served(route, outcome=ProbeOutcome.TLS_FAILED, algorithm=Algorithm.ECDSA, detail=detail)
    words = "TLS handshake failed" + (f": {detail}" if detail else "")
    assert told(visit(route, served(route), none)) == [(Code.NOT_ASKED, f"{AT} ECDSA: {words}")]


@pytest.mark.parametrize(
    ("outcomes", "words", "severity"),
    [
        ("TIMEOUT REFUSED", "no address gives an answer: 192.0.2.1 timed out: first", "CRITICAL"),
        ("NO_ROUTE UNREACHABLE", "no address gives an answer: 192.0.2.2 cannot conn", "CRITICAL"),
        ("TIMEOUT CUT_SHORT", "no address gives an answer: 192.0.2.2 ", "UNJUDGED"),
        ("NO_ROUTE NO_ROUTE", "no address can be reached from this host", "UNJUDGED"),
        ("SHORTAGE NO_ROUTE", "no address can be reached from this host", "UNJUDGED"),
    ],
)
def test_silence_of_all_addresses(outcomes: str, words: str, severity: str) -> None:
    route = host(MATCHING)
    results = [
        served(
            route,
            outcome=ProbeOutcome[word],
            address=f"192.0.2.{number}",
            detail="first" if number == 1 else "",
        )
        for number, word in enumerate(outcomes.split(), 1)
    ]
    whole = [x for x in report(visit(route, *results)).findings if x.where == "example.org"]
    assert whole[0].severity is Severity[severity]
    assert whole[0].text.startswith(words)


def test_a_mismatch_says_what_became_of_each_record() -> None:
    strong = TlsaRecord(3, 1, 2, b"\1" * 64)
    route = host(MATCHING, strong, STRANGER)
    (finding, *_) = report(visit(route)).findings
    assert finding.text == (
        "no TLSA record that counts with a certificate matches: senders that are given a "
        "certificate refuse to deliver, senders that are given the raw public key don't "
        f"(served: {MATCHING}): 3 1 1 ignored beside records with a stronger digest, "
        "3 1 2 matches no presented certificate; a SHA2-256 record matches but is ignored beside "
        "SHA2-512 records that don't: senders that are given a certificate fail; those that are "
        "given the raw public key, Postfix from 3.9 with OpenSSL from 3.2 by a server like itself "
        "(RFC 7250), deliver"
    )
    counts = key_record(LEAF.spki, MatchingType.SHA2_512)
    assert finding.remedy == (
        "serve the key that the records name, or add the record of this one: "
        f"_25._tcp.mx.example.org. IN TLSA {counts}"
    )
    junk = served(route)._replace(chain=(b"junk",))
    (bare, *_) = report(visit(route, junk)).findings
    assert "served" not in bare.text
    assert bare.remedy == "serve a certificate that the TLSA records name"


def test_a_mismatch_says_which_senders_deliver_all_the_same() -> None:
    """With an anchor beside it nobody is given the raw public key."""
    strong = TlsaRecord(3, 1, 2, b"\1" * 64)
    route = host(MATCHING, strong, TlsaRecord(2, 1, 1, b"\1" * 32))
    (finding, *_) = report(visit(route)).findings
    assert finding.text.endswith(f"; {CautionCode.MATCH_BEHIND_STRONGER_DIGEST.value}")


def test_a_mismatch_tells_only_cautions_that_explain_it() -> None:
    alone = host(TlsaRecord(3, 0, 1, b"\1" * 32))
    (finding, *_) = report(visit(alone)).findings
    assert "only 3 0 x" not in finding.text
    elsewhere = issue("Elsewhere", ca=True)
    first, second = (issue("Middle", by, ca=True) for by in (elsewhere, CA))
    leaf = issue("mx.example.org", first, names=["mx.example.org"])
    route = host(TlsaRecord(2, 1, 1, spki(CA)))
    result = served(route, leaf=leaf, rest=(first, second, CA))
    (finding, *_) = report(visit(route, result)).findings
    assert finding.code is Code.MISMATCH
    assert "; a path exists, but not the first" in finding.text


def test_what_is_wrong_is_evidence_enough() -> None:
    route = host(STRANGER)
    away = served(route, outcome=ProbeOutcome.NO_ROUTE, address="192.0.2.2")
    found = [code for code, _ in told(visit(route, served(route), away))]
    assert found == [Code.MISMATCH, Code.NOT_ASKED]


def test_of_a_chain_that_binds_nobody_nothing_is_said() -> None:
    free = host(dane=Dane.ABSENT)
    assert [code for code, _ in told(visit(free, served(free)))] == [Code.NO_DANE]


def test_records_of_which_none_can_be_used() -> None:
    (finding,) = report(visit(host(TlsaRecord(3, 1, 9, b"x")))).findings
    assert finding.sentence == (
        f"{AT}: no TLSA record can be used, so senders don't authenticate the server, or defer: "
        "3 1 9 unknown matching type"
    )
    assert finding.remedy.endswith(OWN)
    odd = TlsaRecord(3, 1, 9, b"x"), TlsaRecord(9, 1, 1, b"x"), TlsaRecord(8, 1, 1, b"x")
    assert told(visit(host(MATCHING, *odd))) == [
        (
            Code.UNUSABLE_RECORDS,
            f"{HERE}: 3 unusable TLSA records: unknown matching type; unknown certificate usage",
        )
    ]


# ---- what is to come -----------------------------------------------------------------------------


def test_only_some_records_are_shown() -> None:
    others = [TlsaRecord(3, 1, 1, bytes([n]) * 32) for n in range(7)]
    shown = ", ".join(f"3 1 1 {one.hex[:16]}..." for one in others[:6])
    for count, more in ((6, ""), (7, " and 1 more")):
        assert told(visit(host(MATCHING, *others[:count]))) == [
            (
                Code.UNMATCHED_RECORDS,
                f"{OWNER}: {count} TLSA records match nothing that is served: {shown}{more}",
            )
        ]


@pytest.mark.parametrize(("since", "dated"), [(-1, True), (0, False), (1, False)])
def test_a_signature_of_the_future_dates_nothing(since: int, *, dated: bool) -> None:
    tlsa = answer(OWNER, MATCHING, STRANGER, signed_since=NOW + since * timedelta(minutes=1))
    ((_, sentence),) = told(visit(host(tlsa=tlsa)))
    assert ("the signature over the record set is dated" in sentence) is dated


def test_the_number_of_records_is_told() -> None:
    others = [TlsaRecord(3, 1, 1, bytes([n]) * 32) for n in range(12)]
    code, sentence = told(visit(host(MATCHING, *others)))[0]
    assert code is Code.MANY_RECORDS
    assert sentence.startswith(f"{OWNER}: 13 TLSA records: more than a dozen records: the answer")


def test_certificate_records_are_advised_against_with_the_record_of_the_key() -> None:
    record = TlsaRecord(3, 0, 1, association(LEAF.der, MatchingType.SHA2_256))
    (finding,) = report(visit(host(record))).findings
    assert finding.sentence.startswith(f"{OWNER}: only 3 0 x records: every renewal")
    assert finding.remedy == (
        f"publish 3 1 1 records, which stay right as long as the key does: {OWN}"
    )


@pytest.mark.parametrize(
    ("organisation", "words"),
    [
        ("Let's  ENCRYPT", "issues from several in turn"),
        ("Google Trust Services LLC", "issues from several in turn"),
        ("A House", "may issue from another next time"),
    ],
)
def test_an_intermediate_alone(organisation: str, words: str) -> None:
    middle = issue(name("R99", organisation), CA, ca=True, of_key="middle")
    leaf = issue("mx.example.org", middle, names=["mx.example.org"])
    route = host(TlsaRecord(2, 1, 1, spki(middle)))
    (finding,) = report(visit(route, served(route, leaf=leaf, rest=(middle, CA)))).findings
    assert finding.sentence == (
        f"{OWNER}: a single DANE-TA record names an intermediate, and the CA {words}"
    )
    own = f"{OWNER}. IN TLSA 3 1 1 {spki(leaf).hex()}"
    assert finding.remedy == f"add a 3 1 1 record of the server's own key: {own}"


def test_who_chooses_is_known_by_the_organisation() -> None:
    middle = issue(name("Let's Encrypt", "A House"), CA, ca=True, of_key="middle")
    leaf = issue("mx.example.org", middle, names=["mx.example.org"])
    route = host(TlsaRecord(2, 1, 1, spki(middle)))
    (finding,) = report(visit(route, served(route, leaf=leaf, rest=(middle, CA)))).findings
    assert finding.severity is Severity.NOTICE


def lasting(left: timedelta) -> HostRoute:
    return host(TlsaRecord(3, 1, 1, spki(ending(left))))


def ending(left: timedelta) -> Any:  # noqa: ANN401 - a certificate
    valid = (NOW + left - 90 * DAY, NOW + left)
    return issue("mx.example.org", CA, names=["mx.example.org"], valid=valid)


@pytest.mark.parametrize(
    ("left", "code", "words"),
    [
        (DAY, Code.CERTIFICATE_EXPIRES, "the certificate expires 2026-06-02 12:00 UTC"),
        (0 * DAY, Code.CERTIFICATE_EXPIRED, "the certificate expired 2026-06-01 12:00 UTC: sender"),
    ],
)
def test_the_end_of_a_certificate_is_dated(left: timedelta, code: Code, words: str) -> None:
    route = lasting(left)
    found = report(visit(route, served(route, leaf=ending(left)))).findings
    (one,) = (x for x in found if x.code is code)
    assert one.sentence.startswith(f"{AT}: {words}")
    assert not one.sentence.endswith(": ")


@pytest.mark.parametrize(
    ("protocol", "thresholds", "severity"),
    [
        (Protocol.SMTP, Thresholds(), Severity.WARNING),
        (Protocol.LMTP, Thresholds(), Severity.WARNING),
        (Protocol.IMAP, Thresholds(), Severity.CRITICAL),
        (Protocol.SMTP, Thresholds(None, AtLeast(3)), Severity.CRITICAL),
    ],
)
def test_an_expired_certificate_is_worse_for_clients_without_dane(
    protocol: Protocol, thresholds: Thresholds, severity: Severity
) -> None:
    route = lasting(-DAY)
    one = visit(route, served(route, leaf=ending(-DAY)))._replace(protocol=protocol)
    found = report(one, criteria=Criteria(days=thresholds)).findings
    assert {x.severity for x in found if x.code is Code.CERTIFICATE_EXPIRED} == {severity}


def test_the_end_of_a_signature_is_dated_and_named() -> None:
    soon, later = NOW + timedelta(hours=1), NOW + timedelta(hours=3)
    ipv6 = answer("mx.example.org", signed_until=later)
    one = visit(host(MATCHING, ipv6=ipv6))
    mx = answer("example.org", MxRecord(10, HOST), signed_until=soon)
    found = told(one, route=mail(one, mx=mx))
    words = "a DNSSEC signature expires 2026-06-01 13:00 UTC; the zone is bogus from then on"
    assert found == [(Code.SIGNATURE_EXPIRES, f"example.org: {words}")]
    srv = answer("_imaps._tcp.example.org", SrvRecord(0, 0, 25, HOST), signed_until=soon)
    route = SrvRoute(DOMAIN, "imaps", Discovery.LISTED, srv, (one.route,))
    service = report(one, route=route, subject=SrvSubject(DOMAIN, "imaps"))
    assert service.signed_until == soon
    assert report(one).signed_until == later
    assert report(visit(host(MATCHING))).signed_until is None


# ---- routes --------------------------------------------------------------------------------------


def test_a_route_in_short() -> None:
    route = host(MATCHING, ipv6=answer("mx", "2001:db8::1", detail="six"))
    assert route.addresses == ("192.0.2.1", "2001:db8::1")
    assert (route.records, route.sni) == ((MATCHING,), HOST)
    base = Hostname("base.example.org")
    assert route._replace(references=References(base)).sni == base
    without = route._replace(dane=Dane.ABSENT, references=None)
    assert (without.records, without.sni) == ((), HOST)
    (tried,) = route.tried
    many = route._replace(
        alias=answer("a", DnsName("b"), detail="alias"),
        ipv4=route.ipv4._replace(detail="six"),
        tried=(tried, tried._replace(answer=tried.answer._replace(detail="tlsa"))),
    )
    assert many.detail == "six; alias; tlsa"
    assert host(MATCHING).detail == ""
    assert str(HostReport(route, Protocol.SMTP).endpoint) == HERE


def test_the_first_certificate_to_expire_is_told_with_names_that_can_be_printed() -> None:
    route = lasting(DAY)
    one, other = ending(DAY), ending(9 * DAY)
    result = served(route, leaf=other), served(route, leaf=one, address="192.0.2.2")
    silent = served(route, outcome=ProbeOutcome.TIMEOUT)
    assert report(visit(route, *result, silent)).expires == NOW + DAY
    assert report(visit(route, silent)).expires is None
    names = [f"n{number}.example.org" for number in range(9)]
    many = issue("mx.example.org", CA, names=names)
    found = report(visit(route, served(route, leaf=many))).addresses[0].leaf
    assert found is not None
    assert found.names == tuple(names[:8])
    common = issue("x" * 64, CA)
    named = report(visit(route, served(route, leaf=common))).addresses[0].leaf
    assert named is not None
    assert named.names == ("x" * 64,)
    assert str(named.record) == f"3 1 1 {spki(common).hex()}"
