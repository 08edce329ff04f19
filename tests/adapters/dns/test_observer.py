"""Zone cuts, NS sets and every authoritative server, with servers that do as they are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import dns.message
import dns.rdatatype
import pytest

from adapters.asking import DnsClient
from adapters.nameserver import (
    AUTHORITATIVE,
    RECURSIVE,
    SECURE,
    Nameserver,
    build,
    nameservers,
    raw_tlsa,
)
from danebot.adapters.dns import message as wire
from danebot.adapters.dns.observer import server_answer
from danebot.adapters.dns.queries import Ask, QueryFailure, Reply, Steps, Trouble
from danebot.adapters.dns.resolvconf import Nameserver as At
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.adapters.dns.response import seconds
from danebot.adapters.dns.zones import Direct
from danebot.domain.dns.answers import (
    Alias,
    Cause,
    OwnerObservation,
    Presence,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
    Unresolved,
)
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, Hostname

ZONE = "example.test"
OWNER = "_25._tcp.mail.example.test"
NAME = DnsName(OWNER)
HASH = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"
OLD, NEW = "11" * 32, "22" * 32
SIGNED = "20300101000000 20200101000000 7"
SOA = f"{ZONE} 60 SOA ns1.{ZONE}. h.{ZONE}. 1 2 3 4 300"
NS_LINES = (f"{ZONE} 3600 NS ns1.{ZONE}.", f"{ZONE} 3600 NS ns2.{ZONE}.")


def record(digest: str) -> TlsaRecord:
    return TlsaRecord(3, 1, 1, bytes.fromhex(digest))


def tlsa(digest: str, ttl: int = 300, owner: str = OWNER) -> str:
    return f"{owner} {ttl} TLSA 3 1 1 {digest}"


def signature(owner: str, rdtype: str, ttl: int, signer: str = ZONE) -> str:
    return f"{owner} {ttl} RRSIG {rdtype} 13 3 {ttl} {SIGNED} {signer}. AAAA"


@dataclass
class World:
    """A resolver, two servers of example.test, one of test; all is well unless told otherwise."""

    resolver: Nameserver
    ns1: Nameserver
    ns2: Nameserver
    parent: Nameserver
    silent: set[tuple[str, str, int]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.owner(OWNER, OLD)
        self.resolver.say(ZONE, "NS", *NS_LINES, signature(ZONE, "NS", 3600))
        self.resolver.say("test", "SOA", "test 60 SOA p.test. h.test. 1 2 3 4 5")
        self.resolver.say("test", "NS", "test 60 NS p.test.")
        self.host("ns1.example.test", self.ns1)
        self.host("ns2.example.test", self.ns2)
        self.host("p.test", self.parent)
        self.parent.say(ZONE, "NS", authority=NS_LINES, flags="QR")
        for server in (self.ns1, self.ns2):
            server.say(ZONE, "NS", *NS_LINES, flags=AUTHORITATIVE)

    def owner(self, name: str, digest: str) -> None:
        self.resolver.say(name, "TLSA", tlsa(digest, owner=name), signature(name, "TLSA", 300))
        for server in (self.ns1, self.ns2):
            server.say(name, "TLSA", tlsa(digest, owner=name), flags=AUTHORITATIVE)

    def host(self, name: str, *servers: Nameserver) -> None:
        lines = [f"{name} 60 A {server.address}" for server in servers]
        self.resolver.say(name, "A", *lines)
        self.resolver.say(name, "AAAA", authority=(SOA,))

    def silence(self, server: Nameserver, name: str, rdtype: str) -> None:
        """A server that never answers a question."""
        server.keep_silent(name, rdtype)
        self.silent.add((server.address, name, dns.rdatatype.from_text(rdtype)))

    @property
    def client(self) -> DnsClient:
        """It waits for silence shortly, for answers as long as a busy machine takes for them."""
        silent = self.silent

        class Waiting(Direct):
            def ask(
                self, address: str, rdtype: int, name: DnsName, how: Ask = Ask.ITERATIVE
            ) -> Steps[Reply]:
                short = (address, name.text, rdtype) in silent
                timed = self._replace(timeout=0.2 if short else 30.0)
                return Direct.ask(timed, address, rdtype, name, how)

        port = self.resolver.port
        config = ResolverConfig((At("127.0.0.1", port),), timeout=timedelta(seconds=30))
        return DnsClient(config, Waiting(port=port, attempts=2))

    def observe(self, name: DnsName = NAME) -> OwnerObservation:
        return self.client.observe_owners([name])[name]


FOUR = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")


@pytest.fixture
def world() -> Iterator[World]:
    with nameservers(*FOUR) as servers:
        yield World(*servers)


def at(observation: OwnerObservation, address: str) -> ServerAnswer:
    (answer,) = (s for s in observation.servers if s.server.address == address)
    return answer


def test_everybody_agrees(world: World) -> None:
    seen = world.observe()
    assert seen.owner == NAME
    assert seen.answer.secure
    assert seen.zone == DnsName(ZONE)
    assert seen.name_servers == {Hostname("ns1.example.test"), Hostname("ns2.example.test")}
    assert seen.ns_ttl == timedelta(hours=1)
    assert [(s.server.name.text, s.server.address) for s in seen.servers] == [
        ("ns1.example.test", "127.0.0.2"),
        ("ns2.example.test", "127.0.0.3"),
    ]
    for answer in seen.servers:
        assert answer.outcome is ServerOutcome.ANSWERED
        assert answer.records == (record(OLD),)
        assert (answer.ttl, answer.negative_ttl) == (timedelta(seconds=300), None)


def test_every_address_of_the_parent_s_servers_is_asked() -> None:
    """The last of eight leads to one more server: resolvers that ask it are led there."""
    others = [f"127.0.0.{n}" for n in range(20, 27)]
    with nameservers(*FOUR, *others) as everybody:
        world, servers = World(*everybody[:4]), everybody[4:]
        for server in servers:
            server.say(ZONE, "NS", authority=NS_LINES, flags="QR")
        more = [one.replace("3600", "86400") for one in (*NS_LINES, f"{ZONE} 3600 NS ns3.{ZONE}.")]
        servers[-1].say(ZONE, "NS", authority=tuple(more), flags="QR")
        world.host("p.test", world.parent, *servers)
        seen = world.observe()
    assert Hostname(f"ns3.{ZONE}") in seen.name_servers
    assert seen.ns_ttl == timedelta(days=1)
    parents = [world.parent.address, *others]
    assert seen.parents == tuple(sorted(Server(Hostname("p.test"), a) for a in parents))
    assert seen.all_parents == seen.parents
    assert len(world.parent.asked) == 1


@pytest.mark.parametrize("rcode", ["REFUSED", "SERVFAIL", "NXDOMAIN"])
def test_an_error_refers_nobody(world: World, rcode: str) -> None:
    more = f"{ZONE} 86400 NS ns3.{ZONE}."
    world.parent.say(ZONE, "NS", authority=(more,), rcode=rcode, flags="QR")
    seen = world.observe()
    assert Hostname(f"ns3.{ZONE}") not in seen.name_servers
    assert seen.unresolved == {Unresolved(DnsName(ZONE), "NS")}


def test_a_parent_that_holds_the_zone_too_answers_from_it(world: World) -> None:
    world.parent.say(ZONE, "NS", *NS_LINES, f"{ZONE} 3600 NS ns3.{ZONE}.", flags=AUTHORITATIVE)
    seen = world.observe()
    assert Hostname(f"ns3.{ZONE}") in seen.name_servers
    assert Unresolved(DnsName(ZONE), "NS") not in seen.unresolved


def test_a_silent_parent_is_asked_again_and_hides_nothing() -> None:
    with nameservers(*FOUR, "127.0.0.20") as everybody:
        world, other = World(*everybody[:4]), everybody[4]
        world.silence(other, ZONE, "NS")
        world.host("q.test", other)
        world.resolver.say("test", "NS", "test 60 NS p.test.", "test 60 NS q.test.")
        seen = world.observe()
        assert other.count_once(2, ZONE, "NS") == len(other.asked) == 2
    assert len(world.parent.asked) == 1
    assert seen.unresolved == frozenset()
    assert [str(server) for server in seen.parents or ()] == [
        "p.test [127.0.0.4]",
        "q.test [127.0.0.20]",
    ]


def test_parents_whose_addresses_are_not_told_are_not_known(world: World) -> None:
    world.resolver.say("p.test", "AAAA", rcode="SERVFAIL")
    seen = world.observe()
    assert (seen.parents, seen.unresolved) == (None, frozenset())
    world.resolver.say("test", "NS", rcode="SERVFAIL")
    assert world.observe().parents is None


def test_servers_are_asked_without_recursion_but_with_do(world: World) -> None:
    world.observe()
    for server in (world.ns1, world.ns2, world.parent):
        assert {asked.flags for asked in server.asked} == {""}
        assert {asked.edns for asked in server.asked} == {(1232, 0x8000)}


def test_what_owners_have_in_common_is_asked_once(world: World) -> None:
    owners = [DnsName(f"_25._tcp.m{i}.example.test") for i in range(50)]
    for owner in owners:
        world.owner(owner.text, OLD)
    seen = world.client.observe_owners([*owners, *owners])
    assert list(seen) == owners
    assert all(at(o, "127.0.0.3").records == (record(OLD),) for o in seen.values())
    for rdtype, name in (("NS", ZONE), ("SOA", "test"), ("A", "ns1.example.test")):
        assert world.resolver.count(name, rdtype) == 1
    assert world.parent.count(ZONE, "NS") == 1
    assert world.ns1.count(ZONE, "NS") == 1
    assert world.ns1.count(owners[0].text, "TLSA") == 1


def test_nothing_to_look_at(world: World) -> None:
    assert world.client.observe_owners([]) == {}
    assert world.resolver.asked == []


# ---- servers that differ or fail --------------------------------------------------------------


def test_a_secondary_that_lags_is_seen(world: World) -> None:
    world.ns2.say(OWNER, "TLSA", tlsa(NEW, ttl=900), flags=AUTHORITATIVE)
    seen = world.observe()
    assert at(seen, "127.0.0.2").records == (record(OLD),)
    assert at(seen, "127.0.0.3").records == (record(NEW),)
    assert at(seen, "127.0.0.3").ttl == timedelta(seconds=900)


@pytest.mark.parametrize(
    ("flags", "rcode", "words"),
    [
        ("QR", "REFUSED", "REFUSED"),
        ("QR", "SERVFAIL", "SERVFAIL"),
        ("QR AA", "SERVFAIL", "SERVFAIL"),
        ("QR AA", "NOTAUTH", "NOTAUTH"),
        (RECURSIVE, "NOERROR", "without AA"),
        ("QR", "NXDOMAIN", "NXDOMAIN"),
    ],
)
def test_lame_servers(world: World, flags: str, rcode: str, words: str) -> None:
    world.ns2.say(OWNER, "TLSA", tlsa(NEW), flags=flags, rcode=rcode)
    lame = at(world.observe(), "127.0.0.3")
    assert lame.outcome is ServerOutcome.LAME
    assert words in lame.detail
    assert lame.records == ()


def test_a_silent_server_is_unreachable_and_asked_no_more(world: World) -> None:
    world.silence(world.ns2, ZONE, "NS")
    world.owner("_465._tcp.mail.example.test", OLD)
    owners = [NAME, DnsName("_465._tcp.mail.example.test")]
    for seen in world.client.observe_owners(owners).values():
        silent = at(seen, "127.0.0.3")
        assert silent.outcome is ServerOutcome.UNREACHABLE
        assert silent.detail == "timed out"
        assert at(seen, "127.0.0.2").outcome is ServerOutcome.ANSWERED
    assert world.ns2.count_once(2, ZONE, "NS") == 2
    assert world.ns2.count(OWNER, "TLSA") == 0


def test_a_server_that_falls_silent_is_unreachable(world: World) -> None:
    world.silence(world.ns2, OWNER, "TLSA")
    assert at(world.observe(), "127.0.0.3").outcome is ServerOutcome.UNREACHABLE
    assert world.ns2.count_once(2, OWNER, "TLSA") == 2


def test_nobody_listens(world: World) -> None:
    world.resolver.say("ns2.example.test", "A", "ns2.example.test 60 A 127.0.0.99")
    gone = at(world.observe(), "127.0.0.99")
    assert gone.outcome is ServerOutcome.UNREACHABLE
    assert gone.detail == "connection refused"


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (Trouble.NO_ROUTE, ServerOutcome.NO_ROUTE),
        (Trouble.TIMEOUT, ServerOutcome.UNREACHABLE),
        (Trouble.NETWORK, ServerOutcome.UNREACHABLE),
        (Trouble.MALFORMED, ServerOutcome.UNREACHABLE),
    ],
)
def test_failures_in_words(trouble: Trouble, outcome: ServerOutcome) -> None:
    server = Server(Hostname("ns.test"), "2001:db8::1")
    answer = server_answer(server, QueryFailure(trouble, "why"), NAME)
    assert (answer.outcome, answer.detail) == (outcome, f"{trouble.value}: why")


def test_a_damaged_record_at_a_server_is_told(world: World) -> None:
    world.ns2.on(OWNER, "TLSA", lambda query: raw_tlsa(query, b"\3\1", flags=0x8400))
    damaged = at(world.observe(), "127.0.0.3")
    assert damaged.outcome is ServerOutcome.ANSWERED
    assert damaged.records == ()
    assert "2 octets" in damaged.detail


# ---- who the servers are ----------------------------------------------------------------------


def test_delegation_and_apex_count_together(world: World) -> None:
    world.parent.say(
        ZONE,
        "NS",
        authority=(f"{ZONE} 172800 NS ns2.{ZONE}.",),
        flags="QR",
    )
    apex = f"{ZONE} 60 NS ns1.{ZONE}."
    world.resolver.say(ZONE, "NS", apex, signature(ZONE, "NS", 60))
    for server in (world.ns1, world.ns2):
        server.say(ZONE, "NS", apex, flags=AUTHORITATIVE)
    seen = world.observe()
    assert {n.text for n in seen.name_servers} == {"ns1.example.test", "ns2.example.test"}
    assert seen.ns_ttl == timedelta(days=2)
    assert len(seen.servers) == 2


def test_a_server_may_name_another(world: World) -> None:
    more = [f"{ZONE} 9999 NS ns{n}.{ZONE}." for n in (1, 2, 3)]
    world.ns2.say(ZONE, "NS", *more, flags=AUTHORITATIVE)
    world.host("ns3.example.test", world.parent)
    world.parent.say(OWNER, "TLSA", tlsa(NEW), flags=AUTHORITATIVE)
    seen = world.observe()
    assert at(seen, "127.0.0.4").records == (record(NEW),)
    assert seen.ns_ttl == timedelta(seconds=9999)


def test_the_ns_ttl_is_not_what_is_left_in_the_cache(world: World) -> None:
    apex = [line.replace("3600", "17") for line in NS_LINES]
    world.resolver.say(ZONE, "NS", *apex, signature(ZONE, "NS", 7200))
    assert world.observe().ns_ttl == timedelta(hours=2)


def test_what_a_lame_server_names_does_not_count(world: World) -> None:
    world.ns2.say(ZONE, "NS", f"{ZONE} 9999 NS evil.test.", flags=RECURSIVE)
    assert Hostname("evil.test") not in world.observe().name_servers


def test_without_the_parent_the_apex_counts_alone(world: World) -> None:
    world.silence(world.parent, ZONE, "NS")
    seen = world.observe()
    assert len(seen.name_servers) == 2
    assert seen.ns_ttl == timedelta(hours=1)


def test_without_the_apex_the_delegation_counts_alone(world: World) -> None:
    world.resolver.say(ZONE, "NS", rcode="SERVFAIL")
    assert len(world.observe().name_servers) == 2


def test_one_server_may_hold_parent_and_child(world: World) -> None:
    world.parent.say(ZONE, "NS", f"{ZONE} 7200 NS ns1.{ZONE}.", flags=AUTHORITATIVE)
    assert world.observe().ns_ttl == timedelta(hours=2)


def test_a_parent_with_dead_servers_is_asked_at_the_others(world: World) -> None:
    dead = [f"p.test 60 A 127.0.0.2{n}" for n in range(5)]  # sorted first
    world.resolver.say("p.test", "A", "p.test 60 A 127.0.0.4", *dead)
    world.parent.say(ZONE, "NS", authority=(f"{ZONE} 7200 NS ns1.{ZONE}.",), flags="QR")
    assert world.observe().ns_ttl == timedelta(hours=2)


def test_a_top_level_zone_has_the_root_for_parent(world: World) -> None:
    name = DnsName("_25._tcp.test")
    world.resolver.say(name.text, "TLSA", tlsa(OLD, owner=name.text), flags=RECURSIVE)
    world.resolver.say(name.text, "SOA", authority=("test 60 SOA p.test. h. 1 2 3 4 5",))
    world.resolver.say(".", "SOA", ". 60 SOA a. b. 1 2 3 4 5")
    world.resolver.say(".", "NS", ". 60 NS root.test.")
    world.host("root.test", world.ns1)
    world.ns1.say("test", "NS", authority=("test 172800 NS p.test.",), flags="QR")
    world.parent.say("test", "NS", "test 60 NS p.test.", flags=AUTHORITATIVE)
    world.parent.say(name.text, "TLSA", tlsa(NEW, owner=name.text), flags=AUTHORITATIVE)
    seen = world.observe(name)
    assert seen.zone == DnsName("test")
    assert seen.ns_ttl == timedelta(days=2)
    assert [s.records for s in seen.servers] == [(record(NEW),)]


def test_without_a_parent_zone_the_apex_counts_alone(world: World) -> None:
    world.resolver.say("test", "SOA", rcode="SERVFAIL")
    assert len(world.observe().servers) == 2
    assert world.parent.asked == []


def test_glue_stands_in_for_addresses_that_cannot_be_resolved(world: World) -> None:
    for rdtype in ("A", "AAAA"):
        world.resolver.say("ns2.example.test", rdtype, rcode="SERVFAIL")
    world.parent.say(
        ZONE, "NS", authority=NS_LINES, additional=("ns2.example.test 60 A 127.0.0.3",), flags="QR"
    )
    assert at(world.observe(), "127.0.0.3").outcome is ServerOutcome.ANSWERED


def test_stale_glue_is_asked_beside_the_address_that_the_resolver_knows(world: World) -> None:
    glue = ("ns2.example.test 86400 A 127.0.0.4",)
    world.parent.say(ZONE, "NS", authority=NS_LINES, additional=glue, flags="QR")
    world.parent.say(OWNER, "TLSA", tlsa(NEW), flags=AUTHORITATIVE)
    seen = world.observe()
    assert [(s.server.name.text, s.server.address) for s in seen.servers] == [
        ("ns1.example.test", "127.0.0.2"),
        ("ns2.example.test", "127.0.0.3"),
        ("ns2.example.test", "127.0.0.4"),
    ]
    assert at(seen, "127.0.0.4").records == (record(NEW),)
    assert (seen.ns_ttl, seen.address_ttl) == (timedelta(hours=1), timedelta(days=1))
    assert seen.route_ttl == timedelta(days=1)


def test_addresses_that_the_servers_give_of_each_other_are_asked(world: World) -> None:
    beside = ("ns1.example.test 7200 A 127.0.0.4",)
    world.ns2.say(ZONE, "NS", *NS_LINES, additional=beside, flags=AUTHORITATIVE)
    world.parent.say(OWNER, "TLSA", tlsa(NEW), flags=AUTHORITATIVE)
    seen = world.observe()
    assert at(seen, "127.0.0.4") == ServerAnswer(
        Server(Hostname("ns1.example.test"), "127.0.0.4"),
        ServerOutcome.ANSWERED,
        (record(NEW),),
        ttl=timedelta(seconds=300),
    )
    assert seen.address_ttl == timedelta(hours=2)


def test_addresses_of_others_beside_an_answer_do_not_count(world: World) -> None:
    beside = ("evil.test 60 A 127.0.0.4",)
    world.ns2.say(ZONE, "NS", *NS_LINES, additional=beside, flags=AUTHORITATIVE)
    assert {s.server.address for s in world.observe().servers} == {"127.0.0.2", "127.0.0.3"}


def test_the_address_ttl_is_not_what_is_left_in_the_cache(world: World) -> None:
    own = "ns2.example.test"
    signed = signature(own, "A", 86400)
    world.resolver.say(own, "A", f"{own} 17 A 127.0.0.3", signed)
    assert world.observe().address_ttl == timedelta(days=1)


def test_the_address_ttl_of_an_unsigned_host_is_the_one_that_its_zone_gives(world: World) -> None:
    own = "ns.provider.test"
    world.resolver.say(ZONE, "NS", f"{ZONE} 60 NS {own}.", signature(ZONE, "NS", 60))
    world.parent.say(ZONE, "NS", authority=(f"{ZONE} 60 NS {own}.",), flags="QR")
    for server in (world.ns1, world.ns2):
        server.say(ZONE, "NS", f"{ZONE} 60 NS {own}.", flags=AUTHORITATIVE)
    world.host(own, world.ns1)
    world.resolver.say(own, "A", f"{own} 17 A 127.0.0.2", flags=RECURSIVE)
    apex = "provider.test 60 SOA ns1.example.test. h. 1 2 3 4 5"
    world.resolver.say(own, "SOA", authority=(apex,), flags=RECURSIVE)
    world.resolver.say("provider.test", "NS", "provider.test 60 NS ns2.example.test.")
    world.ns2.say(own, "A", f"{own} 86400 A 127.0.0.2", flags=AUTHORITATIVE)
    seen = world.observe()
    assert [one.server.address for one in seen.servers] == ["127.0.0.2"]
    assert seen.address_ttl == timedelta(days=1)
    world.ns2.say(own, "A", f"{own} 90000 A 127.0.0.2", flags=RECURSIVE)  # a cache's
    assert world.observe().address_ttl == timedelta(seconds=17)


@pytest.mark.parametrize("rdtype", ["A", "AAAA"])
def test_addresses_that_cannot_be_resolved_are_told(world: World, rdtype: str) -> None:
    assert world.observe().unresolved == frozenset()
    world.resolver.say("ns2.example.test", rdtype, rcode="SERVFAIL")
    assert world.observe().unresolved == {Unresolved(DnsName("ns2.example.test"), rdtype)}


def test_a_delegation_that_cannot_be_read_is_told(world: World) -> None:
    world.silence(world.parent, ZONE, "NS")
    assert world.observe().unresolved == {Unresolved(DnsName(ZONE), "NS")}


def test_a_parent_zone_that_cannot_be_found_is_told(world: World) -> None:
    world.resolver.say("test", "SOA", rcode="SERVFAIL")
    assert world.observe().unresolved == {Unresolved(DnsName(ZONE), "NS")}


def test_a_server_without_address_is_unreachable(world: World) -> None:
    for rdtype in ("A", "AAAA"):
        world.resolver.say("ns2.example.test", rdtype, rcode="NXDOMAIN", authority=(SOA,))
    lost = at(world.observe(), "")
    assert lost.server == Server(Hostname("ns2.example.test"), "")
    assert lost.outcome is ServerOutcome.UNREACHABLE
    assert lost.detail == "no address: A: no such name; AAAA: no such name"


def test_a_name_server_that_is_no_host_name_is_not_lost(world: World) -> None:
    odd = rf"{ZONE} 60 NS odd\032\027name.test."
    world.parent.say(ZONE, "NS", authority=(*NS_LINES, odd), flags="QR")
    lost = at(world.observe(), "")
    assert lost.outcome is ServerOutcome.UNREACHABLE
    assert str(lost.server).isprintable()


def test_names_with_one_address_are_both_listed_and_asked_once(world: World) -> None:
    world.host("ns2.example.test", world.ns1)
    seen = world.observe()
    assert [s.server.name.text for s in seen.servers] == ["ns1.example.test", "ns2.example.test"]
    assert world.ns1.count(OWNER, "TLSA") == 1


# ---- which zone -------------------------------------------------------------------------------


def say_absent(world: World, *authority: str, flags: str = AUTHORITATIVE) -> None:
    world.resolver.say(OWNER, "TLSA", authority=(SOA,), rcode="NXDOMAIN")
    for server in (world.ns1, world.ns2):
        server.say(OWNER, "TLSA", authority=authority, rcode="NXDOMAIN", flags=flags)


def test_an_unsigned_zone_is_found_by_its_soa(world: World) -> None:
    world.resolver.say(OWNER, "TLSA", tlsa(OLD), flags=RECURSIVE)
    world.resolver.say(OWNER, "SOA", authority=(SOA,), flags=RECURSIVE)
    seen = world.observe()
    assert seen.answer.security is Security.INSECURE
    assert seen.zone == DnsName(ZONE)
    assert len(seen.servers) == 2


def test_where_authority_is_stripped_we_climb(world: World) -> None:
    world.resolver.say(OWNER, "TLSA", tlsa(OLD), flags=RECURSIVE)
    for name in (OWNER, "_tcp.mail.example.test", "mail.example.test"):
        world.resolver.say(name, "SOA", flags=RECURSIVE)
    world.resolver.say(ZONE, "SOA", SOA, flags=RECURSIVE)
    assert world.observe().zone == DnsName(ZONE)


def test_a_foreign_soa_is_not_taken_for_the_zone(world: World) -> None:
    world.resolver.say(OWNER, "TLSA", authority=("other.test 60 SOA a. b. 1 2 3 4 5",))
    world.resolver.say(OWNER, "SOA", authority=(SOA,))
    assert world.observe().zone == DnsName(ZONE)


def test_an_alias_leads_to_the_zone_that_holds_the_records(world: World) -> None:
    alias = "_25._tcp.mail.customer.test"
    world.resolver.say(
        alias,
        "TLSA",
        f"{alias} 60 CNAME {OWNER}.",
        signature(alias, "CNAME", 60, "customer.test"),
        tlsa(OLD),
        signature(OWNER, "TLSA", 300),
    )
    seen = world.observe(DnsName(alias))
    assert seen.owner == DnsName(alias)
    assert seen.zone == DnsName(ZONE)
    assert at(seen, "127.0.0.2").records == (record(OLD),)
    assert [a.ttl for a in seen.answer.aliases] == [timedelta(seconds=60)]


ALIAS = "_25._tcp.mail.customer.test"
LEADS = f"{ALIAS} 60 CNAME {OWNER}."


def aliased(world: World, *, signed: bool = True) -> None:
    """customer.test is at the parent's server and at ns2; its alias leads to example.test."""
    lines = [LEADS, tlsa(OLD), signature(OWNER, "TLSA", 300)]
    if signed:
        lines.insert(1, signature(ALIAS, "CNAME", 60, "customer.test"))
    else:
        apex = "customer.test 60 SOA p.test. h.test. 1 2 3 4 5"
        world.resolver.say(ALIAS, "SOA", LEADS, authority=(SOA,))
        world.resolver.say("mail.customer.test", "SOA", authority=(apex,))
        world.resolver.say("_tcp.mail.customer.test", "SOA", authority=(apex,))
    world.resolver.say(ALIAS, "TLSA", *lines)
    names = ("customer.test 7200 NS p.test.", f"customer.test 7200 NS ns2.{ZONE}.")
    world.resolver.say("customer.test", "NS", *names)
    for server in (world.parent, world.ns2):
        server.say("customer.test", "NS", *names, flags=AUTHORITATIVE)
        server.say(ALIAS, "TLSA", LEADS, flags=AUTHORITATIVE)


