"""A network namespace of a lab's own, which the thread that holds it enters and leaves."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import time
from collections.abc import Iterator, Sequence

from lab.net import LabError

CLONE_NEWNET = 0x40000000
OWN = "/proc/thread-self/ns/net"


class Namespace:
    """Addresses on a loopback interface that nothing outside can reach.

    Whoever talks to one of ``addresses`` from inside does so from ``source``, IPv4 or IPv6, unless
    it binds another address: as between hosts.  (On one host both ends have the same address, as
    here with those of ``own``.)
    """

    def __init__(
        self, addresses: Sequence[str], source: Sequence[str], own: Sequence[str] = ()
    ) -> None:
        self._source = source
        self._libc = ctypes.CDLL(None, use_errno=True)
        outside = os.open(OWN, os.O_RDONLY)
        try:
            self._call("unshare", CLONE_NEWNET)
            self._file = os.open(OWN, os.O_RDONLY)
            try:
                _ip("link set lo up", *map(_added, [*addresses, *own]))
                _routed(addresses)
                _ip(*(line for one in addresses for line in _sent_from(one, source)))
            finally:
                self._call("setns", outside, CLONE_NEWNET)
        finally:
            os.close(outside)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Have this thread, and the processes it starts, in the namespace within a block."""
        outside = os.open(OWN, os.O_RDONLY)
        try:
            self._call("setns", self._file, CLONE_NEWNET)
            try:
                yield
            finally:
                self._call("setns", outside, CLONE_NEWNET)
        finally:
            os.close(outside)

    @contextlib.contextmanager
    def without(self, address: str) -> Iterator[None]:
        """Have what is sent to an address lost on its way, for a block that is inside.

        The way is a pair of interfaces of which the far one belongs to nobody who forwards.
        """
        length = 128 if ":" in address else 32
        _ip("link add away type veth peer name nowhere")
        _ip("link set away up arp off", "link set nowhere up")
        _ip(
            f"route del local {address} dev lo table local",
            f"address del {address}/{length} dev lo",
            f"route add {address}/{length} dev away",
        )
        try:
            yield
        finally:
            _ip("link del away")
            _ip(_added(address))
            _routed([address])
            _ip(*_sent_from(address, self._source))

    def close(self) -> None:
        """Give the namespace up; it ends with the last process in it."""
        os.close(self._file)

    def _call(self, name: str, *arguments: int) -> None:
        if getattr(self._libc, name)(*arguments):
            raise LabError(f"{name}: {os.strerror(ctypes.get_errno())}")


def _added(address: str) -> str:
    rest = "/128 dev lo nodad" if ":" in address else "/32 dev lo"
    return f"address add {address}{rest}"


def _routed(addresses: Sequence[str]) -> None:
    """Wait for the kernel's own routes: IPv6's come a little later than their addresses."""
    wanted = {one for one in addresses if ":" in one}
    for _ in range(100):
        shown = subprocess.run(
            ["ip", "-6", "route", "show", "table", "local"],
            capture_output=True,
            text=True,
            check=True,
        )
        if wanted <= set(shown.stdout.split()):
            return
        time.sleep(0.05)
    raise LabError(f"no route to all of {', '.join(sorted(wanted))}")


def _sent_from(address: str, source: Sequence[str]) -> list[str]:
    """What gives the route to an address another preferred source than the address itself."""
    sender = next(one for one in source if (":" in one) == (":" in address))
    if ":" not in address:
        return [f"route replace local {address} dev lo table local src {sender}"]
    return [  # beside the kernel's own route, of metric 0, another would never be used
        f"route del local {address} dev lo table local proto kernel",
        f"route add local {address} dev lo table local src {sender}",
    ]


def _ip(*commands: str) -> None:
    """Run commands of `ip`, each for the address family that it names."""
    for family in ("-4", "-6"):
        batch = [one for one in commands if (":" in one) == (family == "-6")]
        done = subprocess.run(
            ["ip", family, "-batch", "-"],
            input="\n".join(batch) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise LabError(f"ip: {done.stderr.strip()}")
