"""Joins the adapters for one run: the resolver, the authoritative servers, the endpoints."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from danebot.adapters.dns.resolvconf import (
    DNS_PORT,
    AdTrust,
    Nameserver,
    ResolverConfig,
    load_resolv_conf,
)
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import DnsName, Endpoint, Hostname
from danebot.errors import NameSyntaxError

if TYPE_CHECKING:
    from danebot.adapters.dns.queries import Cache
    from danebot.adapters.ports import Prober, Publisher, TlsaObserver
    from danebot.adapters.probe.target import Target
    from danebot.config import Settings
    from danebot.domain.addresses import SocketAddress
    from danebot.domain.delivery.probes import ProbeResult
    from danebot.domain.delivery.routes import MailRoute
    from danebot.domain.dns.answers import Answer, OwnerObservation, TlsaAnswer
    from danebot.domain.rollover.records.adoption import Leads


_NO_ADDRESS = "none in DNS; /etc/hosts is not read, but endpoints in danebot.toml are"


def resolver_config(settings: Settings) -> ResolverConfig:
    """Whom to ask by the settings."""
    return resolver_of(settings.resolvers, trusted=settings.trust_resolver)


def resolver_of(named: Sequence[SocketAddress] | None, *, trusted: bool) -> ResolverConfig:
    """Whom to ask: the resolvers that are named, else those of ``/etc/resolv.conf``."""
    found = load_resolv_conf()
    if named is not None:
        nameservers = tuple(Nameserver(one.address, one.port or DNS_PORT) for one in named)
        found = found._replace(nameservers=nameservers, trust=AdTrust.LOOPBACK)
    return found._replace(trust=AdTrust.DECLARED) if trusted else found


def observer(settings: Settings) -> TlsaObserver:
    """Looks at TLSA owners."""
    return WireObserver(resolver_config(settings), settings.witnesses)


def prober(settings: Settings) -> Prober:
    """Asks services what they serve."""
    return WireProber(settings)


def publisher(
    settings: Settings, lineage: str, progress: Callable[[str], None]
) -> Publisher | None:
    """Return the publisher of a lineage's records; None where they are published by hand."""
    from danebot.config import Method

    wanted = settings.publish(lineage)
    if wanted.method is Method.RFC2136 and wanted.key_file is not None:
        from danebot.adapters.publish.rfc2136 import Updater

        config = resolver_config(settings)
        return Updater(config, wanted.key_file, wanted.timeout, wanted.server, wanted.zone)
    if wanted.method is Method.EXEC and wanted.command is not None:
        from danebot.adapters.publish.program import ExecPublisher

        return ExecPublisher(
            wanted.command, wanted.timeout, wanted.zone, settings.environment, progress
        )
    return None


class WireObserver:
    """`ports.TlsaObserver` over the network; every call looks anew."""

    def __init__(self, config: ResolverConfig, witnesses: Sequence[SocketAddress] = ()) -> None:
        self._config = config
        self._witnesses = witnesses

    def observe_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, OwnerObservation]:
        """Ask the resolver, every authoritative server and the witnesses."""
        from danebot.adapters.dns.exchange import resolve
        from danebot.adapters.dns.observer import Observer
        from danebot.adapters.dns.resolver import Resolver
        from danebot.adapters.dns.zones import Zones

        return resolve(Observer(Zones(Resolver(self._config)), self._witnesses).observe(owners))

    def lookup_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, TlsaAnswer]:
        """Ask the resolver alone."""
        from danebot.adapters.dns.exchange import resolve
        from danebot.adapters.dns.queries import each
        from danebot.adapters.dns.rdata import TLSA
        from danebot.adapters.dns.resolver import Resolver

        resolver = Resolver(self._config)
        return resolve(each({owner: resolver.lookup(TLSA, owner) for owner in owners}))

    def lookup_leads(self, domains: Sequence[Hostname]) -> Leads:
        """Ask the resolver for MX and SRV records (RFC 5321 section 5.1, RFC 6186)."""
        from danebot.adapters.dns.exchange import resolve
        from danebot.adapters.dns.leads import lead_steps
        from danebot.adapters.dns.resolver import Resolver

        return resolve(lead_steps(Resolver(self._config), domains))

    def lookup_mail(self, domains: Sequence[Hostname]) -> Mapping[Hostname, MailRoute]:
        """Ask the resolver for MX records, addresses and TLSA records (RFC 7672 section 2.2)."""
        from danebot.adapters.dns.exchange import resolve
        from danebot.adapters.dns.queries import each
        from danebot.adapters.dns.resolver import Resolver
        from danebot.adapters.dns.routes import Routing

        routing = Routing(Resolver(self._config))
        return resolve(each({domain: routing.mail(domain) for domain in domains}))


class WireProber:
    """`ports.Prober` over the network."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def probe(
        self,
        lineage: str,
        endpoints: Sequence[Endpoint],
        algorithm: Algorithm = Algorithm.ANY,
    ) -> Sequence[ProbeResult]:
        """Probe the configured addresses of each endpoint, else all that its name has."""
        from danebot.adapters.probe.prober import probe_all
        from danebot.domain.delivery.probes import ProbeResult

        cache: Cache = {}
        targets: list[Target] = []
        lost: list[ProbeResult] = []
        for endpoint in endpoints:
            found = self._targets(lineage, endpoint, cache)
            for one in found:
                if isinstance(one, ProbeResult):
                    lost.append(one._replace(algorithm=algorithm))
                else:
                    targets.append(one._replace(algorithm=algorithm))
        return [*lost, *probe_all(targets, helo=own_name())]

    def _targets(
        self, lineage: str, endpoint: Endpoint, cache: Cache
    ) -> Sequence[Target | ProbeResult]:
        """Whom to ask, and which addresses are not known: no answer of DNS is not "no address"."""
        from danebot.adapters.probe.target import Target
        from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
        from danebot.domain.dns.answers import Presence

        setting = self._settings.endpoint(lineage, endpoint.host, endpoint.port)
        if setting is not None and setting.protocol is not None:
            endpoint = endpoint._replace(protocol=setting.protocol)
        if setting is not None and setting.connect:
            return [Target(endpoint, to.address, to.port) for to in setting.connect]
        answers = self._addresses(endpoint.host, cache)
        found = [Target(endpoint, address) for answer in answers for address in answer.records]
        for answer in answers:
            if answer.presence is Presence.UNKNOWN:
                why = f"addresses can't be looked up: {answer.detail}"
                lost = ProbeResult(endpoint, "", ProbeOutcome.UNREACHABLE, detail=why)
                return [*found, lost]
        return found or [ProbeResult(endpoint, "", ProbeOutcome.NO_ADDRESS, detail=_NO_ADDRESS)]

    def _addresses(self, host: Hostname, cache: Cache) -> Sequence[Answer[str]]:
        from danebot.adapters.dns.exchange import resolve
        from danebot.adapters.dns.queries import together
        from danebot.adapters.dns.rdata import AAAA, A
        from danebot.adapters.dns.resolver import Resolver

        resolver = Resolver(resolver_config(self._settings))
        lookups = [resolver.lookup(kind, host.dns_name) for kind in (A, AAAA)]
        return resolve(together(lookups), cache)


def own_name() -> Hostname:
    """The name that danebot gives to servers as its own."""
    try:
        return Hostname.parse(socket.gethostname())
    except NameSyntaxError:
        return Hostname("localhost.localdomain")
