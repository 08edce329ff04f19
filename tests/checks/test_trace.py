"""check_dane --trace: what was said with name servers and peers, for a ticket."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from adapters.hostile import (
    Behaviour,
    Peer,
    closes_after,
    hangs_up,
    repeats,
    says,
    server_context,
    service_of,
)
from adapters.nameserver import RECURSIVE, SECURE, build
from adapters.services import HELO, SERVICES
from checking import NAME, Plugin, Told, World, chain_file
from danebot.adapters.trace import MAX_TRACE
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.names import Protocol
from domain.pki import issue

ENDS = [one.value for one in ProbeOutcome]
LINE = re.compile(r" *(\d+\.\d{3})  (\S+)  (.*)")


def trace(told: Told) -> list[tuple[str, str]]:
    """Who said what, in the order of the times."""
    (head,) = [n for n, line in enumerate(told.lines) if line.startswith("trace, in seconds since")]
    lines = [LINE.fullmatch(line) for line in told.lines[head + 1 :]]
    found = [one for one in lines if one is not None]
    assert len(found) >= len(lines) - 1  # but for the word on what was left out
    times = [float(one[1]) for one in found]
    assert times == sorted(times)
    assert all(0 <= one < 60 for one in times)
    return [(one[2], one[3]) for one in found]


def about(told: Told, peer: str) -> list[str]:
    return [text for who, text in trace(told) if who == peer]


def safe(told: Told) -> None:
    assert all(line.isprintable() for line in told.lines)
    assert all("|" not in line for line in told.lines[1:])
    assert len(told.text.encode()) < 2 * MAX_TRACE


def test_the_whole_dialogue(world: World, plugin: Plugin) -> None:
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        plain = plugin(*world.words(peer.port))
        told = plugin(*world.words(peer.port, "--trace"))
    safe(told)
    assert told.lines[0].split(" | ")[0] == plain.lines[0].split(" | ")[0]
    assert told.status == plain.status == 0
    assert len(plain.lines) == 1
    owner = f"_{peer.port}._tcp.{NAME}"
    dns = about(told, f"127.0.0.1:{world.dns.port}")
    assert f"> {owner} TLSA" in dns
    at = dns.index(f"< {owner} TLSA: NOERROR, AD")
    assert dns[at + 1] == f"  {owner} 300 TLSA 3 1 1 {world.digest}"
    assert f"< {NAME} AAAA: NOERROR, AD" in dns
    assert f"  {NAME} 300 A 127.0.0.1" in dns
    said = about(told, f"127.0.0.1:{peer.port}")
    assert said[:8] == [
        f"connecting, for {NAME}:{peer.port}",
        "connected",
        "< 220-mail.example",
        "< 220 ESMTP",
        "> EHLO probe.example",
        "< 250-mail.example",
        "< 250-SIZE 10240000",
        "< 250-starttls",
    ]
    assert said[8:12] == [
        "< 250 DSN",
        "> STARTTLS",
        "< 220 2.0.0 Ready to start TLS",
        f"> TLS handshake, SNI {NAME}",
    ]
    assert re.fullmatch(r"TLSv1\.3, TLS_[A-Z0-9_]+", said[12])
    assert said[13].startswith(
        f"certificate 0: subject CN={NAME}, issuer CN=Check CA, names {NAME}"
    )
    assert said[14].startswith(f"  SPKI SHA2-256 {world.digest}, Cert SHA2-256 ")
    assert said[15].startswith("certificate 1: subject CN=Check CA, issuer CN=Check CA, valid ")
    assert said[17:] == ["> QUIT (in TLS)"]


def test_details_come_first(world: World, plugin: Plugin) -> None:
    with world.peer() as peer:
        world.publish(peer.port, "3 1 1 " + "5a" * 32)
        told = plugin(*world.words(peer.port, "-v", "--trace"))
    assert told.status == 2
    assert told.lines[1].startswith("[CRITICAL]")
    assert told.lines[2].startswith("trace, in seconds since 20")


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (
            closes_after(),
            ["service refused the session: connection closed instead of the greeting"],
        ),
        (
            closes_after(b"220 \x1b[2J\x07 a|b \xff\xe2\x80\xae\r\n"),
            [
                r"< 220 \\x1b[2J\\x07 a\\x7cb \\xff\\u202e",
                "> EHLO probe.example",
                "protocol violated: connection closed instead of the answer to EHLO",
            ],
        ),
        (
            says(b"554 go away\r\n"),
            ["< 554 go away", "service refused the session: greeting: 554 go away", "> QUIT"],
        ),
        (
            says(b"220 x\r\n", b"250 mx\r\n"),
            ["< 220 x", "> EHLO probe.example", "< 250 mx", "> QUIT"],
        ),
        (
            says(b"220 x\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n250 early\r\n"),
            ["> STARTTLS", "< 220 go", "< 250 early"],
        ),
        (
            says(
                b"220 x\r\n",
                b"250-mx\r\n250 STARTTLS\r\n",
                b"220 go\r\n",
                b"\x15\x03\x03\0\2\2\x28",
            ),
            ["> STARTTLS", "< 220 go", "> TLS handshake, SNI mail.example"],
        ),
        (hangs_up(b"220 unfinished"), ["< 220 unfinished"]),
    ],
)
def test_what_goes_wrong(
    world: World, plugin: Plugin, behaviour: Behaviour, said: list[str]
) -> None:
    with Peer(behaviour) as peer:
        world.publish(peer.port, "3 1 1 " + "5a" * 32)
        told = plugin(*world.words(peer.port, "--trace"))
    safe(told)
    assert told.status in (2, 3)
    heard = about(told, f"127.0.0.1:{peer.port}")
    assert [one for one in heard if one in said] == said
    ended = [one for one in heard if re.match(rf"({'|'.join(ENDS)})", one)]
    assert len(ended) == 1


def test_nobody_there(world: World, plugin: Plugin) -> None:
    with world.peer() as peer:
        port = peer.port
    world.publish(port, "3 1 1 " + "5a" * 32)
    told = plugin(*world.words(port, "--trace"))
    assert about(told, f"127.0.0.1:{port}") == [
        f"connecting, for {NAME}:{port}",
        "cannot connect: connection refused",
    ]


def test_a_resolver_without_an_answer(world: World, plugin: Plugin) -> None:
    world.dns.keep_silent(NAME, "A")
    world.dns.say(NAME, "AAAA", rcode="SERVFAIL", flags=RECURSIVE)
    told = plugin("-H", NAME, "-t", "4", "--trace", *world.resolver)
    dns = about(told, f"127.0.0.1:{world.dns.port}")
    assert f"< {NAME} A: timed out" in dns
    assert f"< {NAME} AAAA: SERVFAIL, no AD" in dns
    assert any(one.startswith(f"> {NAME} AAAA, checking disabled") for one in dns)


def test_a_long_answer_comes_over_tcp(world: World, plugin: Plugin) -> None:
    owner = f"_25._tcp.{NAME}"
    records = [f"3 1 1 {number:064x}" for number in range(12)]
    world.publish(25, *records)
    cut = "QR RD RA AD TC"
    world.dns.on(owner, "TLSA", lambda query: [build(query, flags=cut).to_wire()])
    whole = [f"{owner} 300 TLSA {one}" for one in records]
    world.dns.on(
        owner, "TLSA", lambda query: [build(query, *whole, flags=SECURE).to_wire()], tcp=True
    )
    told = plugin(
        "-H", NAME, "-t", "8", "--trace", *world.resolver, "--address", f"{NAME}=127.0.0.77"
    )
    safe(told)
    dns = about(told, f"127.0.0.1:{world.dns.port}")
    at = dns.index(f"< {owner} TLSA: cut off, again over TCP")
    assert dns[at + 1] == f"< {owner} TLSA: NOERROR, AD"
    assert sum(" TLSA 3 1 1 " in one for one in dns) == len(records)


@pytest.mark.parametrize("data", [b"220-\r\n", b"220-" + b"x" * 5000 + b"\r\n", b"\x1b" * 4000])
def test_its_length_is_bounded(world: World, plugin: Plugin, data: bytes) -> None:
    with Peer(repeats(data)) as peer:
        world.publish(peer.port, "3 1 1 " + "5a" * 32)
        told = plugin(*world.words(peer.port, "--trace"))
    safe(told)
    assert told.status == 2
    assert trace(told)[-1][1].startswith("protocol violated: greeting: ")


def test_a_foreign_certificate_forges_no_line(world: World, plugin: Plugin) -> None:
    leaf = issue("a|b\n   0.000  x  y\x1b[2J", world.ca, names=[NAME])
    with world.peer(world.service(leaf)) as peer:
        world.publish(peer.port, "3 1 1 " + "5a" * 32)
        told = plugin(*world.words(peer.port, "--trace"))
    safe(told)
    assert not any(who == "x" for who, _ in trace(told))


def test_nothing_of_it_is_loaded_where_it_is_not_asked_for(world: World) -> None:
    code = (
        "import sys; from danebot_checks.dane import outcome; outcome(sys.argv[1:]); "
        "print([one for one in sys.modules if one.endswith(('trace', '.traced', '.demands', "
        "'.forms'))])"
    )
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        done = subprocess.run(
            [sys.executable, "-c", code, *world.words(peer.port)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.splitlines()[-1] == "[]"


def test_time_that_ends_loses_no_trace(
    world: World, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of all then it is wanted."""
    monkeypatch.setattr("danebot.jobs.verify._DNS_SHARE", 50)
    world.dns.keep_silent(NAME, "A")
    world.dns.keep_silent(NAME, "AAAA")
    told = plugin("-H", NAME, "-t", "1", "--trace", *world.resolver)
    assert told.status == 3
    assert f"> {NAME} A" in about(told, f"127.0.0.1:{world.dns.port}")


@pytest.mark.parametrize(
    ("protocol", "last"),
    [
        (Protocol.XMPP_CLIENT, "< <proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        (Protocol.LDAP, "< 0\\\\x0c\\\\x02\\\\x01\\\\x01x\\\\x07"),
        (Protocol.IMAP, "< a2 OK Begin TLS negotiation now."),
        (Protocol.FTP, "< 234 Proceed"),
    ],
)
def test_protocols_without_lines(
    world: World, plugin: Plugin, protocol: Protocol, last: str
) -> None:
    service = service_of(protocol, server_context(chain_file(world.directory / "x", world.leaf)))
    with Peer(service) as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        words = ["-H", NAME, "-p", str(peer.port), "--starttls", protocol.value]
        told = plugin(*words, "--helo", HELO.text, "--trace", *world.resolver)
    safe(told)
    assert told.status == 0
    said = about(told, f"127.0.0.1:{peer.port}")
    at = said.index(f"> TLS handshake, SNI {NAME}")
    assert said[at - 1].startswith(last)
    assert sum(one.startswith("> ") for one in said[:at]) == sum(
        bool(heard) for heard, _ in SERVICES[protocol]
    )
