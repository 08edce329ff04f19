"""Witnesses: resolvers and servers that see what the world sees, where servers have views."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from adapters.asking import DnsClient
from adapters.dns.test_observer import (
    ALIAS,
    LEADS,
    NAME,
    NEW,
    OLD,
    OWNER,
    SOA,
    ZONE,
    World,
    record,
    signature,
    tlsa,
)
from adapters.nameserver import AUTHORITATIVE, RECURSIVE, SECURE, Nameserver, nameservers
from danebot.domain.addresses import SocketAddress
from danebot.domain.dns.answers import (
    WITNESS,
    OwnerObservation,
    Server,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.names import DnsName


@pytest.fixture
def everybody() -> Iterator[tuple[World, Nameserver]]:
    addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
    with nameservers(*addresses) as servers:
        yield World(*servers[:4]), servers[4]


@pytest.fixture
def world(everybody: tuple[World, Nameserver]) -> World:
    return everybody[0]


@pytest.fixture
def outside(everybody: tuple[World, Nameserver]) -> Nameserver:
    return everybody[1]


def observe(world: World, outside: Nameserver, name: DnsName = NAME) -> OwnerObservation:
    client = world.client
    at = SocketAddress(outside.address, outside.port)
    client = DnsClient(client.config, client.direct, (at,))
    return client.observe_owners([name])[name]


def said(world: World, outside: Nameserver, name: DnsName = NAME) -> ServerAnswer:
    (answer,) = observe(world, outside, name).witnesses
    return answer


@pytest.mark.parametrize("flags", [RECURSIVE, SECURE, AUTHORITATIVE])
def test_a_witness_is_a_resolver_or_a_server(world: World, outside: Nameserver, flags: str) -> None:
    outside.say(OWNER, "TLSA", tlsa(NEW, ttl=20), signature(OWNER, "TLSA", 900), flags=flags)
    assert said(world, outside) == ServerAnswer(
        Server(WITNESS, f"127.0.0.5:{outside.port}"),
        ServerOutcome.ANSWERED,
        (record(NEW),),
        ttl=timedelta(seconds=900),
    )
    assert {asked.flags for asked in outside.asked} == {"RD AD"}


def test_a_witness_is_none_of_the_zones_servers(world: World, outside: Nameserver) -> None:
    outside.say(OWNER, "TLSA", tlsa(NEW), flags=RECURSIVE)
    seen = observe(world, outside)
    assert {answer.server.address for answer in seen.authoritative} == {"127.0.0.2", "127.0.0.3"}
    assert WITNESS not in seen.name_servers
    assert [s.server.name for s in seen.all_servers if s.records == (record(NEW),)] == [WITNESS]


@pytest.mark.parametrize("flags", [RECURSIVE, AUTHORITATIVE])
def test_absence_has_its_ttl(world: World, outside: Nameserver, flags: str) -> None:
    outside.say(OWNER, "TLSA", authority=(SOA,), rcode="NXDOMAIN", flags=flags)
    answer = said(world, outside)
    assert answer.outcome is ServerOutcome.ANSWERED
    assert (answer.records, answer.negative_ttl) == ((), timedelta(seconds=300))


@pytest.mark.parametrize(
    ("flags", "rcode", "words"),
    [
        (RECURSIVE, "SERVFAIL", "SERVFAIL"),
        ("QR", "REFUSED", "REFUSED"),
        ("QR", "NOERROR", "does not recurse"),
    ],
)
def test_a_witness_without_a_usable_answer_is_unheard(
    world: World, outside: Nameserver, flags: str, rcode: str, words: str
) -> None:
    outside.say(OWNER, "TLSA", flags=flags, rcode=rcode)
    seen = observe(world, outside)
    (answer,) = seen.witnesses
    assert (answer.outcome, answer.detail) == (ServerOutcome.LAME, words)
    assert seen.unheard == {WITNESS}
    assert not seen.heard_all


def test_a_silent_witness_is_unheard(world: World, outside: Nameserver) -> None:
    world.silence(outside, OWNER, "TLSA")
    answer = said(world, outside)
    assert (answer.outcome, answer.detail) == (ServerOutcome.UNREACHABLE, "timed out")


def aliased(world: World) -> None:
    world.resolver.say(
        ALIAS,
        "TLSA",
        LEADS,
        signature(ALIAS, "CNAME", 60, "customer.test"),
        tlsa(OLD),
        signature(OWNER, "TLSA", 300),
    )


def test_an_alias_is_followed_by_a_resolver(world: World, outside: Nameserver) -> None:
    """Where it leads as the resolver's does, its TTL isn't the RRset's."""
    aliased(world)
    outside.say(ALIAS, "TLSA", LEADS.replace(" 60 ", " 4000 "), tlsa(NEW), flags=RECURSIVE)
    answer = said(world, outside, DnsName(ALIAS))
    assert (answer.records, answer.ttl) == ((record(NEW),), timedelta(seconds=300))
    assert (answer.detail, answer.elsewhere, answer.end) == ("", None, None)


