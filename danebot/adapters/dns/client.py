"""DNS for programs that wait: each method does its lookups and returns the values.

Trouble is in the values; nothing here raises for what the DNS or the network does.  Every call
asks anew, unless one `Cache` is passed to several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from danebot.adapters.dns import exchange
from danebot.adapters.dns.observer import Observer
from danebot.adapters.dns.queries import Cache
from danebot.adapters.dns.rdata import Kind
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.adapters.dns.resolver import Resolver
from danebot.adapters.dns.routes import SMTP_PORT, Routing
from danebot.adapters.dns.zones import Direct
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

    def lookup(
        self, kind: Kind[RecordT], name: DnsName, cache: Cache | None = None
    ) -> Answer[RecordT]:
        """Ask the validating resolver for one name and type."""
        return exchange.run(Resolver(self.config).lookup(kind, name), cache)

    def observe_owners(
        self, owners: Sequence[DnsName], cache: Cache | None = None
    ) -> Mapping[DnsName, OwnerObservation]:
        """Look at TLSA owners from everywhere (`danebot.adapters.ports.TlsaObserver`)."""
        observer = Observer.of(Resolver(self.config), self.direct, self.witnesses)
        return exchange.run(observer.observe(owners), cache)

    def mail_route(
        self, domain: Hostname, port: int = SMTP_PORT, cache: Cache | None = None
    ) -> MailRoute:
        """Where mail for ``domain`` goes, with each host's TLSA records (RFC 7672 2.2)."""
        return exchange.run(self._routing.mail(domain, port), cache)

    def service_route(self, host: Hostname, port: int, cache: Cache | None = None) -> HostRoute:
        """A host's addresses and the TLSA records for ``port`` (RFC 7671 section 7)."""
        return exchange.run(self._routing.service(host, port), cache)

    def srv_route(self, domain: Hostname, service: str, cache: Cache | None = None) -> SrvRoute:
        """Where a service such as ``imaps`` is (RFC 6186, RFC 7673), or `NameSyntaxError`."""
        return exchange.run(self._routing.srv(domain, service), cache)

    @property
    def _routing(self) -> Routing:
        return Routing(Resolver(self.config))
