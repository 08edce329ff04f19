"""The synchronous driver: a batch of queries goes out at once, from one thread.

Every query has a socket of its own, connected, so that the kernel picks a random source port and
drops what others send (RFC 5452 section 9.2).
"""

from __future__ import annotations

import errno
import heapq
import os
import selectors
import socket
import time
from collections import deque
from typing import TYPE_CHECKING

from danebot.adapters.dns import message as wire
from danebot.adapters.dns.queries import Cache, Failure, Query, Reply, ResultT, Steps, Trouble
from danebot.adapters.dns.wire_names import MalformedError

if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_ROUTE = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_BUFFER = 65535


def run(steps: Steps[ResultT], cache: Cache | None = None, *, in_flight: int = 64) -> ResultT:
    """Drive ``steps`` to its end.  ``cache`` may be shared by several calls of one run.

    At most ``in_flight`` queries are under way: authoritative servers limit rates, and this host
    its descriptors.
    """
    known: Cache = {} if cache is None else cache
    try:
        batch = next(steps)
        while True:
            fresh = [query for query in dict.fromkeys(batch) if query not in known]
            known.update(_exchange(fresh, in_flight))
            batch = steps.send(tuple(known[query] for query in batch))
    except StopIteration as stop:
        result: ResultT = stop.value
        return result


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


def failure(error: OSError, *, local: bool = False) -> Failure:
    """What a socket's error says; ``local`` if nothing had been sent yet."""
    words = error.strerror or type(error).__name__
    if error.errno in _NO_ROUTE and local:
        return Failure(Trouble.NO_ROUTE, words)
    if error.errno == errno.ECONNREFUSED:
        return Failure(Trouble.REFUSED)
    return Failure(Trouble.NETWORK, words)


def decoded(received: bytes) -> Reply:
    """The response in these octets."""
    try:
        return wire.decode(received)
    except MalformedError as exc:
        return Failure(Trouble.MALFORMED, str(exc))


class _Flight:
    """One query under way; over TCP, ``stream`` gathers what arrives."""

    def __init__(
        self, query: Query, packet: bytes, sock: socket.socket, stream: bytearray | None = None
    ) -> None:
        self.query = query
        self.packet = packet
        self.sock = sock
        self.stream = stream
        self.landed = False


def streamed(sent: bytes, received: bytes) -> Reply:
    """The reply that came over TCP, where no other is to be expected."""
    if not wire.is_reply(sent, received) or wire.is_truncated(received):
        return Failure(Trouble.MALFORMED, "answers another question, or in part")
    return decoded(received)


def _exchange(queries: Sequence[Query], in_flight: int) -> Cache:
    """Send all, wait for all."""
    if not queries:
        return {}
    with selectors.DefaultSelector() as selector:
        return _Exchange(selector, queries).run(in_flight)


class _Exchange:
    """A batch under way."""

    def __init__(self, selector: selectors.BaseSelector, queries: Sequence[Query]) -> None:
        self._selector = selector
        self._waiting = deque(queries)
        self._replies: Cache = {}
        self._deadlines: list[tuple[float, int, _Flight]] = []
        self._serial = 0
        self._active = 0

    def run(self, in_flight: int) -> Cache:
        """The replies, one for each query."""
        try:
            while self._waiting or self._active:
                while self._waiting and self._active < in_flight:
                    self._launch(self._waiting.popleft())
                if self._active:
                    self._turn()
        finally:
            for key in list(self._selector.get_map().values()):
                key.data.sock.close()
        return self._replies

    def _launch(self, query: Query) -> None:
        """Send over UDP."""
        packet = wire.encode(query, int.from_bytes(os.urandom(2), "big"))
        try:
            sock = start(query, socket.SOCK_DGRAM)
        except OSError as exc:
            self._replies[query] = failure(exc, local=True)
            return
        flight = _Flight(query, packet, sock)
        self._watch(flight, selectors.EVENT_READ)
        try:
            sock.send(packet)
        except OSError as exc:
            self._land(flight, failure(exc, local=True))

    def _relaunch(self, flight: _Flight) -> None:
        """Ask again over TCP (RFC 7766 section 5)."""
        self._leave(flight)
        try:
            sock = start(flight.query, socket.SOCK_STREAM)
        except OSError as exc:
            self._replies[flight.query] = failure(exc)
            return
        again = _Flight(flight.query, flight.packet, sock, stream=bytearray())
        self._watch(again, selectors.EVENT_WRITE)

    def _watch(self, flight: _Flight, events: int) -> None:
        self._selector.register(flight.sock, events, flight)
        self._active += 1
        self._serial += 1
        deadline = time.monotonic() + flight.query.timeout
        heapq.heappush(self._deadlines, (deadline, self._serial, flight))

    def _leave(self, flight: _Flight) -> None:
        self._selector.unregister(flight.sock)
        flight.sock.close()
        flight.landed = True
        self._active -= 1

    def _land(self, flight: _Flight, reply: Reply) -> None:
        self._leave(flight)
        self._replies[flight.query] = reply

    def _turn(self) -> None:
        """Wait for the next event or deadline, and see to it."""
        while self._deadlines[0][2].landed:
            heapq.heappop(self._deadlines)
        patience = self._deadlines[0][0] - time.monotonic()
        for key, _ in self._selector.select(max(patience, 0)):
            flight: _Flight = key.data
            try:
                if flight.stream is None:
                    self._datagram(flight)
                elif key.events == selectors.EVENT_WRITE:
                    self._connected(flight)
                else:
                    self._streamed(flight, flight.stream)
            except BlockingIOError:
                pass
            except OSError as exc:
                self._land(flight, failure(exc))
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            flight = heapq.heappop(self._deadlines)[2]
            if not flight.landed:
                self._land(flight, Failure(Trouble.TIMEOUT))

    def _datagram(self, flight: _Flight) -> None:
        data = flight.sock.recv(_BUFFER)
        if not wire.is_reply(flight.packet, data):
            return  # forged or stray: the true one may still come
        if wire.is_truncated(data):
            self._relaunch(flight)
        else:
            self._land(flight, decoded(data))

    def _connected(self, flight: _Flight) -> None:
        error = flight.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        flight.sock.send(wire.frame(flight.packet))  # fits any socket buffer
        self._selector.modify(flight.sock, selectors.EVENT_READ, flight)

    def _streamed(self, flight: _Flight, stream: bytearray) -> None:
        data = flight.sock.recv(_BUFFER)
        stream += data
        message = wire.unframe(stream)
        if message is not None:
            self._land(flight, streamed(flight.packet, message))
        elif not data:
            self._land(flight, Failure(Trouble.NETWORK, "connection closed early"))
