"""The asyncio driver: for thousands of domains, each a task of its own.

Every query has a connected socket of its own, as in `danebot.adapters.dns.exchange`.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import TypeAlias

from danebot.adapters.dns import message as wire
from danebot.adapters.dns.exchange import decoded, failure, start, streamed
from danebot.adapters.dns.queries import Failure, Query, Reply, ResultT, Steps, Trouble

AsyncCache: TypeAlias = dict[Query, "asyncio.Task[Reply]"]
"""Replies of one run, also those still under way; belongs to one event loop."""

_BUFFER = 65535


class AsyncExchange:
    """Drives any number of resolutions side by side, at most ``in_flight`` queries at a time."""

    def __init__(self, *, in_flight: int = 200) -> None:
        self._slots = asyncio.Semaphore(in_flight)

    async def run(self, steps: Steps[ResultT], cache: AsyncCache | None = None) -> ResultT:
        """Drive ``steps`` to its end.  ``cache`` may be shared by all tasks of one run."""
        known: AsyncCache = {} if cache is None else cache
        try:
            batch = next(steps)
            while True:
                tasks = [self._task(query, known) for query in batch]
                batch = steps.send(tuple([await asyncio.shield(task) for task in tasks]))
        except StopIteration as stop:
            result: ResultT = stop.value
            return result

    def _task(self, query: Query, known: AsyncCache) -> asyncio.Task[Reply]:
        task = known.get(query)
        if task is None:
            task = known[query] = asyncio.create_task(self._ask(query))
        return task

    async def _ask(self, query: Query) -> Reply:
        packet = wire.encode(query, secrets.randbits(16))
        async with self._slots:
            try:
                async with asyncio.timeout(query.timeout):
                    data = await _datagram(query, packet)
                if isinstance(data, Failure):
                    return data
                if not wire.is_truncated(data):
                    return decoded(data)
                async with asyncio.timeout(query.timeout):
                    return await _stream(query, packet)
            except TimeoutError:
                return Failure(Trouble.TIMEOUT)
            except OSError as exc:
                return failure(exc)


async def _datagram(query: Query, packet: bytes) -> bytes | Failure:
    loop = asyncio.get_running_loop()
    try:
        sock = start(query, socket.SOCK_DGRAM)
    except OSError as exc:
        return failure(exc, local=True)
    with sock:
        try:
            sock.send(packet)
        except OSError as exc:
            return failure(exc, local=True)
        while True:
            data = await loop.sock_recv(sock, _BUFFER)
            if wire.is_reply(packet, data):
                return data


async def _stream(query: Query, packet: bytes) -> Reply:
    loop = asyncio.get_running_loop()
    with socket.socket(
        socket.AF_INET6 if ":" in query.address else socket.AF_INET, socket.SOCK_STREAM
    ) as sock:
        sock.settimeout(0)
        await loop.sock_connect(sock, (query.address, query.port))
        await loop.sock_sendall(sock, wire.frame(packet))
        stream = bytearray()
        while True:
            data = await loop.sock_recv(sock, _BUFFER)
            stream += data
            message = wire.unframe(stream)
            if message is not None:
                return streamed(packet, message)
            if not data:
                return Failure(Trouble.NETWORK, "connection closed early")
