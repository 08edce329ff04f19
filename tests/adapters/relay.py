"""A relay in front of the primary, to act between a look at the RRset and the update of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from danebot.adapters.dns import message as wire
from danebot.config import ServerAddress
from lab.lab import Lab

_UPDATE = 5  # the opcode (RFC 2136 section 1.3)


@contextmanager
def interposed(lab: Lab, before_update: Callable[[], None]) -> Iterator[ServerAddress]:
    """The primary behind a relay, which lets somebody act between danebot's look and its update."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def relay() -> None:
            while not stop.is_set():
                inside, _ = listener.accept()
                with inside:
                    stream = bytearray()
                    while (message := wire.unframe(stream)) is None:
                        data = inside.recv(65535)
                        if not data:
                            break
                        stream += data
                    if message is None:
                        continue
                    if message[2] >> 3 & 0xF == _UPDATE:
                        before_update()
                    with socket.create_connection((lab.ns1, 53), timeout=60) as outside:
                        outside.sendall(wire.frame(message))
                        answer = bytearray()
                        while wire.unframe(answer) is None:
                            answer += outside.recv(65535)
                        inside.sendall(answer)

        thread = threading.Thread(target=relay, daemon=True)
        thread.start()
        host, port = listener.getsockname()
        try:
            yield ServerAddress(host, port)
        finally:
            stop.set()
            socket.create_connection((host, port)).close()
            thread.join(5)
