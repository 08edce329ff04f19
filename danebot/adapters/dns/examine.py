"""What each name server of the resolver's settings makes of DNSSEC, asked one by one.

A lookup takes the first that answers; that the others answer otherwise would show once it is down.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from danebot.adapters.dns.exchange import resolve
from danebot.adapters.dns.queries import Ask, Query, QueryFailure, Reply, Steps
from danebot.adapters.dns.rcodes import Rcode
from danebot.adapters.dns.rdata import SOA, TLSA
from danebot.adapters.dns.resolvconf import AdTrust, Nameserver, ResolverConfig
from danebot.adapters.dns.response import RRSIG
from danebot.domain.doctor.facts import Asked
from danebot.domain.names import DnsName
from danebot.tuples import NamedTuple


class _Question(NamedTuple):
    name: str
    rdtype: int


_ROOT = _Question("", SOA.rdtype)  # signed, and known to every resolver of the internet's names


def examine(config: ResolverConfig, owners: Sequence[DnsName] = ()) -> tuple[Asked, ...]:
    """Ask each for the root's SOA record, with DO and AD (RFC 4035 section 3.2, RFC 6840 5.7).

    And for the TLSA records of ``owners``: in a network of its own a resolver may know these alone.
    The best answer of each counts.
    """
    questions = (_ROOT, *(_Question(owner.text, TLSA.rdtype) for owner in owners))
    return resolve(_steps(config, questions))


def _steps(config: ResolverConfig, questions: Sequence[_Question]) -> Steps[tuple[Asked, ...]]:
    left = [(one, question) for one in config.nameservers for question in questions]
    found: dict[tuple[Nameserver, _Question], Reply] = {}
    for attempt in range(config.attempts):
        timeout = config.timeout.total_seconds()
        replies = yield tuple(
            Query(one.address, one.port, *question, Ask.RECURSIVE, timeout, attempt)
            for one, question in left
        )
        found |= dict(zip(left, replies, strict=True))
        left = [asked for asked, reply in found.items() if isinstance(reply, QueryFailure)]
    answers = (_asked(config, *asked, reply) for asked, reply in found.items())
    best: dict[str, Asked] = {}
    for one in answers:
        best[one.name] = max(one, best.get(one.name, one), key=_worth)
    return tuple(best.values())


def _worth(one: Asked) -> tuple[bool, bool, bool]:
    return not one.trouble, one.authentic, one.signed


def _asked(config: ResolverConfig, one: Nameserver, question: _Question, reply: Reply) -> Asked:
    address = ipaddress.ip_address(one.address.partition("%")[0])
    asked = Asked(
        str(one), one.is_loopback, address.is_global, trusted=config.trust is AdTrust.DECLARED
    )
    if isinstance(reply, QueryFailure):
        return asked._replace(trouble=f"gives no answer ({reply})")
    if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        what = f"TLSA records of {question.name}" if question.name else "the root's SOA record"
        return asked._replace(trouble=f"answers with an error ({reply.words}, asked for {what})")
    signed = any(key.rdtype == RRSIG for key in (*reply.answer, *reply.authority))
    return asked._replace(authentic=reply.authentic, signed=signed)
