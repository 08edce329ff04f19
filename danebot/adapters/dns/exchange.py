"""Queries on the wire: over UDP, and again over TCP where the answer was cut off.

Every query has a socket of its own, connected, so that the kernel picks a random source port and
drops what others send (RFC 5452 section 9.2).
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time

from danebot.adapters.dns import message as wire
from danebot.adapters.dns.queries import Cache, Query, QueryFailure, Reply, Steps, Trouble
from danebot.adapters.loop import Lane, ResultT, check_connected, drive
from danebot.adapters.network_errors import NO_ROUTE

_BUFFER = 65535


def resolve(steps: Steps[ResultT], cache: Cache | None = None, *, in_flight: int = 64) -> ResultT:
    """Drive ``steps`` to its end.  ``cache`` may be shared by several calls of one run.

    At most ``in_flight`` queries are under way: authoritative servers limit rates, and this host
    its descriptors.
    """
    (result,) = drive([steps], query_lane(in_flight), cache=cache)
    return result


def query_lane(in_flight: int) -> dict[type, Lane]:
    """What `drive` needs to put queries, at most ``in_flight`` at once."""
    return {Query: Lane(_Flight, in_flight)}


def start(query: Query, kind: socket.SocketKind) -> socket.socket:
    """A non-blocking socket on its way to the server; raises `OSError`."""
    family = socket.AF_INET6 if ":" in query.address else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        sock.settimeout(0)
        sock.connect((query.address, query.port))
    except BlockingIOError:
        pass  # TCP: writable once it is there
    except OSError:
        sock.close()
        raise
    return sock


def network_failure(error: OSError, *, local: bool = False) -> QueryFailure:
    """What a socket's error says; ``local`` if nothing had been sent yet."""
    words = error.strerror or type(error).__name__
    if error.errno in NO_ROUTE and local:
        return QueryFailure(Trouble.NO_ROUTE, words)
    if error.errno == errno.ECONNREFUSED:
        return QueryFailure(Trouble.REFUSED)
    return QueryFailure(Trouble.NETWORK, words)


class _Flight:
    """One query under way (`danebot.adapters.loop.Work`)."""

    def __init__(self, query: Query) -> None:
        """Send over UDP."""
        self.reply: Reply | None = None
        self.sock: socket.socket | None = None
        self.events = selectors.EVENT_READ
        self.deadline = time.monotonic() + query.timeout
        self._query = query
        self._packet = wire.encode_query(query, int.from_bytes(os.urandom(2), "big"))
        self._stream: bytearray | None = None  # over TCP, what arrived
        try:
            self.sock = start(query, socket.SOCK_DGRAM)
            self.sock.send(self._packet)
        except OSError as exc:
            if self.sock is not None:
                self.sock.close()
            self.reply = network_failure(exc, local=True)

    def ready(self, sock: socket.socket, events: int) -> None:
        """Read, or say over TCP what is asked."""
        if self._stream is None:
            self._datagram(sock.recv(_BUFFER))
        elif events & selectors.EVENT_WRITE:
            self._connected(sock)
        else:
            self._streamed(self._stream, sock.recv(_BUFFER))

    def failed(self, error: OSError) -> None:
        """Say why there is no response."""
        self.reply = network_failure(error)

    def expired(self) -> None:
        """Say that none came in time."""
        self.reply = QueryFailure(Trouble.TIMEOUT)

    def _datagram(self, data: bytes) -> None:
        reply = wire.reply_to(self._packet, data)
        if reply is not wire.TRUNCATED:
            self.reply = reply  # None if forged or stray: the true one may still come
            return
        self.sock = start(self._query, socket.SOCK_STREAM)
        self.deadline = time.monotonic() + self._query.timeout
        self.events = selectors.EVENT_WRITE
        self._stream = bytearray()

    def _connected(self, sock: socket.socket) -> None:
        check_connected(sock)
        sock.send(wire.frame(self._packet))  # fits any socket buffer
        self.events = selectors.EVENT_READ

    def _streamed(self, stream: bytearray, data: bytes) -> None:
        stream += data
        message = wire.unframe(stream)
        if message is not None:
            # Over TCP no other is to be expected.
            self.reply = wire.reply_to(self._packet, message) or wire.TRUNCATED
        elif not data:
            self.reply = QueryFailure(Trouble.NETWORK, "connection closed early")
