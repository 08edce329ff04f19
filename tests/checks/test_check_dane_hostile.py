"""Peers and DNS that mean ill: nothing forges a result, and each check ends in time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from adapters import hostile
from adapters.hostile import Behaviour
from checking import DAY, NAME, Plugin, World
from danebot.adapters.probe.target import Limits
from danebot.jobs.verify import _stretched
from danebot.plugin.output import State
from domain.pki import issue

OTHER = "3 1 1 " + "5a" * 32
EVIL = "all is well | forged=1;2;3\\nDANE OK - \x1b[2J\u202e\x85 'a'=1"
BYTES = EVIL.encode()
LIMIT = 4  # seconds

TOO_SLOW = "no answer before our own limit"  # senders may wait for minutes
GREETING = b"220 mail.example\r\n"
OFFER = b"250-mail.example\r\n250 STARTTLS\r\n"
GO = b"220 go\r\n"
ALERT = bytes.fromhex("15 0303 0002 0228")  # fatal, handshake_failure
PEERS: dict[str, tuple[Callable[[threading.Event], Behaviour], str]] = {
    "silent": (lambda _: hostile.says(), TOO_SLOW),
    "silent later": (lambda _: hostile.says(GREETING), TOO_SLOW),
    "endless": (lambda _: hostile.repeats(b"220-" + BYTES + b"\r\n"), "breaks its protocol"),
    "one endless line": (lambda _: hostile.repeats(b"x" * 4096, b"220-"), "breaks its protocol"),
    "drips": (lambda end: hostile.drips(b"220-x\r\n", end), TOO_SLOW),
    "closes": (lambda _: hostile.closes_after(), "refused the session"),
    "resets at once": (lambda _: hostile.resets_after(), "reset by peer"),
    "resets": (lambda _: hostile.resets_after(GREETING), "breaks its protocol"),
    "resets before TLS": (lambda _: hostile.resets_after(GREETING, OFFER), "breaks its protocol"),
    "resets in TLS": (lambda _: hostile.resets_after(GREETING, OFFER, GO), "handshake fails"),
    "alert": (lambda _: hostile.says(GREETING, OFFER, GO, ALERT), "handshake failure"),
    "refuses": (lambda _: hostile.says(b"554 " + BYTES + b"\r\n"), "refused the session"),
    "no STARTTLS": (
        lambda _: hostile.says(GREETING, b"250-" + BYTES + b"\r\n250 SIZE\r\n"),
        "STARTTLS is not offered",
    ),
    "changes its mind": (
        lambda _: hostile.says(GREETING, OFFER, b"454 " + BYTES + b"\r\n"),
        "CRITICAL",
    ),
    "injects": (
        lambda _: hostile.says(GREETING, OFFER, b"220 go\r\n250 " + BYTES + b"\r\n"),
        "plain text follows",
    ),
    "no TLS": (
        lambda _: hostile.says(GREETING, OFFER, b"220 go\r\n", BYTES),
        "CRITICAL",
    ),
    "broken TLS": (
        lambda _: hostile.says(GREETING, OFFER, b"220 go\r\n", b"\x16\x03\x03\0\6\x02\0\0\2zz"),
        "handshake fails",
    ),
    "binary": (lambda _: hostile.says(bytes(range(256)) + b"\r\n"), "breaks its protocol"),
}


@pytest.mark.parametrize("kind", PEERS)
def test_peers(world: World, plugin: Plugin, kind: str) -> None:
    end = threading.Event()
    behaviour, says = PEERS[kind]
    with hostile.Peer(behaviour(end)) as peer:
        world.publish(peer.port, OTHER)
        begin = time.monotonic()
        told = plugin(*world.words(peer.port, "-t", str(LIMIT), "-vv"))
        took = time.monotonic() - begin
        end.set()
    told.sound()
    assert told.state == ("UNKNOWN" if says == TOO_SLOW else "CRITICAL")
    assert says in told.text
    assert set(told.data) <= {"addresses", "authenticated", "time"}
    assert took < LIMIT + 30  # a machine may be busy; the limit itself is the prober's


def test_a_peer_that_never_accepts(world: World, plugin: Plugin) -> None:
    with hostile.full_listener() as port:
        world.publish(port, OTHER)
        told = plugin(*world.words(port, "-t", "4"))
    told.sound()
    assert told.state == "UNKNOWN"
    assert f"{TOO_SLOW}: no connection within" in told.text


def test_a_slow_peer_gets_the_time_that_was_given() -> None:
    assert _stretched(Limits(), timedelta(seconds=55)) == Limits(
        connect=timedelta(seconds=10), step=timedelta(seconds=55), total=timedelta(seconds=55)
    )


def test_what_is_known_is_told_though_one_address_hangs(world: World, plugin: Plugin) -> None:
    with world.peer() as peer, socket.create_server(("127.0.0.2", peer.port)):
        world.publish(peer.port, OTHER, addresses=("127.0.0.1", "127.0.0.2"))
        told = plugin(*world.words(peer.port, "-t", "4", "-v"))
    told.sound()
    assert told.state == "CRITICAL"
    assert "matches no presented certificate" in told.lines[0]
    assert any(f"[127.0.0.2]: {TOO_SLOW}" in line for line in told.lines)


def test_an_alarm_ends_what_nothing_else_does(
    world: World, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop is replaced by one that never ends: nothing real does."""

    def hang(*_: object, **__: object) -> None:
        time.sleep(60)

    monkeypatch.setattr("danebot.jobs.verify.drive", hang)
    world.publish(25, OTHER)
    told = plugin("-H", NAME, "-t", "1", *world.resolver)
    told.sound()
    assert told.state == "UNKNOWN"
    assert "no result within 1 s" in told.text


