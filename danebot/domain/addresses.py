"""Addresses to connect to, with a port where one is given."""

from __future__ import annotations

import enum
import ipaddress
import re
from typing import TypeAlias

from danebot.tuples import NamedTuple

_MAX_PORT = 65535


class SocketAddress(NamedTuple):
    """An IPv4 or IPv6 literal, in `ipaddress`'s normal form; ``port`` None means the usual one."""

    address: str
    port: int | None = None

    def __str__(self) -> str:
        if self.port is None:
            return self.address
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


class Reach(enum.Enum):
    """How far connections may go to where names lead; each goes as far as those before it."""

    NONE = "none"
    PUBLIC = "public"
    PRIVATE = "private"
    ANY = "any"  # loopback and link-local ones, too, and whatever is no host's

    def includes(self, address: str) -> bool:
        """Whether this address, an IPv4 or IPv6 literal, may be asked."""
        order = list(Reach)
        return order.index(self) >= order.index(_reach(_translated(ipaddress.ip_address(address))))


_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("3fff::/20"))
"""Of the IANA's special-purpose registries what Python took for public (RFC 6890, 9637)."""


def _reach(address: _Address) -> Reach:
    if (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address.is_reserved
    ):
        return Reach.ANY
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return Reach.PRIVATE  # RFC 3879: given up, and never anybody's on the Internet
    public = address.is_global and not any(address in network for network in _NOT_PUBLIC)
    return Reach.PUBLIC if public else Reach.PRIVATE


def _translated(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one stands for (RFC 4291 2.5.5.2, 6052, 3056), or itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def translated(address: str) -> str:
    """The IPv4 literal that an IPv6 one stands for, or itself, in normal form."""
    return str(_translated(ipaddress.ip_address(address)))


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
