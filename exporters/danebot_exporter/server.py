"""The HTTP server: few handlers, bounded in time, in connections and in what it takes in.

Why it is our own: docs/decisions/0006-http-server.md.  TLS begins in the connection's own thread.
A request must be there within `_REQUEST` seconds, however slowly its octets drip, and an answer
taken within `_ANSWER`.
"""

from __future__ import annotations

import io
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from danebot.adapters.network_errors import SHORTAGE
from danebot.domain.addresses import Reach
from danebot.domain.text import internal_error
from danebot.errors import ConfigError, DanebotError
from danebot_exporter.budget import PROBES, checks, raise_limit, width
from danebot_exporter.check_frames import MOST, arguments_of, framed
from danebot_exporter.checker import Checker
from danebot_exporter.connections import Connection, Connections, Doing
from danebot_exporter.exposition import CONTENT_TYPE
from danebot_exporter.frame import policy
from danebot_exporter.packing import Piece, accepts_gzip, gzipped
from danebot_exporter.page import PageWish, page
from danebot_exporter.passwords import Admission
from danebot_exporter.permits import remote
from danebot_exporter.probe import allowed, probe, subject_of
from danebot_exporter.refusals import RefusalReason, Refusals
from danebot_exporter.runbook import runbook
from danebot_exporter.shelf import Shelf

if TYPE_CHECKING:
    from danebot_exporter.own import OwnMetrics
    from danebot_exporter.store import Store
    from danebot_exporter.targets import TargetFile
    from danebot_exporter.webconfig import Gate

_PAUSE = 0.5  # seconds, where a connection can't be taken: it would be tried again at once
_REQUEST, _ANSWER = 30.0, 60.0  # seconds
_TEXT = "text/plain; charset=utf-8"
CHECK_TYPE = "application/x-danebot-check"
_DIGITS = 9
_WAIT = 5.0  # seconds for a place among the checks
_MOST_FIELDS = 20
_WORTH = 1 << 16  # octets, below which compression saves nothing
_FIELD_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r?\n")


