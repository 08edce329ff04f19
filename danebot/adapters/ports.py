"""What the jobs need from the outside, as Protocols; tests and tools may bring their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from danebot.domain.delivery.probes import ProbeResult
from danebot.domain.delivery.routes import MailRoute
from danebot.domain.dns.answers import OwnerObservation, TlsaAnswer
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import DnsName, Endpoint, Hostname
from danebot.domain.rollover.records.adoption import Leads
from danebot.domain.rollover.records.changes import Change, ChangeResult


class Clock(Protocol):
    """The only source of time outside the domain."""

    def __call__(self) -> datetime:
        """Now, as aware UTC."""


class TlsaObserver(Protocol):
    """Looks at TLSA owners through the validating resolver and at the authoritative servers."""

    def observe_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, OwnerObservation]:
        """Look at all ``owners`` now; trouble is in the values, never an exception."""

    def lookup_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, TlsaAnswer]:
        """Ask the validating resolver alone for the TLSA RRsets of ``owners``."""

    def lookup_leads(self, domains: Sequence[Hostname]) -> Leads:
        """Ask it for the hosts that MX and SRV records of ``domains`` lead to."""

    def lookup_mail(self, domains: Sequence[Hostname]) -> Mapping[Hostname, MailRoute]:
        """Ask it where mail for each of ``domains`` goes, as senders do, and for records there."""


class Prober(Protocol):
    """Asks services which chain they serve."""

    def probe(
        self,
        lineage: str,
        endpoints: Sequence[Endpoint],
        algorithm: Algorithm = Algorithm.ANY,
    ) -> Sequence[ProbeResult]:
        """Probe every address of every endpoint, or those configured for the lineage instead.

        ``algorithm`` says which certificate of a server with two is asked for.
        Trouble is in the values, never an exception.
        """


class Publisher(Protocol):
    """Changes TLSA RRsets in DNS."""

    def publish(self, change: Change) -> ChangeResult:
        """Make one change, or say why not; trouble is in the value, never an exception.

        DONE and UNCHANGED say that the publisher is content; what counts is what is seen.
        """


@runtime_checkable
class Rehearsing(Protocol):
    """A publisher that can be tried out."""

    def rehearse(self, change: Change) -> ChangeResult:
        """Do all of a change but the change; UNCHANGED, or what would stop it.  Never raises."""
