"""Whose fault it is when a resolver has no answer: the domain's, or its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from adapters.nameserver import Nameserver, nameservers
from danebot.adapters.dns.exchange import resolve
from danebot.adapters.dns.rdata import MX
from danebot.adapters.dns.resolvconf import Nameserver as At
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.adapters.dns.resolver import Resolver
from danebot.domain.dns.answers import Answer, Cause
from danebot.domain.dns.records import MxRecord
from danebot.domain.names import DnsName

NAME = "d.example"
SOA = "example 60 SOA ns.example. h.example. 1 2 3 4 5"


@pytest.fixture
def server() -> Iterator[Nameserver]:
    with nameservers("127.0.0.1") as (only,):
        for unchecked in (True, False):
            only.say(NAME, "MX", rcode="SERVFAIL", unchecked=unchecked)
        yield only


def look(server: Nameserver, name: str = NAME) -> Answer[MxRecord]:
    config = ResolverConfig((At(server.address, server.port),), timeout=timedelta(seconds=5))
    return resolve(Resolver(config).lookup(MX, DnsName(name)))


def test_a_domain_whose_servers_fail(server: Nameserver) -> None:
    server.say("example", "SOA", SOA)
    assert look(server).cause is Cause.DOMAIN


@pytest.mark.parametrize("silent", [True, False])
def test_a_resolver_that_is_cut_off(*, server: Nameserver, silent: bool) -> None:
    """Its network is down: a plugin must not wake the people of every domain."""
    if silent:
        server.keep_silent("example", "SOA")
    else:
        server.say("example", "SOA", rcode="SERVFAIL")
    answer = look(server)
    assert answer.cause is Cause.RESOLVER
    assert "nor does it find the top-level domain" in answer.detail


def test_a_top_level_domain_is_not_held_against_itself(server: Nameserver) -> None:
    for unchecked in (True, False):
        server.say("example", "MX", rcode="SERVFAIL", unchecked=unchecked)
    assert look(server, "example").cause is Cause.DOMAIN
    assert server.count("example", "SOA") == 0
