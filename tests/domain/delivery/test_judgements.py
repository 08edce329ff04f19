"""A word for each address, and what is wrong with a lineage's endpoint."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from danebot.domain.dane.verify import Outcome, Verdict
from danebot.domain.delivery.judgements import (
    Judgement,
    Served,
    authenticated,
    endpoint_findings,
    judge_address,
    judgement,
)
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.routes import Dane, HostRoute
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.finding import Severity
from danebot.domain.names import Endpoint, Protocol
from domain.delivery_world import CA, HOST, LEAF, MATCHING, STRANGER, Code, host, served, spki
from domain.pki import DAY, NOW, issue

ENDPOINT = Endpoint(HOST, 25, Protocol.SMTP)
GOOD = Judgement.AUTHENTICATED


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (ProbeOutcome.NO_ADDRESS, "unreachable"),
        (ProbeOutcome.UNREACHABLE, "unreachable"),
        (ProbeOutcome.TIMEOUT, "unreachable"),
        (ProbeOutcome.REFUSED, "unreachable"),
        (ProbeOutcome.NO_ROUTE, "no-route"),
        (ProbeOutcome.NO_STARTTLS, "no-tls"),
        (ProbeOutcome.PROTOCOL_ERROR, "no-tls"),
        (ProbeOutcome.INJECTED, "no-tls"),
        (ProbeOutcome.TLS_FAILED, "no-tls"),
    ],
)
def test_an_address_without_a_chain(outcome: ProbeOutcome, word: str) -> None:
    result = served(host(MATCHING), outcome=outcome)
    assert judgement(result, None).value == word
    assert judge_address(result, host(MATCHING), NOW).detail == outcome.value
    told = judge_address(result._replace(detail="its words"), host(MATCHING), NOW)
    assert told == Served("192.0.2.1", Judgement(word), f"{outcome.value}: its words")


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome.AUTHENTICATED, "authenticated"),
        (Outcome.FAILED, "mismatch"),
        (Outcome.UNAUTHENTICATED_TLS, "unauthenticated"),
        (Outcome.NOT_JUDGED, "not-judged"),
        (Outcome.NOT_APPLICABLE, "no-dane"),
    ],
)
def test_a_verdict_is_said_in_one_word(outcome: Outcome, word: str) -> None:
    result = served(host(MATCHING))
    assert judgement(result, Verdict(outcome, ())).value == word
    assert judgement(result, None).value == "no-dane"


@pytest.mark.parametrize(
    ("route", "word"),
    [
        (host(MATCHING), "authenticated"),
        (host(STRANGER), "mismatch"),
        (host(TlsaRecord(3, 1, 9, b"x")), "unauthenticated"),
        (host(dane=Dane.ABSENT), "no-dane"),
    ],
)
def test_the_key_that_is_served_is_told_whatever_is_made_of_it(route: HostRoute, word: str) -> None:
    told = judge_address(served(route), route, NOW)
    assert (told.address, told.judgement.value) == ("192.0.2.1", word)
    assert told.key == hashlib.sha256(LEAF.spki).digest()
    assert told.not_after == LEAF.certificate.not_valid_after_utc
    if route.references is None:
        assert told.detail == Dane.ABSENT.value


def test_senders_take_no_pkix_records_and_other_clients_do() -> None:
    """RFC 7672 section 3.1.3: for SMTP they are unusable."""
    route = host(TlsaRecord(1, 1, 1, spki(LEAF)))
    result = served(route)
    assert judge_address(result, route, NOW).judgement is Judgement.UNAUTHENTICATED
    other = result._replace(endpoint=replace(ENDPOINT, protocol=Protocol.IMAP))
    assert judge_address(other, route, NOW).judgement is Judgement.NOT_JUDGED


def test_the_time_of_the_look_counts() -> None:
    leaf = issue("mx.example.org", CA, names=["mx.example.org"])
    route = host(TlsaRecord(2, 1, 1, spki(CA)))
    result = served(route, leaf=leaf)
    assert judge_address(result, route, NOW).judgement is GOOD
    assert judge_address(result, route, NOW + 61 * DAY).judgement is Judgement.MISMATCH


@pytest.mark.parametrize("chain", [(), (b"junk",)])
def test_what_nobody_can_read_has_no_key(chain: tuple[bytes, ...]) -> None:
    route = host(MATCHING)
    told = judge_address(served(route)._replace(chain=chain), route, NOW)
    assert (told.judgement, told.key, told.not_after) == (Judgement.MISMATCH, None, None)


def every(*words: Judgement) -> list[Served]:
    return [Served("192.0.2.1", word, "") for word in words]


@pytest.mark.parametrize(
    ("words", "good"),
    [
        ((GOOD,), True),
        ((GOOD, Judgement.NO_ROUTE), True),
        ((GOOD, Judgement.UNREACHABLE), False),
        ((Judgement.NO_ROUTE,), False),
        ((), False),
    ],
)
def test_every_address_that_can_be_asked_must_be_authenticated(
    words: tuple[Judgement, ...], *, good: bool
) -> None:
    assert authenticated(every(*words)) is good
    assert (endpoint_findings("mx", ENDPOINT, every(*words)) == ()) is good


@pytest.mark.parametrize(
    ("words", "code", "severity"),
    [
        ((GOOD, Judgement.NO_TLS, Judgement.MISMATCH), Code.MISMATCH, Severity.CRITICAL),
        ((GOOD, Judgement.UNAUTHENTICATED), Code.ALL_UNUSABLE, Severity.WARNING),
        ((Judgement.NOT_JUDGED,), Code.NOT_JUDGED, Severity.WARNING),
        ((Judgement.NO_DANE,), Code.NO_DANE, Severity.WARNING),
        ((Judgement.UNREACHABLE, Judgement.NO_TLS), Code.TLS_FAILED, Severity.WARNING),
        ((GOOD, Judgement.UNREACHABLE), Code.UNREACHABLE, Severity.WARNING),
        ((Judgement.NO_ROUTE,), Code.UNREACHABLE, Severity.WARNING),
    ],
)
def test_what_is_wrong_with_an_endpoint(
    words: tuple[Judgement, ...], code: Code, severity: Severity
) -> None:
    (finding,) = endpoint_findings("mx", ENDPOINT, every(*words))
    assert (finding.code, finding.severity, finding.where) == (code, severity, "mx")
    assert finding.text.startswith("mx.example.org:25 ")
    assert bool(finding.remedy) is (severity is Severity.CRITICAL)
