"""What files of the shell program's tree can't say: ``rollover.json`` as values.

Losing it costs waiting time, never safety.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from danebot.domain.dns.answers import Server
from danebot.domain.dns.tlsa import Required, TlsaRecord
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.text import program_of
from danebot.tuples import NamedTuple

MEMORY_SCHEMA = 1


class TtlSighting(NamedTuple):
    """A TTL under which answers for an owner could be cached.

    It was in force from ``first`` (or earlier) to ``until``, the first later observation at which
    it no longer was; None while it still is.
    """

    ttl: timedelta
    first: datetime
    until: datetime | None = None


class OwnerRoute(NamedTuple):
    """Where an owner's RRset is found: the name after CNAMEs, and the servers of the way there.

    ``addresses`` are sorted; () in memories that knew of names alone.  ``parents`` are the servers
    of the zones that delegate to theirs, when all were last known; None before.
    """

    canonical: DnsName
    name_servers: frozenset[Hostname]
    addresses: tuple[Server, ...] = ()
    parents: tuple[Server, ...] | None = None


class Witness(enum.Enum):
    """Who has been heard on records."""

    RESOLVER = "resolver alone"
    SERVERS = "authoritative servers"


class RRsetSighting(NamedTuple):
    """A TLSA RRset that was to be had for an owner, and the TTL under which it could be cached.

    ``records`` are sorted.  ``first`` and ``until`` are as for `TtlSighting`.  ``left_at`` is the
    first observation since which no server has it, though the resolver still had it, at
    ``lagged_at`` for the last time.
    """

    records: tuple[TlsaRecord, ...]
    ttl: timedelta
    first: datetime
    until: datetime | None = None
    witness: Witness = Witness.RESOLVER
    left_at: datetime | None = None
    lagged_at: datetime | None = None


class OwnerMemory(NamedTuple):
    """What was observed of one TLSA owner.

    After a change of route, resolvers may keep to the old one until ``old_route_until``.
    ``route_ttl`` is the largest TTL of its NS, address and glue RRsets seen since the route is this
    one.  ``rrsets`` are those that a cache may hold; nothing is known of any before
    ``watched_since``, the first observation, or the one that ended a gap (see `unbroken`).
    ``heard`` tells by "NAME [ADDRESS]" when each server of the route was last heard,
    ``answered_at`` when the resolver was, with a secure answer.  ``strayed`` is the largest TTL of
    other routes that were seen under a clock that is behind, and by no look since then.  Until
    ``astray_until`` caches may follow aliases, as some server had them, to where nobody looked.
    ``witness`` tells who was ever heard, on this route or another.  ``ends`` are the names that
    servers were last seen to lead to where the resolver wasn't led.
    """

    sightings: tuple[TtlSighting, ...] = ()
    route: OwnerRoute | None = None
    route_ttl: timedelta | None = None
    old_route_until: datetime | None = None
    rrsets: tuple[RRsetSighting, ...] = ()
    watched_since: datetime | None = None
    heard: Mapping[str, datetime] = MappingProxyType({})
    answered_at: datetime | None = None
    strayed: timedelta | None = None
    astray_until: datetime | None = None
    witness: Witness = Witness.RESOLVER
    ends: frozenset[DnsName] = frozenset()


class Interruption(NamedTuple):
    """What made a wait begin anew: what of the way to ``owner`` was ``gone`` and what ``new``.

    These are servers, as "NAME [ADDRESS]", or the names that it leads to.  ``lacking`` are those
    who didn't have a record any more, "" for the resolver.  All are () where too long went by
    without an answer.
    """

    at: datetime
    owner: DnsName
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


class Awaiting(NamedTuple):
    """The wait for one key: ``digest`` is its SPKI digest, ``spki`` its DER SPKI.

    In the order in which the times usually come::

        since -------- unseen_at -- served_since -- lagged_at -- seen_since -------- stood_by_at
        the key        a record     all servers     the          the resolver        safe, and not
        is staged      is lacking   have them       resolver     has them, too       wanted so far
                       still        from here on    hasn't yet

    A resolver that has lost them again sets ``belied_at``, and the wait goes on from there; a
    memory that was lost sets ``forgotten_at``, after ``since``.

    ``unseen_at`` is the last observation at which each of ``lines`` was lacking; without one,
    nothing is known of the TTLs before.  ``served_since`` is the first observation since which
    every authoritative server has all of them, unbroken, and ``seen_since`` the same once the
    resolver has them too, which it last had not at ``lagged_at``.  ``belied_at`` is the last
    observation at which it had lost them again: after one, only observations at which it has them
    count.  They rest on ``witness``: on servers of every owner once these have been heard.
    ``forgotten_at`` is the first observation of a wait that began before it: what was observed
    earlier is lost.  ``stood_by_at`` is the last observation at which nothing was in the way of its
    use but that nobody wanted it.  ``begun_anew`` is how often the wait had begun and did so anew
    since then, for what comes and goes of the records or on the way; ``interruption`` is the last
    cause.
    """

    digest: bytes
    since: datetime
    unseen_at: datetime | None = None
    served_since: datetime | None = None
    lagged_at: datetime | None = None
    seen_since: datetime | None = None
    lines: tuple[Required, ...] = ()
    witness: Witness = Witness.RESOLVER
    forgotten_at: datetime | None = None
    belied_at: datetime | None = None
    stood_by_at: datetime | None = None
    spki: bytes = b""
    begun_anew: int = 0
    interruption: Interruption | None = None


class PendingHook(NamedTuple):
    """A deploy hook that has not succeeded yet for the current deployment.

    ``hook`` is its command line and ``error`` ends with the last of its words: either may hold a
    secret.  ``program`` and ``outcome`` hold none, and are what is published.
    """

    hook: str
    attempts: int = 0
    error: str = ""

    @property
    def program(self) -> str:
        """Its program, without what that is given."""
        return program_of(self.hook)

    @property
    def outcome(self) -> str:
        """How its last run ended."""
        return self.error.partition(": ")[0]

    @property
    def said(self) -> str:
        """The last of its words, "" if there were none."""
        return self.error.partition(": ")[2]


class Occurrence(enum.Enum):
    """How live came by what services are to serve."""

    DEPLOYED = "deployed"
    FOUND = "found"  # it was live before: services are asked for it, which proves no reload


class Deployment(NamedTuple):
    """The last change of what live serves, and what the wire showed since.

    ``chain`` is the chain's fingerprint.  ``confirmed_at`` is the first probe in which every
    service served it.  ``clear_since`` is the first of the probes in a row, up to the last, in
    which no service served what it replaced and no hook was pending; ``cleared_at`` is the one by
    which that had lasted long enough for the old records to go.  ``behind`` says in words which
    services the last probe didn't find on the new chain; ``insisted_at`` is when the operator said
    that a compromised key's records may go all the same.
    """

    chain: bytes
    digest: bytes
    at: datetime
    pending: tuple[PendingHook, ...] = ()
    confirmed_at: datetime | None = None
    clear_since: datetime | None = None
    cleared_at: datetime | None = None
    behind: tuple[str, ...] = ()
    insisted_at: datetime | None = None
    origin: Occurrence = Occurrence.DEPLOYED


class Failure(NamedTuple):
    """Attempts that failed in a row, with the time before which no other is made."""

    message: str
    count: int  # type: ignore[assignment]  # in place of what a tuple counts by
    first: datetime
    last: datetime
    retry_at: datetime


class Reading(NamedTuple):
    """What the clock showed ``at`` a time, and how long the host had been up since ``boot``.

    ``boot`` is an identifier that no other boot has; ``uptime`` counts while the host sleeps.
    """

    boot: str
    uptime: timedelta
    at: datetime


class Exposure(enum.Enum):
    """Whether somebody else may have a key."""

    NONE = "none"
    COMPROMISED = "compromised"


class Publishing(NamedTuple):
    """Changes that danebot made in DNS, until they are seen at every server, or couldn't make.

    ``changed_at`` is the first change that isn't seen everywhere.  ``outcome``, ``remedy`` and what
    a program ``said`` belong to ``failure``.
    """

    changed_at: datetime | None = None
    failure: Failure | None = None
    outcome: ChangeOutcome | None = None
    remedy: str = ""
    said: str = ""


class PastKey(NamedTuple):
    """A key that was current; its DER SPKI names the records that may be removed.

    ``retired_at`` is when no server had one of them any more.  Then it is forgotten, unless it is
    compromised: such a key must be known for good.
    """

    spki: bytes
    until: datetime
    exposure: Exposure = Exposure.NONE
    retired_at: datetime | None = None


class CancelledKey(NamedTuple):
    """A key that was to become current until ``at``, with records that are to go.

    ``digest`` is its SPKI digest; ``spki`` its DER SPKI, b"" where only the digest is known.
    ``until`` is when all that danebot had sent by then must be seen: before, absence tells nothing.
    """

    digest: bytes
    at: datetime
    spki: bytes = b""
    until: datetime | None = None


class CurrentKey(NamedTuple):
    """Since when the key with the SPKI digest ``digest`` is the one that is served.

    ``certificates`` is when the last of its certificates begin, in their order.
    """

    digest: bytes
    since: datetime
    certificates: tuple[datetime, ...] = ()


class Call(enum.Enum):
    """What the CA is asked for."""

    RENEWAL = "renewal"
    PROMOTION = "promotion"
    NAMES = "names"
    REVOCATION = "revocation"


class CallResult(enum.Enum):
    """What came of asking the CA."""

    BEGUN = "begun"  # nobody knows: the run was ended meanwhile
    DONE = "done"
    FAILED = "failed"


class Contact(NamedTuple):
    """One time that certbot asked the CA for this lineage."""

    at: datetime
    call: Call
    result: CallResult


class Urgency(enum.Enum):
    """How far a rollover may cut its wait short."""

    ORDINARY = "ordinary"
    EMERGENCY = "emergency"  # the current key is compromised: the TTLs in force alone count
    MISMATCH_ACCEPTED = "mismatch accepted"  # and not even these


class Revocation(enum.Enum):
    """What becomes of a compromised key's certificates."""

    LEFT = "left"
    WANTED = "wanted"


