"""Where the MX and SRV records of domains lead: to hosts that a wildcard certificate may serve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from danebot.adapters.dns.queries import Steps, together
from danebot.adapters.dns.rdata import MX, SRV
from danebot.adapters.dns.resolver import Resolver
from danebot.domain.delivery.routes import SERVICE_PROTOCOLS
from danebot.domain.dns.answers import Answer, Presence
from danebot.domain.names import MAX_NAME, DnsName, Hostname
from danebot.domain.rollover.records.adoption import Lead, Leads


def lead_steps(resolver: Resolver, domains: Iterable[Hostname]) -> Steps[Leads]:
    """Ask for the mail exchangers of ``domains`` and for the services known here (RFC 6186)."""
    asked = tuple(domains)
    services = [(domain, name) for domain in asked for name in _services(domain)]
    exchanges = yield from together([resolver.lookup(MX, one.dns_name) for one in asked])
    targets = yield from together([resolver.lookup(SRV, name) for _, name in services])
    found = [
        *(
            Lead(domain.dns_name, record.exchange)
            for domain, answer in zip(asked, exchanges, strict=True)
            for record in answer.records
            if record.exchange is not None
        ),
        *(
            Lead(domain.dns_name, record.target, record.port)
            for (domain, _), answer in zip(services, targets, strict=True)
            for record in answer.records
            if record.target is not None
        ),
    ]
    silent = [*_silent("MX", exchanges), *_silent("SRV", targets)]
    return Leads(tuple(dict.fromkeys(found)), tuple(silent))


def _services(domain: Hostname) -> Iterator[DnsName]:
    for service in SERVICE_PROTOCOLS:
        name = f"_{service}._tcp.{domain.text}"
        if len(name) <= MAX_NAME:
            yield DnsName(name)


def _silent(word: str, answers: Iterable[Answer[Any]]) -> Iterator[tuple[DnsName, str]]:
    for answer in answers:
        if answer.presence is Presence.UNKNOWN:
            yield answer.name, f"{word} records: {answer.detail or answer.security.value}"
