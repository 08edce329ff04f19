"""A report says by which rules each service was judged, and judges by them."""

from __future__ import annotations

import pytest

from danebot.domain.dane.profiles import Profile
from danebot.domain.dane.verdicts import Outcome
from danebot.domain.delivery.judgements import Judgement, judge_address
from danebot.domain.delivery.report import Criteria, Report, ServiceSubject, SrvSubject
from danebot.domain.delivery.routes import Discovery, HostRoute, SrvRoute
from danebot.domain.dns.records import SrvRecord
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.finding import Severity
from danebot.domain.names import Endpoint, default_protocol
from danebot.render.report import report_document, tree
from domain.delivery_world import (
    CA,
    DOMAIN,
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
from domain.pki import DAY, NOW, Issued, issue

PKIX = TlsaRecord(1, 1, 1, spki(LEAF))
TRUSTED = Criteria(trust_anchors=(CA.der,))
OLD = issue("mx.example.org", CA, names=["mx.example.org"], valid=(NOW - 90 * DAY, NOW - DAY))
SERVICES = [
    (25, Profile.SMTP, "RFC 7672, SMTP between servers"),
    (587, Profile.SUBMISSION, "RFC 7671, submission"),
    (465, Profile.SUBMISSION, "RFC 7671, submission"),
    (143, Profile.GENERIC, "RFC 7671"),
    (443, Profile.GENERIC, "RFC 7671"),
    (389, Profile.GENERIC, "RFC 7671"),
]


def at(
    port: int,
    *records: TlsaRecord,
    criteria: Criteria = TRUSTED,
    leaf: Issued = LEAF,
    service: str = "",
) -> Report:
    route = host(*records)._replace(port=port)
    looked = visit(route, served(route, leaf=leaf))
    looked = looked._replace(protocol=default_protocol(port), service=service)
    if service:
        name = f"_{service}._tcp.{DOMAIN}"
        found = answer(name, SrvRecord(0, 0, port, HOST))
        way = SrvRoute(DOMAIN, service, Discovery.LISTED, found, (route,))
        return report(looked, route=way, criteria=criteria, subject=SrvSubject(DOMAIN, service))
    subject = ServiceSubject(Endpoint(HOST, port, default_protocol(port)))
    return report(looked, criteria=criteria, subject=subject)


@pytest.mark.parametrize(("port", "profile", "words"), SERVICES)
def test_each_service_is_judged_by_its_own_rules(port: int, profile: Profile, words: str) -> None:
    found = at(port, PKIX)
    (address,) = found.addresses
    assert address.verdict is not None
    unusable = profile is Profile.SMTP
    wanted = Outcome.UNAUTHENTICATED_TLS if unusable else Outcome.AUTHENTICATED
    assert address.verdict.outcome is wanted
    assert (Code.ALL_UNUSABLE in codes(found)) is unusable
    (line,) = [line for line in tree(found, NOW) if "secure TLSA records" in line]
    assert line.endswith(f", by {words}")
    assert report_document(found)["hosts"][0]["profile"] == profile.value


def test_what_srv_records_lead_to_is_judged_by_rfc_7673() -> None:
    found = at(587, PKIX, service="submission")
    assert found.addresses[0].authenticated
    assert "by RFC 7673, found by SRV" in "\n".join(tree(found, NOW))


def test_without_a_trust_store_it_is_said_that_nobody_can_tell() -> None:
    assert codes(at(587, PKIX, criteria=Criteria())) == {Code.NOT_JUDGED: Severity.UNJUDGED}


def test_who_passes_pkix_usages_over_at_submission_is_said() -> None:
    found = at(587, PKIX, STRANGER)
    assert found.addresses[0].authenticated
    (finding,) = [one for one in found.findings if one.code is Code.SOME_SENDERS_FAIL]
    assert finding.severity is Severity.WARNING
    assert "mail servers that relay through it" in finding.text
    assert Code.SOME_SENDERS_FAIL not in codes(at(143, PKIX, STRANGER))
    assert Code.SOME_SENDERS_FAIL not in codes(at(587, PKIX, MATCHING))


@pytest.mark.parametrize(
    ("port", "severity"),
    [(25, Severity.WARNING), (587, Severity.CRITICAL), (993, Severity.CRITICAL)],
)
def test_mail_programs_mind_an_expired_certificate(port: int, severity: Severity) -> None:
    found = at(port, TlsaRecord(3, 1, 1, spki(OLD)), leaf=OLD)
    assert codes(found)[Code.CERTIFICATE_EXPIRED] is severity


@pytest.mark.parametrize("port", [25, 587, 465, 993])
def test_a_watched_endpoint_is_judged_by_the_same_table(port: int) -> None:
    """No trust store there: what rests on one is not judged."""

    def judged(record: TlsaRecord) -> Judgement:
        route: HostRoute = host(record)._replace(port=port)
        endpoint = Endpoint(HOST, port, default_protocol(port))
        return judge_address(served(route)._replace(endpoint=endpoint), route, NOW).judgement

    unusable = port == 25
    assert judged(PKIX) is (Judgement.UNAUTHENTICATED if unusable else Judgement.NOT_JUDGED)
    other = STRANGER._replace(usage=1)
    assert judged(other) is (Judgement.UNAUTHENTICATED if unusable else Judgement.MISMATCH)
