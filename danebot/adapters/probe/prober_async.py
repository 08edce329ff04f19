"""Probes one address on an asyncio loop, for whoever watches thousands.

A protocol of its own rather than streams: those hand out plain text that was buffered before TLS
as if it had come through it.  Bytes go to `session.Session`, which keeps the two apart.
"""

from __future__ import annotations

import asyncio
from typing import cast

from danebot.adapters.probe.prober import open_socket
from danebot.adapters.probe.session import Session
from danebot.adapters.probe.target import DEFAULT_LIMITS, Limits, Target
from danebot.domain.delivery.probes import ProbeResult
from danebot.domain.names import Hostname


class _Connection(asyncio.Protocol):
    """A session on an asyncio transport; ``closed`` is set when the socket is let go."""

    def __init__(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        self.closed: asyncio.Future[None] = loop.create_future()
        self._session = session
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._say(self._session.connected(self._loop.time()))

    def data_received(self, data: bytes) -> None:
        if not self._session.done:
            self._say(self._session.receive(data, self._loop.time()))

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.broken(exc if isinstance(exc, OSError) else None)
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    def abort(self) -> None:
        """Close now; all there was to say is with the kernel by now, being short."""
        if self._transport is not None:
            self._transport.abort()

    def _say(self, data: bytes) -> None:
        if data and self._transport is not None:
            self._transport.write(data)
        if self._session.done:
            self.abort()
        elif self._timer is None or self._timer.when() != self._session.deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._session.deadline, self._expire)

    def _expire(self) -> None:
        self._session.expired()
        self.abort()


async def probe_async(
    target: Target, limits: Limits = DEFAULT_LIMITS, *, helo: Hostname
) -> ProbeResult:
    """Probe one target; how many run at once is the caller's business.

    ``helo`` is the name given to the server as our own.  Whatever goes wrong is in the result; only
    cancellation is raised.
    """
    loop = asyncio.get_running_loop()
    session = Session(target, limits, helo, loop.time())
    try:
        sock, where = open_socket(target)
    except OSError as exc:
        session.broken(exc)
        return session.result
    connection = _Connection(session, loop)
    with sock:
        try:
            async with asyncio.timeout_at(session.deadline):
                await loop.sock_connect(sock, where)
            await loop.create_connection(lambda: connection, sock=sock)
            await connection.closed
        except OSError as exc:
            if isinstance(exc, TimeoutError) and exc.errno is None:
                session.expired()  # our own limit, not the kernel's
            else:
                session.broken(exc)
        finally:
            connection.abort()
    return session.result
