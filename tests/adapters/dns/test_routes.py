"""Routes as senders find them: the branches of RFC 7672 section 2.2, through a told resolver."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from adapters.asking import DnsClient
from adapters.nameserver import RECURSIVE, SECURE, Nameserver, nameservers
from danebot.adapters.dns import exchange
from danebot.adapters.dns.resolvconf import Nameserver as At
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.adapters.dns.resolver import Resolver
from danebot.adapters.dns.routes import Routing
from danebot.adapters.loop import drive
from danebot.domain.dane.references import References
from danebot.domain.delivery.routes import Dane, Discovery, HostRoute
from danebot.domain.dns.answers import Security
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import Hostname
from danebot.errors import NameSyntaxError

DOMAIN, MX1, MX2 = (Hostname(f"{n}example.test") for n in ("", "mx1.", "mx2."))
RECORD = TlsaRecord(3, 1, 1, b"\xab" * 32)
SOA = "test 60 SOA ns.test. h.test. 1 2 3 4 5"


@pytest.fixture
def server() -> Iterator[Nameserver]:
    with nameservers("127.0.0.1") as (only,):
        yield only


@pytest.fixture
def client(server: Nameserver) -> DnsClient:
    return DnsClient(config_for(server))


def config_for(server: Nameserver) -> ResolverConfig:
    return ResolverConfig((At("127.0.0.1", server.port),), timeout=timedelta(seconds=5))


def host(server: Nameserver, name: str, *, flags: str = SECURE, address: str = "192.0.2.1") -> None:
    server.say(name, "A", f"{name} 60 A {address}", flags=flags)
    server.say(name, "AAAA", authority=(SOA,), flags=flags)


def alias(server: Nameserver, name: str, target: str, *, flags: str = SECURE) -> None:
    line = f"{name} 60 CNAME {target}."
    server.say(name, "A", line, f"{target} 60 A 192.0.2.1", flags=flags)
    server.say(name, "AAAA", line, authority=(SOA,), flags=flags)


def tlsa(server: Nameserver, base: str, *, port: int = 25, flags: str = SECURE) -> None:
    name = f"_{port}._tcp.{base}"
    server.say(name, "TLSA", f"{name} 60 TLSA {RECORD}", flags=flags)


def no_tlsa(server: Nameserver, base: str, *, port: int = 25) -> None:
    server.say(f"_{port}._tcp.{base}", "TLSA", authority=(SOA,), rcode="NXDOMAIN")


def bogus(server: Nameserver, name: str, rdtype: str) -> None:
    server.say(name, rdtype, rcode="SERVFAIL", extended=((6, "forged"),))
    server.say(name, rdtype, unchecked=True)


def mx(server: Nameserver, *lines: str, flags: str = SECURE) -> None:
    server.say("example.test", "MX", *(f"example.test 60 MX {line}" for line in lines), flags=flags)


def bases(route: HostRoute) -> list[str]:
    return [tried.base.text for tried in route.tried]


# ---- MX (RFC 5321 5.1, RFC 7505, RFC 7672 2.2.1) ----------------------------------------------


def test_hosts_in_order_of_preference(server: Nameserver, client: DnsClient) -> None:
    mx(server, "20 mx2.example.test.", "10 mx1.example.test.")
    for n, name in enumerate(("mx1.example.test", "mx2.example.test"), 1):
        host(server, name, address=f"192.0.2.{n}")
        tlsa(server, name)
    route = client.mail_route(DOMAIN)
    assert route.discovery is Discovery.LISTED
    assert route.mx.secure
    assert [(h.host, h.preference, h.addresses) for h in route.hosts] == [
        (MX1, 10, ("192.0.2.1",)),
        (MX2, 20, ("192.0.2.2",)),
    ]
    for found in route.hosts:
        assert found.dane is Dane.APPLIES
        assert found.records == (RECORD,)
        assert found.references == References(found.host, (DOMAIN,))
        assert found.sni == found.host


def test_with_insecure_mx_the_next_hop_is_no_reference(
    server: Nameserver, client: DnsClient
) -> None:
    mx(server, "10 mx1.example.test.", flags=RECURSIVE)
    host(server, "mx1.example.test")
    tlsa(server, "mx1.example.test")
    route = client.mail_route(DOMAIN)
    assert route.mx.security is Security.INSECURE
    assert route.hosts[0].dane is Dane.APPLIES
    assert route.hosts[0].references == References(MX1)


def test_an_aliased_next_hop_counts_under_both_names(server: Nameserver, client: DnsClient) -> None:
    server.say(
        "example.test",
        "MX",
        "example.test 60 CNAME other.test.",
        "other.test 60 MX 10 mx1.example.test.",
    )
    host(server, "mx1.example.test")
    tlsa(server, "mx1.example.test")
    references = client.mail_route(DOMAIN).hosts[0].references
    assert references == References(MX1, (DOMAIN, Hostname("other.test")))


def test_null_mx(server: Nameserver, client: DnsClient) -> None:
    mx(server, "0 .")
    route = client.mail_route(DOMAIN)
    assert (route.discovery, route.hosts) == (Discovery.NOT_OFFERED, ())


def test_a_null_mx_beside_others_is_left_out(server: Nameserver, client: DnsClient) -> None:
    mx(server, "0 .", "10 mx1.example.test.")
    host(server, "mx1.example.test")
    no_tlsa(server, "mx1.example.test")
    route = client.mail_route(DOMAIN)
    assert (route.discovery, [h.host for h in route.hosts]) == (Discovery.LISTED, [MX1])


def test_without_mx_the_domain_is_the_host(server: Nameserver, client: DnsClient) -> None:
    server.say("example.test", "MX", authority=(SOA,))
    host(server, "example.test")
    tlsa(server, "example.test")
    route = client.mail_route(DOMAIN)
    assert route.discovery is Discovery.IMPLICIT
    assert route.hosts[0].references == References(DOMAIN, (DOMAIN,))
    assert route.hosts[0].dane is Dane.APPLIES


def test_no_such_domain(server: Nameserver, client: DnsClient) -> None:
    server.say("example.test", "MX", authority=(SOA,), rcode="NXDOMAIN")
    assert client.mail_route(DOMAIN).discovery is Discovery.ABSENT


def test_bogus_mx(server: Nameserver, client: DnsClient) -> None:
    bogus(server, "example.test", "MX")
    route = client.mail_route(DOMAIN)
    assert (route.discovery, route.mx.security, route.hosts) == (
        Discovery.FAILED,
        Security.BOGUS,
        (),
    )
    assert "forged" in route.mx.detail


def test_only_malformed_mx(server: Nameserver, client: DnsClient) -> None:
    mx(server, r"10 bad\032name.test.")
    route = client.mail_route(DOMAIN)
    assert route.discovery is Discovery.FAILED
    assert route.mx.rejects


def test_another_port(server: Nameserver, client: DnsClient) -> None:
    mx(server, "10 mx1.example.test.")
    host(server, "mx1.example.test")
    tlsa(server, "mx1.example.test", port=2525)
    found = client.mail_route(DOMAIN, 2525).hosts[0]
    assert (found.port, found.dane) == (2525, Dane.APPLIES)


# ---- addresses first (RFC 7672 2.2.2) ---------------------------------------------------------


def test_tlsa_is_not_asked_where_the_address_is_insecure(
    server: Nameserver, client: DnsClient
) -> None:
    host(server, "mx1.example.test", flags=RECURSIVE)
    tlsa(server, "mx1.example.test")
    found = client.service_route(MX1, 25)
    assert found.dane is Dane.INSECURE_ADDRESS
    assert (found.records, found.tried, found.references) == ((), (), None)
    assert {asked.rdtype for asked in server.asked} == {"A", "AAAA"}


def test_both_families_are_found(server: Nameserver, client: DnsClient) -> None:
    host(server, "mx1.example.test")
    server.say("mx1.example.test", "AAAA", "mx1.example.test 60 AAAA 2001:db8::1")
    no_tlsa(server, "mx1.example.test")
    found = client.service_route(MX1, 25)
    assert found.addresses == ("192.0.2.1", "2001:db8::1")
    assert found.dane is Dane.ABSENT


def test_one_insecure_family_is_enough_to_be_insecure(
    server: Nameserver, client: DnsClient
) -> None:
    host(server, "mx1.example.test")
    server.say("mx1.example.test", "AAAA", "mx1.example.test 60 AAAA 2001:db8::1", flags=RECURSIVE)
    assert client.service_route(MX1, 25).dane is Dane.INSECURE_ADDRESS


def test_one_family_that_fails_does_not_hide_the_other(
    server: Nameserver, client: DnsClient
) -> None:
    host(server, "mx1.example.test")
    bogus(server, "mx1.example.test", "AAAA")
    tlsa(server, "mx1.example.test")
    found = client.service_route(MX1, 25)
    assert found.dane is Dane.APPLIES
    assert "forged" in found.detail


def test_a_host_whose_addresses_are_bogus_is_passed_over(
    server: Nameserver, client: DnsClient
) -> None:
    for rdtype in ("A", "AAAA"):
        bogus(server, "mx1.example.test", rdtype)
    found = client.service_route(MX1, 25)
    assert (found.dane, found.addresses) == (Dane.ADDRESS_FAILED, ())
    assert "forged" in found.detail


def test_a_host_without_address(server: Nameserver, client: DnsClient) -> None:
    for rdtype in ("A", "AAAA"):
        server.say("mx1.example.test", rdtype, authority=(SOA,), rcode="NXDOMAIN")
    assert client.service_route(MX1, 25).dane is Dane.NO_ADDRESS


# ---- TLSA and its base domain (RFC 7672 2.2.3, RFC 7671 7) ------------------------------------


@pytest.mark.parametrize("how", ["bogus", "servfail", "refused"])
def test_a_failing_tlsa_lookup_defers(server: Nameserver, client: DnsClient, how: str) -> None:
    host(server, "mx1.example.test")
    name = "_25._tcp.mx1.example.test"
    if how == "bogus":
        bogus(server, name, "TLSA")
    else:
        server.say(name, "TLSA", rcode=how.upper())
        server.say(name, "TLSA", rcode=how.upper(), unchecked=True)
    found = client.service_route(MX1, 25)
    assert (found.dane, found.records) == (Dane.DEFERRED, ())
    assert found.references is None


def test_insecure_tlsa_does_not_bind(server: Nameserver, client: DnsClient) -> None:
    host(server, "mx1.example.test")
    tlsa(server, "mx1.example.test", flags=RECURSIVE)
    found = client.service_route(MX1, 25)
    assert (found.dane, found.records) == (Dane.INSECURE_TLSA, ())


def test_a_secure_alias_prefers_the_expanded_name(server: Nameserver, client: DnsClient) -> None:
    alias(server, "mx1.example.test", "host.provider.test")
    tlsa(server, "host.provider.test")
    tlsa(server, "mx1.example.test")
    found = client.service_route(MX1, 25)
    assert bases(found) == ["host.provider.test"]
    assert found.references == References(Hostname("host.provider.test"), (MX1,))
    assert found.sni == Hostname("host.provider.test")
    assert found.alias is None


def test_a_secure_alias_falls_back_to_its_own_name(server: Nameserver, client: DnsClient) -> None:
    alias(server, "mx1.example.test", "host.provider.test")
    no_tlsa(server, "host.provider.test")
    tlsa(server, "mx1.example.test")
    found = client.service_route(MX1, 25)
    assert bases(found) == ["host.provider.test", "mx1.example.test"]
    assert found.dane is Dane.APPLIES
    assert found.references == References(MX1, (MX1,))


def test_insecure_tlsa_at_the_expanded_name_falls_back_too(
    server: Nameserver, client: DnsClient
) -> None:
    alias(server, "mx1.example.test", "host.provider.test")
    tlsa(server, "host.provider.test", flags=RECURSIVE)
    tlsa(server, "mx1.example.test")
    assert client.service_route(MX1, 25).dane is Dane.APPLIES


def test_a_failing_lookup_at_the_expanded_name_ends_the_search(
    server: Nameserver, client: DnsClient
) -> None:
    alias(server, "mx1.example.test", "host.provider.test")
    bogus(server, "_25._tcp.host.provider.test", "TLSA")
    tlsa(server, "mx1.example.test")
    found = client.service_route(MX1, 25)
    assert (found.dane, bases(found)) == (Dane.DEFERRED, ["host.provider.test"])


def test_a_secure_alias_to_an_insecure_host_binds_by_its_own_name(
    server: Nameserver, client: DnsClient
) -> None:
    alias(server, "mx1.example.test", "host.provider.test", flags=RECURSIVE)
    server.say("mx1.example.test", "CNAME", "mx1.example.test 60 CNAME host.provider.test.")
    tlsa(server, "mx1.example.test")
    tlsa(server, "host.provider.test")
    found = client.service_route(MX1, 25)
    assert found.dane is Dane.APPLIES
    assert bases(found) == ["mx1.example.test"]
    assert found.alias is not None
    assert found.alias.secure


def test_an_insecure_alias_does_not_bind(server: Nameserver, client: DnsClient) -> None:
    alias(server, "mx1.example.test", "host.provider.test", flags=RECURSIVE)
    line = "mx1.example.test 60 CNAME host.provider.test."
    server.say("mx1.example.test", "CNAME", line, flags=RECURSIVE)
    tlsa(server, "mx1.example.test")
    assert client.service_route(MX1, 25).dane is Dane.INSECURE_ADDRESS


def test_an_alias_that_cannot_be_judged_is_passed_over(
    server: Nameserver, client: DnsClient
) -> None:
    alias(server, "mx1.example.test", "host.provider.test", flags=RECURSIVE)
    bogus(server, "mx1.example.test", "CNAME")
    found = client.service_route(MX1, 25)
    assert found.dane is Dane.ADDRESS_FAILED
    assert "forged" in found.detail


def test_a_tlsa_alias_does_not_change_the_base(server: Nameserver, client: DnsClient) -> None:
    host(server, "mx1.example.test")
    server.say(
        "_25._tcp.mx1.example.test",
        "TLSA",
        "_25._tcp.mx1.example.test 60 CNAME shared._dane.test.",
        f"shared._dane.test 60 TLSA {RECORD}",
    )
    found = client.service_route(MX1, 25)
    assert found.records == (RECORD,)
    assert found.references == References(MX1, (MX1,))


def test_a_base_too_long_for_a_tlsa_owner_defers(server: Nameserver, client: DnsClient) -> None:
    name = ".".join(["x" * 60] * 4 + ["test"])
    host(server, name)
    found = client.service_route(Hostname(name), 25)
    assert found.dane is Dane.DEFERRED
    assert "too long" in found.detail


# ---- SRV (RFC 2782, RFC 6186, RFC 7673) -------------------------------------------------------


def srv(server: Nameserver, *lines: str, flags: str = SECURE) -> None:
    name = "_imaps._tcp.example.test"
    server.say(name, "SRV", *(f"{name} 60 SRV {line}" for line in lines), flags=flags)


def test_srv_targets_by_priority_and_weight(server: Nameserver, client: DnsClient) -> None:
    srv(server, "20 9 993 c.test.", "10 1 993 b.test.", "10 5 1993 a.test.")
    for name, port in (("a.test", 1993), ("b.test", 993), ("c.test", 993)):
        host(server, name)
        tlsa(server, name, port=port)
    route = client.srv_route(DOMAIN, "imaps")
    assert route.discovery is Discovery.LISTED
    assert [(h.host.text, h.port) for h in route.hosts] == [
        ("a.test", 1993),
        ("b.test", 993),
        ("c.test", 993),
    ]
    assert all(h.dane is Dane.APPLIES for h in route.hosts)
    assert route.hosts[0].references == References(Hostname("a.test"), (DOMAIN,))


def test_insecure_srv_bars_tlsa(server: Nameserver, client: DnsClient) -> None:
    srv(server, "0 0 993 a.test.", flags=RECURSIVE)
    host(server, "a.test")
    tlsa(server, "a.test", port=993)
    (found,) = client.srv_route(DOMAIN, "imaps").hosts
    assert found.dane is Dane.INSECURE_SERVICE
    assert found.addresses == ("192.0.2.1",)
    assert server.count("_993._tcp.a.test", "TLSA") == 0


def test_srv_ways(server: Nameserver, client: DnsClient) -> None:
    srv(server, "0 0 0 .")
    assert client.srv_route(DOMAIN, "imaps").discovery is Discovery.NOT_OFFERED
    server.say("_imap._tcp.example.test", "SRV", authority=(SOA,))
    assert client.srv_route(DOMAIN, "imap").discovery is Discovery.ABSENT
    bogus(server, "_pop3._tcp.example.test", "SRV")
    assert client.srv_route(DOMAIN, "pop3").discovery is Discovery.FAILED


def test_a_service_that_is_no_label_is_an_error(client: DnsClient) -> None:
    with pytest.raises(NameSyntaxError):
        client.srv_route(DOMAIN, "no such thing")


def test_one_cache_serves_several_domains(server: Nameserver) -> None:
    for n in range(20):
        server.say(f"d{n}.test", "MX", f"d{n}.test 60 MX 10 mx1.example.test.")
    host(server, "mx1.example.test")
    tlsa(server, "mx1.example.test")
    routing = Routing(Resolver(config_for(server)))
    programs = [routing.mail(Hostname(f"d{n}.test")) for n in range(20)]
    routes = list(drive(programs, exchange.query_lane(4), at_once=20))
    assert [route.hosts[0].dane for route in routes] == [Dane.APPLIES] * 20
    assert server.count("mx1.example.test", "A") == 1
    assert server.count("_25._tcp.mx1.example.test", "TLSA") == 1
