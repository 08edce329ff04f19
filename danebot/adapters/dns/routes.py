"""From a domain to hosts and TLSA records, as senders go about it (RFC 7672 section 2.2).

Logic without I/O (see `danebot.adapters.dns.queries`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from danebot.adapters.dns.queries import Steps, together
from danebot.adapters.dns.rdata import AAAA, CNAME, MX, SRV, TLSA, A
from danebot.adapters.dns.resolver import Resolver
from danebot.domain.dane.references import References
from danebot.domain.delivery.routes import (
    BaseAnswer,
    Dane,
    Discovery,
    HostRoute,
    MailRoute,
    SrvRoute,
)
from danebot.domain.dns.answers import Answer, Presence
from danebot.domain.dns.records import MxRecord
from danebot.domain.names import DnsName, Hostname, TlsaOwner
from danebot.errors import NameSyntaxError
from danebot.tuples import NamedTuple

SMTP_PORT = 25


class Routing(NamedTuple):
    """Finds hosts and their TLSA records through a validating resolver."""

    resolver: Resolver

    def mail(self, domain: Hostname, port: int = SMTP_PORT) -> Steps[MailRoute]:
        """Where mail for ``domain`` goes (RFC 5321 section 5.1, RFC 7672 section 2.2.1).

        With an insecure MX RRset the hosts' TLSA records are found all the same, since senders
        use them; but the next-hop domain is then no reference identifier (RFC 7672 3.2.2).
        """
        mx = yield from self.exchangers(domain)
        hosts = yield from together(
            [self.service(host, port) for _, host in mail_hosts(domain, mx)]
        )
        return mail_route(domain, mx, hosts)

    def exchangers(self, domain: Hostname) -> Steps[Answer[MxRecord]]:
        """The MX records of ``domain``."""
        return self.resolver.lookup(MX, domain.dns_name)

    def srv(self, domain: Hostname, service: str) -> Steps[SrvRoute]:
        """Where ``service`` (such as ``imaps``) of ``domain`` is, over TCP (RFC 6186, RFC 7673).

        Raises `NameSyntaxError` for a service that is no label.  Insecure SRV records lead to
        hosts all right, but to no TLSA records (RFC 7673 section 3.1).
        """
        srv = yield from self.resolver.lookup(SRV, DnsName.parse(f"_{service}._tcp.{domain.text}"))
        listed = sorted(
            (r.priority, -r.weight, r.target, r.port) for r in srv.records if r.target is not None
        )
        way = _way(srv, refused=bool(srv.records) and not listed)
        bar = None if srv.secure else Dane.INSECURE_SERVICE
        hosts = yield from together(
            [self._host(host, port, priority, (domain,), bar) for priority, _, host, port in listed]
        )
        return SrvRoute(domain, service, way, srv, tuple(hosts))

    def service(self, host: Hostname, port: int) -> Steps[HostRoute]:
        """A host that is named directly (RFC 7672 section 2.2.2, RFC 7671 section 7)."""
        return self._host(host, port, 0, (host,))

    def _host(
        self,
        host: Hostname,
        port: int,
        preference: int,
        names: tuple[Hostname, ...],
        bar: Dane | None = None,
    ) -> Steps[HostRoute]:
        """Addresses first: TLSA is asked for only where these are secure (RFC 7672 2.2.2).

        ``names`` are reference identifiers besides the TLSA base domain; ``bar`` is a reason known
        beforehand why DANE can't apply.
        """
        a, aaaa = yield from together(
            [self.resolver.lookup(kind, host.dns_name) for kind in (A, AAAA)]
        )
        tried: tuple[BaseAnswer, ...] = ()
        alias: Answer[DnsName] | None = None
        found = [answer for answer in (a, aaaa) if answer.records]
        if not found:
            failed = Presence.UNKNOWN in (a.presence, aaaa.presence)
            dane = Dane.ADDRESS_FAILED if failed else Dane.NO_ADDRESS
        elif bar is not None:
            dane = bar
        elif all(answer.secure for answer in found):
            dane, tried = yield from self._tlsa(_bases(host, found[0]), port)
        elif not any(answer.aliases for answer in found):
            dane = Dane.INSECURE_ADDRESS
        else:
            alias = yield from self.resolver.lookup(CNAME, host.dns_name)
            if alias.presence is Presence.UNKNOWN:
                dane = Dane.ADDRESS_FAILED
            elif alias.secure:
                dane, tried = yield from self._tlsa((host,), port)
            else:
                dane = Dane.INSECURE_ADDRESS
        references = References(tried[-1].base, names) if dane is Dane.APPLIES else None
        return HostRoute(host, port, dane, a, aaaa, preference, tried, alias, references)

    def _tlsa(
        self, bases: tuple[Hostname, ...], port: int
    ) -> Steps[tuple[Dane, tuple[BaseAnswer, ...]]]:
        """Try the candidates in turn (RFC 7672 section 2.2.3); what fails ends the search."""
        tried: tuple[BaseAnswer, ...] = ()
        for base in bases:
            answer = yield from self.resolver.lookup(TLSA, TlsaOwner(base, port).name)
            tried += (BaseAnswer(base, answer),)
            if answer.presence is Presence.UNKNOWN:
                return Dane.DEFERRED, tried
            if answer.secure and answer.presence is Presence.PRESENT:
                return Dane.APPLIES, tried
        insecure = any(t.answer.presence is Presence.PRESENT or not t.answer.secure for t in tried)
        return Dane.INSECURE_TLSA if insecure else Dane.ABSENT, tried


def mail_hosts(domain: Hostname, mx: Answer[MxRecord]) -> list[tuple[int, Hostname]]:
    """The hosts to which mail for ``domain`` goes, in the order of their preferences."""
    if mx.presence is Presence.NODATA:
        return [(0, domain)]
    return sorted((r.preference, r.exchange) for r in mx.records if r.exchange is not None)


def mail_route(domain: Hostname, mx: Answer[MxRecord], services: Iterable[HostRoute]) -> MailRoute:
    """The way of mail for ``domain``; ``services`` are its `mail_hosts`, each found by its name.

    The names to verify against are the domain's, where MX records are secure (RFC 7672 3.2.2).
    """
    listed = mail_hosts(domain, mx)
    if mx.presence is Presence.NODATA:
        return MailRoute(domain, Discovery.IMPLICIT, mx, tuple(services))
    names = _next_hop(domain, mx) if mx.secure else ()
    hosts = tuple(
        host._replace(preference=preference, references=_renamed(host, names))
        for (preference, _), host in zip(listed, services, strict=True)
    )
    way = _way(mx, refused=bool(mx.records) and not listed)
    return MailRoute(domain, way, mx, hosts)


def _renamed(host: HostRoute, names: tuple[Hostname, ...]) -> References | None:
    return None if host.references is None else host.references._replace(others=names)


def _way(answer: Answer[Any], *, refused: bool) -> Discovery:
    if refused:
        return Discovery.NOT_OFFERED
    if answer.presence is Presence.PRESENT:
        return Discovery.LISTED if answer.records else Discovery.FAILED  # FAILED: all are malformed
    return Discovery.FAILED if answer.presence is Presence.UNKNOWN else Discovery.ABSENT


def _next_hop(domain: Hostname, mx: Answer[Any]) -> tuple[Hostname, ...]:
    """The next-hop domain and, if it is an alias, its expansion (RFC 7672 section 3.2.2)."""
    return tuple(dict.fromkeys((domain, *_as_host(mx.canonical))))


def _bases(host: Hostname, addresses: Answer[str]) -> tuple[Hostname, ...]:
    """Candidate TLSA base domains of a secure address: fully expanded first (RFC 7671 7)."""
    return tuple(dict.fromkeys((*_as_host(addresses.canonical), host)))


def _as_host(name: DnsName) -> tuple[Hostname, ...]:
    """Nothing, if no certificate could have the name."""
    try:
        return (Hostname.parse(name.text),)
    except NameSyntaxError:
        return ()