class ExporterServer(ThreadingHTTPServer):
    """Listens on one address; every connection has a thread; `Connections` bounds them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        listen: tuple[str, int],
        store: Store,
        gate: Gate,
        own: OwnMetrics,
        reach: Reach = Reach.PUBLIC,
        *,
        targets: TargetFile | None = None,
    ) -> None:
        """Bind; OSError if that fails.

        ``reach`` is how far ``/probe`` goes, ``targets`` what ``/sd`` lists.
        """
        self.address_family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        self.store = store
        self.gate = gate
        self.own = own
        self.reach = reach
        self.targets = targets
        self.page_lock = threading.Lock()
        self.shelf = Shelf()
        self.host = socket.gethostname()
        self.probes = threading.BoundedSemaphore(PROBES)
        descriptors = raise_limit()
        self.probe_width = width(descriptors)
        self.check_width = checks(descriptors)
        self.checker = Checker(lambda: store.settings, width=self.check_width)
        self.checks = threading.BoundedSemaphore(self.check_width)
        self.refused = Refusals(own.refused, complain)
        self.connections = Connections(self.refused)
        self.stopping = False
        self._short = False
        super().__init__(listen, Handler)

    def get_request(self) -> tuple[Any, Any]:
        """Take a connection; where this host can't, pause, and say so once."""
        try:
            found = super().get_request()
        except OSError as exc:
            if exc.errno in SHORTAGE:
                if not self._short:
                    complain(
                        f"can't take a connection: {exc.strerror}; see LimitNOFILE= of the unit"
                    )
                self._short = True
                time.sleep(_PAUSE)
            raise
        self._short = False
        # Else the end of an answer waits for a delayed acknowledgement (RFC 1122 4.2.3.4).
        found[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Hand over to a thread, or hang up when there are too many."""
        connection = self.connections.admit(client_address[0], request)
        if connection is None:
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, connection)
        except BaseException:  # no thread to be had
            self.connections.end(connection)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """One connection, from its handshake on."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.end(client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer the requests of one connection."""
        complain(self.gate.refresh())
        request.settimeout(_REQUEST)
        context = self.gate.context
        if context is None:
            Handler(request, client_address, self)
            return
        with context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as tls:
            self.connections.secured(client_address, tls)
            tls.do_handshake()
            Handler(tls, client_address, self)

    def handle_error(self, request: object, client_address: object) -> None:
        """Peers that break off are their own business; anything else deserves a line."""
        del request, client_address
        exc = sys.exception()
        if exc is not None and not isinstance(exc, OSError):  # SSLError and timeouts are OSErrors
            complain(f"{internal_error(exc)}; please report this")


def complain(line: str) -> None:
    """Write a line to the journal, at once, so that no other thread's comes into it."""
    if line:
        with suppress(OSError):  # nobody reads it
            print(f"danebot-exporter: {line}\n", end="", file=sys.stderr, flush=True)  # noqa: T201


class _Until(io.RawIOBase):
    """Reads from a socket until ``end`` (of `time.monotonic`), whatever a single read takes."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.end = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


class _MalformedFieldError(Exception):
    """A line that some take for a header field, and others don't."""


class _FieldLines:
    """The field lines of a request, as RFC 9112 section 5 has them."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file

    def readline(self, limit: int) -> bytes:
        """The next line, or the empty one at their end.

        `_MalformedFieldError`, or `EOFError` where a request breaks off.
        """
        line = self._file.readline(limit)
        if not line:
            raise EOFError
        whole = line.endswith(b"\n")
        if whole and line not in {b"\r\n", b"\n"} and not _FIELD_LINE.fullmatch(line):
            raise _MalformedFieldError
        return line


class Handler(BaseHTTPRequestHandler):
    """One connection; GET and HEAD, and POST for a check."""

    server: ExporterServer
    client_address: Connection  # type: ignore[assignment] # in place of the bare address
    protocol_version = "HTTP/1.1"
    server_version = "danebot-exporter"
    sys_version = ""

    def setup(self) -> None:
        """Read with a limit for each request as a whole."""
        super().setup()
        self._until = _Until(self.connection)
        self.rfile = io.BufferedReader(self._until)

    def handle_one_request(self) -> None:
        """One request, which must be there in time."""
        self._until.end = time.monotonic() + _REQUEST
        self._handler = "other"
        self.client_address.does(Doing.WAITING)
        super().handle_one_request()

    def parse_request(self) -> bool:
        """Take in a request; one that others may read differently ends the connection."""
        file, self.rfile = self.rfile, _FieldLines(self.rfile)  # type: ignore[assignment]
        try:
            return super().parse_request()
        except _MalformedFieldError:
            self.send_error(HTTPStatus.BAD_REQUEST, "Malformed header field")
        except EOFError:
            self.close_connection = True
        finally:
            self.rfile = file
        return False

    def finish(self) -> None:
        """Give up the connection's place before its socket is closed."""
        self.server.connections.end(self.client_address)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
        """Say nothing of single requests."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A refusal in plain text."""
        del explain
        self.close_connection = True
        text = message or HTTPStatus(code).phrase
        self.reply(f"{text}\n".encode(), _TEXT, HTTPStatus(code))

    def reply(
        self,
        body: bytes | tuple[bytes, ...],
        content_type: str,
        status: HTTPStatus = HTTPStatus.OK,
        **headers: str,
    ) -> None:
        """A whole answer; underscores in a header's name become hyphens.

        A body in parts is never put together: the first may be large.
        """
        parts = (body,) if isinstance(body, bytes) else body
        self.server.own.request(self._handler, status)
        self.client_address.does(Doing.SENDING)
        self.connection.settimeout(_ANSWER)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(sum(map(len, parts))))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", policy())
        self.send_header("Referrer-Policy", "no-referrer")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        for name, value in self.server.gate.config.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self._send(parts)

    def _send(self, parts: tuple[bytes, ...]) -> None:
        """All of it within `_ANSWER`, however slowly the peer takes it; else `TimeoutError`."""
        end = time.monotonic() + _ANSWER
        for part in parts:
            rest = memoryview(part)
            while rest:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                self.connection.settimeout(left)
                rest = rest[self.connection.send(rest) :]

    def do_GET(self) -> None:
        """Answer, whatever happens."""
        self.client_address.does(Doing.WORKING)
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body that nobody reads must not pass for a request
        path, query = self._asked()
        handlers: dict[str, tuple[str, Callable[[dict[str, str]], None]]] = {
            "/": ("page", self._page),
            "/metrics": ("metrics", self._metrics),
            "/runbook": ("runbook", self._runbook),
            "/probe": ("probe", self._probe),
            "/sd": ("sd", self._targets),
            "/check": ("check", self._check_is_posted),
            "/-/healthy": ("healthy", self._healthy),
        }
        self._handler, handler = handlers.get(path, ("other", self._not_found))
        if path != "/-/healthy" and not self._admitted():
            return
        try:
            handler(query)
        except DanebotError as exc:
            status = (
                HTTPStatus.BAD_REQUEST
                if isinstance(exc, ConfigError)
                else HTTPStatus.INTERNAL_SERVER_ERROR
            )
            self.reply(f"{exc}\n".encode(errors="replace"), _TEXT, status)

    do_HEAD = do_GET  # noqa: N815 - theirs

    def do_POST(self) -> None:
        """Answer a check; what comes after its body is not read."""
        self.client_address.does(Doing.WORKING)
        self.close_connection = True
        path, _ = self._asked()
        self._handler = "check" if path == "/check" else "other"
        if path != "/check":
            self.send_error(HTTPStatus.NOT_IMPLEMENTED, "Unsupported method ('POST')")
        elif not self._admitted():
            return
        elif self.server.stopping:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "it is being stopped")
        elif self.server.reach is Reach.NONE:
            self.send_error(HTTPStatus.FORBIDDEN, "/check is turned off: --probe.targets")
        elif self.headers.get_content_type() != CHECK_TYPE:  # no page of a browser may send that
            self.send_error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"want {CHECK_TYPE}")
        else:
            self._check()

    def _check(self) -> None:
        digits = self.headers.get("Content-Length", "")
        if not digits.isascii() or not digits.isdigit():
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return
        length = int(digits[:_DIGITS])
        if length > MOST or len(digits) > _DIGITS:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        body = self.rfile.read(length)
        if len(body) < length:
            return  # it broke off
        server = self.server
        with server.checker.busy():
            if not server.checks.acquire(timeout=_WAIT):
                server.refused(RefusalReason.CHECK_LIMIT, self.client_address.peer)
                text = b"too many checks at once; ask again later\n"
                self.reply(text, _TEXT, HTTPStatus.SERVICE_UNAVAILABLE, Retry_After="5")
                return
            try:
                answer = server.checker.check(arguments_of(body), permit=remote(server.reach))
            finally:
                server.checks.release()
            self.reply(framed(answer), CHECK_TYPE)

    def _asked(self) -> tuple[str, dict[str, str]]:
        try:
            parts = urlsplit(self.path)
            return parts.path, dict(parse_qsl(parts.query, max_num_fields=_MOST_FIELDS))
        except ValueError:
            return "", {}

    def _admitted(self) -> bool:
        peer = self.client_address.peer
        admission = self.server.gate.admits(self.headers.get("Authorization"), peer)
        if admission is Admission.ADMITTED:
            return True
        self.close_connection = True
        if admission is Admission.LATER:
            self.server.refused(RefusalReason.PASSWORD_LIMIT, peer)
            text = b"too many wrong passwords; ask again later\n"
            self.reply(text, _TEXT, HTTPStatus.TOO_MANY_REQUESTS, Retry_After="60")
            return False
        self.reply(
            b"Unauthorized\n",
            _TEXT,
            HTTPStatus.UNAUTHORIZED,
            WWW_Authenticate='Basic realm="danebot"',
        )
        return False

    def _metrics(self, query: dict[str, str]) -> None:
        del query
        pieces = (*self.server.store.pieces(), Piece(self.server.own.text()))
        wanted = accepts_gzip(self.headers.get("Accept-Encoding", ""))
        if wanted and sum(map(len, pieces)) >= _WORTH:
            self.reply(
                gzipped(pieces), CONTENT_TYPE, Content_Encoding="gzip", Vary="Accept-Encoding"
            )
        else:
            parts = tuple(part for piece in pieces for part in piece.parts)
            self.reply(parts, CONTENT_TYPE, Vary="Accept-Encoding")

    def _probe(self, query: dict[str, str]) -> None:
        server = self.server
        if server.reach is Reach.NONE:
            self.reply(b"/probe is turned off: --probe.targets\n", _TEXT, HTTPStatus.FORBIDDEN)
            return
        subject = subject_of(query.get("target", ""), query.get("module", "smtp"))
        limit = allowed(self.headers.get("X-Prometheus-Scrape-Timeout-Seconds"))
        began = time.monotonic()
        if not server.probes.acquire(timeout=limit.total_seconds() / 2):
            server.refused(RefusalReason.PROBE_LIMIT, self.client_address.peer)
            text = b"too many probes at once; ask again later\n"
            self.reply(text, _TEXT, HTTPStatus.SERVICE_UNAVAILABLE, Retry_After="5")
            return
        try:
            limit -= timedelta(seconds=time.monotonic() - began)
            settings, width = server.store.settings, server.probe_width
            body = probe(subject, settings, limit, width=width, reach=server.reach)
        finally:
            server.probes.release()
        self.reply(body, CONTENT_TYPE)

    def _targets(self, query: dict[str, str]) -> None:
        targets = self.server.targets
        if targets is None:
            self._not_found(query)
        else:
            self.reply(targets.groups(), "application/json")

    def _page(self, query: dict[str, str]) -> None:
        store = self.server.store
        with self.server.page_lock:
            now = datetime.now(UTC)
            wish, shelf, host = PageWish.of(query), self.server.shelf, self.server.host
            body = page(store.path, wish, store.reports, now, shelf=shelf, host=host)
        self.reply(body, "text/html; charset=utf-8")

    def _runbook(self, query: dict[str, str]) -> None:
        del query
        self.reply(runbook(), "text/html; charset=utf-8")

    def _healthy(self, query: dict[str, str]) -> None:
        del query
        self.reply(b"danebot-exporter is healthy.\n", _TEXT)

    def _check_is_posted(self, query: dict[str, str]) -> None:
        del query
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, "POST it, as check_dane --via does")

    def _not_found(self, query: dict[str, str]) -> None:
        del query
        text = b"Not found; there are /, /runbook, /metrics, /probe, /check and /-/healthy\n"
        self.reply(text, _TEXT, HTTPStatus.NOT_FOUND)
