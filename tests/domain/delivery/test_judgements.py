"""A word for each address, and what is wrong with a lineage's endpoint."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from danebot.domain.dane.verdicts import Outcome, Verdict
from danebot.domain.delivery.judgements import (
    Judgement,
    Served,
    authenticated,
    endpoint_findings,
    judge_address,
    judgement,
    unbound,
    unseen_addresses,
)
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.routes import Dane, HostRoute
from danebot.domain.dns.answers import Cause
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association
from danebot.domain.finding import Severity
from danebot.domain.names import Endpoint, Protocol
from danebot.domain.x509 import validity
from domain.delivery.test_address_findings import ODD
from domain.delivery_world import (
    BOGUS,
    CA,
    DOUBTED,
    HOST,
    LEAF,
    LOST,
    MATCHING,
    MUTE,
    STRANGER,
    Code,
    answer,
    host,
    served,
    spki,
)
from domain.pki import DAY, NOW, issue

ENDPOINT = Endpoint(HOST, 25, Protocol.SMTP)
GOOD = Judgement.AUTHENTICATED


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (ProbeOutcome.NO_ADDRESS, "unreachable"),
        (ProbeOutcome.UNREACHABLE, "unreachable"),
        (ProbeOutcome.TIMEOUT, "unreachable"),
        (ProbeOutcome.CUT_SHORT, "cut-short"),
        (ProbeOutcome.REFUSED, "unreachable"),
        (ProbeOutcome.SHORTAGE, "could-not-look"),
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
    assert told.not_after == validity(LEAF.certificate)[1]
    if route.references is None:
        assert told.detail == Dane.ABSENT.value


def test_senders_take_no_pkix_records_and_other_clients_do() -> None:
    """RFC 7672 section 3.1.3: for SMTP they are unusable."""
    route = host(TlsaRecord(1, 1, 1, spki(LEAF)))
    result = served(route)
    assert judge_address(result, route, NOW).judgement is Judgement.UNAUTHENTICATED
    other = result._replace(endpoint=ENDPOINT._replace(protocol=Protocol.IMAP))
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


def test_a_certificate_that_senders_need_not_read_has_no_end_that_is_known() -> None:
    """A record of the whole of it matches, whatever is in it."""
    route = host(TlsaRecord(3, 0, 1, association(ODD, MatchingType.SHA2_256)))
    told = judge_address(served(route)._replace(chain=(ODD,)), route, NOW)
    assert (told.judgement, told.not_after) == (GOOD, None)


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
        ((Judgement.NO_TLS, Judgement.DEFERRED), Code.LOOKUP_FAILED, Severity.CRITICAL),
        ((Judgement.UNREACHABLE, Judgement.NO_TLS), Code.TLS_FAILED, Severity.CRITICAL),
        ((GOOD, Judgement.UNAUTHENTICATED), Code.ALL_UNUSABLE, Severity.WARNING),
        ((Judgement.NO_DANE, Judgement.UNREACHABLE), Code.NO_DANE, Severity.WARNING),
        ((GOOD, Judgement.UNREACHABLE), Code.UNREACHABLE, Severity.WARNING),
        ((Judgement.UNREACHABLE, Judgement.NOT_JUDGED), Code.UNREACHABLE, Severity.WARNING),
        ((Judgement.UNREACHABLE, Judgement.NO_ROUTE), Code.UNREACHABLE, Severity.CRITICAL),
        ((Judgement.CUT_SHORT,), Code.UNREACHABLE, Severity.UNJUDGED),
        ((Judgement.CUT_SHORT, Judgement.UNREACHABLE), Code.UNREACHABLE, Severity.WARNING),
        ((Judgement.NOT_JUDGED, GOOD), Code.NOT_JUDGED, Severity.UNJUDGED),
        ((Judgement.COULD_NOT_LOOK, GOOD), Code.RESOLVER_FAILED, Severity.UNJUDGED),
        ((Judgement.NO_ROUTE,), Code.NOT_ASKED, Severity.UNJUDGED),
        ((), Code.RESOLVER_FAILED, Severity.UNJUDGED),
    ],
)
def test_the_most_serious_is_what_is_wrong_with_an_endpoint(
    words: tuple[Judgement, ...], code: Code, severity: Severity
) -> None:
    (finding,) = endpoint_findings("mx", ENDPOINT, every(*words))
    assert (finding.code, finding.severity, finding.where) == (code, severity, "mx")
    assert finding.text.startswith("mx.example.org:25 ")
    reload = "reload that service, or publish the record of what it serves"
    assert finding.remedy == (reload if code is Code.MISMATCH else code.remedy)


@pytest.mark.parametrize(
    ("keys", "remedy"),
    [
        ((b"live", b"live"), "add the live key's record, which this prints: danebot tlsa mx"),
        ((b"live", b"old"), "reload that service, or publish the record of what it serves"),
        ((None,), "reload that service, or publish the record of what it serves"),
    ],
)
def test_a_reload_is_advised_only_where_another_key_is_served(
    keys: tuple[bytes | None, ...], remedy: str
) -> None:
    """Where all serve the live key, it is the record that lacks, and a reload brings nothing."""
    served = [Served(f"192.0.2.{n}", Judgement.MISMATCH, "", key) for n, key in enumerate(keys, 1)]
    (finding,) = endpoint_findings("mx", ENDPOINT, served, b"live")
    assert finding.remedy == remedy
    silent = Served("192.0.2.9", Judgement.UNREACHABLE, "")
    assert endpoint_findings("mx", ENDPOINT, [*served, silent], b"live")[0].remedy == remedy


# ---- hosts that bind nobody --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "why"),
    [
        (host(MATCHING), None),
        (host(MATCHING, ipv6=answer("mx", **MUTE)), None),
        (host(dane=Dane.NO_ADDRESS, ipv4=answer("mx", **DOUBTED)), Judgement.UNREACHABLE),
        (host(dane=Dane.ABSENT), Judgement.NO_DANE),
        (host(dane=Dane.INSECURE_TLSA, ipv6=answer("mx", **BOGUS)), Judgement.NO_DANE),
        (host(dane=Dane.INSECURE_ADDRESS, ipv4=answer("mx", **DOUBTED)), Judgement.COULD_NOT_LOOK),
        (host(dane=Dane.DEFERRED, tlsa=answer("tlsa", **LOST)), Judgement.DEFERRED),
        (host(dane=Dane.DEFERRED, tlsa=answer("tlsa", **BOGUS)), Judgement.DEFERRED),
        (host(dane=Dane.DEFERRED, tlsa=answer("tlsa", **MUTE)), Judgement.COULD_NOT_LOOK),
        (host(dane=Dane.ADDRESS_FAILED, ipv4=answer("mx", **MUTE)), Judgement.COULD_NOT_LOOK),
        (
            host(dane=Dane.ADDRESS_FAILED, ipv4=answer("mx", **MUTE), ipv6=answer("mx", **LOST)),
            Judgement.DEFERRED,
        ),
        (
            host(dane=Dane.DEFERRED, tlsa=answer("tlsa", **MUTE), ipv6=answer("mx", **LOST)),
            Judgement.COULD_NOT_LOOK,
        ),
        (
            host(dane=Dane.DEFERRED, tlsa=answer("tlsa", **(BOGUS | {"cause": Cause.RESOLVER}))),
            Judgement.DEFERRED,
        ),
    ],
)
def test_why_dane_binds_nobody(route: HostRoute, why: Judgement | None) -> None:
    assert unbound(route) is why
    if why is None:
        return
    for outcome in (ProbeOutcome.SERVED, ProbeOutcome.NO_STARTTLS):
        assert judge_address(served(route, outcome=outcome), route, NOW).judgement is why
    for outcome, found in (
        (ProbeOutcome.NO_ROUTE, Judgement.NO_ROUTE),
        (ProbeOutcome.SHORTAGE, Judgement.COULD_NOT_LOOK),
    ):  # senders look up before they connect
        wanted = why if why is Judgement.DEFERRED else found
        assert judge_address(served(route, outcome=outcome), route, NOW).judgement is wanted


@pytest.mark.parametrize(
    ("lost", "word"),
    [
        (LOST, Judgement.UNREACHABLE),
        (MUTE, Judgement.COULD_NOT_LOOK),
        (BOGUS, Judgement.UNREACHABLE),
    ],
)
def test_addresses_of_one_family_alone_are_unseen(lost: dict[str, Any], word: Judgement) -> None:
    """Where both are, that is told of the host: it has no address to be told of."""
    unknown = answer("mx.example.org", **lost)
    (one,) = unseen_addresses(host(MATCHING, ipv6=unknown))
    words = f"AAAA records can't be looked up: {lost['detail']}"
    assert one == Served("", word, words)
    assert unseen_addresses(host(MATCHING, ipv4=unknown, ipv6=unknown)) == ()
    assert unseen_addresses(host(MATCHING)) == ()
