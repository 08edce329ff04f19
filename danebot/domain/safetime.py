"""When no cache can lack the awaited record any more: the memory and the policy -> a time."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from danebot.domain.memory import Memory, OwnerMemory
from danebot.domain.schedule import hurried

if TYPE_CHECKING:
    from danebot.domain.lineage import LineageState
    from danebot.domain.names import DnsName
    from danebot.domain.policy import Policy

_NOTHING = timedelta(0)


class SafeTime(NamedTuple):
    """When no cache can lack the awaited record any more, and what that follows from.

    ``at`` is the later of ``caches_empty`` (``hold`` and the margin after ``since``, or after
    the old route's end; or what a lost memory may have held) and ``min_wait_over``.  ``baseline``
    tells whether that was observed from before the record was there, or had to be assumed.
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
    hold = max(ttls, default=_NOTHING)
    baseline = Baseline.OBSERVED if ttls else Baseline.NONE
    if known and awaiting.unseen_at is None:
        hold, baseline = max(hold, policy.unseen_ttl), Baseline.ASSUMED
    start = max([since, *(o.old_route_until for o in known if o.old_route_until is not None)])
    caches_empty = start if baseline is Baseline.NONE else start + hold + policy.margin
    if known and awaiting.forgotten_at is not None:
        forgotten = awaiting.forgotten_at + policy.unseen_ttl + policy.margin
        if forgotten > caches_empty:
            caches_empty, baseline = forgotten, Baseline.ASSUMED
    return SafeTime(
        max(caches_empty, min_wait_over), since, hold, caches_empty, min_wait_over, baseline
    )


def emergency_wait(state: LineageState, memory: Memory, policy: Policy, now: datetime) -> timedelta:
    """How long a compromised key would still have to be served: as long as the TTLs in force say.

    Nothing, when a next key's records are in every cache already.
    """
    safe = safe_time(memory, state.owners, hurried(policy, memory))
    if safe is not None:
        return max(safe.at - now, _NOTHING)
    known = [memory.owners.get(name, OwnerMemory()) for name in state.owners]
    in_use = [s.ttl for owner in known for s in owner.sightings if s.until is None]
    return max(in_use, default=_NOTHING)
