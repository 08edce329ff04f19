"""Probes of real services, and against peers that don't behave."""

from __future__ import annotations

import errno
import os
import resource
import socket
import ssl
import subprocess
import sys
import threading
import tracemalloc
from datetime import timedelta

import pytest

from adapters import hostile
from adapters.hostile import Peer, service_of
from adapters.probing import Certificates, probe
from adapters.services import GOODBYES, HELO, HOST, SERVICES, heard
from danebot.adapters.probe.prober import MAX_OPEN, probe_all
from danebot.adapters.probe.session import MAX_HANDSHAKE, Session
from danebot.adapters.probe.target import Limits, Target
from danebot.domain.delivery.probes import ProbeOutcome as Outcome
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import Endpoint, Hostname, Protocol

AMPLE = Limits()
SHORT = Limits(total=timedelta(seconds=1))


def at(
    peer: Peer, protocol: Protocol = Protocol.SMTP, algorithm: Algorithm = Algorithm.ANY
) -> Target:
    return Target(Endpoint(HOST, peer.port, protocol), peer.address, algorithm=algorithm)


@pytest.mark.parametrize("protocol", Protocol)
def test_every_protocol_ends_in_the_presented_chain(
    certificates: Certificates, protocol: Protocol
) -> None:
    service = service_of(protocol, hostile.server_context(certificates.ecdsa.file))
    with Peer(service) as peer:
        result = probe(at(peer, protocol), AMPLE)
    assert result.outcome is Outcome.SERVED
    assert result.chain == certificates.ecdsa.ders
    assert result.tls_version == "TLSv1.3"
    assert service.sni == ["mail.example"]
    assert b"".join(service.before) == heard(SERVICES[protocol])
    assert service.inside == [GOODBYES.get(protocol, b"")]


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_ipv6_and_another_port_and_another_name(
    certificates: Certificates, maximum: ssl.TLSVersion
) -> None:
    context = hostile.server_context(certificates.ecdsa.file, maximum_version=maximum)
    service = service_of(Protocol.XMPP_CLIENT, context)
    endpoint = Endpoint(Hostname.parse("srv.example"), 1, Protocol.XMPP_CLIENT)
    sni = Hostname.parse("base.example")
    with Peer(service, "::1") as peer:
        target = Target(endpoint, "::1", peer.port, sni=sni, domain=HOST)
        result = probe(target, AMPLE)
    assert (result.outcome, result.endpoint, result.address) == (Outcome.SERVED, endpoint, "::1")
    assert service.sni == ["base.example"]
    assert b" to='mail.example' " in b"".join(service.before)


def test_either_certificate_of_two(certificates: Certificates) -> None:
    both = hostile.server_context(certificates.rsa.file, certificates.ecdsa.file)
    with Peer(service_of(Protocol.SMTP, both)) as peer:
        rsa = probe(at(peer, algorithm=Algorithm.RSA), AMPLE)
        ecdsa = probe(at(peer, algorithm=Algorithm.ECDSA), AMPLE)
    assert (rsa.algorithm, rsa.chain) == (Algorithm.RSA, certificates.rsa.ders)
    assert (ecdsa.algorithm, ecdsa.chain) == (Algorithm.ECDSA, certificates.ecdsa.ders)


def test_an_algorithm_that_is_not_there(certificates: Certificates) -> None:
    with Peer(service_of(Protocol.SMTP, hostile.server_context(certificates.rsa.file))) as peer:
        result = probe(at(peer, algorithm=Algorithm.ECDSA), AMPLE)
    assert result.outcome is Outcome.TLS_FAILED
    assert "may have no ECDSA certificate" in result.detail


def test_an_algorithm_where_only_tls_1_3_is_spoken(certificates: Certificates) -> None:
    context = hostile.server_context(certificates.rsa.file, minimum_version=ssl.TLSVersion.TLSv1_3)
    with Peer(service_of(Protocol.TLS, context)) as peer:
        result = probe(at(peer, Protocol.TLS, Algorithm.RSA), AMPLE)
    assert result.outcome is Outcome.TLS_FAILED
    assert "no TLS 1.2" in result.detail


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_only_old_tls(certificates: Certificates) -> None:
    old = ssl.TLSVersion.TLSv1_1
    context = hostile.server_context(
        certificates.rsa.file, minimum_version=old, maximum_version=old
    )
    with Peer(service_of(Protocol.TLS, context)) as peer:
        result = probe(at(peer, Protocol.TLS), AMPLE)
    assert result.outcome is Outcome.TLS_FAILED
    assert "older than 1.2" in result.detail or "no TLS version in common" in result.detail


