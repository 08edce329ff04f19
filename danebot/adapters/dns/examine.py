"""What each name server of the resolver's settings makes of DNSSEC, asked one by one.

A lookup takes the first that answers; that the others answer otherwise would show once it is down.
"""

from __future__ import annotations

import ipaddress

from danebot.adapters.dns.exchange import resolve
from danebot.adapters.dns.queries import Ask, Query, QueryFailure, Reply, Steps
from danebot.adapters.dns.rcodes import Rcode
from danebot.adapters.dns.rdata import SOA
from danebot.adapters.dns.resolvconf import AdTrust, Nameserver, ResolverConfig
from danebot.adapters.dns.response import signatures
from danebot.domain.doctor.facts import Asked

_ROOT = ""  # signed, and known to every resolver


def examine(config: ResolverConfig) -> tuple[Asked, ...]:
    """Ask each for the root's SOA record, with DO and AD (RFC 4035 section 3.2, RFC 6840 5.7)."""
    return resolve(_steps(config))


def _steps(config: ResolverConfig) -> Steps[tuple[Asked, ...]]:
    found: dict[Nameserver, Reply] = {}
    for attempt in range(config.attempts):
        left = [
            one for one in config.nameservers if isinstance(found.get(one), QueryFailure | None)
        ]
        replies = yield tuple(_query(config, one, attempt) for one in left)
        found |= dict(zip(left, replies, strict=True))
    return tuple(_asked(config, one, reply) for one, reply in found.items())


def _query(config: ResolverConfig, one: Nameserver, attempt: int) -> Query:
    timeout = config.timeout.total_seconds()
    return Query(one.address, one.port, _ROOT, SOA.rdtype, Ask.RECURSIVE, timeout, attempt)


def _asked(config: ResolverConfig, one: Nameserver, reply: Reply) -> Asked:
    address = ipaddress.ip_address(one.address.partition("%")[0])
    asked = Asked(
        str(one), one.is_loopback, address.is_global, trusted=config.trust is AdTrust.DECLARED
    )
    if isinstance(reply, QueryFailure):
        return asked._replace(trouble=str(reply))
    if reply.rcode != Rcode.NOERROR:
        return asked._replace(trouble=reply.words)
    signed = bool(signatures(reply.answer, _ROOT, SOA.rdtype))
    return asked._replace(authentic=reply.authentic, signed=signed)
