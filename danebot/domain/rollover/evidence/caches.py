"""Which TLSA RRsets a cache may hold of an owner, from what was seen of it and when.

An RRset may be cached by anyone who asked while it was there, for as long as its TTL, or that of a
CNAME on the way to it, says.  That it is gone is known only once everyone who had it was heard
(RFC 1035 section 3.2.1, RFC 2181 section 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import Cause, OwnerObservation, Presence, Security
from danebot.domain.rollover.evidence.memory import OwnerMemory, RRsetSighting, Witness
from danebot.domain.rollover.evidence.policy import LONGEST_WAIT, Policy
from danebot.domain.rollover.evidence.unbroken import broken

if TYPE_CHECKING:
    from danebot.domain.dns.tlsa import TlsaRecord
    from danebot.domain.names import DnsName

Records = tuple["TlsaRecord", ...]
GoneAt = Callable[[RRsetSighting, OwnerMemory, Policy], "datetime | None"]
"""`gone_at` or `seen_gone_at`."""


def in_force(observation: OwnerObservation) -> frozenset[tuple[Records, timedelta]]:
    """Every RRset that one observation found, with the time for which it may be cached.

    None of an insecure zone, whose records no sender uses.  But what the resolver calls validated
    counts even where danebot doesn't trust it, and so does what comes with signatures, since others
    may validate that.  What a witness shows always does: this host may see an unsigned copy.
    """
    cached = _resolved(observation) if _may_be_validated(observation) else frozenset()
    return cached | _served(observation)


def _may_be_validated(observation: OwnerObservation) -> bool:
    """Whether somebody may hold the answer for secure."""
    answer = observation.answer
    insecure = answer.security is Security.INSECURE and answer.cause is not Cause.UNTRUSTED
    return not insecure or observation.signed


def _resolved(observation: OwnerObservation) -> frozenset[tuple[Records, timedelta]]:
    """What the resolver showed."""
    answer = observation.answer
    there = answer.presence is Presence.PRESENT
    return _with_way(observation, [(answer.records, answer.ttl)] if there else [])


def _served(observation: OwnerObservation) -> frozenset[tuple[Records, timedelta]]:
    """What servers showed that may be in force."""
    servers = observation.all_servers if _may_be_validated(observation) else observation.witnesses
    heard = [server for server in servers if server.heard]
    return _with_way(observation, [(server.records, server.longest_ttl) for server in heard])


def _found(observation: OwnerObservation) -> frozenset[tuple[Records, timedelta]]:
    """Those in force, with what an answer shows that proves nothing and that not all servers back.

    It tells neither of a change nor that the zone isn't signed: what all servers show without
    signatures does, and so does a resolver that is known to validate.
    """
    doubted = _resolved(observation) if observation.unproven else frozenset()
    return in_force(observation) | doubted


def _with_way(
    observation: OwnerObservation, found: Iterable[tuple[Records, timedelta | None]]
) -> frozenset[tuple[Records, timedelta]]:
    way = [alias.ttl for alias in observation.answer.aliases]
    return frozenset(
        (tuple(sorted(set(records))), max([*way, ttl or timedelta(0)]))
        for records, ttl in found
        if records
    )


def watched_since(
    old: OwnerMemory, observation: OwnerObservation, now: datetime
) -> datetime | None:
    """The first observation that told what is there, or that ended a gap; None before one did.

    Where another CNAME leads, others may have asked before, be it one server's alone.  Where a
    server that delegates is gone, they may still be led by that, and where one leads to what nobody
    looks at, they may ask now.
    Any of that may have been before it where the way strayed under a clock that was behind.
    """
    answer = observation.answer
    known = answer.presence is not Presence.UNKNOWN
    led_elsewhere = known and old.route is not None and old.route.canonical != answer.canonical
    unseen = bool(_unknown_ends(old, observation))
    above, now_above = old.route and old.route.parents, observation.all_parents
    lost = above is not None and now_above is not None and not set(above) <= set(now_above)
    strayed = old.strayed is not None
    anew = led_elsewhere or unseen or lost or strayed or broken(old, observation, now)
    if old.watched_since is not None and not anew:
        return min(old.watched_since, now)  # the clock may have gone back
    return now if known or observation.heard_any else old.watched_since


def _unknown_ends(old: OwnerMemory, observation: OwnerObservation) -> frozenset[DnsName]:
    """Where a server leads that not everyone was asked, or where none led at any look before.

    What those that were asked have now, they say; what was there before, under whatever TTL, nobody
    saw.
    """
    known = {old.route.canonical} if old.route is not None else set()
    return observation.unseen_ends | (observation.other_ends - old.ends - known)


def remember_ends(old: OwnerMemory, observation: OwnerObservation) -> frozenset[DnsName]:
    """Where servers lead beside the resolver's way; those that are silent, where they led."""
    there = observation.other_ends
    return there if observation.heard_all else old.ends | there


