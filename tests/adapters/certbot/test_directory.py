"""A CA's directory that is asked for, whatever answers there."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from danebot.adapters.certbot import directory
from danebot.adapters.certbot.directory import ask_directory
from domain import pki

Speaker = Callable[[ssl.SSLSocket], None]


@contextlib.contextmanager
def served(speak: Speaker, at: Path) -> Iterator[str]:
    """A TLS server on loopback with a certificate that nobody signed; its URL."""
    issued = pki.issue("127.0.0.1")
    pem = at / "combo.pem"
    pem.write_bytes(issued.key_pem + issued.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(4096)
                    speak(tls)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/directory"
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.mark.parametrize(
    ("date", "told"),
    [
        ("Mon, 01 Jun 2026 12:00:00 GMT", datetime(2026, 6, 1, 12, tzinfo=UTC)),
        ("yesterday", None),
        ("Mon, 01 Jun 99999 12:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
        ("Mon, 01 Jun 2026 12:00:00 +99999999999999", None),
    ],
)
def test_the_time_is_taken_from_the_answer(
    date: str, told: datetime | None, tmp_path: Path
) -> None:
    def speak(tls: ssl.SSLSocket) -> None:
        tls.sendall(f"HTTP/1.1 200 OK\r\nDate: {date}\r\n\r\n{{}}".encode())

    with served(speak, tmp_path) as url:
        assert ask_directory(url) == ("", told)


def test_one_that_never_comes_to_an_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each octet would come in time: the answer as a whole has to."""
    monkeypatch.setattr(directory, "_PATIENCE", timedelta(seconds=1))
    over = threading.Event()

    def drip(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(1200):
            tls.sendall(b"x")
            if over.wait(0.1):
                return

    begin = time.monotonic()
    with served(drip, tmp_path) as url:
        found = ask_directory(url)
        took = time.monotonic() - begin
        over.set()
    assert found == ("no answer within 1 s", None)
    assert took < 60  # it would be two minutes


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("503 Service Unavailable", "it answers 503 Service Unavailable"),
        ("404 \x1b[31mred", "it answers 404 \\x1b[31mred"),
    ],
)
def test_a_refusal_is_told_in_its_words(status: str, told: str, tmp_path: Path) -> None:
    def speak(tls: ssl.SSLSocket) -> None:
        tls.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode("latin-1"))

    with served(speak, tmp_path) as url:
        assert ask_directory(url) == (told, None)


def test_what_speaks_no_http_is_told(tmp_path: Path) -> None:
    with served(lambda tls: tls.sendall(b"220 mail.test ESMTP\r\n"), tmp_path) as url:
        assert ask_directory(url) == (r"220 mail.test ESMTP\r\n", None)


def test_where_nobody_listens_is_told() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and doesn't listen: nobody else can
        port = reserved.getsockname()[1]
        why, when = ask_directory(f"https://127.0.0.1:{port}/directory")
    assert ("refused" in why, when) == (True, None)


def test_nothing_is_asked_for_in_the_clear() -> None:
    assert ask_directory("http://127.0.0.1:1/directory") == ("no https URL", None)