def on_the_way(seen: OwnerObservation, address: str) -> ServerAnswer:
    (alias,) = seen.aliases
    (answer,) = (s for s in alias.servers if s.server.address == address)
    return answer


@pytest.mark.parametrize("signed", [True, False])
def test_the_servers_of_an_alias_are_asked_for_it(world: World, *, signed: bool) -> None:
    aliased(world, signed=signed)
    seen = world.observe(DnsName(ALIAS))
    (alias,) = seen.aliases
    assert (alias.zone, alias.ns_ttl) == (DnsName("customer.test"), timedelta(hours=2))
    assert alias.name_servers == {Hostname("p.test"), Hostname("ns2.example.test")}
    assert {s.outcome for s in alias.servers} == {ServerOutcome.LEADS_ON}
    assert seen.zone == DnsName(ZONE)
    assert at(seen, "127.0.0.3").records == (record(OLD),)
    assert seen.unheard == frozenset()


@pytest.mark.parametrize(
    ("said", "records", "ttls", "detail"),
    [
        ((), (), (None, 300), f"no alias of {OWNER}"),
        ((tlsa(NEW, 90, ALIAS),), (record(NEW),), (90, None), f"no alias of {OWNER}"),
        ((f"{ALIAS} 4000 CNAME x.test.",), (), (None, 4000), "alias of x.test"),
        (
            (f"{ALIAS} 4000 CNAME x.customer.test.", "SOA"),
            (),
            (None, 4300),
            "alias of x.customer.test",
        ),
        (
            (f"{ALIAS} 4000 CNAME x.customer.test.", tlsa(NEW, 90, "x.customer.test")),
            (record(NEW),),
            (4090, None),
            "alias of x.customer.test",
        ),
    ],
)
def test_a_server_that_lags_on_an_alias_is_seen(
    world: World,
    said: tuple[str, ...],
    records: tuple[TlsaRecord, ...],
    ttls: tuple[int | None, int | None],
    detail: str,
) -> None:
    aliased(world)
    denial = ("customer.test 60 SOA p.test. h.test. 1 2 3 4 300",)
    authority = denial if not said or said[-1] == "SOA" else ()
    said = tuple(one for one in said if one != "SOA")
    world.ns2.say(ALIAS, "TLSA", *said, authority=authority, flags=AUTHORITATIVE)
    seen = world.observe(DnsName(ALIAS))
    assert on_the_way(seen, world.parent.address).outcome is ServerOutcome.LEADS_ON
    behind = on_the_way(seen, world.ns2.address)
    assert (behind.outcome, behind.records) == (ServerOutcome.ANSWERED, records)
    assert [behind.ttl, behind.negative_ttl] == [seconds(ttl) for ttl in ttls]
    assert behind.detail == detail


