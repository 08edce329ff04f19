"""Probes a few addresses at once without asyncio, whose import costs every check 40 ms.

Only bytes and the clock are dealt with here; `session.Session` does the rest.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Sequence

from danebot.adapters.probe.session import Phase, Session
from danebot.adapters.probe.target import DEFAULT_LIMITS, Limits, Target
from danebot.domain.delivery.probes import ProbeResult
from danebot.domain.names import Hostname

MAX_OPEN = 64  # connections at once
READ_SIZE = 16384


def open_socket(target: Target) -> tuple[socket.socket, tuple[object, ...]]:
    """A non-blocking socket, and what to connect it to; `OSError` unless the address is a literal.

    Never asks a name server.
    """
    try:
        family, kind, number, _, where = socket.getaddrinfo(
            target.address.encode("ascii", "replace") or b"?",  # octets: no IDNA codec to import
            target.port or target.endpoint.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )[0]
    except socket.gaierror as exc:
        raise OSError(f"{target.address[:80]!r} is not an IP address") from exc
    sock = socket.socket(family, kind, number)
    sock.settimeout(0)
    return sock, where


class _Connection:
    """A session on a socket that is watched by a selector."""

    def __init__(
        self, sock: socket.socket, session: Session, selector: selectors.BaseSelector
    ) -> None:
        self.session = session
        self._sock = sock
        self._selector = selector
        self._unsent = b""
        selector.register(sock, selectors.EVENT_WRITE, self)

    def connect(self, where: tuple[object, ...]) -> None:
        """Begin to connect; the socket is writable when that has ended."""
        try:
            self._sock.connect(where)
        except BlockingIOError:
            pass
        except OSError as exc:
            self.session.broken(exc)

    def advance(self, events: int) -> None:
        """Move what can be moved."""
        try:
            if self.session.phase is Phase.CONNECTING:
                self._connected()
            elif events & selectors.EVENT_READ:
                self._read()
            self._write()
        except BlockingIOError:
            pass
        except OSError as exc:
            self.session.broken(exc)

    def close(self) -> None:
        """Let go of the socket."""
        self._selector.unregister(self._sock)
        self._sock.close()

    def _connected(self) -> None:
        error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        self._unsent = self.session.connected(time.monotonic())

    def _read(self) -> None:
        data = self._sock.recv(READ_SIZE)
        if data:
            self._unsent += self.session.receive(data, time.monotonic())
        else:
            self.session.broken()

    def _write(self) -> None:
        if self._unsent:
            sent = self._sock.send(self._unsent)
            self._unsent = self._unsent[sent:]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._selector.modify(self._sock, events, self)


def probe_all(
    targets: Sequence[Target], limits: Limits = DEFAULT_LIMITS, *, helo: Hostname
) -> list[ProbeResult]:
    """Probe all ``targets``, up to `MAX_OPEN` at once; results come in the order of the targets.

    ``helo`` is the name given to servers as our own.  Whatever goes wrong is in the results.
    """
    sessions: list[Session] = []
    live: set[_Connection] = set()
    with selectors.DefaultSelector() as selector:
        try:
            while live or len(sessions) < len(targets):
                while len(live) < MAX_OPEN and len(sessions) < len(targets):
                    session = Session(targets[len(sessions)], limits, helo, time.monotonic())
                    sessions.append(session)
                    _open(session, selector, live)
                _run_once(selector, live)
        finally:
            for connection in live:
                connection.close()
    return [session.result for session in sessions]


def _open(session: Session, selector: selectors.BaseSelector, live: set[_Connection]) -> None:
    try:
        sock, where = open_socket(session.target)
    except OSError as exc:
        session.broken(exc)
        return
    connection = _Connection(sock, session, selector)
    live.add(connection)
    connection.connect(where)


def _run_once(selector: selectors.BaseSelector, live: set[_Connection]) -> None:
    """Wait for bytes or the next deadline, and drop the connections that are done."""
    for connection in [each for each in live if each.session.done]:
        live.remove(connection)
        connection.close()
    if not live:
        return
    next_deadline = min(connection.session.deadline for connection in live)
    for key, events in selector.select(max(0.0, next_deadline - time.monotonic())):
        key.data.advance(events)
    now = time.monotonic()
    for connection in live:
        if now >= connection.session.deadline:
            connection.session.expired()
