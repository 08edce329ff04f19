"""Addresses to connect to, with a port where one is given."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An IPv4 or IPv6 literal, in `ipaddress`'s normal form; ``port`` None means the usual one."""

    address: str
    port: int | None = None

    def __str__(self) -> str:
        if self.port is None:
            return self.address
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


def literal(words: str) -> str | None:
    """An IPv4 or IPv6 address in `ipaddress`'s normal form; None if it is something else."""
    try:
        return str(ipaddress.ip_address(words))
    except ValueError:
        return None


def parse_socket_address(words: str) -> SocketAddress | None:
    """Read an address and port; None if it is something else, a name for instance."""
    address, port = words.strip(), ""
    if address.startswith("["):
        address, closed, port = address[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            return None
    elif address.count(":") == 1:
        address, _, port = address.partition(":")
        port = f":{port}"
    found = literal(address)
    number = parse_port(port[1:]) if port else None
    if found is None or (port and number is None):
        return None
    return SocketAddress(found, number)


def parse_port(digits: str) -> int | None:
    """Read 1 to 65535 in plain digits; None if it is something else."""
    if not re.fullmatch(r"[0-9]{1,5}", digits):
        return None
    return int(digits) if 0 < int(digits) <= _MAX_PORT else None