def test_a_server_of_an_alias_that_does_not_know_it_is_lame(world: World) -> None:
    aliased(world)
    world.parent.say(ALIAS, "TLSA", rcode="REFUSED")
    seen = world.observe(DnsName(ALIAS))
    assert on_the_way(seen, world.parent.address).outcome is ServerOutcome.LAME
    assert seen.unheard == {Hostname("p.test")}


def test_an_alias_whose_zone_is_not_found_makes_every_server_count_for_nothing(
    world: World,
) -> None:
    aliased(world, signed=False)
    world.resolver.say(ALIAS, "SOA", rcode="SERVFAIL")
    seen = world.observe(DnsName(ALIAS))
    assert seen.answer.records == (record(OLD),)
    assert (seen.servers, seen.aliases, seen.name_servers) == ((), (), frozenset())


def test_a_bogus_answer_still_gets_its_servers_asked(world: World) -> None:
    world.resolver.say(OWNER, "TLSA", rcode="SERVFAIL")
    world.resolver.say(OWNER, "TLSA", tlsa(OLD), signature(OWNER, "TLSA", 300), unchecked=True)
    seen = world.observe()
    assert seen.answer.security is Security.BOGUS
    assert at(seen, "127.0.0.2").records == (record(OLD),)


def test_no_resolver_no_zone(world: World) -> None:
    world.resolver.say(OWNER, "TLSA", rcode="REFUSED")
    seen = world.observe()
    assert seen.answer.presence is Presence.UNKNOWN
    assert (seen.zone, seen.servers, seen.name_servers) == (None, (), frozenset())


