"""The connections that peers hold: bounded together and for each peer; who waits makes room."""

from __future__ import annotations

import contextlib
import enum
import ipaddress
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable

from danebot_exporter.refusals import RefusalReason

CONNECTIONS = 128
PER_ADDRESS = 96
"""One Prometheus asks for many targets of /probe at once; the rest is for others."""
_SLOW = 5.0  # seconds after which who takes an answer counts as waiting
_SITE = 64  # bits of an IPv6 address that say whose it is (RFC 6177)


class Doing(enum.Enum):
    """What a connection is for at the moment."""

    WAITING = "for a handshake or a request"
    WORKING = "on an answer"
    SENDING = "an answer"


class Connection:
    """One connection of ``peer``; ``since`` is when it began what it is ``doing`` (monotonic)."""

    def __init__(self, peer: str, sock: socket.socket) -> None:
        self.peer = peer
        self.sock = sock
        self.does(Doing.WAITING)

    def does(self, doing: Doing) -> None:
        """Note what it is for from now on."""
        self.doing, self.since = doing, time.monotonic()

    def may_be_closed(self) -> bool:
        """Whether nothing is lost but a peer's leisure."""
        slow = self.doing is Doing.SENDING and time.monotonic() - self.since > _SLOW
        return slow or self.doing is Doing.WAITING

    def close(self) -> None:
        """End it for its thread, which closes the socket."""
        with contextlib.suppress(OSError):
            # Not SSLSocket's own, which would have its thread go on in plain text.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


class Connections:
    """All of them; thread-safe."""

    def __init__(self, refused: Callable[[RefusalReason, str], None]) -> None:
        """None yet; ``refused`` is told of each that was closed or not taken, with its peer."""
        self._refused = refused
        self._lock = threading.Lock()
        self._held: dict[Connection, None] = {}  # in the order in which they came

    def count(self) -> int:
        """How many there are."""
        return len(self._held)

    def admit(self, address: str, sock: socket.socket) -> Connection | None:
        """Take a connection, in place of one that waits if there must be; None if it can't be."""
        peer = peer_of(address)
        with self._lock:
            held = Counter(one.peer for one in self._held)
            if held[peer] >= PER_ADDRESS:
                room, reason = self._made_room(peer), RefusalReason.ADDRESS_LIMIT
            elif len(self._held) >= CONNECTIONS:
                # whoever holds the most gives way first
                room = any(self._made_room(one) for one, _ in held.most_common())
                reason = RefusalReason.CONNECTION_LIMIT
            else:
                room = True
            if room:
                connection = Connection(peer, sock)
                self._held[connection] = None
                return connection
        self._refused(reason, peer)
        return None

    def _made_room(self, peer: str) -> bool:
        """Close the connection of this peer that has waited longest, if one does."""
        waiting = [one for one in self._held if one.peer == peer and one.may_be_closed()]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda one: one.since)
        del self._held[oldest]
        oldest.close()
        self._refused(RefusalReason.CONNECTION_CLOSED, peer)
        return True

    def secured(self, connection: Connection, sock: socket.socket) -> None:
        """Go by another socket; `ConnectionAbortedError` if the connection was closed meanwhile."""
        with self._lock:
            if connection not in self._held:
                raise ConnectionAbortedError
            connection.sock = sock

    def end(self, connection: Connection) -> None:
        """Forget one, before its socket is closed: its number may be another's then."""
        with self._lock:
            self._held.pop(connection, None)


def peer_of(address: str) -> str:
    """Whose an address is: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> _SITE << _SITE, _SITE)))
