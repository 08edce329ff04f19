"""The second world: it says what a world of these programs says, and nothing gets out of it."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from lab.nameservers import ask
from lab.net import accepts
from lab.resolvers import Resolver
from lab.second import SecondLab

pytestmark = pytest.mark.lab

OWNER = "_25._tcp.mail.example.test."
RECORD = f"3 1 1 {'11' * 32}"
OTHER = f"3 1 1 {'22' * 32}"


def asked(server: str, name: str, rdtype: str = "A") -> dns.message.Message:
    reply = ask(server, name, rdtype, 8)
    assert reply is not None, (server, name)
    return reply


def addresses(section: list[dns.rrset.RRset]) -> set[str]:
    """The IPv4 addresses in a section of an answer."""
    found = [rrset for rrset in section if rrset.rdtype == dns.rdatatype.A]
    return {rdata.to_text() for rrset in found for rdata in rrset}


@pytest.mark.parametrize("resolver", Resolver)
@pytest.mark.parametrize(
    ("name", "rdtype", "rcode", "secure"),
    [
        ("test.", "SOA", dns.rcode.NOERROR, True),
        ("mail.example.test.", "A", dns.rcode.NOERROR, True),
        ("any.many.example.test.", "A", dns.rcode.NOERROR, True),
        ("nosuch.example.test.", "A", dns.rcode.NXDOMAIN, True),
        ("mail.optout.test.", "A", dns.rcode.NOERROR, True),
        ("nosuch.optout.test.", "A", dns.rcode.NXDOMAIN, False),
        ("mail.split.test.", "A", dns.rcode.NOERROR, True),
        ("mail.power.test.", "A", dns.rcode.NOERROR, True),
        ("nosuch.power.test.", "A", dns.rcode.NXDOMAIN, True),
        ("mail.insecure.test.", "A", dns.rcode.NOERROR, False),
    ],
)
def test_each_resolver_tells_secure_from_insecure(
    second: SecondLab,
    resolver: Resolver,
    name: str,
    rdtype: str,
    rcode: dns.rcode.Rcode,
    *,
    secure: bool,
) -> None:
    """Also where an opt-out zone can't deny securely (RFC 5155 section 9.2)."""
    assert second.resolver == Resolver.BIND.address
    reply = asked(resolver.address, name, rdtype)
    assert reply.rcode() == rcode
    lenient = resolver is Resolver.DNSMASQ and name == "nosuch.optout.test."  # 2.90 says AD
    assert bool(reply.flags & dns.flags.AD) is (secure or lenient)


def test_an_alias_in_an_opt_out_zone_is_secure_and_its_missing_target_is_not(
    second: SecondLab,
) -> None:
    reply = asked(second.resolver, "_25._tcp.alias.optout.test.", "TLSA")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert not reply.flags & dns.flags.AD
    assert {rrset.rdtype for rrset in reply.answer} == {
        dns.rdatatype.CNAME,
        dns.rdatatype.RRSIG,
    }


@pytest.mark.parametrize("zone", ["example.test.", "optout.test.", "power.test."])
def test_updates_reach_every_server_and_resolver(second: SecondLab, zone: str) -> None:
    owner = f"_25._tcp.mail.{zone}"
    second.tlsa_add(owner, RECORD, zone=zone)
    second.tlsa_set(owner, OTHER, ttl=77, zone=zone)
    servers = [second.power] if zone == "power.test." else [second.ns1, second.ns2]
    for server in (*servers, *(one.address for one in Resolver)):
        assert second.tlsa_at(server, owner) == {OTHER}
    second.tlsa_del(owner, zone=zone)
    assert not second.tlsa_at(second.resolver, owner)


def test_the_secondary_lags(second: SecondLab) -> None:
    second.tlsa_add(OWNER, RECORD)
    with second.lag_secondary():
        second.tlsa_set(OWNER, OTHER)
        assert second.tlsa_at(second.ns1, OWNER) == {OTHER}
        assert second.tlsa_at(second.ns2, OWNER) == {RECORD}
    assert second.tlsa_at(second.ns2, OWNER) == {OTHER}