def test_no_zone_when_soa_cannot_be_had(world: World) -> None:
    world.resolver.say(OWNER, "TLSA", tlsa(OLD), flags=RECURSIVE)
    world.resolver.say(OWNER, "SOA", rcode="SERVFAIL")
    assert world.observe().zone is None


# ---- how long absence may be cached -----------------------------------------------------------


@pytest.mark.parametrize(
    ("authority", "seconds"),
    [
        ((SOA,), 300),
        ((SOA, f"a.{ZONE} 3600 NSEC b.{ZONE}. A"), 3600),
        ((SOA, f"a.{ZONE} 30 NSEC b.{ZONE}. A"), 300),
        (
            (SOA, f"a.{ZONE} 30 NSEC b.{ZONE}. A", signature(f"a.{ZONE}", "NSEC", 7200)),
            7200,
        ),
        (
            (
                SOA,
                f"{HASH}.{ZONE} 1800 NSEC3 1 0 0 - {HASH} A",
            ),
            1800,
        ),
        ((), None),
    ],
)
def test_negative_ttl(world: World, authority: tuple[str, ...], seconds: int | None) -> None:
    say_absent(world, *authority)
    absent = at(world.observe(), "127.0.0.2")
    assert absent.outcome is ServerOutcome.ANSWERED
    assert (absent.records, absent.ttl) == ((), None)
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert absent.negative_ttl == expected


