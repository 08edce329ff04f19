"""What the DNS said: answers of the validating resolver and of authoritative servers, as values.

TTLs are `timedelta` and always the authoritative ones: an authoritative server's own, or the
original TTL of the RRSIG (RFC 4034 section 3.1.4), never a cache's remaining seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, Hostname
from danebot.tuples import NamedTuple

RecordT = TypeVar("RecordT")


class Security(enum.Enum):
    """RFC 4033 section 5, as far as a stub resolver can tell; the value is in words."""

    SECURE = "secure"
    INSECURE = "insecure"
    BOGUS = "bogus"
    INDETERMINATE = "unreachable"


class Cause(enum.Enum):
    """Whose fault it is that an answer can't be relied on, where a stub can tell."""

    DOMAIN = "the resolver found no way to an answer"
    RESOLVER = "the resolver could not be asked"
    UNTRUSTED = "the resolver says that it has validated the answer, but isn't trusted to"
    OPT_OUT = "the zone is signed, but its NSEC3 opt-out leaves absence unproven"
    UNSIGNED = "the resolver validates, and the zone isn't signed"


class Presence(enum.Enum):
    """What the answer says about the name and type asked for."""

    PRESENT = "present"
    NODATA = "no such record"
    NXDOMAIN = "no such name"
    UNKNOWN = "unknown"


class Alias(NamedTuple):
    """One CNAME on the way from the name asked to the name that answered."""

    name: DnsName
    target: DnsName
    ttl: timedelta


class Answer(NamedTuple, Generic[RecordT]):
    """What the validating resolver said of one name and type.

    ``presence`` is UNKNOWN exactly if ``security`` is BOGUS or INDETERMINATE.  ``canonical`` is
    the name at the end of ``aliases``.  ``ttl`` is None unless the RRset is present.
    ``signed_until`` is the earliest RRSIG expiration in the answer, ``signed_since`` the latest
    inception of the RRset's own, which shows how long it has been as it is, but for the hour or two
    by which signers antedate (aware UTC, RFC 4034 section 3.1.5).  ``rejects`` are reasons, one for
    each record that could not be parsed.  ``cause`` is set where INDETERMINATE, and where INSECURE
    for want of trust in the resolver, by opt-out (RFC 5155 section 9.2), or where the resolver is
    known to validate, so that insecure means unsigned (RFC 4035 section 4.3).  ``wildcard`` is set
    where the RRset, or an alias to it, was made by a wildcard, as far as signatures show it (RFC
    4035 section 5.3.4).  ``detail`` is printable and passes extended errors (RFC 8914), the
    response code or the transport's failure on in words.
    """

    name: DnsName
    security: Security
    presence: Presence
    canonical: DnsName
    aliases: tuple[Alias, ...] = ()
    records: tuple[RecordT, ...] = ()
    ttl: timedelta | None = None
    signed_until: datetime | None = None
    signed_since: datetime | None = None
    rejects: tuple[str, ...] = ()
    detail: str = ""
    cause: Cause | None = None
    wildcard: bool = False

    @property
    def secure(self) -> bool:
        """Whether the answer, present or absent, is validated."""
        return self.security is Security.SECURE


TlsaAnswer = Answer[TlsaRecord]


WITNESS = Hostname("witness")
"""Stands for the name of a server that is asked what the world sees."""


class Server(NamedTuple):
    """One address of one authoritative server."""

    name: Hostname
    address: str

    def __str__(self) -> str:
        return f"{self.name.text} [{self.address}]"


class ServerOutcome(enum.Enum):
    """What asking one authoritative server came to; the value is in words."""

    ANSWERED = "answered"
    LEADS_ON = "leads on"  # has an alias as the resolver has it; others say what is at its end
    UNREACHABLE = "no answer"
    NO_ROUTE = "no route"  # this host has none, or lost it: says nothing of the server
    LAME = "not authoritative"  # REFUSED, SERVFAIL, NOTAUTH, or an answer without AA
    UNRESOLVED = "not looked up"  # it was a server's address, and whether it still is wasn't said
    FELL_SILENT = "no answer any more"  # it gave one before, and now none or no usable


_HEARD = (ServerOutcome.ANSWERED, ServerOutcome.LEADS_ON)
_OWED = (ServerOutcome.UNRESOLVED, ServerOutcome.FELL_SILENT)


class Unresolved(NamedTuple):
    """A question about the servers of a zone that got no answer.

    ``rdtype`` is "NS" where the delegation of the zone ``name`` could not be read, "A" or "AAAA"
    where the addresses of the name server ``name`` could not.
    """

    name: DnsName
    rdtype: str


