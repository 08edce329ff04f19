"""Secure lookups, through the driver, against a server that does as it is told."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dns.message
import dns.rcode
import pytest

from adapters.nameserver import (
    RECURSIVE,
    SECURE,
    Nameserver,
    build,
    nameservers,
    raw_tlsa,
)
from danebot.adapters.dns import exchange
from danebot.adapters.dns.queries import Trouble, together
from danebot.adapters.dns.rdata import AAAA, CNAME, MX, NS, SOA, SRV, TLSA, A, RecordKind
from danebot.adapters.dns.resolvconf import AdTrust, ResolverConfig
from danebot.adapters.dns.resolvconf import Nameserver as At
from danebot.adapters.dns.resolver import Resolver, judge_reply
from danebot.adapters.dns.response import AliasChain, Link, Response
from danebot.adapters.loop import drive
from danebot.domain.dns.answers import Answer, Presence, Security
from danebot.domain.dns.records import MxRecord, SoaRecord, SrvRecord
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, Hostname
from lab.net import free_ports

OWNER = "_25._tcp.mail.example.test"
NAME = DnsName(OWNER)
DIGEST = "ab" * 32
RECORD = TlsaRecord(3, 1, 1, bytes.fromhex(DIGEST))
SOA_LINE = "example.test 9 SOA ns1.example.test. h.example.test. 1 2 3 4 60"


@pytest.fixture
def server() -> Iterator[Nameserver]:
    with nameservers("127.0.0.1") as (only,):
        yield only


def config(*servers: Nameserver | At, timeout: float = 5.0, attempts: int = 2) -> ResolverConfig:
    at = tuple(At(s.address, s.port) for s in servers)
    return ResolverConfig(at, timeout=timedelta(seconds=timeout), attempts=attempts)


def look(
    *servers: Nameserver | At,
    kind: RecordKind[Any] = TLSA,
    name: DnsName = NAME,
    timeout: float = 5.0,
) -> Answer[Any]:
    resolver = Resolver(config(*servers, timeout=timeout))
    answer: Answer[Any] = exchange.resolve(resolver.lookup(kind, name))
    return answer


def tlsa(ttl: int = 300, data: str = f"3 1 1 {DIGEST}") -> str:
    return f"{OWNER} {ttl} TLSA {data}"


# ---- what is secure ---------------------------------------------------------------------------


def test_a_record_with_ad_from_loopback_is_secure(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", tlsa())
    answer = look(server)
    assert answer.secure
    assert answer.presence is Presence.PRESENT
    assert answer.records == (RECORD,)
    assert answer.ttl == timedelta(seconds=300)
    assert answer.canonical == NAME
    assert answer.detail == ""


def test_without_ad_it_is_insecure(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", tlsa(), flags=RECURSIVE)
    answer = look(server)
    assert answer.security is Security.INSECURE
    assert answer.records == (RECORD,)


@pytest.mark.parametrize(
    ("rcode", "presence"), [("NOERROR", Presence.NODATA), ("NXDOMAIN", Presence.NXDOMAIN)]
)
def test_absence_can_be_secure(server: Nameserver, rcode: str, presence: Presence) -> None:
    server.say(OWNER, "TLSA", authority=(SOA_LINE,), rcode=rcode)
    answer = look(server)
    assert (answer.security, answer.presence) == (Security.SECURE, presence)
    assert answer.ttl is None


def test_the_query_is_what_a_security_aware_stub_sends(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", tlsa())
    look(server)
    (asked,) = server.asked
    assert asked.flags == "RD AD"
    assert asked.edns == (1232, 0x8000)


def test_ids_and_ports_are_unpredictable(server: Nameserver) -> None:
    names = [DnsName(f"n{i}.example.test") for i in range(12)]
    resolver = Resolver(config(server))
    exchange.resolve(together([resolver.lookup(TLSA, name) for name in names]))
    assert len({asked.ident for asked in server.asked}) > 6
    assert len({asked.port for asked in server.asked}) > 6


ALIAS = AliasChain((Link("a.test", "b.test", 5),), "b.test")
PLAIN = AliasChain((), "a.test")
AA, AD, RA = 0x0400, 0x0020, 0x0080


@pytest.mark.parametrize(
    ("address", "trust", "flags", "chain", "secure"),
    [
        ("127.0.0.1", AdTrust.LOOPBACK, AD, PLAIN, True),
        ("127.8.9.10", AdTrust.LOOPBACK, AD, PLAIN, True),
        ("::1", AdTrust.LOOPBACK, AD, PLAIN, True),
        ("::ffff:127.0.0.1", AdTrust.LOOPBACK, AD, PLAIN, True),
        ("192.0.2.1", AdTrust.LOOPBACK, AD, PLAIN, False),
        ("fe80::1%lo", AdTrust.LOOPBACK, AD, PLAIN, False),
        ("192.0.2.1", AdTrust.DECLARED, AD, PLAIN, True),
        ("127.0.0.1", AdTrust.LOOPBACK, AA, PLAIN, True),
        ("192.0.2.1", AdTrust.LOOPBACK, AA, PLAIN, False),
        ("192.0.2.1", AdTrust.DECLARED, AA, PLAIN, False),  # never AA from elsewhere
        ("127.0.0.1", AdTrust.LOOPBACK, AA, ALIAS, True),
        ("127.0.0.1", AdTrust.LOOPBACK, AA | RA, ALIAS, False),  # the target may be foreign
        ("127.0.0.1", AdTrust.LOOPBACK, RA, PLAIN, False),
    ],
)
def test_who_is_believed(
    address: str, trust: AdTrust, flags: int, chain: AliasChain, *, secure: bool
) -> None:
    response = Response(0, flags, {}, {}, {})
    verdict, _ = judge_reply(ResolverConfig(trust=trust), At(address), response, chain)
    assert (verdict is Security.SECURE) is secure


def test_disbelieved_ad_is_explained() -> None:
    response = Response(0, AD, {}, {}, {})
    _, words = judge_reply(ResolverConfig(), At("192.0.2.1"), response, PLAIN)
    assert "192.0.2.1" in words[0]
    assert "trust-ad" in words[0]


def test_aa_from_a_loopback_server_counts_through_the_wire(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", tlsa(), flags="QR AA")
    assert look(server).secure


# ---- bogus and unreachable --------------------------------------------------------------------


def test_servfail_that_goes_away_unchecked_is_bogus(server: Nameserver) -> None:
    extended = ((7, "sig \x1b[31m expired|\n"), (9999, ""))
    server.say(OWNER, "TLSA", rcode="SERVFAIL", flags=RECURSIVE, extended=extended)
    server.say(OWNER, "TLSA", tlsa(), flags="QR RD RA CD", unchecked=True)
    answer = look(server)
    assert (answer.security, answer.presence) == (Security.BOGUS, Presence.UNKNOWN)
    assert answer.records == ()
    assert "EDE 7 (signature expired): sig \\x1b[31m expired|" in answer.detail
    assert "EDE 9999" in answer.detail
    assert answer.detail.isprintable()


def test_a_bogus_alias_still_shows_where_it_leads(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", rcode="SERVFAIL", flags=RECURSIVE)
    server.say(
        OWNER,
        "TLSA",
        f"{OWNER} 60 CNAME x.example.test.",
        f"x.example.test 60 TLSA 3 1 1 {DIGEST}",
        unchecked=True,
    )
    answer = look(server)
    assert answer.security is Security.BOGUS
    assert answer.canonical == DnsName("x.example.test")


def test_servfail_with_and_without_checking_is_unreachable(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", rcode="SERVFAIL", extended=((22, "no server answers"),))
    server.say(OWNER, "TLSA", rcode="SERVFAIL", unchecked=True)
    answer = look(server)
    assert (answer.security, answer.presence) == (Security.INDETERMINATE, Presence.UNKNOWN)
    assert "SERVFAIL; EDE 22 (no reachable authority): no server answers" in answer.detail


def test_a_passing_servfail_is_not_called_bogus(server: Nameserver) -> None:
    def first_fails(query: dns.message.Message) -> list[bytes]:
        if server.count(OWNER, "TLSA") == 1:
            return [build(query, rcode="SERVFAIL").to_wire()]
        return [build(query, tlsa()).to_wire()]

    server.on(OWNER, "TLSA", first_fails)
    server.say(OWNER, "TLSA", tlsa(), unchecked=True)
    assert look(server).secure


def test_silence_is_unreachable_after_all_attempts(server: Nameserver) -> None:
    server.keep_silent(OWNER, "TLSA")
    answer = look(server, timeout=0.1)
    assert (answer.security, answer.presence) == (Security.INDETERMINATE, Presence.UNKNOWN)
    assert "timed out" in answer.detail
    assert server.count_once(2, OWNER, "TLSA") == 2


def test_a_lost_query_is_asked_again(server: Nameserver) -> None:
    def second(query: dns.message.Message) -> list[bytes]:
        return [build(query, tlsa()).to_wire()] if server.count(OWNER, "TLSA") > 1 else []

    server.on(OWNER, "TLSA", second)
    assert look(server, timeout=5).secure


@pytest.mark.parametrize("rcode", ["REFUSED", "NOTIMP", "FORMERR"])
def test_an_error_sends_us_to_the_next_nameserver(rcode: str) -> None:
    with nameservers("127.0.0.1", "127.0.0.2") as (first, second):
        first.say(OWNER, "TLSA", rcode=rcode)
        second.say(OWNER, "TLSA", tlsa())
        assert look(first, second).secure
        assert first.count(OWNER, "TLSA") == 1
        answer = look(first)
        assert answer.security is Security.INDETERMINATE
        assert rcode in answer.detail


def test_a_closed_port_is_no_reason_to_wait(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", tlsa())
    closed = At("127.0.0.1", free_ports(1)[0])
    assert look(closed, server, timeout=60).secure
    answer = look(closed, timeout=60)
    assert answer.security is Security.INDETERMINATE
    assert "connection refused" in answer.detail


@pytest.mark.parametrize(
    ("number", "local", "trouble"),
    [
        (errno.ENETUNREACH, True, Trouble.NO_ROUTE),
        (errno.EADDRNOTAVAIL, True, Trouble.NO_ROUTE),
        (errno.EAFNOSUPPORT, True, Trouble.NO_ROUTE),
        (errno.ENETUNREACH, False, Trouble.NETWORK),  # said by a router: the server is away
        (errno.EHOSTUNREACH, True, Trouble.NETWORK),
        (errno.ECONNREFUSED, False, Trouble.REFUSED),
        (errno.EPERM, True, Trouble.NETWORK),
    ],
)
def test_only_this_hosts_own_lack_of_a_route_is_no_route(
    number: int, trouble: Trouble, *, local: bool
) -> None:
    error = OSError(number, os.strerror(number))  # a route can't be taken away without root
    assert exchange.network_failure(error, local=local).trouble is trouble


def test_bogus_at_the_first_is_not_healed_by_a_lax_second() -> None:
    with nameservers("127.0.0.1", "127.0.0.2") as (first, second):
        first.say(OWNER, "TLSA", rcode="SERVFAIL")
        first.say(OWNER, "TLSA", tlsa(), unchecked=True)
        second.say(OWNER, "TLSA", tlsa(), flags=RECURSIVE)
        assert look(first, second).security is Security.BOGUS


def test_a_server_that_does_not_recurse_proves_no_absence(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", authority=("test 60 NS ns.test.",), flags="QR")
    answer = look(server)
    assert answer.security is Security.INDETERMINATE
    assert "does not recurse" in answer.detail


def test_an_alias_that_leaves_a_local_authority_is_no_absence(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", f"{OWNER} 60 CNAME elsewhere.test.", flags="QR AA")
    assert look(server).security is Security.INDETERMINATE


def test_a_name_with_no_room_is_not_asked(server: Nameserver) -> None:
    name = DnsName("_25._tcp." + ".".join(["x" * 60] * 4 + ["test"]))
    assert look(server, name=name).security is Security.INDETERMINATE
    assert server.asked == []


# ---- forged, damaged, oversized ---------------------------------------------------------------


def _wrong_id(query: dns.message.Message) -> bytes:
    response = build(query, tlsa(data=f"3 1 1 {'00' * 32}"))
    response.id = (query.id + 1) % 65536
    return response.to_wire()


def _other_question(query: dns.message.Message) -> bytes:
    other = dns.message.make_query("evil.example.test", "TLSA", id=query.id)
    return build(other, tlsa(data=f"3 1 1 {'00' * 32}")).to_wire()


def _no_question(query: dns.message.Message) -> bytes:
    wire = bytearray(dns.message.make_response(query).to_wire())
    wire[4:6] = b"\0\0"
    return bytes(wire[:12])


@pytest.mark.parametrize(
    "forge",
    [
        _wrong_id,
        _other_question,
        _no_question,
        lambda query: query.to_wire(),  # an echo: QR isn't set
        lambda _query: b"",
        lambda _query: b"\xff" * 11,
    ],
)
def test_forgeries_are_passed_over(
    server: Nameserver, forge: Callable[[dns.message.Message], bytes]
) -> None:
    server.on(OWNER, "TLSA", lambda query: [forge(query), build(query, tlsa()).to_wire()])
    assert look(server).records == (RECORD,)


def test_a_forgery_alone_is_silence(server: Nameserver) -> None:
    server.on(OWNER, "TLSA", lambda query: [_wrong_id(query)])
    answer = look(server, timeout=0.1)
    assert "timed out" in answer.detail


def test_a_damaged_response_is_unreachable(server: Nameserver) -> None:
    server.on(OWNER, "TLSA", lambda query: [build(query, tlsa()).to_wire()[:-15]])
    answer = look(server)
    assert answer.security is Security.INDETERMINATE
    assert "malformed" in answer.detail
    assert server.count(OWNER, "TLSA") == 1


def _truncated(query: dns.message.Message) -> list[bytes]:
    return [build(query, flags="QR RD RA AD TC").to_wire()]


def test_truncated_goes_to_tcp(server: Nameserver) -> None:
    records = [tlsa(data=f"3 1 1 {i:064x}") for i in range(100)]
    server.on(OWNER, "TLSA", _truncated)
    server.on(
        OWNER, "TLSA", lambda query: [build(query, *records).to_wire(max_size=65535)], tcp=True
    )
    answer = look(server)
    assert answer.secure
    assert len(answer.records) == 100
    assert [asked.transport for asked in server.asked] == ["udp", "tcp"]


@pytest.mark.parametrize(
    ("over_tcp", "words"),
    [
        (lambda _query: [], "closed early"),
        (_truncated, "malformed"),
        (lambda query: [_wrong_id(query)], "malformed"),
    ],
)
def test_tcp_may_fail_too(
    server: Nameserver, over_tcp: Callable[[Any], list[bytes]], words: str
) -> None:
    server.on(OWNER, "TLSA", _truncated)
    server.on(OWNER, "TLSA", over_tcp, tcp=True)
    answer = look(server)
    assert answer.security is Security.INDETERMINATE
    assert words in answer.detail


def test_tcp_that_nobody_offers() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def once() -> None:
            wire, peer = sock.recvfrom(4096)
            sock.sendto(_truncated(dns.message.from_wire(wire))[0], peer)

        thread = threading.Thread(target=once)
        thread.start()
        answer = look(At("127.0.0.1", sock.getsockname()[1]))
        thread.join()
    assert answer.security is Security.INDETERMINATE
    assert "connection refused" in answer.detail


def test_tcp_that_hangs_times_out(server: Nameserver) -> None:
    released = threading.Event()

    def hang(_query: dns.message.Message) -> list[bytes]:
        released.wait(5)
        return []

    server.on(OWNER, "TLSA", _truncated)
    server.on(OWNER, "TLSA", hang, tcp=True)
    answer = look(server, timeout=0.2)
    released.set()
    assert "timed out" in answer.detail


def test_an_address_that_the_kernel_refuses_is_an_answer_too() -> None:
    answer = look(At("127.255.255.255", 53))  # a broadcast: EACCES before anything is sent
    assert answer.security is Security.INDETERMINATE
    assert "network error" in answer.detail


def test_one_bad_record_does_not_sink_the_answer(server: Nameserver) -> None:
    good = b"\3\1\1" + bytes.fromhex(DIGEST)
    short, empty, stump = b"\3\1\1\xab", b"\3\1\1", b"\3\1"
    server.on(OWNER, "TLSA", lambda query: raw_tlsa(query, short, good, stump, empty))
    answer = look(server)
    assert answer.secure
    assert set(answer.records) == {
        RECORD,
        TlsaRecord(3, 1, 1, b"\xab"),
        TlsaRecord(3, 1, 1, b""),
    }
    assert answer.rejects == ("TLSA record: rdata of 2 octets",)
    assert answer.ttl == timedelta(seconds=300)


def test_a_set_of_rejects_alone_is_present(server: Nameserver) -> None:
    server.on(OWNER, "TLSA", lambda query: raw_tlsa(query, b""))
    answer = look(server)
    assert (answer.presence, answer.records, len(answer.rejects)) == (Presence.PRESENT, (), 1)


def test_unknown_numbers_are_kept(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", tlsa(data="255 7 9 00ff"))
    assert look(server).records == (TlsaRecord(255, 7, 9, b"\x00\xff"),)


# ---- aliases and TTLs -------------------------------------------------------------------------


def test_an_alias_is_followed_inside_the_answer(server: Nameserver) -> None:
    server.say(
        OWNER,
        "TLSA",
        f"{OWNER} 40 CNAME A.Example.test.",
        "a.example.test 50 CNAME b.example.test.",
        f"b.example.test 60 TLSA 3 1 1 {DIGEST}",
    )
    answer = look(server)
    assert answer.canonical == DnsName("b.example.test")
    assert [(a.name.text, a.target.text, a.ttl.seconds) for a in answer.aliases] == [
        (OWNER, "a.example.test", 40),
        ("a.example.test", "b.example.test", 50),
    ]
    assert answer.records == (RECORD,)
    assert answer.ttl == timedelta(seconds=60)


def test_a_dangling_alias_is_absent_at_its_end(server: Nameserver) -> None:
    server.say(
        OWNER,
        "TLSA",
        f"{OWNER} 40 CNAME gone.example.test.",
        authority=(SOA_LINE,),
        rcode="NXDOMAIN",
    )
    answer = look(server)
    assert (answer.security, answer.presence) == (Security.SECURE, Presence.NXDOMAIN)
    assert answer.canonical == DnsName("gone.example.test")


def test_a_loop_of_aliases_ends(server: Nameserver) -> None:
    server.say(
        OWNER,
        "TLSA",
        f"{OWNER} 40 CNAME a.test.",
        "a.test 40 CNAME b.test.",
        "b.test 40 CNAME a.test.",
    )
    answer = look(server)
    assert (answer.security, answer.presence) == (Security.INDETERMINATE, Presence.UNKNOWN)
    assert "loop" in answer.detail


def test_a_chain_without_end_is_cut(server: Nameserver) -> None:
    links = [f"n{i}.test 40 CNAME n{i + 1}.test." for i in range(40)]
    server.say("n0.test", "TLSA", *links)
    answer = look(server, name=DnsName("n0.test"))
    assert answer.security is Security.INDETERMINATE


def test_a_synthesised_alias_lives_as_long_as_its_dname(server: Nameserver) -> None:
    server.say(
        OWNER,
        "TLSA",
        "example.test 7 DNAME other.test.",
        "example.test 7 RRSIG DNAME 13 2 3600 20300101000000 20200101000000 7 example.test. AAAA",
        f"{OWNER} 7 CNAME _25._tcp.mail.other.test.",
        f"_25._tcp.mail.other.test 60 TLSA 3 1 1 {DIGEST}",
    )
    answer = look(server)
    assert [alias.ttl for alias in answer.aliases] == [timedelta(hours=1)]
    assert answer.records == (RECORD,)


def test_ttl_and_end_come_from_the_signatures(server: Nameserver) -> None:
    server.say(
        OWNER,
        "TLSA",
        tlsa(ttl=17),
        f"{OWNER} 17 RRSIG TLSA 13 5 3600 20300102030405 20200101000000 7 example.test. AAAA",
        f"{OWNER} 17 RRSIG TLSA 8 5 3600 20290102030405 20200101000000 8 example.test. AAAA",
    )
    answer = look(server)
    assert answer.ttl == timedelta(hours=1)
    assert answer.signed_until == datetime(2029, 1, 2, 3, 4, 5, tzinfo=UTC)


# ---- kinds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "lines", "records"),
    [
        (A, ["192.0.2.1", "192.0.2.9"], ("192.0.2.1", "192.0.2.9")),
        (AAAA, ["2001:DB8:0::1"], ("2001:db8::1",)),
        (CNAME, ["Other.test."], (DnsName("other.test"),)),
        (NS, ["ns2.test.", "NS1.test."], (Hostname("ns1.test"), Hostname("ns2.test"))),
        (
            MX,
            ["10 mx.test.", "0 ."],
            (MxRecord(0, None), MxRecord(10, Hostname("mx.test"))),
        ),
        (SRV, ["1 2 993 imap.test."], (SrvRecord(1, 2, 993, Hostname("imap.test")),)),
        (
            SOA,
            ["ns.test. h.test. 7 1 2 3 99"],
            (SoaRecord(DnsName("ns.test"), 7, timedelta(seconds=99)),),
        ),
    ],
)
def test_kinds_are_typed(
    server: Nameserver, kind: RecordKind[Any], lines: list[str], records: tuple[Any, ...]
) -> None:
    server.say("x.test", kind.word, *(f"x.test 60 {kind.word} {line}" for line in lines))
    answer = look(server, kind=kind, name=DnsName("x.test"))
    assert answer.records == records
    assert answer.rejects == ()


def test_a_cname_asked_for_is_not_followed(server: Nameserver) -> None:
    server.say("x.test", "CNAME", "x.test 60 CNAME y.test.", "y.test 60 CNAME z.test.")
    answer = look(server, kind=CNAME, name=DnsName("x.test"))
    assert answer.canonical == DnsName("x.test")
    assert answer.records == (DnsName("y.test"),)


def test_a_host_that_is_no_host_name_is_rejected(server: Nameserver) -> None:
    server.say("x.test", "MX", r"x.test 60 MX 5 bad\032\027name.test.", "x.test 60 MX 6 ok.test.")
    answer = look(server, kind=MX, name=DnsName("x.test"))
    assert answer.records == (MxRecord(6, Hostname("ok.test")),)
    assert len(answer.rejects) == 1
    assert answer.rejects[0].isprintable()


# ---- drivers ----------------------------------------------------------------------------------


def test_a_name_asked_twice_is_looked_up_once(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", tlsa())
    resolver = Resolver(config(server))

    def thrice() -> Generator[Any, Any, list[Answer[TlsaRecord]]]:
        answers = yield from together([resolver.lookup(TLSA, NAME), resolver.lookup(TLSA, NAME)])
        return [*answers, (yield from resolver.lookup(TLSA, NAME))]

    answers = exchange.resolve(thrice())
    assert len(answers) == 3
    assert answers.count(answers[0]) == 3
    assert server.count(OWNER, "TLSA") == 1


def test_a_cache_serves_several_calls(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", tlsa())
    steps = Resolver(config(server)).lookup
    cache: Any = {}
    assert exchange.resolve(steps(TLSA, NAME), cache) == exchange.resolve(steps(TLSA, NAME), cache)
    assert server.count(OWNER, "TLSA") == 1
    exchange.resolve(steps(TLSA, NAME))
    assert server.count(OWNER, "TLSA") == 2


def test_a_big_batch_passes_through_few_slots(server: Nameserver) -> None:
    names = [DnsName(f"n{i}.example.test") for i in range(150)]
    for name in names[::2]:
        server.say(name.text, "TLSA", f"{name} 60 TLSA 3 1 1 {DIGEST}", flags=SECURE)
    resolver = Resolver(config(server, timeout=20))
    answers = exchange.resolve(together([resolver.lookup(TLSA, n) for n in names]), in_flight=5)
    assert [answer.secure for answer in answers] == [i % 2 == 0 for i in range(150)]
    assert [answer.name for answer in answers] == names


def test_many_programs_share_what_is_under_way(server: Nameserver) -> None:
    server.say(OWNER, "TLSA", tlsa())
    resolver = Resolver(config(server))
    programs = [resolver.lookup(TLSA, NAME) for _ in range(40)]
    answers = list(drive(programs, exchange.query_lane(3), at_once=40))
    assert len(answers) == 40
    assert all(answer.secure for answer in answers)
    assert server.count(OWNER, "TLSA") == 1