@pytest.mark.parametrize("rdtype", ["NSEC", "NSEC3"])
def test_the_denial_beside_what_a_wildcard_gives_has_a_ttl(world: World, rdtype: str) -> None:
    """RFC 8198 section 5.3."""
    own = f"a.{ZONE}" if rdtype == "NSEC" else f"{HASH}.{ZONE}"
    rdata = f"b.{ZONE}. A" if rdtype == "NSEC" else f"1 0 0 - {HASH} A"
    denial = (f"{own} 30 {rdtype} {rdata}", signature(own, rdtype, 7200), NS_LINES[0])
    made = (tlsa(OLD), signature(OWNER, "TLSA", 300).replace(" 13 3 ", " 13 2 "))
    world.ns2.say(OWNER, "TLSA", *made, authority=denial, flags=AUTHORITATIVE)
    found = at(world.observe(), "127.0.0.3")
    assert found.wildcard
    assert (found.ttl, found.negative_ttl) == (timedelta(seconds=300), timedelta(hours=2))
    assert found.longest_ttl == timedelta(hours=2)


def test_an_alias_that_a_wildcard_made_has_the_denials_ttl() -> None:
    denial = (f"a.{ZONE} 7200 NSEC b.{ZONE}. A",)
    alias = Alias(NAME, DnsName("x.elsewhere.test"), timedelta(seconds=60))
    query = dns.message.make_query(OWNER, "TLSA")
    made = build(
        query, f"{OWNER} 60 CNAME x.elsewhere.test.", authority=denial, flags=AUTHORITATIVE
    )
    server = Server(Hostname("ns.test"), "192.0.2.1")
    said = server_answer(server, wire.decode_message(made.to_wire()), NAME, alias)
    assert (said.outcome, said.negative_ttl) == (ServerOutcome.LEADS_ON, timedelta(hours=2))


