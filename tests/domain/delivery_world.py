"""Hosts, answers and probes for tests of the outside view; what lookups said is made up."""

from __future__ import annotations

from typing import Any

from danebot.domain.dane.references import References
from danebot.domain.delivery.assess import assess_delivery
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.delivery.report import (
    Criteria,
    Expectation,
    HostObservation,
    MailSubject,
    Report,
    Subject,
)
from danebot.domain.delivery.routes import (
    BaseAnswer,
    Dane,
    Discovery,
    HostRoute,
    MailRoute,
    SrvRoute,
)
from danebot.domain.dns.answers import Answer, Cause, Presence, Security
from danebot.domain.dns.records import MxRecord
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association
from danebot.domain.finding import Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.names import DnsName, Endpoint, Hostname, Protocol
from domain.pki import DAY, NOW, Issued, issue

DOMAIN, HOST, OTHER = (
    Hostname("example.org"),
    Hostname("mx.example.org"),
    Hostname("mx2.example.org"),
)
MAIL = MailSubject(DOMAIN)
CA = issue("Delivery CA", ca=True, valid=(NOW - 400 * DAY, NOW + 4000 * DAY))
LEAF = issue("mx.example.org", CA, names=["mx.example.org", "mx2.example.org"])
STRANGER = TlsaRecord(3, 1, 1, b"\x5a" * 32)
Code = DeliveryCode


def spki(issued: Issued) -> bytes:
    return association(issued.spki, MatchingType.SHA2_256)


MATCHING = TlsaRecord(3, 1, 1, spki(LEAF))


def answer(
    owner: str,
    *records: Any,  # noqa: ANN401 - of any type
    security: Security = Security.SECURE,
    **rest: Any,  # noqa: ANN401 - passed on
) -> Answer[Any]:
    known = security in (Security.SECURE, Security.INSECURE)
    absent = Presence.NODATA if known else Presence.UNKNOWN
    presence = rest.pop("presence", Presence.PRESENT if records else absent)
    return Answer(DnsName(owner), security, presence, DnsName(owner), records=records, **rest)


BOGUS: dict[str, Any] = {"security": Security.BOGUS, "detail": "signature expired"}
LOST: dict[str, Any] = {
    "security": Security.INDETERMINATE,
    "cause": Cause.DOMAIN,
    "detail": "SERVFAIL",
}
MUTE: dict[str, Any] = {
    "security": Security.INDETERMINATE,
    "cause": Cause.RESOLVER,
    "detail": "timed out",
}
DOUBTED: dict[str, Any] = {
    "security": Security.INSECURE,
    "cause": Cause.UNTRUSTED,
    "detail": "AD isn't believed",
}


def host(
    *records: TlsaRecord,
    of: Hostname = HOST,
    dane: Dane = Dane.APPLIES,
    tlsa: Answer[TlsaRecord] | None = None,
    ipv4: Answer[str] | None = None,
    ipv6: Answer[str] | None = None,
    addresses: tuple[str, ...] = ("192.0.2.1",),
) -> HostRoute:
    owner = f"_25._tcp.{of}"
    applies = dane is Dane.APPLIES
    tried = (BaseAnswer(of, answer(owner, *records) if tlsa is None else tlsa),)
    return HostRoute(
        of,
        25,
        dane,
        answer(of.text, *addresses) if ipv4 is None else ipv4,
        answer(of.text) if ipv6 is None else ipv6,
        10,
        tried if applies or tlsa is not None else (),
        references=References(of, (DOMAIN,)) if applies else None,
    )


def served(
    route: HostRoute,
    *,
    leaf: Issued = LEAF,
    outcome: ProbeOutcome = ProbeOutcome.SERVED,
    address: str = "192.0.2.1",
    rest: tuple[Issued, ...] = (CA,),
    **more: Any,  # noqa: ANN401 - passed on
) -> ProbeResult:
    chain = (leaf.der, *(one.der for one in rest)) if outcome is ProbeOutcome.SERVED else ()
    endpoint = Endpoint(route.host, 25, Protocol.SMTP)
    return ProbeResult(endpoint, address, outcome, chain=chain, tls_version="TLSv1.3", **more)


def visit(route: HostRoute, *results: ProbeResult, left_out: int = 0) -> HostObservation:
    if not results and route.dane is Dane.APPLIES:
        results = (served(route),)
    return HostObservation(route, Protocol.SMTP, results, left_out)


def mail(
    *visits: HostObservation, discovery: Discovery = Discovery.LISTED, mx: Answer[Any] | None = None
) -> MailRoute:
    if mx is None:
        mx = answer("example.org", *(MxRecord(10, one.route.host) for one in visits))
    return MailRoute(DOMAIN, discovery, mx, tuple(one.route for one in visits))


OPTIONAL = Criteria(expectation=Expectation.OPTIONAL)


def report(
    *visits: HostObservation,
    route: MailRoute | SrvRoute | None = None,
    criteria: Criteria | None = None,
    subject: Subject = MAIL,
) -> Report:
    found = assess_delivery(subject, route or mail(*visits), visits, criteria or Criteria(), NOW)
    assert found.severity == max((one.severity for one in found.findings), default=Severity.NOTICE)
    assert sorted(found.findings, key=lambda one: -one.severity) == list(found.findings)
    assert all(f"{one}".isprintable() for one in found.findings)
    return found


def codes(found: Report) -> dict[FindingKind, Severity]:
    return {one.code: one.severity for one in reversed(found.findings)}
