"""Observations, folded into the memory one by one: TTLs, routes, RRsets, since when what is seen.

What was in force before the awaited record was there is remembered from observations at that time,
so that a TTL lowered together with the change fools nobody.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.rollover.evidence.anchors import anchored
from danebot.domain.rollover.evidence.caches import (
    astray_until,
    explained,
    remember_ends,
    remember_rrsets,
    undated_rrsets,
    watched_since,
)
from danebot.domain.rollover.evidence.clock import behind
from danebot.domain.rollover.evidence.memory import (
    Awaiting,
    Interruption,
    Memory,
    OwnerMemory,
    TtlSighting,
    Witness,
)
from danebot.domain.rollover.evidence.propagation import (
    PROVES_ABSENCE,
    Observations,
    Obstacle,
    Propagation,
    Seen,
    propagations_of,
    taken_together,
)
from danebot.domain.rollover.evidence.schedule import remember_current
from danebot.domain.rollover.evidence.servers import (
    Move,
    completed,
    interruption,
    moved_to,
    remember_heard,
    remember_route,
    route_now,
    undated_route,
)
from danebot.domain.rollover.evidence.unbroken import broken, last_answered
from danebot.domain.rollover.evidence.watched import remember_watched
from danebot.domain.rollover.records.lost import missed

if TYPE_CHECKING:
    from danebot.domain.dns.tlsa import Required
    from danebot.domain.lineage.state import LineageState

_NOTHING = timedelta(0)
_SAME_TIME = timedelta(minutes=1)  # from a key file's mtime to the observation of the same command


def remember(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    """Fold one observation into the memory: TTLs, routes, and since when the awaited key is seen.

    One under a clock that is behind can't be dated: what it shows is remembered, and a break.
    """
    observations = completed(observations, memory)
    later = behind(state, observations, now)
    if later is not None:
        owners = {
            name: _undated_owner(one, observations[name], now, later.at)
            if name in observations
            else one
            for name, one in memory.owners.items()
        }
        awaiting = _undated(memory, state, observations, now, later.at)
        return remember_watched(memory._replace(owners=owners, awaiting=awaiting), state)
    owners = dict(memory.owners)
    led_elsewhere = False
    anew: list[Interruption] = []
    before = memory.awaiting
    there = before is not None and (before.served_since or before.seen_since) is not None
    for name, observation in observations.items():
        old = owners.get(name, OwnerMemory())
        owners[name] = new = _remember_owner(old, observation, now, keep_all=there)
        move = moved_to(old.route, new.route)
        led_elsewhere = led_elsewhere or move is Move.ELSEWHERE
        if move is not Move.NONE or broken(old, observation, now):
            anew.append(interruption(name, old.route, new.route, now))
    if before is not None and led_elsewhere:  # nothing is known of what was there before
        before = before._replace(unseen_at=None)
    ttls = tuple(sighting for one in owners.values() for sighting in one.sightings)
    awaiting = _remember_awaited(before, state, observations, ttls, now)
    current = remember_current(memory, state, now)
    if before is not None and awaiting is not None:
        awaiting = _withdrawn(before, awaiting, state, observations, now)
    if anew and awaiting is not None:
        seen_since = None if awaiting.seen_since is None else now
        awaiting = awaiting._replace(
            served_since=seen_since,
            seen_since=seen_since,
            begun_anew=awaiting.begun_anew + there,
            interruption=anew[0] if there else awaiting.interruption,
        )
    lost = missed(memory, state, now)
    anchors = memory.anchors  # what a look by a damaged file leaves
    if state.required is not None:
        relying = anchored(state, memory, observations, now).anchored
        anchors = {one.line.owner: one.record for one in relying}
    after = memory._replace(
        owners=owners, awaiting=awaiting, current=current, lost=lost, anchors=anchors
    )
    return remember_watched(after, state)


def _undated_owner(
    old: OwnerMemory, observation: OwnerObservation, now: datetime, later: datetime
) -> OwnerMemory:
    """An owner after an observation that can't be dated: what it shows is in caches from then on.

    It ends nothing, and it is no look by which anything was watched.  It is ``later`` at least; a
    gap that it ends is the next one's, too.
    """
    there = {one.ttl for one in old.sightings if one.until is None}
    ttls = [TtlSighting(ttl, now) for ttl in sorted(_cacheable(observation) - there)]
    way = undated_route(old, observation)
    anew = way.strayed is not None or broken(old, observation, later)
    return old._replace(
        sightings=(*old.sightings, *ttls),
        route_ttl=way.route_ttl,
        rrsets=undated_rrsets(old, observation, now),
        watched_since=now if anew and old.watched_since is not None else old.watched_since,
        strayed=way.strayed,
        astray_until=astray_until(old, observation, later),
    )


def _undated(
    memory: Memory,
    state: LineageState,
    observations: Observations,
    now: datetime,
    later: datetime,
) -> Awaiting | None:
    """The wait after an observation that can't be dated, when it is ``later`` at least.

    What it finds lacking ends the wait, and so does a gap, or another way than the known one.
    """
    awaiting, key = memory.awaiting, state.awaited_key
    if awaiting is None or key is None or key.digest != awaiting.digest or state.required is None:
        return awaiting
    propagations = propagations_of(state.required, key, observations)
    ended = awaiting._replace(unseen_at=None, served_since=None, lagged_at=None, seen_since=None)
    if seen_awaited(state, propagations, awaiting) is Seen.MISSING:
        return ended
    anew = []
    for name, old in memory.owners.items():
        observation = observations.get(name)
        if observation is None:
            continue
        route = route_now(old, observation)
        if moved_to(old.route, route) is not Move.NONE or broken(old, observation, later):
            anew.append(interruption(name, old.route, route, now))
    if not anew:
        return awaiting
    began = (awaiting.served_since or awaiting.seen_since) is not None
    cause = anew[0] if began else awaiting.interruption
    return ended._replace(begun_anew=awaiting.begun_anew + began, interruption=cause)


def _remember_owner(
    old: OwnerMemory, observation: OwnerObservation, now: datetime, *, keep_all: bool
) -> OwnerMemory:
    route, route_ttl, until, off = remember_route(old, observation, now)
    sightings = _remember_ttls(old, observation, now, keep_all=keep_all)
    routed = old._replace(old_route_until=until)
    rrsets, since = remember_rrsets(routed, observation, now), watched_since(old, observation, now)
    heard, answered_at = remember_heard(old, observation, now), last_answered(old, observation, now)
    return OwnerMemory(
        sightings,
        route,
        route_ttl,
        until,
        rrsets,
        since,
        heard,
        answered_at,
        off,
        astray_until(old, observation, now),
        Witness.SERVERS if observation.heard_any else old.witness,
        remember_ends(old, observation),
    )


def _remember_ttls(
    old: OwnerMemory, observation: OwnerObservation, now: datetime, *, keep_all: bool
) -> tuple[TtlSighting, ...]:
    """The TTLs under which something may be in a cache still, those of this observation added.

    A TTL is known to be no longer in force only when everyone was heard.  One from an old route
    stays as long as somebody may still ask there.
    """
    in_force = _cacheable(observation)
    heard_all = observation.heard_all
    found = []
    for sighting in old.sightings:
        kept = sighting._replace(first=min(sighting.first, now))  # the clock may have gone back
        if heard_all and kept.until is None and kept.ttl not in in_force:
            kept = kept._replace(until=max(now, sighting.first))
        asked = kept.until and max(kept.until, old.old_route_until or kept.until)
        if keep_all or asked is None or asked + kept.ttl >= now:
            found.append(kept)
    found += [TtlSighting(ttl, now) for ttl in sorted(in_force)]
    found = list(dict.fromkeys(found))
    return tuple(sighting for sighting in found if not any(_covers(o, sighting) for o in found))


def _covers(one: TtlSighting, other: TtlSighting) -> bool:
    """Whether ``one`` makes ``other`` superfluous: as long or longer, all the while."""
    if one is other or one.ttl < other.ttl or one.first > other.first:
        return False
    if one.until is not None and (other.until is None or one.until < other.until):
        return False
    return one != other


def _cacheable(observation: OwnerObservation) -> frozenset[timedelta]:
    """Every TTL under which a resolver that asks now may cache an answer for this owner."""
    ttls = {alias.ttl for alias in observation.answer.aliases}
    ttls |= {ttl for ttl in (observation.answer.ttl,) if ttl is not None}
    for server in observation.all_servers:
        if server.heard:
            ttls |= {ttl for ttl in (server.ttl, server.negative_ttl) if ttl is not None}
    return frozenset(ttls)


def _remember_awaited(
    old: Awaiting | None,
    state: LineageState,
    observations: Observations,
    ttls: tuple[TtlSighting, ...],
    now: datetime,
) -> Awaiting | None:
    """The wait after this observation; ``ttls`` are those of anything that may be cached."""
    file, key = state.awaited, state.awaited_key
    if file is None:
        return None
    if key is None:  # what was known of it is all there is
        return old
    if old is not None and old.digest == key.digest:
        awaiting = old
    else:
        older = file.modified < now - _SAME_TIME
        awaiting = Awaiting(key.digest, now, forgotten_at=now if older else None)
    awaiting = awaiting._replace(spki=key.spki)
    if state.required is None:
        return awaiting
    propagations = propagations_of(state.required, key, observations)
    awaiting = _heed(awaiting, state.required, propagations)
    match seen_awaited(state, propagations, awaiting):
        case Seen.MISSING:
            unseen = now if _lacking(propagations) else awaiting.unseen_at
            return _missing(awaiting._replace(unseen_at=unseen), propagations, now)
        case Seen.UNKNOWN:
            return awaiting
        case Seen.EVERYWHERE:
            since = _since(awaiting, now)
            if not _cache_explains(awaiting, ttls):
                since = now
            if state.ready is not None:  # a later mtime: someone began cooling again
                since = min(max(since, state.ready.modified), now)
            return awaiting._replace(served_since=since, lagged_at=None, seen_since=since)


def _withdrawn(
    before: Awaiting,
    after: Awaiting,
    state: LineageState,
    observations: Observations,
    now: datetime,
) -> Awaiting:
    """The wait with what ended it counted, if that is a record that isn't there any more."""
    key, began = state.awaited_key, before.seen_since or before.served_since
    if key is None or began is None or after.seen_since or after.digest != before.digest:
        return after
    if before.seen_since is None and after.served_since is not None:
        return after  # the resolver alone lags
    found = propagations_of(state.required or (), key, observations)
    for one in found:
        lacking = tuple(gap.where for gap in one.gaps if gap.obstacle in PROVES_ABSENCE)
        if lacking:
            cause = Interruption(now, one.required.owner, lacking=lacking)
            return after._replace(begun_anew=before.begun_anew + 1, interruption=cause)
    return after