FAR = "far.elsewhere.test"
ASTRAY = f"{ALIAS} 4000 CNAME {FAR}."


def test_of_an_alias_that_leads_elsewhere_all_ttls_add_up(
    world: World, outside: Nameserver
) -> None:
    """At the alias's end, what it leads to may just have been asked for."""
    aliased(world)
    outside.say(ALIAS, "TLSA", ASTRAY, tlsa(NEW, owner=FAR), flags=RECURSIVE)
    answer = said(world, outside, DnsName(ALIAS))
    assert (answer.records, answer.ttl) == ((record(NEW),), timedelta(seconds=4300))
    assert (answer.detail, answer.elsewhere) == (f"alias of {FAR}", None)
    assert answer.end == DnsName(FAR)


@pytest.mark.parametrize(("leads", "ttl"), [(ASTRAY, 4300), (LEADS, 300)])
def test_so_they_do_where_there_is_nothing(
    world: World, outside: Nameserver, leads: str, ttl: int
) -> None:
    aliased(world)
    outside.say(ALIAS, "TLSA", leads, authority=(SOA,), flags=RECURSIVE)
    answer = said(world, outside, DnsName(ALIAS))
    assert (answer.records, answer.negative_ttl) == ((), timedelta(seconds=ttl))


def test_a_denial_beside_a_witness_s_records_has_its_ttl(world: World, outside: Nameserver) -> None:
    """A wildcard made them (RFC 8198 section 5.3)."""
    denial = (f"a.{ZONE} 7200 NSEC b.{ZONE}. A",)
    outside.say(OWNER, "TLSA", tlsa(NEW), authority=denial, flags=RECURSIVE)
    answer = said(world, outside)
    assert (answer.ttl, answer.negative_ttl) == (timedelta(seconds=300), timedelta(hours=2))


def test_a_server_that_leads_elsewhere_doesn_t_have_the_records(
    world: World, outside: Nameserver
) -> None:
    """Though it has them at the name to which it leads this host, it sends the world elsewhere."""
    aliased(world)
    outside.say(ALIAS, "TLSA", ASTRAY, flags=AUTHORITATIVE)
    outside.say(OWNER, "TLSA", tlsa(NEW), flags=AUTHORITATIVE)
    answer = said(world, outside, DnsName(ALIAS))
    assert (answer.outcome, answer.records) == (ServerOutcome.ANSWERED, ())
    assert answer.negative_ttl == timedelta(seconds=4000)
    assert answer.elsewhere == DnsName(FAR)


@pytest.mark.parametrize("has_alias", [False, True])
def test_a_server_is_asked_for_the_name_at_the_end(
    world: World, outside: Nameserver, *, has_alias: bool
) -> None:
    aliased(world)
    if has_alias:
        outside.say(ALIAS, "TLSA", LEADS, flags=AUTHORITATIVE)
    outside.say(OWNER, "TLSA", tlsa(NEW), flags=AUTHORITATIVE)
    assert said(world, outside, DnsName(ALIAS)).records == (record(NEW),)


def test_a_server_that_only_has_the_alias_tells_nothing(world: World, outside: Nameserver) -> None:
    aliased(world)
    outside.say(ALIAS, "TLSA", LEADS, flags=AUTHORITATIVE)
    assert said(world, outside, DnsName(ALIAS)).outcome is ServerOutcome.LAME
