"""Which validating resolver to ask, and whether its word is taken: resolv.conf as data."""

from __future__ import annotations

import enum
import ipaddress
from datetime import timedelta
from functools import cache
from pathlib import Path

from danebot.domain.addresses import literal
from danebot.regular import read_regular
from danebot.tuples import NamedTuple

RESOLV_CONF = Path("/etc/resolv.conf")
DNS_PORT = 53
_LARGEST = 1024 * 1024  # octets
_MAX_NAMESERVERS = 3  # glibc's MAXNS
_MAX_TIMEOUT, _MAX_ATTEMPTS = 30, 5  # glibc's RES_MAXRETRANS and RES_MAXRETRY


class AdTrust(enum.Enum):
    """From whom the AD bit is believed."""

    LOOPBACK = "a resolver on a loopback address"
    DECLARED = "every configured resolver: the operator vouches for it and for the path to it"


class Nameserver(NamedTuple):
    """A resolver's address, an IPv4 or IPv6 literal (a scope is allowed), and its port."""

    address: str
    port: int = DNS_PORT

    @property
    def is_loopback(self) -> bool:
        """Whether its answers never leave this host."""
        return _is_loopback(self.address)

    def __str__(self) -> str:
        return self.address if self.port == DNS_PORT else f"{self.address} port {self.port}"


@cache
def _is_loopback(literal: str) -> bool:
    address = ipaddress.ip_address(literal.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


class ResolverConfig(NamedTuple):
    """How to reach the validating resolver; ``timeout`` is for one try at one nameserver."""

    nameservers: tuple[Nameserver, ...] = (Nameserver("127.0.0.1"),)
    trust: AdTrust = AdTrust.LOOPBACK
    timeout: timedelta = timedelta(seconds=5)
    attempts: int = 2

    def believes_ad(self, nameserver: Nameserver) -> bool:
        """Whether AD in an answer of ``nameserver`` means that the answer is validated."""
        return self.trust is AdTrust.DECLARED or nameserver.is_loopback


def load_resolv_conf(path: Path = RESOLV_CONF) -> ResolverConfig:
    """Read a resolv.conf; one that can't be read means the local resolver, as for the C library."""
    try:
        data = read_regular(path, _LARGEST)
    except OSError:
        return ResolverConfig()
    return parse_resolv_conf(data.decode(errors="replace"))


def parse_resolv_conf(text: str) -> ResolverConfig:
    """Read ``nameserver`` and ``options trust-ad timeout:N attempts:N`` (resolv.conf(5)).

    Like the C library, it passes over what it doesn't know and takes the first three nameservers.
    """
    nameservers: list[Nameserver] = []
    options: list[str] = []
    for line in text.splitlines():
        keyword, *words = line.split() or [""]
        if keyword == "nameserver" and words and literal(words[0]) is not None:
            nameservers.append(Nameserver(words[0]))
        elif keyword == "options":
            options += words
    default = ResolverConfig()
    timeout = _number(options, "timeout:", _MAX_TIMEOUT)
    return ResolverConfig(
        nameservers=tuple(nameservers[:_MAX_NAMESERVERS]) or default.nameservers,
        trust=AdTrust.DECLARED if "trust-ad" in options else AdTrust.LOOPBACK,
        timeout=default.timeout if timeout is None else timedelta(seconds=timeout),
        attempts=_number(options, "attempts:", _MAX_ATTEMPTS) or default.attempts,
    )


def _number(options: list[str], prefix: str, most: int) -> int | None:
    """The last such option's number, within 1 to ``most``."""
    digits = [word.removeprefix(prefix) for word in options if word.startswith(prefix)]
    if not digits or not digits[-1].isascii() or not digits[-1].isdigit():
        return None
    return min(max(int(digits[-1][:9]), 1), most)  # more digits say no more than "too many"