@pytest.mark.parametrize("words", [(), ("-vv",)])
def test_certificate_names(world: World, plugin: Plugin, words: tuple[str, ...]) -> None:
    now = datetime.now(UTC)
    evil = "x | forged=1 \x1b[2J"
    leaf = issue(evil, world.ca, names=[evil], valid=(now - DAY, now + DAY))
    with world.peer(world.service(leaf)) as peer:
        world.publish(peer.port, OTHER, "2 0 1 " + "11" * 32)
        told = plugin(*world.words(peer.port, *words))
    told.sound()
    assert told.state == "CRITICAL"
    assert "forged" not in told.data


def test_words_of_the_resolver(world: World, plugin: Plugin) -> None:
    world.dns.say("example", "MX", rcode="SERVFAIL", extended=((6, EVIL),))
    world.dns.say("example", "MX", "example 60 MX 1 a.example.", unchecked=True)
    told = plugin("-d", "example", "-v", *world.resolver)
    told.sound()
    assert told.state == "CRITICAL"
    assert "bogus" in told.text
    assert "forged" not in told.data


def test_names_in_records(world: World, plugin: Plugin) -> None:
    evil = r"a\124forged=1\010b"
    world.dns.say("example", "MX", rf"example 60 MX 1 {evil}.example.")
    told = plugin("-d", "example", "-v", *world.resolver)
    told.sound()
    assert told.state == "CRITICAL"
    assert "forged" not in told.data


def test_more_addresses_than_any_sender_would_try(world: World, plugin: Plugin) -> None:
    """Some are asked, and of the rest it is told that they weren't."""
    with world.peer() as peer:
        addresses = tuple(f"127.0.0.{n + 1}" for n in range(70))
        world.publish(peer.port, OTHER, addresses=addresses)
        told = plugin(*world.words(peer.port, "-v"))
    told.sound()
    assert told.state == "CRITICAL"
    assert told.data["addresses"].startswith("64")
    assert "6 of 70 addresses were not asked" in told.text


def peak(*words: str) -> tuple[int, float]:
    """Exit status and peak memory in MiB of the program."""
    program = [sys.executable, "-c", "from danebot_checks.dane import main; main()", *words]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / 1024


def test_memory_stays_bounded(world: World) -> None:
    """What a peer pours out isn't kept: no more memory than for one that behaves."""
    now = datetime.now(UTC)
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(1_000_000))
    valid = (now - DAY, now + DAY)
    huge = issue("huge", world.ca, names=[NAME], valid=valid, extra=[(padding, False)])
    peers: dict[str, Behaviour] = {
        "behaving": world.service(),
        "one endless line": hostile.repeats(b"x" * 65536, b"220-"),
        "endless lines": hostile.repeats(b"220-x\r\n" * 9000),
        "a certificate of 1 MB": world.service(huge),
    }
    peaks = {}
    for name, behaviour in peers.items():
        with hostile.Peer(behaviour) as peer:
            world.publish(peer.port, OTHER)
            status, peaks[name] = peak(*world.words(peer.port, "-t", "20"))
        assert status == State.CRITICAL.value
    assert max(peaks.values()) < peaks["behaving"] + 16
