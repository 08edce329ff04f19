"""What peers may do to the exporter's server, and what they can't keep others from."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from danebot.adapters import status_file
from danebot.config import Settings
from danebot.domain.addresses import Reach
from danebot_exporter import connections
from danebot_exporter.connections import (
    CONNECTIONS,
    PER_ADDRESS,
    Connection,
    Connections,
    Doing,
)
from danebot_exporter.own import OwnMetrics
from danebot_exporter.refusals import RefusalReason
from danebot_exporter.server import ExporterServer
from danebot_exporter.store import Store
from danebot_exporter.webconfig import Gate
from exporter import sample

HEALTHY = b"GET /-/healthy HTTP/1.1\r\n\r\n"
CLOSE = b"GET /-/healthy HTTP/1.1\r\nConnection: close\r\n\r\n"


@contextlib.contextmanager
def serving(
    path: Path,
    web: Path | None = None,
    settings: Settings | None = None,
    reach: Reach = Reach.PUBLIC,
) -> Iterator[ExporterServer]:
    store = Store((settings or Settings())._replace(snapshot=path))
    with ExporterServer(("127.0.0.1", 0), store, Gate(web), OwnMetrics(), reach) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def connect(server: ExporterServer, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_address[1]), 10, (source, 0))


def answer(sock: socket.socket, request: bytes) -> bytes:
    """All that comes until the peer closes; what it had to say before it hung up, too."""
    found = b""
    with contextlib.suppress(ConnectionError):
        sock.sendall(request)
        while data := sock.recv(65536):
            found += data
    return found


def first_line(sock: socket.socket, request: bytes) -> bytes:
    """Of an answer on a connection that stays open; its body is read, too."""
    sock.sendall(request)
    found = b""
    while b"\r\n\r\n" not in found:
        more = sock.recv(65536)
        if not more:
            raise ConnectionResetError
        found += more
    head, _, body = found.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length is not None
    while len(body) < int(length[1]):
        body += sock.recv(65536)
    return head.partition(b"\r\n")[0]


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# ---- connections ------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [b"GET /metr", b"", HEALTHY])
def test_connections_that_wait_for_a_request_make_room(
    begun: bytes, server: ExporterServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half-sent requests, none, or kept after one: for who comes from elsewhere, and says so."""
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS + 8):
            sock = stack.enter_context(connect(server, "127.0.0.2"))
            with contextlib.suppress(ConnectionError):
                if begun == HEALTHY:
                    first_line(sock, begun)
                else:
                    sock.sendall(begun)
        with connect(server, "127.0.0.3") as honest:
            assert answer(honest, CLOSE).startswith(b"HTTP/1.1 200")
        with connect(server, "127.0.0.2") as same:
            assert answer(same, CLOSE).startswith(b"HTTP/1.1 200")
    assert b'danebot_exporter_refused_total{reason="connection-closed"} ' in server.own.text()
    assert capsys.readouterr().err.count("closed a connection that waited") == 1


def test_no_address_takes_all_connections(
    server: ExporterServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Connections that are being worked on can't be closed; some are left for others."""
    go_on = threading.Event()
    monkeypatch.setattr("danebot_exporter.server.Handler._healthy", lambda *_: go_on.wait(120))
    with contextlib.ExitStack() as stack:
        stack.callback(go_on.set)
        for _ in range(CONNECTIONS):
            sock = stack.enter_context(connect(server, "127.0.0.2"))
            with contextlib.suppress(ConnectionError):
                sock.sendall(HEALTHY)
        until(lambda: server.connections.count() == PER_ADDRESS)
        with connect(server, "127.0.0.3") as honest:
            request = b"GET /metrics HTTP/1.0\r\n\r\n"
            assert answer(honest, request).startswith(b"HTTP/1.1 200")
    found = re.search(
        rb'danebot_exporter_refused_total{reason="address-limit"} (\d+)', server.own.text()
    )
    assert found is not None
    assert int(found[1]) > 0
    assert capsys.readouterr().err.count("127.0.0.2 has too many connections") == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::2:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%lo", "fe80::2", True),
        ("", "", True),
    ],
)
def test_who_counts_as_one_peer(one: str, other: str, *, same: bool) -> None:
    assert (connections.peer_of(one) == connections.peer_of(other)) is same


@pytest.mark.parametrize("doing", [Doing.WORKING, Doing.SENDING])
def test_who_takes_an_answer_slowly_makes_room_and_who_waits_for_one_does_not(
    doing: Doing, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[tuple[RefusalReason, str]] = []
    held = Connections(lambda reason, peer: refused.append((reason, peer)))
    with contextlib.ExitStack() as stack:

        def admitted(peer: str) -> tuple[Connection | None, socket.socket]:
            here, there = (stack.enter_context(one) for one in socket.socketpair())
            return held.admit(peer, here), there

        taken = [admitted("192.0.2.1") for _ in range(PER_ADDRESS)]
        taken += [admitted("192.0.2.2") for _ in range(CONNECTIONS - PER_ADDRESS)]
        for connection, _ in taken:
            assert connection is not None
            connection.does(doing)
        assert admitted("192.0.2.3")[0] is None, "nobody is slow yet"
        assert admitted("192.0.2.1")[0] is None
        assert refused == [
            (RefusalReason.CONNECTION_LIMIT, "192.0.2.3"),
            (RefusalReason.ADDRESS_LIMIT, "192.0.2.1"),
        ]
        monkeypatch.setattr(connections, "_SLOW", -1.0)
        assert (admitted("192.0.2.3")[0] is not None) is (doing is Doing.SENDING)
        if doing is Doing.SENDING:
            assert refused[-1] == (RefusalReason.CONNECTION_CLOSED, "192.0.2.1"), (
                "who holds the most"
            )
            assert taken[0][1].recv(1) == b""
        assert held.count() == CONNECTIONS


def test_an_unauthorized_connection_is_closed(tmp_path: Path) -> None:
    import bcrypt

    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{a: '{bcrypt.hashpw(b'b', bcrypt.gensalt(4)).decode()}'}}")
    path = sample.write(tmp_path / "status.json")
    with serving(path, web) as server, connect(server) as sock:
        found = answer(sock, b"GET /metrics HTTP/1.1\r\n\r\n" * 2)
    assert found.count(b"HTTP/1.1 401") == 1
    assert b"\r\nConnection: close\r\n" in found


