"""What the jobs need from the outside, as Protocols; tests and tools may bring their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from danebot.domain.dns import OwnerObservation
from danebot.domain.names import DnsName, Endpoint
from danebot.domain.served import ProbeResult


class Clock(Protocol):
    """The only source of time outside the domain."""

    def __call__(self) -> datetime:
        """Now, as aware UTC."""
        ...


class TlsaObserver(Protocol):
    """Looks at TLSA owners through the validating resolver and at the authoritative servers."""

    def observe_owners(
        self, owners: Sequence[DnsName]
    ) -> Mapping[DnsName, OwnerObservation]:
        """Look at all ``owners`` now; trouble is in the values, never an exception."""
        ...


class Prober(Protocol):
    """Asks services which chain they serve."""

    def probe(self, endpoints: Sequence[Endpoint]) -> Sequence[ProbeResult]:
        """Probe every address of every endpoint; trouble is in the values."""
        ...
