"""DNS for programs that wait: each method does its lookups and returns the values.

Trouble is in the values; nothing here raises for what the DNS or the network does.  Every call
asks anew, unless one `Cache` is passed to several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from danebot.adapters import exchange
from danebot.adapters.authoritative import Observer
from danebot.adapters.kinds import Kind
from danebot.adapters.resolvconf import ResolverConfig
from danebot.adapters.resolver import Resolver
from danebot.adapters.steps import Cache
from danebot.adapters.zones import Direct
from danebot.domain.dns import Answer, OwnerObservation
from danebot.domain.names import DnsName

RecordT = TypeVar("RecordT")


@dataclass(frozen=True, slots=True)
class DnsClient:
    """Lookups through the validating resolver and at authoritative servers."""

    config: ResolverConfig = field(default_factory=ResolverConfig)
    direct: Direct = field(default_factory=Direct)

    def lookup(
        self, kind: Kind[RecordT], name: DnsName, cache: Cache | None = None
    ) -> Answer[RecordT]:
        """Ask the validating resolver for one name and type."""
        return exchange.run(Resolver(self.config).lookup(kind, name), cache)

    def observe_owners(
        self, owners: Sequence[DnsName], cache: Cache | None = None
    ) -> Mapping[DnsName, OwnerObservation]:
        """Look at TLSA owners from everywhere (`danebot.adapters.ports.TlsaObserver`)."""
        observer = Observer.of(Resolver(self.config), self.direct)
        return exchange.run(observer.observe(owners), cache)