def test_a_chain_beyond_any_size(certificates: Certificates) -> None:
    huge = certificates.chain("huge", "mail.example", padding=1_000_000)
    with Peer(service_of(Protocol.SMTP, hostile.server_context(huge.file))) as peer:
        result = probe(at(peer), AMPLE)
    assert result.outcome is Outcome.TLS_FAILED
    assert "100 KiB" in result.detail


def test_a_large_chain_within_limits(certificates: Certificates) -> None:
    large = certificates.chain("large", "mail.example", padding=90_000)
    with Peer(service_of(Protocol.SMTP, hostile.server_context(large.file))) as peer:
        result = probe(at(peer), AMPLE)
    assert (result.outcome, result.chain) == (Outcome.SERVED, large.ders)


SMTP = [answer for _, answer in SERVICES[Protocol.SMTP]]
ALERT = bytes.fromhex("15 0303 0002 0228")  # fatal, handshake_failure
HOSTILE = {
    "refusing": (hostile.says(b"554 5.7.1 go \x1b[31maway\r\n"), Outcome.REFUSED, "\\x1b[31maway"),
    "without STARTTLS": (
        hostile.says(SMTP[0], b"250-a\r\n250 SIZE\r\n"),
        Outcome.NO_STARTTLS,
        "offers: SIZE",
    ),
    "too busy for TLS": (
        hostile.says(SMTP[0], SMTP[1], b"454 4.7.0 TLS not available\r\n"),
        Outcome.REFUSED,
        "answer to STARTTLS: 454 4.7.0",
    ),
    "injecting at once": (
        hostile.says(SMTP[0], SMTP[1], SMTP[2] + b"250 injected\r\n"),
        Outcome.INJECTED,
        "250 injected",
    ),
    "injecting later": (
        hostile.says(SMTP[0], SMTP[1], SMTP[2], b"250 injected \xe2\x80\xae\r\n"),
        Outcome.INJECTED,
        "250 injected \\u202e",
    ),
    "speaking binary": (
        hostile.says(bytes(range(256))),
        Outcome.PROTOCOL_ERROR,
        "not an SMTP reply: \\x00\\x01",
    ),
    "flooding": (hostile.repeats(b"x" * 65536), Outcome.PROTOCOL_ERROR, "over 8192 octets"),
    "flooding with lines": (hostile.repeats(b"220-x\r\n"), Outcome.PROTOCOL_ERROR, "more than 500"),
    "sending an alert": (
        hostile.says(*SMTP, ALERT),
        Outcome.TLS_FAILED,
        "alert: handshake failure",
    ),
    "garbling TLS": (
        hostile.says(*SMTP, b"\x16\x03\x03\x00\x04\xff\x00\x00\x00"),
        Outcome.TLS_FAILED,
        "unexpected message",
    ),
    "closing at once": (hostile.closes_after(), Outcome.REFUSED, "closed instead of the greeting"),
    "closing amid the greeting": (
        hostile.hangs_up(b"220-hello\r\n220-wor"),
        Outcome.PROTOCOL_ERROR,
        "instead of the greeting, only: 220-hello 220-wor",
    ),
    "closing amid TLS": (hostile.closes_after(*SMTP), Outcome.TLS_FAILED, "in the handshake"),
}