class ServerAnswer(NamedTuple):
    """The TLSA RRset as one authoritative server has it.

    ``ttl`` is the RRset's where it is present; ``negative_ttl`` the longest for which its absence
    may be cached, where it is absent: SOA MINIMUM, or the TTL of the NSEC or NSEC3 records served
    where that is larger (RFC 2308 section 5, RFC 8198 section 5.4, RFC 9077).  Where a wildcard
    stands in for the name, it is the TTL of those that say so (RFC 8198 section 5.3).  The TTLs of
    aliases that lead elsewhere than the resolver was led are added to both.  ``elsewhere`` is where
    they lead if the server doesn't have that itself: what is there, and for how long it may be
    held, nobody says.  ``end`` is where they lead, whether it has that or not, or
    the name itself where the resolver was led on and the server has no alias.  ``wildcard`` is
    set where the records are those of a wildcard, as far as signatures show it.
    ``signed_since`` is the latest inception of any RRSIG in the answer (aware UTC); nobody has
    validated it.
    """

    server: Server
    outcome: ServerOutcome
    records: tuple[TlsaRecord, ...] = ()
    ttl: timedelta | None = None
    negative_ttl: timedelta | None = None
    detail: str = ""
    wildcard: bool = False
    signed_since: datetime | None = None
    elsewhere: DnsName | None = None
    end: DnsName | None = None

    @property
    def heard(self) -> bool:
        """Whether the server said what it has."""
        return self.outcome in _HEARD

    @property
    def longest_ttl(self) -> timedelta | None:
        """How long a cache may hold what it said, one that makes answers anew included."""
        return max((x for x in (self.ttl, self.negative_ttl) if x is not None), default=None)

    @property
    def owed(self) -> bool:
        """Whether it holds what nobody knows, whatever other addresses of its name say."""
        return self.outcome in _OWED


class AliasObservation(NamedTuple):
    """One alias on the way, as the servers of the zone that holds it have it.

    A server that agrees with the resolver LEADS_ON; one that has ANSWERED leads elsewhere or
    nowhere, and its records are those that it leads to, as far as it has them itself, its TTLs the
    longest under which that may be cached.  ``security`` is that of the alias's own answer, where
    the answer as a whole says less; None where it isn't known.
    """

    alias: Alias
    zone: DnsName
    name_servers: frozenset[Hostname]
    ns_ttl: timedelta | None
    servers: tuple[ServerAnswer, ...]
    address_ttl: timedelta | None = None
    unresolved: frozenset[Unresolved] = frozenset()
    security: Security | None = None
    parents: tuple[Server, ...] | None = None


