"""Probes addresses: the socket and the clock, while `session.Session` does the rest."""

from __future__ import annotations

import contextlib
import functools
import selectors
import socket
import time
from collections.abc import Callable, Sequence

from danebot.adapters.loop import Lane, Program, check_connected, drive
from danebot.adapters.probe.session import Session, SessionPhase
from danebot.adapters.probe.target import DEFAULT_LIMITS, Limits, Target
from danebot.domain.delivery.probes import ProbeResult
from danebot.domain.names import Hostname
from danebot.tuples import NamedTuple

MAX_OPEN = 64  # connections at once
READ_SIZE = 16384


class Probe(NamedTuple):
    """One address to ask; ``helo`` is the name given to the server as our own."""

    target: Target
    helo: Hostname
    limits: Limits = DEFAULT_LIMITS


def probe_all(
    targets: Sequence[Target], limits: Limits = DEFAULT_LIMITS, *, helo: Hostname
) -> list[ProbeResult]:
    """Probe all ``targets``, up to `MAX_OPEN` at once; results come in the order of the targets.

    ``helo`` is the name given to servers as our own.  Whatever goes wrong is in the results.
    """

    def program() -> Program[list[ProbeResult]]:
        return list((yield tuple(Probe(target, helo, limits) for target in targets)))

    (results,) = drive([program()], probe_lane(MAX_OPEN))
    return results


def probe_lane(connections: int, session: Callable[..., Session] = Session) -> dict[type, Lane]:
    """What `drive` needs to probe, at most ``connections`` at once; ``session`` makes a session."""
    return {Probe: Lane(functools.partial(_Connection, session=session), connections)}


class _Connection:
    """A session on a socket (`danebot.adapters.loop.Work`)."""

    def __init__(self, probe: Probe, session: Callable[..., Session]) -> None:
        """Begin to connect; the socket is writable when that has ended."""
        self.sock: socket.socket | None = None
        self.events = selectors.EVENT_WRITE
        self._unsent = b""
        self._session = session(probe.target, probe.limits, probe.helo, time.monotonic())
        try:
            self.sock, where = _open(probe.target)
            self.sock.connect(where)
        except BlockingIOError:
            pass
        except OSError as exc:
            if self.sock is not None:
                self.sock.close()
            self._session.unable(exc)

    @property
    def deadline(self) -> float:
        """When the session's patience ends."""
        return self._session.deadline

    @property
    def reply(self) -> ProbeResult | None:
        """The result, when the connection isn't needed any more."""
        return self._session.result if self._session.phase is SessionPhase.DONE else None

    def ready(self, sock: socket.socket, events: int) -> None:
        """Move what can be moved."""
        if self._session.phase is SessionPhase.CONNECTING:
            check_connected(sock)
            self._unsent = self._session.connected(time.monotonic())
        elif events & selectors.EVENT_READ:
            self._read(sock)
        if self._unsent:
            with contextlib.suppress(BlockingIOError):
                self._unsent = self._unsent[sock.send(self._unsent) :]
        self.events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)

    def failed(self, error: OSError) -> None:
        """Conclude: the connection broke."""
        self._session.broken(error)

    def expired(self) -> None:
        """Conclude, or stop waiting for a farewell."""
        self._session.expired()

    def _read(self, sock: socket.socket) -> None:
        data = sock.recv(READ_SIZE)
        if data:
            self._unsent += self._session.receive(data, time.monotonic())
        else:
            self._session.broken()


def _open(target: Target) -> tuple[socket.socket, tuple[object, ...]]:
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