def astray_until(old: OwnerMemory, observation: OwnerObservation, now: datetime) -> datetime | None:
    """Until when caches follow aliases to where nobody looked; None before one was seen to.

    That is for the TTLs of these, as the server that led there shows them, or the resolver.  What
    was there before a server first led there, nobody saw either.  Where that was seen under a clock
    that was behind, it may have been until now.
    """
    until = old.astray_until and min(old.astray_until, now + LONGEST_WAIT)  # the clock may go back
    if until is not None and old.strayed is not None:
        until = max(until, now + old.strayed)
    led_to = _unknown_ends(old, observation)
    if not led_to or not _may_be_validated(observation):
        return until
    ttls = [one.longest_ttl for one in observation.all_servers if {one.elsewhere, one.end} & led_to]
    way = sum((alias.ttl for alias in observation.answer.aliases), timedelta(0))
    led = now + max(way, *(ttl or timedelta(0) for ttl in ttls))
    return max(led, until or led)


def remember_rrsets(
    old: OwnerMemory, observation: OwnerObservation, now: datetime
) -> tuple[RRsetSighting, ...]:
    """The RRsets that may be in a cache still, those of this observation added.

    The resolver's word alone tells that one is gone only where it is, or was, validated, or proves
    that no sender uses any.
    """
    found, served = _found(observation), _served(observation)
    answer = observation.answer
    validated = answer.secure or (answer.security is Security.INSECURE and answer.cause is not None)
    unsigned = answer.cause is Cause.UNSIGNED and not observation.signed
    kept = []
    for one in old.rrsets:
        sighting = _not_later_than(one, now)
        silent = validated and not observation.heard_any and one.witness is Witness.RESOLVER
        told = observation.heard_all or silent or unsigned
        form = (one.records, one.ttl)
        if form in served:
            sighting = sighting._replace(left_at=None, lagged_at=None)
        elif told and one.until is None and form not in found:
            sighting = sighting._replace(until=_left(sighting) or now, left_at=None, lagged_at=None)
        elif one.until is None and form in found:
            left_at = now if observation.heard_all else None
            sighting = sighting._replace(left_at=sighting.left_at or left_at, lagged_at=now)
        over = cached_until(sighting, old)
        if over is None or over + LONGEST_WAIT >= now:
            kept.append(sighting)
    kept += _newly_found(kept, found, observation, now)
    kept = list(dict.fromkeys(kept))
    since = old.watched_since
    return tuple(one for one in kept if not any(_covers(other, one, since) for other in kept))


def undated_rrsets(
    old: OwnerMemory, observation: OwnerObservation, now: datetime
) -> tuple[RRsetSighting, ...]:
    """The RRsets, with those of an observation under a clock that is behind.

    It ends none; what it shows is there until an observation that can be dated finds it gone.
    What servers had left they have again, under whatever TTL.
    """
    served = {records for records, _ in _served(observation)}
    known = tuple(
        one._replace(left_at=None, lagged_at=None) if one.records in served else one
        for one in old.rrsets
    )
    return (*known, *_newly_found(known, _found(observation), observation, now))


def _newly_found(
    known: Iterable[RRsetSighting],
    found: Iterable[tuple[Records, timedelta]],
    observation: OwnerObservation,
    now: datetime,
) -> list[RRsetSighting]:
    """What is ``found`` by an observation and isn't among those that are there already."""
    witness = Witness.SERVERS if observation.heard_any else Witness.RESOLVER
    there = {(one.records, one.ttl, one.witness) for one in known if one.until is None}
    return [
        RRsetSighting(*one, now, None, witness)
        for one in sorted(found)
        if (*one, witness) not in there
    ]


def _not_later_than(sighting: RRsetSighting, now: datetime) -> RRsetSighting:
    """The sighting without a time in the future: the clock may have gone back."""
    return sighting._replace(
        first=min(sighting.first, now),
        until=sighting.until and min(sighting.until, now),
        left_at=sighting.left_at and min(sighting.left_at, now),
    )


def _left(sighting: RRsetSighting) -> datetime | None:
    """Since when no server has it, where the resolver's cache explains all that it showed since."""
    fine = explained(sighting.left_at, sighting.lagged_at, sighting.ttl)
    return sighting.left_at if fine else None


