"""Which hosts a client of a domain connects to, and which TLSA records bind them.

Senders' rules: RFC 7672 section 2.2 for mail, RFC 7671 section 7 for aliases, RFC 7673 for SRV.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from danebot.domain.dane.references import References
from danebot.domain.dns.answers import Answer, TlsaAnswer
from danebot.domain.dns.records import MxRecord, SrvRecord
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, Hostname, Protocol
from danebot.tuples import NamedTuple


class Dane(enum.Enum):
    """Whether DANE binds clients that connect to a host; the value is in words."""

    APPLIES = "secure TLSA records"
    ABSENT = "no TLSA records"
    INSECURE_TLSA = "TLSA answer is not secured by DNSSEC"
    INSECURE_ADDRESS = "address records are not secured by DNSSEC"
    INSECURE_SERVICE = "SRV records are not secured by DNSSEC"
    DEFERRED = "TLSA lookup fails, so senders defer"
    ADDRESS_FAILED = "address lookup fails, so senders pass over the host"
    NO_ADDRESS = "host has no address"


class BaseAnswer(NamedTuple):
    """The TLSA answer for one candidate TLSA base domain (RFC 7672 section 2.2.3)."""

    base: Hostname
    answer: TlsaAnswer


class HostRoute(NamedTuple):
    """One host to connect to.

    ``host`` is the name as MX, SRV or operator gave it, and ``preference`` what orders it (MX
    preference or SRV priority, lower first; 0 without).  ``tried`` has the TLSA answers in the
    order in which they were asked for; empty if DANE can't apply.  ``alias`` is the answer to the
    question for CNAME at ``host``, asked only when the address it leads to is insecure.
    ``references`` are the names to verify against if DANE applies; None otherwise.
    """

    host: Hostname
    port: int
    dane: Dane
    ipv4: Answer[str]
    ipv6: Answer[str]
    preference: int = 0
    tried: tuple[BaseAnswer, ...] = ()
    alias: Answer[DnsName] | None = None
    references: References | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Literals, IPv4 first."""
        return self.ipv4.records + self.ipv6.records

    @property
    def answers(self) -> tuple[Answer[Any], ...]:
        """Return all that was looked up for it."""
        alias = () if self.alias is None else (self.alias,)
        return (self.ipv4, self.ipv6, *alias, *(one.answer for one in self.tried))

    @property
    def records(self) -> tuple[TlsaRecord, ...]:
        """The TLSA RRset that binds clients; empty unless DANE applies."""
        return self.tried[-1].answer.records if self.dane is Dane.APPLIES else ()

    @property
    def signed_until(self) -> datetime | None:
        """When the first of the DNSSEC signatures ends that senders rely on; None if unknown."""
        secure = (one.signed_until for one in self.answers if one.secure)
        return min((end for end in secure if end is not None), default=None)

    @property
    def sni(self) -> Hostname:
        """What a client sends in SNI: the TLSA base domain (RFC 7672 section 8.1), or the host."""
        return self.host if self.references is None else self.references.base

    @property
    def detail(self) -> str:
        """What the lookups had to say, printable; "" if nothing."""
        return "; ".join(dict.fromkeys(one.detail for one in self.answers if one.detail))


class Discovery(enum.Enum):
    """How the hosts of a domain were found; the value is in words."""

    LISTED = "by its records"
    IMPLICIT = "the domain itself"  # no MX: RFC 5321 section 5.1
    NOT_OFFERED = "service not offered"  # null MX (RFC 7505), SRV target "." (RFC 2782)
    ABSENT = "no such records"
    FAILED = "lookup failed"


class MailRoute(NamedTuple):
    """Where mail for ``domain`` goes; ``hosts`` in the order in which senders try them."""

    domain: Hostname
    discovery: Discovery
    mx: Answer[MxRecord]
    hosts: tuple[HostRoute, ...] = ()

    @property
    def kind(self) -> str:
        """The type of the records that lead to the hosts."""
        return "MX"

    @property
    def answer(self) -> Answer[Any]:
        """What was said of these."""
        return self.mx


SERVICE_PROTOCOLS: dict[str, Protocol] = {
    "imap": Protocol.IMAP,
    "imaps": Protocol.TLS,
    "ldap": Protocol.LDAP,
    "ldaps": Protocol.TLS,
    "pop3": Protocol.POP3,
    "pop3s": Protocol.TLS,
    "sieve": Protocol.SIEVE,
    "submission": Protocol.SMTP,
    "submissions": Protocol.TLS,
    "xmpp-client": Protocol.XMPP_CLIENT,
    "xmpp-server": Protocol.XMPP_SERVER,
    "xmpps-client": Protocol.TLS,
    "xmpps-server": Protocol.TLS,
}
"""How TLS begins with services found by SRV (RFC 5804, RFC 6120, RFC 6186, RFC 8314)."""


class SrvRoute(NamedTuple):
    """Where a service of ``domain`` is; ``service`` as registered, without the underscore."""

    domain: Hostname
    service: str
    discovery: Discovery
    srv: Answer[SrvRecord]
    hosts: tuple[HostRoute, ...] = ()

    @property
    def kind(self) -> str:
        """The type of the records that lead to the hosts."""
        return "SRV"

    @property
    def answer(self) -> Answer[Any]:
        """What was said of these."""
        return self.srv
