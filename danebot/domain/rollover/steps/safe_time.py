"""When no cache can lack the awaited record any more: the memory and the policy -> a time."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.rollover.evidence.memory import Awaiting, Memory, OwnerMemory, Witness
from danebot.domain.rollover.evidence.schedule import hurried
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.policy import Policy

_NOTHING = timedelta(0)


class SafeTime(NamedTuple):
    """When no cache can lack the awaited record any more, and what that follows from.

    ``at`` is the later of ``caches_empty`` (``hold`` and the margin after ``since``, or after the
    old route's end; what a lost memory may have held, or what was there before the first
    observation) and ``min_wait_over``.  ``baseline`` tells whether that was observed from before
    the record was there, or had to be assumed.
    """

    at: datetime
    since: datetime
    hold: timedelta
    caches_empty: datetime
    min_wait_over: datetime
    baseline: Baseline


class Baseline(enum.Enum):
    """Where the TTL that counts comes from."""

    OBSERVED = "observed before the record was there"
    ASSUMED = "assumed, since nothing was observed before the record was there"
    NONE = "no authoritative answer; the minimum wait alone counts"


def safe_time(memory: Memory, owners: Iterable[DnsName], policy: Policy) -> SafeTime | None:
    """The safe time of the awaited key; None while it is not seen everywhere.

    Sources: RFC 1035 section 3.2.1 and RFC 2181 section 8 (TTL), RFC 2308 section 5, RFC 8198
    section 5.4 and RFC 9077 (negative answers), RFC 8767 section 4 (the cap on an unknown TTL),
    RFC 7671 section 8.1 (publish before use).
    """
    awaiting = memory.awaiting
    if awaiting is None or awaiting.seen_since is None:
        return None
    since = awaiting.seen_since
    min_wait_over = since + policy.min_wait
    known = [memory.owners.get(name, OwnerMemory()) for name in owners]
    ttls = [s.ttl for owner in known for s in owner.sightings if s.first <= since]
    hold = seen = max(ttls, default=_NOTHING)
    baseline = Baseline.OBSERVED if ttls else Baseline.NONE
    if known and awaiting.unseen_at is None:
        hold, baseline = max(hold, policy.unseen_ttl), Baseline.ASSUMED
    start = max([since, *(o.old_route_until for o in known if o.old_route_until is not None)])
    caches_empty = start if baseline is Baseline.NONE else start + hold + policy.margin
    if known and awaiting.forgotten_at is not None:
        forgotten = awaiting.forgotten_at + policy.unseen_ttl + policy.margin
        if forgotten > caches_empty:
            caches_empty, baseline = forgotten, Baseline.ASSUMED
    past = _past_over(known, seen, policy)
    if past is not None and past > caches_empty:
        caches_empty, baseline = past, Baseline.ASSUMED
    return SafeTime(
        max(caches_empty, min_wait_over), since, hold, caches_empty, min_wait_over, baseline
    )


def _past_over(known: list[OwnerMemory], seen: timedelta, policy: Policy) -> datetime | None:
    """When nothing from before the first observations is in a cache; None without any.

    ``unseen_ttl`` is assumed of RRsets and routes alike: an NS set that was changed shortly before
    may be followed that long, and what its servers say be cached for ``seen`` then.
    """
    begun = [owner.watched_since for owner in known if owner.watched_since is not None]
    return max(begun) + policy.unseen_ttl + seen + policy.margin if begun else None


def emergency_wait(
    state: LineageState, memory: Memory, policy: Policy, now: datetime
) -> timedelta | None:
    """How long a compromised key would have to be served still, by the rules that decide it.

    Its successor's records are taken to be everywhere from ``now`` on, where they aren't yet.
    None where nobody knows, since an owner was never seen, or none is known.
    """
    known = _if_seen(state, memory, now)
    safe = safe_time(known, state.owners, hurried(policy, known)) if known is not None else None
    return max(safe.at - now, _NOTHING) if safe is not None else None


def earliest(state: LineageState, memory: Memory, policy: Policy, now: datetime) -> datetime | None:
    """When the awaited key may be used, were its records everywhere from ``now`` on; None alike."""
    known = _if_seen(state, memory, now)
    safe = safe_time(known, state.owners, policy) if known is not None else None
    return max(safe.at, now) if safe is not None else None


def _if_seen(state: LineageState, memory: Memory, now: datetime) -> Memory | None:
    """The memory as it would be with the awaited records seen; None where nobody knows."""
    owners = [memory.owners.get(name, OwnerMemory()) for name in state.owners]
    if any(owner.watched_since is None for owner in owners) or not (owners or state.exempt):
        return None
    if memory.awaiting is None or memory.awaiting.seen_since is None:
        return memory._replace(awaiting=_as_if_seen(state, memory, owners, now))
    return memory


def _as_if_seen(
    state: LineageState, memory: Memory, owners: list[OwnerMemory], now: datetime
) -> Awaiting:
    """The wait for the successor as it would be with its records at every server by now."""
    witness = Witness.SERVERS if all(one.heard for one in owners) else Witness.RESOLVER
    new = Awaiting(b"", now, unseen_at=now, lines=state.required or (), witness=witness)
    return (memory.awaiting or new)._replace(seen_since=now)