def test_a_ttl_with_the_high_bit_set_is_the_longest_that_caches_keep(world: World) -> None:
    """RFC 8767 section 4."""
    say_absent(world, f"{ZONE} 60 SOA ns1.{ZONE}. h.{ZONE}. 1 2 3 4 4294967295")
    assert at(world.observe(), "127.0.0.2").negative_ttl == timedelta(days=7)
    signed = (tlsa(OLD), signature(OWNER, "TLSA", 300).replace(" 3 300 ", " 3 2147483648 "))
    world.ns2.say(OWNER, "TLSA", *signed, flags=AUTHORITATIVE)
    assert at(world.observe(), "127.0.0.3").ttl == timedelta(days=7)


def test_a_server_that_has_an_alias_instead(world: World) -> None:
    world.ns2.say(OWNER, "TLSA", f"{OWNER} 4000 CNAME x.elsewhere.test.", flags=AUTHORITATIVE)
    moved = at(world.observe(), "127.0.0.3")
    assert (moved.records, moved.ttl) == ((), None)
    assert moved.negative_ttl == timedelta(seconds=4000)
    assert moved.detail == "alias of x.elsewhere.test"
    assert moved.elsewhere == DnsName("x.elsewhere.test")


def test_a_server_that_has_an_alias_to_another_rrset_instead(world: World) -> None:
    """At the alias's end the RRset there may be asked for once more (RFC 2181 section 5.2)."""
    there = (f"{OWNER} 4000 CNAME x.{ZONE}.", tlsa(OLD, 300, f"x.{ZONE}"))
    world.ns2.say(OWNER, "TLSA", *there, flags=AUTHORITATIVE)
    answer = at(world.observe(), "127.0.0.3")
    assert (answer.ttl, answer.elsewhere) == (timedelta(seconds=4300), None)
    assert answer.end == DnsName(f"x.{ZONE}")
    assert at(world.observe(), "127.0.0.2").end is None


