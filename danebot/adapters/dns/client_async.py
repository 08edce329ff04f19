"""DNS for asyncio programs that look at many domains: `danebot.adapters.dns.client`, awaitable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from danebot.adapters.dns.exchange_async import AsyncCache, AsyncExchange
from danebot.adapters.dns.observer import Observer
from danebot.adapters.dns.rdata import Kind
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.adapters.dns.resolver import Resolver
from danebot.adapters.dns.routes import SMTP_PORT, Routing
from danebot.adapters.dns.zones import Direct
from danebot.domain.delivery.routes import HostRoute, MailRoute, SrvRoute
from danebot.domain.dns.answers import Answer, OwnerObservation
from danebot.domain.names import DnsName, Hostname

RecordT = TypeVar("RecordT")


class AsyncDnsClient:
    """Lookups for one run in one event loop: what was asked once is not asked again.

    ``in_flight`` bounds the queries under way, of all tasks together.
    """

    def __init__(
        self,
        config: ResolverConfig | None = None,
        direct: Direct | None = None,
        *,
        in_flight: int = 200,
    ) -> None:
        self._resolver = Resolver(config or ResolverConfig())
        self._direct = direct or Direct()
        self._exchange = AsyncExchange(in_flight=in_flight)
        self._cache: AsyncCache = {}

    async def lookup(self, kind: Kind[RecordT], name: DnsName) -> Answer[RecordT]:
        """Ask the validating resolver for one name and type."""
        return await self._exchange.run(self._resolver.lookup(kind, name), self._cache)

    async def observe_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, OwnerObservation]:
        """Look at TLSA owners from everywhere."""
        observer = Observer.of(self._resolver, self._direct)
        return await self._exchange.run(observer.observe(owners), self._cache)

    async def mail_route(self, domain: Hostname, port: int = SMTP_PORT) -> MailRoute:
        """Where mail for ``domain`` goes, with each host's TLSA records (RFC 7672 2.2)."""
        return await self._exchange.run(Routing(self._resolver).mail(domain, port), self._cache)

    async def service_route(self, host: Hostname, port: int) -> HostRoute:
        """A host's addresses and the TLSA records for ``port`` (RFC 7671 section 7)."""
        return await self._exchange.run(Routing(self._resolver).service(host, port), self._cache)

    async def srv_route(self, domain: Hostname, service: str) -> SrvRoute:
        """Where a service such as ``imaps`` is (RFC 6186, RFC 7673), or `NameSyntaxError`."""
        return await self._exchange.run(Routing(self._resolver).srv(domain, service), self._cache)
