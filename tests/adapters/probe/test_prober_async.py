"""What only the asyncio driver does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from pathlib import Path

import pytest

from adapters import hostile
from adapters.hostile import Peer, service_of
from adapters.probing import Certificates
from adapters.services import HELO, HOST
from danebot.adapters.probe.prober_async import probe_async
from danebot.adapters.probe.target import Target
from danebot.domain.delivery.probes import ProbeOutcome as Outcome
from danebot.domain.names import Endpoint, Protocol


def sockets() -> int:
    """How many sockets this process has open."""
    return sum(link.is_socket() for link in Path("/proc/self/fd").iterdir())


def test_many_at_once_leave_no_socket_open(certificates: Certificates) -> None:
    service = service_of(Protocol.SMTP, hostile.server_context(certificates.ecdsa.file))

    async def run(target: Target) -> list[Outcome]:
        results = await asyncio.gather(*(probe_async(target, helo=HELO) for _ in range(100)))
        return [result.outcome for result in results]

    before = sockets()
    with Peer(service) as peer:
        target = Target(Endpoint(HOST, peer.port, Protocol.SMTP), peer.address)
        assert asyncio.run(run(target)) == [Outcome.SERVED] * 100
    assert sockets() == before


def test_cancelled_it_closes_the_connection() -> None:
    begun, ended = threading.Event(), threading.Event()

    def behave(connection: socket.socket) -> None:
        connection.sendall(b"220-")
        begun.set()
        with contextlib.suppress(ConnectionResetError):  # what was sent may not have been read
            assert connection.recv(1) == b""
        ended.set()

    async def run(target: Target) -> None:
        task = asyncio.create_task(probe_async(target, helo=HELO))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Peer(behave) as peer:
        asyncio.run(run(Target(Endpoint(HOST, peer.port, Protocol.SMTP), peer.address)))
        assert ended.wait(30)