def explained(since: datetime | None, lagged_at: datetime | None, ttl: timedelta) -> bool:
    """Whether a cache alone explains that the resolver lagged behind all servers.

    If it still did after the TTL it has asked somebody else: a server that can't be seen from here.
    """
    return since is None or lagged_at is None or since <= lagged_at <= since + ttl


def _covers(one: RRsetSighting, other: RRsetSighting, since: datetime | None) -> bool:
    """Whether ``one`` makes ``other`` superfluous: the same records, held as long or longer.

    One that servers had left may turn out to have ended then; under another TTL they had it later.
    What was there at the look ``since`` which the owner is watched may have been cached before, and
    what came later wasn't.
    """
    if one.records != other.records:
        return False
    if since is not None and other.first <= since < one.first:
        return False
    if one.left_at is not None and one.ttl != other.ttl and other.first >= one.left_at:
        return False
    mine, others = _held(one), _held(other)
    if mine == others:
        return one.first < other.first
    return (mine[0] >= others[0]) and (mine[1] >= others[1]) and (mine[2:] >= others[2:])


def _held(sighting: RRsetSighting) -> tuple[timedelta, bool, bool, float]:
    until = sighting.until
    by_servers = sighting.witness is Witness.SERVERS
    return sighting.ttl, by_servers, until is None, until.timestamp() if until else 0.0


def cached_until(sighting: RRsetSighting, owner: OwnerMemory) -> datetime | None:
    """When the last cache that obeys TTLs drops it; None while it can be asked for.

    After a change of route it can be asked for where the old one leads, while that may be cached.
    """
    if sighting.until is None:
        return None
    return max(sighting.until, owner.old_route_until or sighting.until) + sighting.ttl


def gone_at(sighting: RRsetSighting, owner: OwnerMemory, policy: Policy) -> datetime | None:
    """When no cache holds it any more, by the rules of the safe time.

    One of the first observation may have been cached before that, under a TTL that nobody saw.
    """
    over, past = seen_gone_at(sighting, owner, policy), past_known_at(owner, policy)
    if over is None or past is None or owner.watched_since is None:
        return over
    return max(over, past) if sighting.first <= owner.watched_since else over


def seen_gone_at(sighting: RRsetSighting, owner: OwnerMemory, policy: Policy) -> datetime | None:
    """The same by the TTLs that were seen."""
    over = cached_until(sighting, owner)
    if over is None or sighting.until is None:
        return None
    return max(over + policy.margin, sighting.until + policy.min_wait)


def past_known_at(owner: OwnerMemory, policy: Policy) -> datetime | None:
    """When nobody holds an RRset from before the first observation any more; None before it."""
    if owner.watched_since is None:
        return None
    return owner.watched_since + policy.unseen_ttl + policy.margin


def held_until(
    owner: OwnerMemory, policy: Policy, gone: GoneAt = gone_at
) -> dict[Records, datetime | None]:
    """When no cache holds an RRset any more, of each that is known; None while it is there.

    It may have been there under several TTLs: the last to be ``gone`` counts.
    """
    ends: dict[Records, datetime | None] = {}
    for one in owner.rrsets:
        end = gone(one, owner, policy)
        known = ends.get(one.records, end)
        ends[one.records] = max(known, end) if known is not None and end is not None else None
    return ends


def astray_known_at(owner: OwnerMemory, policy: Policy) -> datetime | None:
    """When nobody holds what was where servers led and nobody looked; None where none did."""
    if owner.astray_until is None:
        return None
    return owner.astray_until + policy.unseen_ttl + policy.margin


def alone_before(owner: OwnerMemory, policy: Policy, now: datetime) -> frozenset[TlsaRecord]:
    """The records each of which a cache may hold alone, from before the first observation.

    Those of an RRset that was there at that count as long as it may be cached, whatever became of
    it since.
    """
    return frozenset(
        record
        for one in owner.rrsets
        if _maybe_alone(one, owner, policy, now)
        for record in one.records
    )


def _maybe_alone(one: RRsetSighting, owner: OwnerMemory, policy: Policy, now: datetime) -> bool:
    end, since = gone_at(one, owner, policy), owner.watched_since
    return end is None or (since is not None and one.first <= since and now < end)


def open_rrsets(owner: OwnerMemory) -> Iterable[Records]:
    """The RRsets that can be asked for now, as far as is known."""
    return dict.fromkeys(one.records for one in owner.rrsets if one.until is None)