@pytest.mark.parametrize(("behaviour", "outcome", "words"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_peers(behaviour: hostile.Behaviour, outcome: Outcome, words: str) -> None:
    tracemalloc.start()
    try:
        with Peer(behaviour) as peer:
            result = probe(at(peer), AMPLE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.outcome is outcome
    assert words in result.detail
    assert result.detail.isprintable()
    assert result.chain == ()
    assert peak < 4_000_000


@pytest.mark.parametrize("step", range(4))
def test_a_reset_at_each_step(step: int) -> None:
    with Peer(hostile.resets_after(*SMTP[:step])) as peer:
        result = probe(at(peer), AMPLE)
    expected = [Outcome.REFUSED, Outcome.PROTOCOL_ERROR, Outcome.PROTOCOL_ERROR, Outcome.TLS_FAILED]
    # A reset at once may come while the client still connects.
    assert result.outcome is expected[step] or (step, result.outcome) == (0, Outcome.UNREACHABLE)
    assert "connection reset" in result.detail


def test_plain_text_where_tls_is_due() -> None:
    with Peer(hostile.says(b"220 \x07smtp here\r\n")) as peer:
        result = probe(at(peer, Protocol.TLS), AMPLE)
    assert result.outcome is Outcome.TLS_FAILED
    assert result.detail == "the answer is not TLS: 220 \\x07smtp here"


def test_an_endless_handshake() -> None:
    """A client ignores hello requests, so that nothing but the sum of octets ends it."""
    hello_request = bytes.fromhex("16 0303 0004 00000000")
    with Peer(hostile.repeats(hello_request * 1000)) as peer:
        result = probe(at(peer, Protocol.TLS), AMPLE)
    assert result.outcome is Outcome.TLS_FAILED
    assert result.detail == f"handshake over {MAX_HANDSHAKE} octets"


DRIPS = {"lines": b"220-slow\r\n", "line": b"x", "tls": b"\x16\x03\x03\x40\x00" + bytes(64)}


@pytest.mark.parametrize("data", DRIPS.values(), ids=DRIPS)
def test_dripping_does_not_stretch_the_limit(data: bytes) -> None:
    pause = threading.Event()
    protocol = Protocol.TLS if data.startswith(b"\x16") else Protocol.SMTP
    with Peer(hostile.drips(data, pause)) as peer:
        result = probe(at(peer, protocol), SHORT)
        pause.set()
    assert result.outcome is Outcome.CUT_SHORT
    assert "within 1 s for the whole probe" in result.detail


def test_silence_ends_with_the_step() -> None:
    limits = Limits(step=timedelta(seconds=5))
    with Peer(hostile.says(SMTP[0])) as peer:
        result = probe(at(peer), limits)
    assert (result.outcome, result.detail) == (
        Outcome.CUT_SHORT,
        "no answer to EHLO within 5 s",
    )


def test_dripping_does_not_stretch_a_step() -> None:
    pause = threading.Event()
    limits = Limits(step=timedelta(seconds=3))
    with Peer(hostile.drips(b"220-slow\r\n", pause)) as peer:
        result = probe(at(peer), limits)
        pause.set()
    assert result.outcome is Outcome.CUT_SHORT
    assert result.detail.startswith("no greeting within 3 s, only: 2")


def test_a_connection_that_is_never_accepted() -> None:
    with hostile.full_listener() as port:
        target = Target(Endpoint(HOST, port, Protocol.SMTP), "127.0.0.1")
        result = probe(target, Limits(connect=timedelta(seconds=0.3)))
    assert (result.outcome, result.detail) == (Outcome.CUT_SHORT, "no connection within 0.3 s")


@pytest.mark.parametrize(
    ("limits", "awaited", "outcome"),
    [
        (Limits(), "connect", Outcome.TIMEOUT),
        (Limits(connect=timedelta(seconds=4.9)), "connect", Outcome.CUT_SHORT),
        (Limits(), "answer", Outcome.CUT_SHORT),
        (Limits(step=timedelta(minutes=5), total=timedelta(minutes=9)), "answer", Outcome.TIMEOUT),
    ],
)
def test_silence_is_the_peers_fault_after_as_long_as_senders_wait(
    limits: Limits, awaited: str, outcome: Outcome
) -> None:
    target = Target(Endpoint(HOST, 25, Protocol.SMTP), "127.0.0.1")
    session = Session(target, limits, HELO, now=0.0)
    if awaited == "answer":
        session.connected(now=1.0)
    session.expired()
    assert session.result.outcome is outcome


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.ENETUNREACH, Outcome.NO_ROUTE),
        (errno.EADDRNOTAVAIL, Outcome.NO_ROUTE),
        (errno.EAFNOSUPPORT, Outcome.NO_ROUTE),
        (errno.EHOSTUNREACH, Outcome.UNREACHABLE),
        (errno.EHOSTDOWN, Outcome.UNREACHABLE),
        (errno.EMFILE, Outcome.SHORTAGE),
        (errno.ENFILE, Outcome.SHORTAGE),
        (errno.ENOBUFS, Outcome.SHORTAGE),
        (errno.ENOMEM, Outcome.SHORTAGE),
    ],
)
def test_what_the_kernel_says_before_anything_was_sent(number: int, outcome: Outcome) -> None:
    target = Target(Endpoint(HOST, 25, Protocol.SMTP), "127.0.0.1")
    for later in (False, True):  # a router's word says nothing of this host
        session = Session(target, Limits(), HELO, now=0.0)
        tell = session.broken if later else session.unable
        tell(OSError(number, "words"))
        assert session.result.outcome is (Outcome.UNREACHABLE if later else outcome)


