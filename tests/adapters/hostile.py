"""Peers on loopback: services that behave, and services that don't.

A *behaviour* is what a peer does with one connection, in a thread of its own.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from adapters.services import SERVICES, Rows
from danebot.domain.names import Protocol

Behaviour = Callable[[socket.socket], None]
_PATIENCE = 60.0  # seconds; far beyond the limits that probes are given here


class Peer:
    """Serves one behaviour on an ephemeral port of loopback, on any number of connections."""

    def __init__(self, behaviour: Behaviour, address: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family, backlog=256)
        self._behaviour = behaviour
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self.address = address
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        self._open.add(connection)
        with connection, contextlib.suppress(OSError):  # ssl.SSLError is one
            self._behaviour(connection)
        self._open.discard(connection)


@dataclass
class Service:
    """A service that behaves: its rows before TLS, then TLS; what it heard is kept."""

    context: ssl.SSLContext
    rows: Rows = ()
    before: list[bytes] = field(default_factory=list)
    inside: list[bytes] = field(default_factory=list)
    sni: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.sni_callback = lambda _sock, name, _context: self.sni.append(name)

    def __call__(self, connection: socket.socket) -> None:
        for wanted, answer in self.rows:
            self.before.append(hear(connection, len(wanted)))
            connection.sendall(answer)
        with self.context.wrap_socket(connection, server_side=True) as tls:
            words = b""
            with contextlib.suppress(OSError):
                while data := tls.recv(4096):
                    words += data
            self.inside.append(words)


def service_of(protocol: Protocol, context: ssl.SSLContext) -> Service:
    """A service of ``protocol`` that behaves."""
    return Service(context, SERVICES[protocol])


def hear(connection: socket.socket, count: int) -> bytes:
    """As many octets, or fewer if the client closes."""
    heard = b""
    while len(heard) < count and (data := connection.recv(count - len(heard))):
        heard += data
    return heard


def server_context(*pem_files: Path, **settings: object) -> ssl.SSLContext:
    """A server's context with a certificate and key from each file, and attributes as given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    for path in pem_files:
        context.load_cert_chain(path)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def says(*answers: bytes) -> Behaviour:
    """Answer whatever is heard by the next of ``answers``, then be silent."""

    def behave(connection: socket.socket) -> None:
        for answer in answers:
            connection.sendall(answer)
            connection.recv(4096)
        while connection.recv(4096):
            pass

    return behave


def repeats(data: bytes, start: bytes = b"") -> Behaviour:
    """Send ``data`` for ever, as fast as it is taken."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(data)

    return behave


def drips(data: bytes, pause: threading.Event, interval: float = 0.05) -> Behaviour:
    """Send ``data`` octet by octet, again and again, until ``pause`` is set."""

    def behave(connection: socket.socket) -> None:
        while not pause.is_set():
            for octet in data:
                connection.sendall(bytes([octet]))
                if pause.wait(interval):
                    return

    return behave


def resets_after(*answers: bytes) -> Behaviour:
    """Answer as told, then reset the connection instead of the next answer."""

    def behave(connection: socket.socket) -> None:
        for answer in answers:
            connection.sendall(answer)
            connection.recv(4096)
        reset(connection)

    return behave


def closes_after(*answers: bytes) -> Behaviour:
    """Answer as told, then close."""

    def behave(connection: socket.socket) -> None:
        for answer in answers:
            connection.sendall(answer)
            connection.recv(4096)

    return behave


def hangs_up(data: bytes) -> Behaviour:
    """Say something and close, without listening."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(data)

    return behave


def reset(connection: socket.socket) -> None:
    """Close with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextlib.contextmanager
def full_listener() -> Iterator[int]:
    """A port where connections are never accepted, nor refused: its backlog is full."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.settimeout(0)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
