"""Which certificate of a server with two is a lineage's own, and when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.lineage.pem import read_chain
from danebot.domain.lineage.state import Held
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.jobs.context import Context
from danebot.jobs.probe_lineage import ask, serves
from domain.pki import Issued, issue

MX = Endpoint(Hostname("mail.example"), 25, Protocol.SMTP)
WEB = Endpoint(Hostname("mail.example"), 443, Protocol.TLS)
ONE, TWO = "192.0.2.1", "192.0.2.2"
CA = issue("CA", ca=True)


def leaf(key: str) -> Issued:
    return issue("mail.example", CA, names=["mail.example"], of_key=key)


NEW_RSA, OLD_RSA = leaf("rsa2048 new"), leaf("rsa2048 old")
NEW_EC, OLD_EC = leaf("new"), leaf("old")


def held(issued: Issued) -> Held:
    chain = read_chain(issued.pem + CA.pem)
    return Held(1, chain.key, chain)


def spki(issued: Issued) -> bytes:
    return held(issued).key.spki


@dataclass
class Servers:
    """What each address shows to whoever asks for a kind; what lacks fails the handshake."""

    shown: dict[tuple[str, Algorithm], Issued]
    places: tuple[tuple[Endpoint, str], ...] = ((MX, ONE),)
    asked: list[Algorithm] = field(default_factory=list)

    def probe(
        self, lineage: str, endpoints: Sequence[Endpoint], algorithm: Algorithm = Algorithm.ANY
    ) -> Sequence[ProbeResult]:
        assert lineage == "l"
        self.asked.append(algorithm)
        places = [place for place in self.places if place[0] in endpoints]
        if algorithm is not Algorithm.ANY:
            places.reverse()  # a resolver turns the addresses round
        return [self._answer(endpoint, address, algorithm) for endpoint, address in places]

    def _answer(self, endpoint: Endpoint, address: str, algorithm: Algorithm) -> ProbeResult:
        issued = self.shown.get((address, algorithm))
        if issued is None:
            return ProbeResult(endpoint, address, ProbeOutcome.TLS_FAILED, algorithm)
        chain = (issued.der, CA.der)
        return ProbeResult(endpoint, address, ProbeOutcome.SERVED, algorithm, chain)


def results(servers: Servers, own: Issued, *past: Issued) -> list[tuple[str, bool, ProbeOutcome]]:
    unused = cast("Any", None)
    context = Context(unused, unused, unused, servers)
    endpoints = tuple(dict.fromkeys(endpoint for endpoint, _ in servers.places))
    found = ask(context, "l", endpoints, held(own), frozenset(map(spki, past)))
    return [(r.address, serves(r, held(own)), r.outcome) for r in found]


def dual(rsa: Issued, ecdsa: Issued, address: str = ONE) -> dict[tuple[str, Algorithm], Issued]:
    """A server that shows ECDSA to whoever takes both."""
    return {
        (address, Algorithm.ANY): ecdsa,
        (address, Algorithm.ECDSA): ecdsa,
        (address, Algorithm.RSA): rsa,
    }


def test_a_certificate_that_is_shown_at_once_is_not_asked_for_again() -> None:
    servers = Servers(dual(NEW_RSA, NEW_EC))
    assert results(servers, NEW_EC) == [(ONE, True, ProbeOutcome.SERVED)]
    assert servers.asked == [Algorithm.ANY]


def test_each_lineage_finds_its_own_behind_one_name() -> None:
    servers = Servers(dual(NEW_RSA, OLD_EC))
    assert results(servers, NEW_RSA) == [(ONE, True, ProbeOutcome.SERVED)]
    assert servers.asked == [Algorithm.ANY, Algorithm.RSA]
    assert results(servers, NEW_EC, OLD_EC) == [(ONE, False, ProbeOutcome.SERVED)]


def test_its_own_old_certificate_is_found_behind_the_other_lineages() -> None:
    servers = Servers(dual(OLD_RSA, NEW_EC))
    assert results(servers, NEW_RSA, OLD_RSA) == [(ONE, False, ProbeOutcome.SERVED)]


def test_a_former_key_that_is_shown_to_anybody_is_behind_whatever_else_is_served() -> None:
    """A lineage that changed from ECDSA to RSA, at a server that has both files still."""
    servers = Servers(dual(NEW_RSA, OLD_EC))
    assert results(servers, NEW_RSA, OLD_EC) == [(ONE, False, ProbeOutcome.SERVED)]
    assert servers.asked == [Algorithm.ANY]


def test_a_server_without_the_algorithm_serves_another_certificate() -> None:
    servers = Servers({(ONE, Algorithm.ANY): OLD_RSA, (ONE, Algorithm.RSA): OLD_RSA})
    assert results(servers, NEW_EC) == [(ONE, False, ProbeOutcome.SERVED)]


def test_addresses_and_endpoints_are_not_mixed_up() -> None:
    """One address serves both, one only the other's; they come in another order when asked."""
    servers = Servers(
        {**dual(NEW_RSA, NEW_EC, ONE), (TWO, Algorithm.ANY): NEW_EC},
        places=((MX, ONE), (MX, TWO), (WEB, ONE), (WEB, TWO)),
    )
    assert results(servers, NEW_RSA) == [
        (ONE, True, ProbeOutcome.SERVED),
        (TWO, False, ProbeOutcome.SERVED),
        (ONE, True, ProbeOutcome.SERVED),
        (TWO, False, ProbeOutcome.SERVED),
    ]


def test_nobody_to_ask_and_nobody_who_answers() -> None:
    servers = Servers({}, places=())
    assert results(servers, NEW_RSA) == []
    assert servers.asked == []
    silent = Servers({})
    assert results(silent, NEW_RSA) == [(ONE, False, ProbeOutcome.TLS_FAILED)]
    assert silent.asked == [Algorithm.ANY]


@pytest.mark.parametrize("junk", [b"", b"\x30\x00", b"no certificate"])
def test_what_is_no_certificate_is_nobodys_key(junk: bytes) -> None:
    from danebot.domain.lineage.pem import leaf_spki

    assert leaf_spki(junk) == b""