def test_no_descriptor_left_is_no_fault_of_the_service() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = Target(Endpoint(HOST, 25, Protocol.SMTP), "127.0.0.1")
    free = os.open("/dev/null", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))  # one, for the selector
    try:
        result = probe(target, AMPLE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (result.outcome, result.detail) == (Outcome.SHORTAGE, "too many open files")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1", "connection refused"),
        ("::1", "connection refused"),
        ("127.255.255.255", "network is unreachable"),
        ("mail.example", "'mail.example' is not an IP address"),
        ("", "'' is not an IP address"),
        ("\u0661.2.3.4\0", "is not an IP address"),
    ],
)
def test_unreachable(address: str, words: str) -> None:
    with Peer(hostile.closes_after()) as peer:
        port = peer.port  # free again below
    result = probe(Target(Endpoint(HOST, port, Protocol.SMTP), address), AMPLE)
    no_route = words.startswith("network")
    assert result.outcome is (Outcome.NO_ROUTE if no_route else Outcome.UNREACHABLE)
    assert words in result.detail
    assert result.detail.isprintable()


def test_a_peer_that_never_parts_is_left(certificates: Certificates) -> None:
    context = hostile.server_context(certificates.ecdsa.file)
    stay = threading.Event()

    def behave(connection: socket.socket) -> None:
        tls = context.wrap_socket(connection, server_side=True)
        stay.wait(60)
        tls.close()

    with Peer(behave) as peer:
        result = probe(at(peer, Protocol.TLS), AMPLE)
        stay.set()
    assert result.outcome is Outcome.SERVED


def test_a_flood_after_the_handshake_is_left(certificates: Certificates) -> None:
    context = hostile.server_context(certificates.ecdsa.file)

    def behave(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            while True:
                tls.sendall(bytes(65536))

    with Peer(behave) as peer:
        result = probe(at(peer, Protocol.TLS), AMPLE)
    assert (result.outcome, result.chain) == (Outcome.SERVED, certificates.ecdsa.ders)


def test_more_targets_than_connections(certificates: Certificates) -> None:
    service = service_of(Protocol.IMAP, hostile.server_context(certificates.ecdsa.file))
    with Peer(service) as peer, Peer(hostile.closes_after()) as closing:
        targets = [
            at(one, Protocol.IMAP)._replace(sni=Hostname(f"n{number}.example"))
            for number in range(MAX_OPEN)
            for one in (peer, closing)
        ]
        results = probe_all(targets, AMPLE, helo=HELO)
    assert [result.outcome for result in results] == [Outcome.SERVED, Outcome.REFUSED] * MAX_OPEN
    assert [result.endpoint for result in results] == [target.endpoint for target in targets]


def test_nothing_to_probe() -> None:
    assert probe_all([], AMPLE, helo=HELO) == []


def test_heavy_modules_stay_out() -> None:
    script = (
        "import sys, danebot.adapters.probe.prober as prober\n"
        "from danebot.adapters.probe.target import Target\n"
        "from danebot.domain.names import Endpoint, Hostname, Protocol\n"
        "host = Hostname.parse('mail.example')\n"
        "target = Target(Endpoint(host, 1, Protocol.SMTP), '127.0.0.1')\n"
        "prober.probe_all([target], helo=host)\n"
        "print({'asyncio', 'encodings.idna', 'cryptography'} & set(sys.modules))\n"
    )
    assert subprocess.check_output([sys.executable, "-c", script]) == b"set()\n"
