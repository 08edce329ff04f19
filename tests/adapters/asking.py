"""DNS for tests: each method drives one resolution to its end and returns the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from danebot.adapters.dns.exchange import resolve
from danebot.adapters.dns.observer import Observer
from danebot.adapters.dns.rdata import RecordKind
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.adapters.dns.resolver import Resolver
from danebot.adapters.dns.routes import SMTP_PORT, Routing
from danebot.adapters.dns.zones import Direct, Zones
from danebot.domain.addresses import SocketAddress
from danebot.domain.delivery.routes import HostRoute, MailRoute, SrvRoute
from danebot.domain.dns.answers import Answer, OwnerObservation
from danebot.domain.names import DnsName, Hostname

RecordT = TypeVar("RecordT")


@dataclass(frozen=True, slots=True)
class DnsClient:
    """Lookups through the validating resolver and at authoritative servers."""

    config: ResolverConfig = field(default_factory=ResolverConfig)
    direct: Direct = field(default_factory=Direct)
    witnesses: tuple[SocketAddress, ...] = ()

    def lookup(self, kind: RecordKind[RecordT], name: DnsName) -> Answer[RecordT]:
        return resolve(Resolver(self.config).lookup(kind, name))

    def observe_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, OwnerObservation]:
        observer = Observer(Zones(Resolver(self.config), self.direct), self.witnesses)
        return resolve(observer.observe(owners))

    def mail_route(self, domain: Hostname, port: int = SMTP_PORT) -> MailRoute:
        return resolve(Routing(Resolver(self.config)).mail(domain, port))

    def service_route(self, host: Hostname, port: int) -> HostRoute:
        return resolve(Routing(Resolver(self.config)).service(host, port))

    def srv_route(self, domain: Hostname, service: str) -> SrvRoute:
        return resolve(Routing(Resolver(self.config)).srv(domain, service))
