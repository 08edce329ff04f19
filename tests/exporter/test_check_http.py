"""Checks at the exporter's URL: the same words, behind its TLS, passwords and rules."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from asking import PLAIN, check_dane
from checking import NAME, World, world_in
from danebot_checks.via_answer import read_answer
from domain.pki import issue
from exporter import sample
from exporter.running import Exporter, exporter
from plugin_words import steady

OTHER = "3 1 1 " + "5a" * 32
TYPE = "application/x-danebot-check"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as found:
        yield found


def settings(world: World, tmp_path: Path) -> list[str | Path]:
    """Have the exporter ask the world's name server, as a client at a URL can't choose one."""
    config = tmp_path / "danebot.toml"
    resolver = json.dumps([f"127.0.0.1:{world.dns.port}"])
    config.write_text(f"resolver = {resolver}\n")
    return ["--config", config, "--snapshot", sample.write(tmp_path / "status.json")]


def words(world: World, port: int, *more: str) -> list[str]:
    """Arguments that name no resolver."""
    found = world.words(port, *more)
    at = found.index("--resolver")
    return found[:at] + found[at + 2 :]


def post(found: Exporter, body: bytes, kind: str = TYPE, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", found.port, timeout=60)
    connection.request("POST", "/check", body, {"Content-Type": kind, **headers})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


@pytest.mark.parametrize("more", [(), ("-vv",), ("-w", "95"), ("--pkix",), ("-v", "--trace")])
def test_same_words(world: World, tmp_path: Path, more: tuple[str, ...]) -> None:
    options = settings(world, tmp_path)
    with world.peer() as peer, exporter(*options, "--probe.targets", "any") as found:
        for record in (f"3 1 1 {world.digest}", OTHER):
            world.publish(peer.port, record)
            via = ["--via", f"http://127.0.0.1:{found.port}"]
            told = check_dane([*via, *words(world, peer.port, *more)])
            plain = check_dane(world.words(peer.port, *more), PLAIN)
            assert (told.status, steady(told.text)) == (plain.status, steady(plain.text))


def test_tls_and_a_password(world: World, tmp_path: Path) -> None:
    valid = (sample.NOW - 3000 * sample.DAY, sample.NOW + 3000 * sample.DAY)
    ca = issue("Web CA", ca=True, valid=valid)
    own = issue("localhost", ca, names=["localhost"], valid=valid)
    for name, octets in (
        ("cert.pem", own.pem),
        ("key.pem", own.key_pem),
        ("ca.pem", ca.pem),
        ("login", b"nagios:open sesame\n"),
        ("wrong", b"nagios:guess\n"),
    ):
        (tmp_path / name).write_bytes(octets)
        (tmp_path / name).chmod(0o600)
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()
    web = tmp_path / "web.yml"
    web.write_text(
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"
        f"basic_auth_users: {{nagios: '{hashed}'}}\n"
    )
    options = [*settings(world, tmp_path), "--web.config.file", web, "--probe.targets", "any"]
    with world.peer() as peer, exporter(*options) as found:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        via = ["--via", f"https://localhost:{found.port}", *words(world, peer.port, "-t", "9")]
        trust = ["--via-ca", str(tmp_path / "ca.pem")]
        fine = check_dane([*via, *trust, "--via-login", str(tmp_path / "login")])
        fine.sound()
        assert fine.status == 0
        for more, says in (
            ((), "its certificate is refused"),
            (trust, "it wants a name and a password; put them into a file for --via-login"),
            ([*trust, "--via-login", str(tmp_path / "wrong")], "it wants a name and a password"),
            ([*trust, "--via-login", "/nonexistent"], "want a line NAME:PASSWORD"),
            (["--via-ca", "/nonexistent"], "want certificates in PEM"),
        ):
            told = check_dane([*via, *more])
            told.sound()
            assert told.status == 3
            assert says in told.text
        local = check_dane([*via, "--or-local", "--resolver", f"127.0.0.1:{world.dns.port}"])
        assert local.status == 0


def test_what_a_url_may_not_ask(world: World, tmp_path: Path) -> None:
    """No file, no resolver, no hour; and no address within, through names or --address."""
    with (
        socket.create_server(("127.0.0.1", 0)) as inner,
        exporter(*settings(world, tmp_path)) as found,
    ):
        inner.settimeout(0.5)
        port = inner.getsockname()[1]
        world.publish(port, OTHER)
        for more, says in (
            (("--ca-file", "/etc/passwd"), "--ca-file would have the exporter read a file"),
            (("--ca-file", "/nonexistent"), "--ca-file would have the exporter read a file"),
            (("--resolver", "192.0.2.1"), "not for clients of a URL"),
            (("--trust-resolver",), "not for clients of a URL"),
            (("-t", "3000"), "--timeout goes to 120 s at a URL"),
            ((), "no address that names may lead to"),
            (("--address", f"{NAME}=127.0.0.1"), "no address that names may lead to"),
            (("--address", f"{NAME}=::ffff:127.0.0.1"), "no address that names may lead to"),
            (("--trace",), "no address that names may lead to"),
        ):
            body = "\0".join(words(world, port, "-v", *more)).encode()
            status, text = post(found, body)
            assert status == 200
            number, said = read_answer(text)
            assert number == 3
            assert says in said
        with pytest.raises(TimeoutError):
            inner.accept()


def test_turned_off(world: World, tmp_path: Path) -> None:
    with exporter(*settings(world, tmp_path), "--probe.targets", "none") as found:
        via = ["--via", f"http://127.0.0.1:{found.port}", "-H", "a.example"]
        told = check_dane(via)
    told.sound()
    assert "it refuses (403): /check is turned off" in told.text


def test_a_browsers_page_can_not_ask(world: World, tmp_path: Path) -> None:
    with exporter(*settings(world, tmp_path)) as found:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            assert post(found, b"-H\0a.example", kind)[0] == 415
        assert found.get("/check")[0] == 405


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"Content-Length: 10000000\r\n\r\n" + b"x" * 1000, 413),
        (b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", 413),
        (b"Content-Length: -1\r\n\r\n", 411),
        (b"\r\n", 411),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\n-H\r\n0\r\n\r\n", 411),
    ],
)
def test_odd_bodies(world: World, tmp_path: Path, octets: bytes, status: int) -> None:
    with exporter(*settings(world, tmp_path)) as found:
        head = f"POST /check HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE}\r\n".encode()
        with socket.create_connection(("127.0.0.1", found.port), timeout=20) as sock:
            sock.sendall(head + octets)
            assert sock.recv(100).startswith(b"HTTP/1.1 %d " % status)


def test_a_body_that_breaks_off_is_no_check(world: World, tmp_path: Path) -> None:
    with exporter(*settings(world, tmp_path)) as found:
        head = f"POST /check HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE}\r\n".encode()
        with socket.create_connection(("127.0.0.1", found.port), timeout=20) as sock:
            sock.sendall(head + b"Content-Length: 20\r\n\r\n-H\0a.exa")
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(100) == b""
        assert found.get("/-/healthy")[0] == 200


def test_a_name_that_nobody_resolves_in_time(tmp_path: Path) -> None:
    """The C library has no time limit; the client has."""
    del tmp_path
    begin = time.monotonic()
    told = check_dane(["--via", "http://exporter.invalid:9698", "-H", "a.example", "-t", "3"])
    assert time.monotonic() - begin < 3 + 30  # a busy machine's leave
    told.sound()
    assert told.status == 3
