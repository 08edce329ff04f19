"""Lookups, authoritative servers and routes against real servers: knot and unbound."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.asking import DnsClient
from danebot.adapters.dns.rdata import MX, SOA, TLSA
from danebot.adapters.dns.resolvconf import Nameserver, ResolverConfig, load_resolv_conf
from danebot.adapters.dns.zones import Direct
from danebot.domain.addresses import SocketAddress
from danebot.domain.dane.references import References
from danebot.domain.delivery.routes import Dane, Discovery
from danebot.domain.dns.answers import (
    Cause,
    OwnerObservation,
    Presence,
    Security,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.dns.tlsa import MatchingType, Required, TlsaRecord
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.propagation import Seen, propagation_of
from lab.lab import Lab

pytestmark = pytest.mark.lab

OWNER = "_25._tcp.mail.example.test"
NAME = DnsName(OWNER)
OLD, NEW = (TlsaRecord(3, 1, 1, bytes((n,)) * 32) for n in (1, 2))


@pytest.fixture
def client(lab: Lab) -> DnsClient:
    lab.reset()
    return DnsClient(load_resolv_conf(lab.resolv_conf), Direct(timeout=3.0, attempts=2))


def observe(client: DnsClient, owner: DnsName = NAME) -> OwnerObservation:
    return client.observe_owners([owner])[owner]


def at(seen: OwnerObservation, address: str) -> ServerAnswer:
    (answer,) = (s for s in seen.servers if s.server.address == address)
    return answer


def test_secure(lab: Lab, client: DnsClient) -> None:
    lab.tlsa_set(OWNER, str(OLD), str(NEW), ttl=1234)
    seen = observe(client)
    assert seen.answer.secure
    assert set(seen.answer.records) == {OLD, NEW}
    assert seen.answer.ttl == timedelta(seconds=1234)
    assert seen.answer.signed_until is not None
    assert seen.answer.signed_until > datetime.now(UTC)
    assert seen.zone == DnsName("example.test")
    assert [s.server.address for s in seen.servers] == [lab.ns1, lab.ns2]
    for server in seen.servers:
        assert server.outcome is ServerOutcome.ANSWERED
        assert set(server.records) == {OLD, NEW}
        assert server.ttl == timedelta(seconds=1234)


def test_the_ttl_is_not_what_is_left_in_the_cache(lab: Lab, client: DnsClient) -> None:
    lab.tlsa_set(OWNER, str(OLD), ttl=1234)
    first = client.lookup(TLSA, NAME)
    deadline = datetime.now(UTC) + timedelta(seconds=1.2)
    while datetime.now(UTC) < deadline:
        again = client.lookup(TLSA, NAME)
    assert first.ttl == again.ttl == timedelta(seconds=1234)


def test_absent(lab: Lab, client: DnsClient) -> None:
    seen = observe(client)
    assert (seen.answer.security, seen.answer.presence) == (Security.SECURE, Presence.NXDOMAIN)
    (soa,) = client.lookup(SOA, DnsName("example.test")).records
    for address in (lab.ns1, lab.ns2):
        assert at(seen, address).outcome is ServerOutcome.ANSWERED
        assert at(seen, address).records == ()
        assert at(seen, address).negative_ttl == soa.minimum
    nodata = client.lookup(TLSA, DnsName("mail.example.test"))
    assert (nodata.security, nodata.presence) == (Security.SECURE, Presence.NODATA)


def test_insecure(lab: Lab, client: DnsClient) -> None:
    owner = "_25._tcp.mail.insecure.test"
    lab.tlsa_set(owner, str(OLD), zone="insecure.test.")
    seen = observe(client, DnsName(owner))
    assert (seen.answer.security, seen.answer.presence) == (Security.INSECURE, Presence.PRESENT)
    assert seen.zone == DnsName("insecure.test")
    assert at(seen, lab.ns2).records == (OLD,)


def test_insecure_means_unsigned_though_a_server_is_down(lab: Lab, client: DnsClient) -> None:
    """The resolver validates the zone above, and knows of no DS record."""
    owner = "_25._tcp.mail.insecure.test"
    lab.tlsa_set(owner, str(OLD), zone="insecure.test.")
    lab.stop("secondary")
    try:
        seen = observe(client, DnsName(owner))
    finally:
        lab.start("secondary")
    assert (seen.answer.security, seen.answer.cause) == (Security.INSECURE, Cause.UNSIGNED)


def test_bogus(lab: Lab, client: DnsClient) -> None:
    owner = "_25._tcp.mail.bogus.test"
    lab.tlsa_set(owner, str(OLD), zone="bogus.test.")
    seen = observe(client, DnsName(owner))
    assert (seen.answer.security, seen.answer.presence) == (Security.BOGUS, Presence.UNKNOWN)
    assert seen.zone == DnsName("bogus.test")
    assert at(seen, lab.ns1).records == (OLD,)


def test_an_authoritative_server_on_loopback_is_believed_for_its_own(
    lab: Lab, client: DnsClient
) -> None:
    lab.tlsa_set(OWNER, str(OLD))
    own = DnsClient(ResolverConfig((Nameserver(lab.ns1),)))
    assert own.lookup(TLSA, NAME).secure
    foreign = own.lookup(TLSA, DnsName("_25._tcp.mail.elsewhere.test"))
    assert foreign.security is Security.INDETERMINATE
    assert client.lookup(TLSA, NAME).records == own.lookup(TLSA, NAME).records


def test_a_parent_server_refers_and_proves_nothing(lab: Lab, client: DnsClient) -> None:
    parent = DnsClient(ResolverConfig((Nameserver(lab.parent),)))
    answer = parent.lookup(TLSA, NAME)
    assert answer.security is Security.INDETERMINATE
    assert "does not recurse" in answer.detail
    assert client.lookup(TLSA, NAME).secure


@pytest.mark.parametrize("how", [Lab.stop, Lab.pause])
def test_without_the_resolver(lab: Lab, how: Callable[[Lab, str], None]) -> None:
    config = ResolverConfig(
        (Nameserver(lab.resolver),), timeout=timedelta(milliseconds=200), attempts=1
    )
    how(lab, "resolver")
    try:
        seen = observe(DnsClient(config))
    finally:
        if how is Lab.pause:
            lab.resume("resolver")
        lab.start("resolver")
    assert (seen.answer.security, seen.answer.presence) == (
        Security.INDETERMINATE,
        Presence.UNKNOWN,
    )
    assert seen.servers == ()


def test_a_secondary_that_lags(lab: Lab, client: DnsClient) -> None:
    lab.tlsa_set(OWNER, str(OLD))
    with lab.lag_secondary():
        lab.tlsa_set(OWNER, str(OLD), str(NEW))
        seen = observe(client)
    assert set(at(seen, lab.ns1).records) == {OLD, NEW}
    assert at(seen, lab.ns2).records == (OLD,)
    assert NEW in at(observe(client), lab.ns2).records


def test_a_secondary_that_is_down(lab: Lab, client: DnsClient) -> None:
    lab.tlsa_set(OWNER, str(OLD))
    lab.stop("secondary")
    try:
        seen = observe(client)
    finally:
        lab.start("secondary")
    assert at(seen, lab.ns1).records == (OLD,)
    assert at(seen, lab.ns2).outcome is ServerOutcome.UNREACHABLE
    assert at(seen, lab.ns2).detail == "connection refused"


def test_the_apex_may_name_more_than_the_delegation(lab: Lab, client: DnsClient) -> None:
    lab.tlsa_set(OWNER, str(OLD))
    lab.update(
        "update delete example.test. NS ns2.example.test.",
        "update add example.test. 5000 NS ns3.example.test.",
        f"update add ns3.example.test. 5 A {lab.parent}",
    )
    try:
        seen = observe(client)
    finally:
        lab.update(
            "update delete example.test. NS ns3.example.test.",
            "update delete ns3.example.test. A",
            f"update add example.test. {lab.ttl} NS ns2.example.test.",
        )
    assert {host.text for host in seen.name_servers} == {
        "ns1.example.test",
        "ns2.example.test",  # the delegation has it still
        "ns3.example.test",
    }
    assert seen.ns_ttl == timedelta(seconds=5000)
    assert at(seen, lab.ns2).outcome is ServerOutcome.ANSWERED
    assert at(seen, lab.parent).outcome is ServerOutcome.LAME


def test_stale_glue_is_asked_for_as_long_as_the_parent_has_it(lab: Lab, client: DnsClient) -> None:
    """ns2 has moved to another address under its name; resolvers may start from the old one."""
    ns2 = "ns2.example.test"
    required = Required(MatchingType.SHA2_256, NAME)
    new = required.record(b"any key")
    lab.tlsa_set(OWNER, str(OLD))
    try:
        with lab.lag_secondary():
            lab.update(
                f"update delete {ns2}. A",
                f"update add {ns2}. 4000 A {lab.ns1}",
                f"update delete {OWNER}. TLSA",
                f"update add {OWNER}. 5 TLSA {new}",
                wait=False,
            )
            for _ in range(30):  # the resolver asks whichever server it likes
                lab.flush()
                seen = observe(client)
                if seen.answer.records == (new,):
                    break
            assert seen.answer.records == (new,)
            where = {(s.server.name.text, s.server.address): s.records for s in seen.servers}
            assert where == {
                ("ns1.example.test", lab.ns1): (new,),
                (ns2, lab.ns1): (new,),
                (ns2, lab.ns2): (OLD,),
            }
            assert seen.address_ttl == timedelta(seconds=4000)
            sight = propagation_of(required, b"any key", {NAME: seen})
            assert sight.seen is Seen.MISSING
            assert [gap.where for gap in sight.gaps] == [f"{ns2} [{lab.ns2}]"]
    finally:
        lab.update(f"update delete {ns2}. A", f"update add {ns2}. {lab.ttl} A {lab.ns2}")


def test_witnesses_are_resolvers_and_servers(lab: Lab, client: DnsClient) -> None:
    lab.tlsa_set(OWNER, str(OLD))
    witnesses = (SocketAddress(lab.resolver), SocketAddress(lab.ns2), SocketAddress(lab.parent))
    asking = DnsClient(client.config, client.direct, witnesses)
    resolver, server, stranger = asking.observe_owners([NAME])[NAME].witnesses
    assert (resolver.records, resolver.ttl) == ((OLD,), timedelta(seconds=lab.ttl))
    assert server.records == (OLD,)
    assert stranger.outcome is ServerOutcome.LAME
    owner = DnsName("_25._tcp.alias.example.test")
    for witness in asking.observe_owners([owner])[owner].witnesses[:2]:
        assert witness.records == (OLD,)


def test_an_alias_is_followed_to_the_servers(lab: Lab, client: DnsClient) -> None:
    lab.tlsa_set(OWNER, str(OLD))
    owner = DnsName("_25._tcp.alias.example.test")
    seen = observe(client, owner)
    assert seen.answer.canonical == NAME
    assert [alias.target for alias in seen.answer.aliases] == [NAME]
    assert at(seen, lab.ns1).records == (OLD,)
    dangling = observe(client, DnsName("_25._tcp.dangling.example.test"))
    assert (dangling.answer.security, dangling.answer.presence) == (
        Security.SECURE,
        Presence.NXDOMAIN,
    )


def test_a_secondary_that_lags_on_an_alias(lab: Lab, client: DnsClient) -> None:
    """The records at the alias's end are everywhere; at one server the alias isn't there yet."""
    owner = DnsName("_25._tcp.moved.example.test")
    required = Required(MatchingType.SHA2_256, owner)
    new = required.record(b"any key")
    lab.tlsa_set(OWNER, str(new))
    lab.tlsa_set(f"{owner}.", str(OLD))
    try:
        with lab.lag_secondary():
            lab.update(
                f"update delete {owner}.", f"update add {owner}. 5 CNAME {OWNER}.", wait=False
            )
            for _ in range(30):  # the resolver asks whichever server it likes
                lab.flush()
                seen = observe(client, owner)
                if seen.answer.aliases:
                    break
            assert seen.answer.records == (new,)
            assert at(seen, lab.ns2).records == (new,)
            (alias,) = seen.aliases
            outcomes = {s.server.address: (s.outcome, s.records) for s in alias.servers}
            assert outcomes == {
                lab.ns1: (ServerOutcome.LEADS_ON, ()),
                lab.ns2: (ServerOutcome.ANSWERED, (OLD,)),
            }
            assert propagation_of(required, b"any key", {owner: seen}).seen is Seen.MISSING
        seen = observe(client, owner)
        assert {s.outcome for s in seen.aliases[0].servers} == {ServerOutcome.LEADS_ON}
    finally:
        lab.update(f"update delete {owner}.")


def test_a_large_rrset_comes_over_tcp(lab: Lab, client: DnsClient) -> None:
    records = [TlsaRecord(3, 1, 1, bytes((n,)) * 32) for n in range(60)]
    lab.tlsa_set(OWNER, *map(str, records))
    seen = observe(client)
    assert set(seen.answer.records) == set(records)
    assert set(at(seen, lab.ns2).records) == set(records)


def test_a_wildcard_is_as_good(lab: Lab, client: DnsClient) -> None:
    lab.tlsa_set("*.wild.example.test", str(OLD), ttl=77)
    owner = DnsName("_25._tcp.wild.example.test")
    seen = observe(client, owner)
    assert (seen.answer.security, seen.answer.records) == (Security.SECURE, (OLD,))
    assert seen.answer.ttl == at(seen, lab.ns1).ttl == timedelta(seconds=77)


def test_fifty_owners(lab: Lab, client: DnsClient) -> None:
    owners = [DnsName(f"_25._tcp.m{n}.example.test") for n in range(50)]
    for owner in owners[:-1]:
        lab.tlsa_set(owner.text, str(OLD), wait=False)
    lab.tlsa_set(owners[-1].text, str(OLD))
    seen = client.observe_owners(owners)
    for observation in seen.values():
        assert observation.answer.records == (OLD,)
        assert [s.records for s in observation.servers] == [(OLD,), (OLD,)]


def test_a_host_without_any_route_says_so() -> None:
    program = (
        "from danebot.adapters.dns.queries import *\n"
        "from danebot.adapters.dns.exchange import resolve\n"
        "def ask(query):\n"
        "    return (yield (query,))[0]\n"
        "print(resolve(ask(Query('127.0.0.1', 53, 'x.test', 1, Ask.ITERATIVE, 5.0))).trouble.name)"
    )
    command = ["unshare", "-n", sys.executable, "-c", program]  # a namespace with nothing up
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "NO_ROUTE\n"


def test_routes(lab: Lab, client: DnsClient) -> None:
    lab.tlsa_set(OWNER, str(OLD))
    domain, mail = Hostname("example.test"), Hostname("mail.example.test")
    (found,) = client.mail_route(domain).hosts
    assert (found.host, found.dane, found.records) == (mail, Dane.APPLIES, (OLD,))
    assert found.references == References(mail, (domain,))
    assert found.addresses == (lab.mail,)
    alias = client.service_route(Hostname("alias.example.test"), 25)
    assert alias.references == References(mail, (Hostname("alias.example.test"),))
    (insecure,) = client.mail_route(Hostname("insecure.test")).hosts
    assert insecure.dane is Dane.INSECURE_ADDRESS
    assert client.mail_route(Hostname("bogus.test")).discovery is Discovery.FAILED
    assert client.mail_route(Hostname("nosuch.example.test")).discovery is Discovery.ABSENT
    assert client.lookup(MX, DnsName("example.test")).secure
    two = client.service_route(Hostname("two.example.test"), 25)
    assert set(two.addresses) == {lab.mail, lab.mail2}
    assert two.dane is Dane.ABSENT
