"""A small real name server on loopback, to force what real ones won't do."""

from __future__ import annotations

import contextlib
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Build = Callable[[dns.message.Message], list[bytes]]
RECURSIVE = "QR RD RA"
SECURE = "QR RD RA AD"
AUTHORITATIVE = "QR AA"


@dataclass(frozen=True)
class Asked:
    """One question as it came in."""

    name: str
    rdtype: str
    flags: str
    transport: str
    ident: int
    port: int
    edns: tuple[int, int]


def rrsets(lines: tuple[str, ...]) -> list[dns.rrset.RRset]:
    """Records in presentation format, gathered into RRsets."""
    found: dict[Any, dns.rrset.RRset] = {}
    for line in lines:
        name, ttl, rdtype, rdata = line.split(None, 3)
        rrset = dns.rrset.from_text(f"{name}.".replace("..", "."), int(ttl), "IN", rdtype, rdata)
        key = (rrset.name, rrset.rdtype, rrset.covers)
        if key in found:
            for rdata in rrset:
                found[key].add(rdata, int(ttl))
        else:
            found[key] = rrset
    return list(found.values())


def build(
    query: dns.message.Message,
    *answer: str,
    authority: tuple[str, ...] = (),
    additional: tuple[str, ...] = (),
    flags: str = SECURE,
    rcode: str = "NOERROR",
    extended: tuple[tuple[int, str], ...] = (),
) -> dns.message.Message:
    """A response to ``query`` with these records, one a line: NAME TTL TYPE RDATA."""
    response = dns.message.make_response(query)
    response.flags = dns.flags.from_text(flags)
    response.answer = rrsets(answer)
    response.authority = rrsets(authority)
    response.additional = rrsets(additional)
    options: list[dns.edns.Option] = [
        dns.edns.EDEOption(dns.edns.EDECode.make(code), text) for code, text in extended
    ]
    response.use_edns(0, options=options)
    response.set_rcode(dns.rcode.from_text(rcode))
    return response


def raw_tlsa(query: dns.message.Message, *rdatas: bytes, flags: int = 0x81A0) -> list[bytes]:
    """A response whose TLSA rdata is whatever octets are given; QR RD RA AD if not told."""
    name = query.question[0].name.to_wire() or b""
    head = query.id.to_bytes(2, "big") + flags.to_bytes(2, "big") + b"\0\1"
    records = b"".join(
        b"\xc0\x0c\0\x34\0\1\0\0\x01\x2c" + len(rdata).to_bytes(2, "big") + rdata
        for rdata in rdatas
    )
    counts = len(rdatas).to_bytes(2, "big") + b"\0\0\0\0"
    return [head + counts + name + b"\0\x34\0\1" + records]


@dataclass
class Nameserver:
    """Answers on UDP and TCP at one address; what it isn't told to answer, it refuses."""

    address: str
    port: int
    asked: list[Asked] = field(default_factory=list)
    rules: dict[tuple[str, str, bool], Build] = field(default_factory=dict)
    tcp_rules: dict[tuple[str, str, bool], Build] = field(default_factory=dict)

    def on(
        self, name: str, rdtype: str, how: Build, *, unchecked: bool = False, tcp: bool = False
    ) -> None:
        """Answer with the datagrams that ``how`` makes; ``unchecked``: the question with CD."""
        rules = self.tcp_rules if tcp else self.rules
        rules[name, rdtype, unchecked] = how

    def say(
        self,
        name: str,
        rdtype: str,
        *answer: str,
        unchecked: bool = False,
        **rest: Any,  # noqa: ANN401 - passed on
    ) -> None:
        """Answer as ``build`` does."""
        self.on(name, rdtype, lambda q: [build(q, *answer, **rest).to_wire()], unchecked=unchecked)

    def keep_silent(self, name: str, rdtype: str) -> None:
        """Never answer."""
        self.on(name, rdtype, lambda _query: [])

    def count(self, name: str, rdtype: str) -> int:
        """How often a question came."""
        return sum((a.name, a.rdtype) == (name, rdtype) for a in self.asked)

    def count_once(self, expected: int, name: str, rdtype: str) -> int:
        """The same once so many were read: who asks in vain may not wait for that."""
        end = time.monotonic() + 30
        while self.count(name, rdtype) < expected and time.monotonic() < end:
            time.sleep(0.01)
        return self.count(name, rdtype)

    def respond(self, wire: bytes, transport: str, port: int) -> list[bytes]:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        rdtype = dns.rdatatype.to_text(question.rdtype)
        edns = (query.payload, query.ednsflags)
        flags = dns.flags.to_text(query.flags)
        self.asked.append(Asked(name, rdtype, flags, transport, query.id, port, edns))
        key = (name, rdtype, bool(query.flags & dns.flags.CD))
        how = (self.tcp_rules.get(key) if transport == "tcp" else None) or self.rules.get(key)
        if how is None:
            return [build(query, rcode="REFUSED", flags="QR").to_wire()]
        return how(query)


class _Udp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        server: Any = self.server
        for datagram in server.told.respond(data, "udp", self.client_address[1]):
            sock.sendto(datagram, self.client_address)


class _Tcp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        size = int.from_bytes(self.rfile.read(2), "big")
        server: Any = self.server
        for message in server.told.respond(self.rfile.read(size), "tcp", self.client_address[1]):
            framed = len(message).to_bytes(2, "big") + message
            for part in (framed[:1], framed[1:7], framed[7:]):  # as a slow network would
                self.wfile.write(part)
                self.wfile.flush()
                time.sleep(0.002)


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 65535


@contextlib.contextmanager
def nameservers(*addresses: str) -> Iterator[list[Nameserver]]:
    """One name server at each of these loopback addresses, all at the same free port."""
    for _ in range(20):
        with contextlib.ExitStack() as stack:
            port = 0
            try:
                told, serving = [], []
                for address in addresses:
                    tcp = stack.enter_context(_TcpServer((address, port), _Tcp))
                    port = tcp.server_address[1]
                    udp = stack.enter_context(_UdpServer((address, port), _Udp))
                    told.append(Nameserver(address, port))
                    serving += [tcp, udp]
                    tcp.told = udp.told = told[-1]  # type: ignore[attr-defined]
            except OSError:
                continue  # somebody has that port at one of the addresses: take another
            for server in serving:
                threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
                stack.callback(server.shutdown)
            yield told
            return
    raise OSError("no port is free at all of these addresses")
