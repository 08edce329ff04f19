"""The outside view of a mail domain or service, as DANE senders and clients see it: values.

What was asked for is a `Subject`, what came of it a `Report`; `danebot.domain.delivery.assess`
makes the one from routes and probes.  Command line and plugin only render the report.

Named tuples here, not dataclasses: a check starts every minute, and those take ten times as long to
make (half a millisecond for each class).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from danebot.domain.dane.profiles import Profile, profile_of
from danebot.domain.dane.verdicts import Outcome, Verdict
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.delivery.routes import HostRoute, MailRoute, SrvRoute
from danebot.domain.dns.tlsa import (
    MatchingType,
    Selector,
    TlsaRecord,
    Usage,
    counts_beside,
    key_record,
)
from danebot.domain.finding import Finding, Severity
from danebot.domain.names import PORTS, Endpoint, Hostname, Protocol, default_protocol, printable
from danebot.domain.thresholds import AtLeast, Thresholds
from danebot.errors import NameSyntaxError
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.dane.authorities import Authorities
    from danebot.domain.dns.forms import RecordForm

Route: TypeAlias = MailRoute | SrvRoute | HostRoute


class MailSubject(NamedTuple):
    """All mail exchangers of a domain."""

    domain: Hostname

    def __str__(self) -> str:
        return self.domain.text


class ServiceSubject(NamedTuple):
    """One service at a host and port."""

    endpoint: Endpoint

    def __str__(self) -> str:
        return str(self.endpoint)


class SrvSubject(NamedTuple):
    """A service of a domain that SRV records lead to; ``service`` without the underscore."""

    domain: Hostname
    service: str

    def __str__(self) -> str:
        return f"_{self.service}._tcp.{self.domain.text}"


Subject: TypeAlias = MailSubject | ServiceSubject | SrvSubject


def parse_subject(text: str, protocol: Protocol | None = None) -> Subject:
    """Read a domain, or ``HOST:PORT``; `NameSyntaxError` if it is neither.

    ``protocol`` is how TLS begins at a port, None for what is usual there.
    """
    host, colon, digits = text.strip().rpartition(":")
    if not colon:
        return MailSubject(Hostname.parse(text))
    if not (digits.isascii() and digits.isdigit() and not digits[5:] and int(digits) in PORTS):
        raise NameSyntaxError(f"{printable(text, 80)!r}: want HOST:PORT with a port of 1 to 65535")
    port = int(digits)
    return ServiceSubject(Endpoint(Hostname.parse(host), port, protocol or default_protocol(port)))


class Expectation(enum.Enum):
    """Whether a subject ought to have DANE."""

    REQUIRED = "required"
    OPTIONAL = "optional"


class Trust(enum.Enum):
    """Who has to accept a certificate."""

    DANE = "those with DANE"
    PKIX_TOO = "those without DANE, too"


class Criteria(NamedTuple):
    """What is expected of a subject.

    ``days`` is for what is left of certificates; None means a fifth of their own lifetime.
    ``hours`` is for what is left of DNSSEC signatures.  ``unmatched`` is how records that match no
    presented certificate are graded: they may be somebody's next key.  ``aka`` are additional
    reference identifiers.  ``trust_anchors`` (DER) are for PKIX usages where they count, and for
    `Trust.PKIX_TOO`.  Of ``require``, a record of one kind at least must be there and match.
    ``only`` is the one host of several that counts, ``down`` are hosts that are known to be down.
    ``placed`` are hosts that are to be asked elsewhere than at their own addresses.
    ``authorities`` are those that DANE-TA records are named by; None names none.
    """

    expectation: Expectation = Expectation.REQUIRED
    days: Thresholds | None = None
    hours: Thresholds = Thresholds(AtLeast(12), AtLeast(2))
    unmatched: Severity = Severity.NOTICE
    aka: tuple[Hostname, ...] = ()
    trust_anchors: tuple[bytes, ...] | None = None
    trust: Trust = Trust.DANE
    require: tuple[RecordForm, ...] = ()
    only: Hostname | None = None
    down: tuple[Hostname, ...] = ()
    placed: tuple[Hostname, ...] = ()
    authorities: Authorities | None = None


class HostObservation(NamedTuple):
    """A host and what its addresses had to say.  ``left_out`` were too many to ask.

    ``service`` is that of the SRV records that led there, without the underscore; "" without.
    """

    route: HostRoute
    protocol: Protocol
    results: tuple[ProbeResult, ...] = ()
    left_out: int = 0
    service: str = ""

    @property
    def profile(self) -> Profile:
        """By which rules it is judged."""
        return profile_of(self.route.port, self.protocol, self.service)


class PathEnd(enum.Enum):
    """Which certificate of a path ends first; the value is a noun, and what follows in words."""

    LEAF = "certificate", ""
    ISSUER = "issuer's certificate", "DANE senders refuse the chain then"
    ROOT = "self-signed DANE-TA anchor", "DANE senders refuse the chain then"
    ANCHOR = "DANE-TA anchor", "some senders refuse the chain then, Postfix and Exim don't"

    @property
    def noun(self) -> str:
        """What it is."""
        return self.value[0]

    @property
    def consequence(self) -> str:
        """What senders do once it has ended; "" if that is said elsewhere."""
        return self.value[1]


class Leaf(NamedTuple):
    """The certificate that was presented first; times are aware UTC, ``names`` printable.

    ``expires`` is when the first certificate ends of those that the verdict rests on; ``ends`` is
    its depth on the path (0 is the leaf), and ``ending`` what it is.
    """

    spki: bytes
    names: tuple[str, ...]
    not_before: datetime
    expires: datetime
    ends: int = 0
    ending: PathEnd = PathEnd.LEAF

    @property
    def record(self) -> TlsaRecord:
        """The ``3 1 1`` record of its key."""
        return key_record(self.spki, MatchingType.SHA2_256)

    def record_beside(self, records: Iterable[TlsaRecord]) -> TlsaRecord:
        """Return the key's record that counts beside others (RFC 7671 section 9)."""
        weak = counts_beside((Usage.DANE_EE, Selector.SPKI, MatchingType.SHA2_256), records)
        return self.record if weak else key_record(self.spki, MatchingType.SHA2_512)