def test_a_server_without_the_alias_leads_to_the_name_itself() -> None:
    """Caches that ask it look there, where the resolver didn't."""
    alias, query = (
        Alias(NAME, DnsName("x.test"), timedelta(hours=1)),
        dns.message.make_query(OWNER, "TLSA"),
    )
    server = Server(Hostname("ns.test"), "192.0.2.1")
    made = wire.decode_message(build(query, tlsa(OLD), flags=AUTHORITATIVE).to_wire())
    assert server_answer(server, made, NAME, alias).end == NAME
    assert server_answer(server, made, NAME).end is None


def test_a_server_that_has_an_alias_to_where_nothing_is_says_so(world: World) -> None:
    there = f"{OWNER} 4000 CNAME x.{ZONE}."
    world.ns2.say(OWNER, "TLSA", there, authority=(SOA,), flags=AUTHORITATIVE)
    answer = at(world.observe(), "127.0.0.3")
    assert (answer.negative_ttl, answer.elsewhere) == (timedelta(seconds=4300), None)
    # the SOA of a zone that doesn't hold the name says nothing of it
    elsewhere = SOA.replace(ZONE, "other.test", 1)
    world.ns2.say(OWNER, "TLSA", there, authority=(elsewhere,), flags=AUTHORITATIVE)
    assert at(world.observe(), "127.0.0.3").elsewhere == DnsName(f"x.{ZONE}")