class Protection(enum.Enum):
    """Whether a lineage without TLSA owners may get another key."""

    REQUIRED = "required"
    WAIVED = "waived"


class Request(NamedTuple):
    """The operator wants the key with the SPKI digest ``digest`` to become current.

    ``revocation`` is for the certificates of the key that it replaces, in an emergency.
    ``protection`` is WAIVED where that key was asked for knowing that nothing is watched.
    """

    digest: bytes
    at: datetime
    urgency: Urgency = Urgency.ORDINARY
    revocation: Revocation = Revocation.LEFT
    protection: Protection = Protection.REQUIRED


class PendingRevocation(NamedTuple):
    """Certificates of the key with the DER SPKI ``spki`` are to be revoked, once it is out of use.

    ``error`` is what the last attempt came to, "" before the first.
    """

    spki: bytes
    attempts: int = 0
    error: str = ""


class Memory(NamedTuple):
    """All that is remembered of one lineage.

    ``watched`` are the lines that ``dane-ee`` had at the last observation, and those that protect
    though it has lost them.  ``clock`` is the reading of this boot by which the clock was most
    behind.  ``lost`` are keys on their way whose file is gone (see `lost`).  ``anchors`` are the
    records that owners relied on when that was last known (see `anchors`).  ``asked`` are the
    owners that were watched when every service was last found to serve what is live.
    """

    owners: Mapping[DnsName, OwnerMemory] = MappingProxyType({})
    awaiting: Awaiting | None = None
    deployment: Deployment | None = None
    promotion_failure: Failure | None = None
    past_keys: tuple[PastKey, ...] = ()
    current: CurrentKey | None = None
    request: Request | None = None
    revocations: tuple[PendingRevocation, ...] = ()
    publishing: Publishing = Publishing()
    watched: tuple[Required, ...] = ()
    cancelled: tuple[CancelledKey, ...] = ()
    contacts: tuple[Contact, ...] = ()
    renewal_failure: Failure | None = None
    clock: Reading | None = None
    lost: tuple[CancelledKey, ...] = ()
    anchors: Mapping[DnsName, TlsaRecord] = MappingProxyType({})
    asked: tuple[DnsName, ...] = ()
