"""A connection to the exporter: its requests are read, and answers sent, each within its time.

A request must be there within `REQUEST` seconds, however slowly its octets drip, and an answer
taken within `_ANSWER`.  One that others may read differently ends the connection.
"""

from __future__ import annotations

import io
import re
import socket
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from danebot_exporter.connections import Connection, Doing
from danebot_exporter.frame import policy

if TYPE_CHECKING:
    from danebot_exporter.server import ExporterServer

REQUEST, _ANSWER = 30.0, 60.0  # seconds
TEXT = "text/plain; charset=utf-8"
_FIELD_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r?\n")


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


class Answering(BaseHTTPRequestHandler):
    """One connection; who derives from it says what is at which path."""

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
        self._until.end = time.monotonic() + REQUEST
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

    def do_GET(self) -> None:
        """Have it answered."""
        self.client_address.does(Doing.WORKING)
        self.get()

    def do_HEAD(self) -> None:
        """As GET; `reply` leaves the body out."""
        self.do_GET()

    def do_POST(self) -> None:
        """Have it answered."""
        self.client_address.does(Doing.WORKING)
        self.post()

    def get(self) -> None:
        """Answer what asks for something."""
        raise NotImplementedError

    def post(self) -> None:
        """Answer what brings something."""
        raise NotImplementedError

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
        """Say nothing of single requests."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A refusal in plain text."""
        del explain
        self.close_connection = True
        text = message or HTTPStatus(code).phrase
        self.reply(f"{text}\n".encode(), TEXT, HTTPStatus(code))

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