def _missing(awaiting: Awaiting, propagations: tuple[Propagation, ...], now: datetime) -> Awaiting:
    """The wait when a record is lacking: it goes on where the resolver alone lags."""
    if not _resolver_lags(propagations):
        return awaiting._replace(served_since=None, lagged_at=None, seen_since=None)
    if awaiting.seen_since is not None:  # it has lost what it had
        awaiting = awaiting._replace(belied_at=now, served_since=None, seen_since=None)
    return awaiting._replace(served_since=_since(awaiting, now), lagged_at=now)


def _heed(
    awaiting: Awaiting, lines: tuple[Required, ...], propagations: tuple[Propagation, ...]
) -> Awaiting:
    """Begin anew when there are lines that weren't looked at, or when servers are first heard."""
    heard = bool(propagations) and all(propagation.servers_asked for propagation in propagations)
    witness = Witness.SERVERS if heard else awaiting.witness
    if witness is not awaiting.witness or not set(lines) <= set(awaiting.lines):
        awaiting = awaiting._replace(unseen_at=None, served_since=None, seen_since=None)
    return awaiting._replace(lines=lines, witness=witness)


def _lacking(propagations: tuple[Propagation, ...]) -> bool:
    """Whether every record is lacking where the TTL of its absence shows: at the servers.

    Where none can be asked, the resolver's word counts.
    """
    return all(
        any(
            (gap.where and gap.obstacle in (Obstacle.SERVER_LACKS, Obstacle.OVERRULED))
            or (gap.obstacle is Obstacle.RESOLVER_LACKS and not propagation.servers_asked)
            for gap in propagation.gaps
        )
        for propagation in propagations
    )