@pytest.mark.parametrize("name", ["secondary", "primary", "power", "kresd", "dnsmasq"])
def test_servers_stop_and_start_again(second: SecondLab, name: str) -> None:
    second.tlsa_add(OWNER, RECORD)
    second.stop(name)
    for resolver in Resolver:
        if resolver.value != name:
            second.flush()
            assert second.tlsa_at(resolver.address, OWNER) == {RECORD}
    second.start(name)
    for server in (second.ns1, second.ns2, *(one.address for one in Resolver)):
        assert second.tlsa_at(server, OWNER) == {RECORD}


def test_those_outside_see_another_zone(second: SecondLab) -> None:
    owner = "_25._tcp.mail.split.test."
    second.tlsa_set(owner, RECORD, zone="split.test.")
    second.tlsa_outside(owner, OTHER)
    assert second.tlsa_at(second.ns1, owner) == {RECORD}
    seen = [second.tlsa_at(one.address, owner) for one in Resolver]
    assert seen == [{RECORD}, {OTHER}, {RECORD}]  # dnsmasq asks the first


def test_a_name_server_moves_to_another_address(second: SecondLab) -> None:
    """First in the zone, with the glue left stale; then in the parent as well."""
    moved = ["update delete ns1.example.test. A", "update add ns1.example.test. 5 A 10.53.0.10"]
    back = ["update delete ns1.example.test. A", "update add ns1.example.test. 5 A 10.53.0.1"]
    with second.altered(moved, back, "example.test."):
        assert addresses(asked("10.53.0.10", "ns1.example.test.").answer) == {"10.53.0.10"}
        glue = {"10.53.0.1", "10.53.0.2"}
        assert addresses(asked(second.parent, OWNER, "TLSA").additional) == glue
        with second.altered(moved, back, "test."):
            glue = {"10.53.0.10", "10.53.0.2"}
            assert addresses(asked(second.parent, OWNER, "TLSA").additional) == glue
            assert asked(second.resolver, "mail.example.test.").flags & dns.flags.AD


def test_narrow_denials_of_the_live_signer(second: SecondLab) -> None:
    """The hash in a denial is one beside the name's own: there is no such name in the zone."""
    reply = asked(second.power, "nosuch.power.test.")
    found = {r.rdtype for r in reply.authority}
    assert dns.rdatatype.NSEC3 in found
    again = asked(second.power, "another.power.test.")
    owners = [
        {r.name for r in m.authority if r.rdtype == dns.rdatatype.NSEC3} for m in (reply, again)
    ]
    assert owners[0] != owners[1]


def test_certificates_are_issued_and_senders_verify(second: SecondLab) -> None:
    second.issued_tree()
    second.tlsa_set(OWNER, f"3 1 1 {second.served_spki()}")
    for resolver in Resolver:
        second.use(resolver)
        assert second.dane_verified()
    second.tlsa_set(OWNER, RECORD)
    assert not second.dane_verified()


def test_the_addresses_are_the_namespaces_alone(running_second: SecondLab) -> None:
    addresses = [running_second.ns1, "fd53::1", Resolver.KRESD.address]
    with running_second.inside():
        assert all(ask(address, OWNER, "TLSA", 0.3) for address in addresses)
        shown = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
        assert not shown  # no way out
    for address in addresses[:2]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as here, pytest.raises(OSError, match="Cannot assign"):
            here.bind((address, 0))
    assert not accepts(Resolver.KRESD.address, 53)


def test_nothing_is_left() -> None:
    """A second of them: the addresses are the same, the namespaces are not."""
    with SecondLab() as lab:
        root = lab.root
        pids = [int(line.split()[1]) for line in (root / "pids").read_text().splitlines()]
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not root.exists()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