class AddressReport(NamedTuple):
    """One address; ``verdict`` is None unless a chain was served, ``leaf`` if it is unreadable."""

    result: ProbeResult
    verdict: Verdict | None = None
    leaf: Leaf | None = None

    @property
    def authenticated(self) -> bool:
        """Whether a sender authenticates it."""
        return self.verdict is not None and self.verdict.outcome is Outcome.AUTHENTICATED


_UNASKED = (ProbeOutcome.NO_ROUTE, ProbeOutcome.SHORTAGE)


class HostReport(NamedTuple):
    """One host; ``unmatched`` are the records that match at none of its addresses."""

    route: HostRoute
    protocol: Protocol
    addresses: tuple[AddressReport, ...] = ()
    unmatched: tuple[TlsaRecord, ...] = ()
    left_out: int = 0
    service: str = ""

    @property
    def profile(self) -> Profile:
        """By which rules it was judged."""
        return profile_of(self.route.port, self.protocol, self.service)

    @property
    def asked(self) -> tuple[AddressReport, ...]:
        """The addresses that this host could ask."""
        return tuple(one for one in self.addresses if one.result.outcome not in _UNASKED)

    @property
    def other_family(self) -> str:
        """The only family of its addresses, where none of it was to be asked; else ""."""
        bound = self.route.references is not None
        if not bound or self.addresses or self.left_out:
            return ""
        return "IPv4" if self.route.ipv4.records else "IPv6"

    @property
    def endpoint(self) -> Endpoint:
        """The service there."""
        return Endpoint(self.route.host, self.route.port, self.protocol)


class Report(NamedTuple):
    """All about one subject; ``findings`` are the most serious first.

    ``signed_until`` is the earliest end of a DNSSEC signature that senders rely on.
    """

    subject: Subject
    route: Route
    hosts: tuple[HostReport, ...]
    findings: tuple[Finding, ...]
    signed_until: datetime | None = None

    @property
    def severity(self) -> Severity:
        """That of the most serious finding."""
        return max((finding.severity for finding in self.findings), default=Severity.NOTICE)

    @property
    def addresses(self) -> tuple[AddressReport, ...]:
        """All addresses of all hosts."""
        return tuple(address for host in self.hosts for address in host.addresses)

    @property
    def first_to_end(self) -> Leaf | None:
        """Return what ends first of all that was presented and is relied on."""
        leaves = (one.leaf for one in self.addresses if one.leaf is not None)
        return min(leaves, key=lambda leaf: leaf.expires, default=None)

    @property
    def expires(self) -> datetime | None:
        """When that ends."""
        first = self.first_to_end
        return first.expires if first is not None else None
