"""Requests to the exporter, for its very handler, without a socket or a document."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any, cast

from danebot_exporter.connections import Connection, Connections
from danebot_exporter.handler import Handler
from danebot_exporter.own import OwnMetrics
from danebot_exporter.packing import accepts_gzip
from danebot_exporter.page import PageWish
from danebot_exporter.passwords import _credentials
from danebot_exporter.probe import allowed, subject_of
from danebot_exporter.server import ExporterServer
from danebot_exporter.webconfig import Gate
from prove.difference import Difference

HTTP_SEEDS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    (
        b"GET /?show=urgent&q=mail%20b&page=2&again=60 HTTP/1.1\r\nHost: a\r\n\r\n"
        b"HEAD /runbook HTTP/1.1\r\nConnection: close\r\n\r\n"
    ),
    (
        b"GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip;q=0.5, br\r\n"
        b"Authorization: Basic YTpi\r\n\r\n"
    ),
    (
        b"GET /probe?target=example.test%3A25&module=smtp HTTP/1.1\r\n"
        b"X-Prometheus-Scrape-Timeout-Seconds: 9.5\r\n\r\n"
    ),
    b"POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /-/healthy HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
    b"GET /\r\n",
)


class _Stream:
    """A double of a connected socket: what is sent, and then no more."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)
        self.said = bytearray()

    def settimeout(self, seconds: float) -> None:
        """Nothing is waited for."""

    def recv_into(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        """Some of it."""
        return self._data.readinto(memoryview(buffer)[:1000])

    def sendall(self, data: bytes) -> None:
        """Keep it."""
        self.said += data

    def send(self, data: bytes) -> int:
        """Keep it."""
        self.said += data
        return len(data)

    def makefile(self, *_: object) -> io.BytesIO:
        """The rest reads by `recv_into`; this one is dropped."""
        return io.BytesIO()


class _Server:
    """A double of the server: the gate, the counters and the connections are real."""

    def __init__(self) -> None:
        self.gate = Gate(None)
        self.own = OwnMetrics()
        self.connections = Connections(lambda *_: None)


class _Handler(Handler):
    """The handler, up to where a page is drawn, a document read or somebody probed."""

    def _page(self, query: dict[str, str]) -> None:
        self.reply(repr(PageWish.of(query).link()).encode(), "text/plain")

    def _probe(self, query: dict[str, str]) -> None:
        subject_of(query.get("target", ""), query.get("module", "smtp"))
        allowed(self.headers.get("X-Prometheus-Scrape-Timeout-Seconds"))
        self.reply(b"", "text/plain")

    def _metrics(self, query: dict[str, str]) -> None:
        del query
        accepts_gzip(self.headers.get("Accept-Encoding", ""))
        self.reply(b"", "text/plain")

    def _runbook(self, query: dict[str, str]) -> None:
        del query
        self.reply(b"", "text/plain")

    def _admitted(self) -> bool:
        _credentials(self.headers.get("Authorization"))
        return super()._admitted()

    def _send(self, parts: tuple[bytes, ...]) -> None:
        """No bodies: `_ANSWERS` are heads alone."""


_SERVER = _Server()
_ANSWERS = re.compile(rb"(?:HTTP/1\.1 [1-5][0-9][0-9] [ -~]*\r\n(?:[A-Za-z-]+: [ -~]*\r\n)*\r\n)*")


def read_request(data: bytes) -> None:
    """All requests of one connection; whatever they were, the answers' heads are whole."""
    stream: Any = _Stream(data)
    with contextlib.suppress(OSError):  # then a connection's thread ends
        _Handler(stream, Connection("192.0.2.1", stream), cast("ExporterServer", _SERVER))
    if not _ANSWERS.fullmatch(stream.said):
        raise Difference(f"no answer: {bytes(stream.said[:200])!r}")