def test_an_answer_on_a_kept_connection_waits_for_nothing(server: ExporterServer) -> None:
    """Nagle's algorithm and a delayed acknowledgement together took 44 ms for each."""
    with connect(server) as sock:

        def took() -> float:
            began = time.monotonic()
            first_line(sock, HEALTHY)
            return time.monotonic() - began

        for _ in range(8):  # the first are acknowledged at once
            took()
        until(lambda: took() < 0.035)  # one is enough: all would wait


# ---- what a request is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length : %d",
        b"Content-Length\t: %d",
        b" Content-Length: %d",
        b"A: b\r\n Content-Length: %d",
        b"Content-Length",
        b": %d",
        b"A: b\rContent-Length: %d",
        b"A: b\0",
        b"A(b): c",
    ],
)
def test_a_malformed_field_line_ends_the_connection(line: bytes, server: ExporterServer) -> None:
    """RFC 9112 sections 5.1 and 5.2: what follows must not pass for a second request."""
    hidden = b"GET /probe HTTP/1.1\r\n\r\n"
    line = line.replace(b"%d", b"%d" % len(hidden))
    with connect(server) as sock:
        found = answer(sock, b"GET /-/healthy HTTP/1.1\r\n" + line + b"\r\n\r\n" + hidden)
    assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"400"]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"a: b\r\n" * 200, b"431"),
        (b"a: " + b"b" * 70_000 + b"\r\n", b"431"),
        (b"A-b: \r\nc:d\r\nE: \xff\t,f\n", b"200"),
    ],
)
def test_field_lines_that_are_many_or_long_or_fine(
    lines: bytes, status: bytes, server: ExporterServer
) -> None:
    request = b"GET /-/healthy HTTP/1.1\r\nConnection: close\r\n" + lines + b"\r\n"
    with connect(server) as sock:
        assert answer(sock, request).startswith(b"HTTP/1.1 " + status)


def test_a_request_that_breaks_off_is_none(server: ExporterServer) -> None:
    with connect(server) as sock:
        sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b""


# ---- large documents ----------------------------------------------------------------------------


def test_the_page_reads_a_document_once(
    server: ExporterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At ten thousand lineages reading it takes a second."""
    read = 0
    real = status_file.walk

    def walk(*arguments: Any) -> Any:  # noqa: ANN401 - passed on
        nonlocal read
        read += 1
        return real(*arguments)

    def shown(query: str) -> bytes:
        with connect(server) as sock:
            return answer(sock, f"GET /{query} HTTP/1.0\r\n\r\n".encode())

    monkeypatch.setattr(status_file, "walk", walk)
    assert b"mail.example.com" in shown("")
    assert b"mail.example.com" in shown("?q=mail")
    assert b"No lineage matches" in shown("?q=nope")
    assert read == 1
    path = server.store.path
    sample.write(path.with_name("new"), sample.snapshot([sample.lineage("new.example")]))
    path.with_name("new").replace(path)
    assert b"new.example" in shown("")
    path.write_text("{")
    assert b"is damaged" in shown("")
    assert b"is damaged" in shown("")
    assert read == 3


def test_a_large_scrape_is_compressed_where_it_may_be(tmp_path: Path) -> None:
    lineages = [sample.lineage(f"{n}.example") for n in range(400)]
    path = sample.write(tmp_path / "status.json", sample.snapshot(lineages))

    def scrape(accepts: str) -> tuple[bytes, bytes]:
        line = f"GET /metrics HTTP/1.0\r\nAccept-Encoding: {accepts}\r\n\r\n"
        with connect(server) as sock:
            head, _, body = answer(sock, line.encode()).partition(b"\r\n\r\n")
        assert b"\r\nVary: Accept-Encoding" in head
        return head, body

    def same(text: bytes) -> list[bytes]:
        """What doesn't change from scrape to scrape."""
        return [line for line in text.splitlines() if line.startswith(b"danebot_lineage")]

    with serving(path) as server:
        for refusing in ("identity", "gzip;q=0", "gzip; q=0.000, *", "br", ""):
            head, plain = scrape(refusing)
            assert b"Content-Encoding" not in head, refusing
        for asking in ("gzip", "br;q=1, GZIP;q=0.5", "deflate,gzip;q=1.0", "x-gzip, *;q=0.1"):
            head, packed = scrape(asking)
            assert b"\r\nContent-Encoding: gzip\r\n" in head, asking
            assert len(packed) * 5 < len(plain)
            inflate = zlib.decompressobj(31)
            found = inflate.decompress(packed)
            assert inflate.eof
            assert not inflate.unused_data, "one member: not all clients read more"
            assert same(found) == same(plain)
            assert found.count(b"danebot_exporter_build_info{") == 1
        sample.write(path, sample.snapshot([sample.lineage("new.example"), *lineages]))
        assert b'"new.example"' in gzip.decompress(scrape("gzip")[1])