class OwnerObservation(NamedTuple):
    """Everything seen of one TLSA owner name at one time.

    ``zone`` holds the RRset (CNAMEs followed); None if it could not be found.  ``name_servers`` are
    the NS names of the delegation and of the zone's apex together, ``ns_ttl`` the largest TTL of
    those RRsets; ``servers`` has an entry for each address that the parent's glue, the resolver or
    the servers themselves give for them, ``address_ttl`` is the largest TTL of these.  A name
    server without an address has an entry with the address "" and outcome UNREACHABLE.
    ``unresolved`` is what could not be found out of them.  ``parents`` are the servers of the zone
    that delegates to it, None where these could not all be found.  ``aliases`` has an entry for
    each alias of the answer.  ``witnesses`` has one for each configured witness: one of them must
    be heard, and each that is must have what counts.
    """

    owner: DnsName
    answer: TlsaAnswer
    zone: DnsName | None = None
    name_servers: frozenset[Hostname] = frozenset()
    ns_ttl: timedelta | None = None
    servers: tuple[ServerAnswer, ...] = ()
    aliases: tuple[AliasObservation, ...] = ()
    address_ttl: timedelta | None = None
    unresolved: frozenset[Unresolved] = frozenset()
    witnesses: tuple[ServerAnswer, ...] = ()
    parents: tuple[Server, ...] | None = None

    @property
    def all_name_servers(self) -> frozenset[Hostname]:
        """The NS names of all zones on the way: who may send a resolver elsewhere."""
        return self.name_servers.union(*(alias.name_servers for alias in self.aliases))

    @property
    def route_ttl(self) -> timedelta | None:
        """The largest TTL of these NS RRsets, of the servers' addresses and glue, and of the way.

        Aliases end one after another: at the end of each, the next is asked for anew.
        """
        way = sum((alias.ttl for alias in self.answer.aliases), timedelta(0))
        ttls = [self.ns_ttl, self.address_ttl, way or None]
        ttls += [ttl for alias in self.aliases for ttl in (alias.ns_ttl, alias.address_ttl)]
        return max((ttl for ttl in ttls if ttl is not None), default=None)

    @property
    def all_unresolved(self) -> frozenset[Unresolved]:
        """What could not be found out of the servers of all zones on the way."""
        return self.unresolved.union(*(alias.unresolved for alias in self.aliases))

    @property
    def all_parents(self) -> tuple[Server, ...] | None:
        """The servers that delegate to the zones on the way, sorted; None if not all are known."""
        every = [self.parents, *(alias.parents for alias in self.aliases)]
        known = [servers for servers in every if servers is not None]
        if len(known) < len(every):
            return None
        return tuple(sorted({server for servers in known for server in servers}))

    @property
    def authoritative(self) -> tuple[ServerAnswer, ...]:
        """What the servers of all zones on the way said."""
        if not self.aliases:  # mostly, and hundreds of times in a run
            return self.servers
        return self.servers + tuple(one for alias in self.aliases for one in alias.servers)

    @property
    def all_servers(self) -> tuple[ServerAnswer, ...]:
        """What these said, and the witnesses."""
        return self.authoritative + self.witnesses

    @property
    def astray(self) -> Mapping[str, DnsName]:
        """Where servers lead, by "NAME [ADDRESS]", that not all were asked: the names on no way.

        One that has such a name itself doesn't speak for others that have it, too.  Witnesses may
        have a way of their own for good: where they lead and have that, their word counts.
        """
        way = {self.owner, self.answer.canonical, *(one.target for one in self.answer.aliases)}
        ends = [(one.server, one.elsewhere) for one in self.all_servers]
        ends += [(one.server, one.end) for one in self.authoritative if one.end not in way]
        return {str(server): end for server, end in ends if end is not None}

    @property
    def unseen_ends(self) -> frozenset[DnsName]:
        """Where servers lead `astray`: what is there, not everyone was asked."""
        return frozenset(self.astray.values())

    @property
    def other_ends(self) -> frozenset[DnsName]:
        """Where servers lead that isn't where the resolver was led."""
        ends = (end for one in self.all_servers for end in (one.elsewhere, one.end))
        return frozenset(end for end in ends if end not in (None, self.answer.canonical))

    @property
    def speaking(self) -> frozenset[Server]:
        """The servers and witnesses that answered for every part of the way that they have.

        One may hold the zones of an alias and of what that leads to, and have lost one of them.
        """
        heard = {one.server for one in self.all_servers if one.heard}
        if self.aliases:
            heard -= {one.server for one in self.all_servers if not one.heard}
        return frozenset(heard)

    @property
    def answering(self) -> tuple[ServerAnswer, ...]:
        """The authoritative servers of the RRset that say what it is."""
        return tuple(s for s in self.servers if s.outcome is ServerOutcome.ANSWERED)

    @property
    def all_answering(self) -> tuple[ServerAnswer, ...]:
        """The servers that say what the RRset is, where others merely lead on."""
        return tuple(s for s in self.all_servers if s.outcome is ServerOutcome.ANSWERED)

    @property
    def surely_led(self) -> bool:
        """Whether only signed data led to the canonical name."""
        own = {one.security for one in self.aliases}
        return self.answer.secure or own == {Security.SECURE}

    @property
    def signed(self) -> bool:
        """Whether a signature came with it, from the resolver or a server of the RRset's zone.

        Then an answer that is insecure here may be secure elsewhere: this host's resolver doesn't
        validate, or the zone's DS record is missing.
        """
        shown = any(one.heard and one.signed_since is not None for one in self.servers)
        return shown or self.answer.signed_since is not None

    @property
    def unheard(self) -> frozenset[Hostname]:
        """Name servers of which no address answered for its part of the way.

        So are those of which one did, and another that owes its word didn't.
        """
        parts = [(self.name_servers, self.servers)]
        parts += [(frozenset({WITNESS}), self.witnesses)] if self.witnesses else []
        parts += [(alias.name_servers, alias.servers) for alias in self.aliases]
        return frozenset(
            name
            for names, servers in parts
            for name in names - ({one.server.name for one in servers if one.heard})
            | {one.server.name for one in servers if one.owed}
        )

    @property
    def heard_any(self) -> bool:
        """Whether any authoritative server of the RRset gave an answer."""
        return any(server.heard for server in self.servers)

    @property
    def unproven(self) -> bool:
        """Whether the answer is insecure, and nobody shows whether the zone is signed.

        A resolver that doesn't validate calls every answer insecure, and servers that are silent
        may sign theirs.
        """
        insecure = self.answer.security is Security.INSECURE and self.answer.cause is None
        return insecure and not self.heard_all

    @property
    def heard_all(self) -> bool:
        """Whether the resolver, every server and each address that owes its word answered."""
        known = self.answer.presence is not Presence.UNKNOWN
        return known and self.heard_any and not self.unheard