def _resolver_lags(propagations: tuple[Propagation, ...]) -> bool:
    """Whether every server has all records, and the resolver alone lacks some."""
    gaps = {gap.obstacle for propagation in propagations for gap in propagation.gaps}
    return gaps == {Obstacle.RESOLVER_LACKS} and all(
        propagation.servers_asked for propagation in propagations
    )


def _cache_explains(awaiting: Awaiting, ttls: tuple[TtlSighting, ...]) -> bool:
    """Whether the resolver lagged behind all servers for no reason but its cache.

    One that lost what it had, or came up with a longer TTL than was known, has asked somebody else.
    """
    served, lagged = awaiting.served_since, awaiting.lagged_at
    if served is None or lagged is None:
        return True
    known = max((s.ttl for s in ttls if s.first <= served), default=_NOTHING)
    meanwhile = max((s.ttl for s in ttls if s.first <= lagged), default=_NOTHING)
    return awaiting.belied_at is None and meanwhile <= known and explained(served, lagged, known)


def _since(awaiting: Awaiting, now: datetime) -> datetime:
    """The first observation since which all is there; ``now`` if the clock was behind at it."""
    known = max(awaiting.since, awaiting.unseen_at or awaiting.since)
    since = awaiting.seen_since or awaiting.served_since
    return now if since is None or since < known <= now else min(since, now)


def seen_awaited(
    state: LineageState, propagations: tuple[Propagation, ...], awaiting: Awaiting | None
) -> Seen:
    """All awaited records together; where none is needed, by positive knowledge, that is enough.

    The resolver's word alone is none where servers were heard before: it may be out of its cache.
    """
    if state.exempt:
        return Seen.EVERYWHERE
    seen = taken_together(propagations)
    silent = any(propagation.servers_asked == 0 for propagation in propagations)
    if awaiting is None or awaiting.witness is Witness.RESOLVER or not silent:
        return seen
    return Seen.UNKNOWN if seen is Seen.EVERYWHERE else seen
