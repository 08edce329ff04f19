"""One 127.A.B.0/24 per lab, reserved so that labs started at the same time never share one."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

PORTS = {1: (53,), 2: (53,), 3: (53,), 4: (14000, 14001, 15000), 5: (25, 80), 6: (53,), 7: (25,)}

_SHARES = 16  # of the ports, for as many workers


class LabError(Exception):
    """The lab did not do what was asked of it; the text says which log to read."""


@dataclass(frozen=True)
class Net:
    """The addresses of a lab, and the socket whose name reserves them."""

    prefix: str
    reservation: socket.socket

    def host(self, last: int) -> str:
        return f"{self.prefix}.{last}"

    def release(self) -> None:
        self.reservation.close()


def reserve() -> Net:
    """Reserve a net on which nobody listens.

    The reservation is an abstract Unix socket: bound by one process only, in the very
    network namespace that has the addresses, and gone with the process.  The ports are
    looked at as well, for a lab that outlives the process that started it.
    """
    for _ in range(200):
        prefix = f"127.{random.randint(10, 250)}.{random.randint(1, 250)}"
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            name.bind(f"\0danebot-lab/{prefix}")
            if _is_free(prefix):
                return Net(prefix, name)
        name.close()
    raise LabError("no free 127.A.B.0/24 found")


def _is_free(prefix: str) -> bool:
    for last, ports in PORTS.items():
        for port in ports:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((f"{prefix}.{last}", port))
                except OSError:
                    return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free for TCP and UDP, and stay so.

    They are none that the kernel gives away by itself, nor those of pytest-xdist's other workers:
    in between, another test could get them.
    """
    found: list[int] = []
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
    for port in random.sample(range(20_000 + worker, 32_000, _SHARES), 12_000 // _SHARES):
        if len(found) == count:
            return found
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                stack.enter_context(socket.socket(type=kind)).bind(("127.0.0.1", port))
            found.append(port)
    raise LabError("no free ports found")


def accepts(address: str, port: int) -> bool:
    """Tell whether a TCP connection is accepted."""
    try:
        with socket.create_connection((address, port), 0.5):
            return True
    except OSError:
        return False


def until(what: str, test: Callable[[], bool], limit: float = 60) -> None:
    """Wait until ``test`` holds; raise LabError after ``limit`` seconds."""
    end = time.monotonic() + limit
    while not test():
        if time.monotonic() > end:
            raise LabError(f"waited {limit} s in vain for {what}")
        time.sleep(0.02)