@pytest.mark.parametrize("how", ["udp", "tcp"])
def test_a_truncated_answer_of_a_server_goes_to_tcp(world: World, how: str) -> None:
    world.ns2.on(OWNER, "TLSA", lambda query: [build(query, flags="QR AA TC").to_wire()])
    if how == "tcp":
        world.ns2.on(
            OWNER,
            "TLSA",
            lambda query: [build(query, tlsa(NEW), flags="QR AA").to_wire()],
            tcp=True,
        )
    answer = at(world.observe(), "127.0.0.3")
    expected = ServerOutcome.ANSWERED if how == "tcp" else ServerOutcome.UNREACHABLE
    assert answer.outcome is expected


# ---- opt-out ----------------------------------------------------------------------------------


def say_opted_out(world: World, *, alias: str = SECURE, apex: str = SECURE) -> None:
    """An alias whose target isn't there, where NSEC3 records with opt-out prove nothing."""
    made = signature(ALIAS, "CNAME", 60, "customer.test")
    world.resolver.say(
        ALIAS, "TLSA", LEADS, made, authority=(SOA,), rcode="NXDOMAIN", flags=RECURSIVE
    )
    world.resolver.say(ALIAS, "CNAME", LEADS, made, flags=alias)
    world.resolver.say(ZONE, "SOA", SOA, flags=apex)
    customer = "customer.test"
    world.resolver.say(customer, "NS", f"{customer} 60 NS p.test.")
    world.parent.say(customer, "NS", f"{customer} 60 NS p.test.", flags=AUTHORITATIVE)
    world.parent.say(ALIAS, "TLSA", LEADS, flags=AUTHORITATIVE)
    for server in (world.ns1, world.ns2):
        server.say(OWNER, "TLSA", authority=(SOA,), rcode="NXDOMAIN", flags=AUTHORITATIVE)


def test_an_alias_is_judged_by_its_own_answer_under_opt_out(world: World) -> None:
    """RFC 5155 section 9.2."""
    say_opted_out(world)
    seen = world.observe(DnsName(ALIAS))
    assert (seen.answer.security, seen.answer.presence) == (Security.INSECURE, Presence.NXDOMAIN)
    assert [alias.security for alias in seen.aliases] == [Security.SECURE]
    assert seen.surely_led
    assert seen.answer.cause is Cause.OPT_OUT
    assert seen.answer.detail == "absence can't be proven under NSEC3 opt-out in example.test"


@pytest.mark.parametrize("flags", [RECURSIVE, "QR RA"])
def test_an_unsigned_alias_may_be_anybodys(world: World, flags: str) -> None:
    say_opted_out(world, alias=flags)
    assert not world.observe(DnsName(ALIAS)).surely_led


def test_an_unsigned_zone_is_no_opt_out(world: World) -> None:
    say_opted_out(world, apex=RECURSIVE)
    seen = world.observe(DnsName(ALIAS))
    assert (seen.surely_led, seen.answer.cause, seen.answer.detail) == (True, None, "")


TOP_SOA = "test 60 SOA p.test. h.test. 1 2 3 4 5"
ROOT_SOA = ". 60 SOA a.test. h.test. 1 2 3 4 5"


@pytest.mark.parametrize(
    ("root", "ds", "cause"),
    [
        (SECURE, (), Cause.UNSIGNED),
        (RECURSIVE, (), None),  # it doesn't validate, or AD is stripped
        (SECURE, (f"{ZONE} 60 DS 1 13 2 {'00' * 32}",), None),  # told not to validate there
    ],
)
def test_insecure_means_unsigned_by_a_resolver_that_validates(
    world: World, root: str, ds: tuple[str, ...], cause: Cause | None
) -> None:
    """RFC 4035 section 4.3; asked where servers are silent."""
    world.resolver.say(OWNER, "TLSA", tlsa(OLD), flags=RECURSIVE)
    world.resolver.say(OWNER, "SOA", authority=(SOA,), flags=RECURSIVE)
    world.resolver.say(".", "SOA", ROOT_SOA, flags=root)
    world.resolver.say("test", "SOA", TOP_SOA, flags=root)
    world.resolver.say(ZONE, "DS", *ds, flags=RECURSIVE)
    assert world.observe().answer.cause is None
    assert world.resolver.count(".", "SOA") == 0
    world.silence(world.ns2, OWNER, "TLSA")
    seen = world.observe()
    assert (seen.answer.security, seen.answer.cause) == (Security.INSECURE, cause)


def test_an_alias_whose_way_is_not_known_is_not_surely_led(world: World) -> None:
    say_opted_out(world)
    assert not world.observe(DnsName(ALIAS))._replace(aliases=()).surely_led


def test_opt_out_costs_nothing_where_all_is_secure(world: World) -> None:
    world.observe()
    assert world.resolver.count(ZONE, "SOA") == 0
