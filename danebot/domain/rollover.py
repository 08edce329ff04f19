"""The rollover: observation + memory + policy + now -> plan.

Theory of operation.  Everything that danebot does to a lineage is one of the steps below, and
only `plan` decides which comes next (a cooled key that nobody wants to use yet stands by)::

    stable --newkey--> staged --seen everywhere--> cooling --safe time reached--> due
      ^                  |  ^                        |                             |
      |               cancel  '---- record gone -----'          promotion (certbot, forced, new key)
      |                  v                                                         v
      '------ retire old records <---- served and confirmed <---- deployed <---- issued

The caller executes the one step that the plan names, looks again, and plans again, until no step
is left.  Steps that change what is served are planned on a fresh look at DNS.  No state is kept
here and none is inferred from the past but what `Memory` holds, so that a plan after a crash is
the plan that would have been made without it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.dns import OwnerObservation, Presence, ServerOutcome
from danebot.domain.gate import Refusal, gate
from danebot.domain.lineage import Held, LineageState, Management
from danebot.domain.memory import Awaiting, Memory, OwnerMemory, Route, TtlSighting, Witness
from danebot.domain.rrsets import remember_rrsets, watched_since
from danebot.domain.schedule import (
    hurried,
    in_force,
    mismatch_accepted,
    remember_current,
    wants_next_key,
    wants_rollover,
)
from danebot.domain.sight import (
    Observations,
    Obstacle,
    Seen,
    Sight,
    live_is_gone,
    look_all,
    together,
)

if TYPE_CHECKING:
    from danebot.domain.certs import PublicKey
    from danebot.domain.names import DnsName
    from danebot.domain.policy import Policy
    from danebot.domain.tlsa import Required

_NOTHING = timedelta(0)
_SAME_TIME = timedelta(minutes=1)  # between a key file's mtime and the look of the same command


class Phase(enum.Enum):
    """Where a lineage stands; the value is the word shown and exported."""

    PASS_THROUGH = "pass-through"  # noqa: S105 - a word, no password
    STABLE = "stable"
    STAGED = "staged"
    COOLING = "cooling"
    STANDBY = "standby"
    DUE = "due"
    ISSUED = "issued"
    DEPLOYED = "deployed"
    BROKEN = "broken"


class Step(enum.Enum):
    """What to do next; the value is in words, for ``--dry-run``."""

    MAKE_NEXT = "make the next key"
    MARK_READY = "make the next key the ready key: its records are seen everywhere"
    BACK_TO_NEXT = "make the ready key the next key again: its records are no longer there"
    PUT_BACK = "point staging back at the key that live serves"
    PROMOTE = "have certbot issue with the ready key"
    DEPLOY = "make the staged chain live"
    FINISH = "remove the key file of a key that is live now"


class Hold(enum.Enum):
    """Why a step that is otherwise next is not taken; the value is in words."""

    NOT_EVERYWHERE = "its TLSA records are not seen everywhere"
    NOT_COOLED = "its TLSA records are not in every cache yet"
    CANNOT_SEE = "DNS could not be observed"
    STANDS_BY = "it stands by until a rollover is due"
    UNKNOWN_KEY = "its key is unknown"
    KEY_MISMATCH = "its private key is not the certificate's"
    CHAIN_UNVERIFIED = "its chain does not verify"
    NAME_MISSING = "it lacks a required name"
    GATE = "senders would refuse it"
    CACHES = "caches may hold TLSA records by which senders would refuse it"
    NAMES_UNREADABLE = "the required names can't be read"
    RECORDS_UNREADABLE = "the required records can't be read"
    BACKING_OFF = "the last attempt failed"
    NOTHING_SERVED = "nothing usable is live"


class Repair(enum.Enum):
    """Whether mail is failing already, so that waiting protects nobody."""

    NOT_NEEDED = "not needed"
    AT_ONCE = "no record of the live key is left"


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at a lineage: its files and, for each owner of ``dane-ee``, the DNS.

    ``distrust`` says why the staged chain doesn't verify to the trust store; "" if it does, None
    if that was not examined (which counts as not verified).
    """

    state: LineageState
    owners: Observations = field(default_factory=dict)
    distrust: str | None = None


@dataclass(frozen=True, slots=True)
class SafeTime:
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


@dataclass(frozen=True, slots=True)
class Plan:
    """What `plan` found: the phase, the next step or why there is none, and what it rests on.

    ``current`` and ``awaited`` are the sights of the current and the awaited key's records.
    ``certbot_may_renew`` is False while an unsafe key is staged that can't be put back.
    ``keep`` says, for PUT_BACK, where the staged key goes; ``refusal``, for GATE and CACHES, why.
    """

    phase: Phase
    step: Step | None = None
    hold: Hold | None = None
    detail: str = ""
    current: tuple[Sight, ...] = ()
    awaited: tuple[Sight, ...] = ()
    safe: SafeTime | None = None
    repair: Repair = Repair.NOT_NEEDED
    certbot_may_renew: bool = True
    keep: Keep | None = None
    refusal: Refusal | None = None


class Keep(enum.Enum):
    """What becomes of a staged key that must not be deployed."""

    NOWHERE = "it is kept in its own file already"
    AS_NEXT = "its records are published: it becomes the next key"
    ASIDE = "it is set aside"


# ---- memory ---------------------------------------------------------------------------------


def remember(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    """Fold one look into the memory: TTLs, routes, and since when the awaited key is seen."""
    owners = dict(memory.owners)
    moved = led_elsewhere = False
    seen_before = memory.awaiting is not None and memory.awaiting.seen_since is not None
    for name, observation in observations.items():
        old = owners.get(name, OwnerMemory())
        owners[name] = new = _remember_owner(old, observation, now, keep_all=seen_before)
        if old.route is not None and new.route is not None and new.route != old.route:
            moved = True
            led_elsewhere = led_elsewhere or new.route.canonical != old.route.canonical
    before = memory.awaiting
    if before is not None and led_elsewhere:  # nothing is known of what was there before
        before = replace(before, unseen_at=None)
    awaiting = _remember_awaited(before, state, observations, now)
    current = remember_current(memory, state, now)
    if moved and awaiting is not None and awaiting.seen_since is not None:
        awaiting = replace(awaiting, seen_since=now)
    return replace(memory, owners=owners, awaiting=awaiting, current=current)


def _remember_owner(
    old: OwnerMemory, observation: OwnerObservation, now: datetime, *, keep_all: bool
) -> OwnerMemory:
    route, route_ttl, until = old.route, old.route_ttl, old.old_route_until
    ns_ttl = observation.longest_ns_ttl
    ns_ttls = [ttl for ttl in (route_ttl, ns_ttl) if ttl is not None]
    if observation.name_servers and observation.answer.presence is not Presence.UNKNOWN:
        route = Route(observation.answer.canonical, observation.all_name_servers)
    if old.route is not None and route != old.route:
        until = max(now + max(ns_ttls, default=_NOTHING), until or now)
        route_ttl = ns_ttl
    else:
        route_ttl = max(ns_ttls, default=None)
    sightings = _remember_ttls(old, observation, now, keep_all=keep_all)
    routed = replace(old, old_route_until=until)
    rrsets, since = remember_rrsets(routed, observation, now), watched_since(old, observation, now)
    return OwnerMemory(sightings, route, route_ttl, until, rrsets, since)


def _remember_ttls(
    old: OwnerMemory, observation: OwnerObservation, now: datetime, *, keep_all: bool
) -> tuple[TtlSighting, ...]:
    """The TTLs under which something may be in a cache still, those of this look added.

    A TTL is known to be no longer in force only when everyone was heard.  One from an old route
    stays as long as somebody may still ask there.
    """
    in_force = _cacheable(observation)
    heard_all = observation.heard_all
    found = []
    for sighting in old.sightings:
        kept = replace(sighting, first=min(sighting.first, now))  # the clock may have gone back
        if heard_all and kept.until is None and kept.ttl not in in_force:
            kept = replace(kept, until=max(now, sighting.first))
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
        if server.outcome is ServerOutcome.ANSWERED:
            ttls |= {ttl for ttl in (server.ttl, server.negative_ttl) if ttl is not None}
    return frozenset(ttls)


def _remember_awaited(
    old: Awaiting | None, state: LineageState, observations: Observations, now: datetime
) -> Awaiting | None:
    file, key = state.awaited, state.awaited_key
    if file is None or key is None:
        return None
    if old is not None and old.digest == key.digest:
        awaiting = old
    else:
        older = file.modified < now - _SAME_TIME
        awaiting = Awaiting(key.digest, now, forgotten_at=now if older else None)
    if state.required is None:
        return awaiting
    sights = look_all(state.required, key, observations)
    awaiting = _heed(awaiting, state.required, sights)
    match seen_awaited(sights, awaiting):
        case Seen.MISSING:
            unseen = now if _lacking(sights) else awaiting.unseen_at
            return replace(awaiting, unseen_at=unseen, seen_since=None)
        case Seen.UNKNOWN:
            return awaiting
        case Seen.EVERYWHERE:
            since = min(_seen_since(awaiting, now), now)
            if state.ready is not None:  # a later mtime: someone began cooling again
                since = min(max(since, state.ready.modified), now)
            return replace(awaiting, seen_since=since)


def _heed(awaiting: Awaiting, lines: tuple[Required, ...], sights: tuple[Sight, ...]) -> Awaiting:
    """Begin anew when there are lines that weren't looked at, or when servers are first heard."""
    heard = bool(sights) and all(sight.servers_asked for sight in sights)
    witness = Witness.SERVERS if heard else awaiting.witness
    if witness is not awaiting.witness or not set(lines) <= set(awaiting.lines):
        awaiting = replace(awaiting, unseen_at=None, seen_since=None)
    return replace(awaiting, lines=lines, witness=witness)


def _lacking(sights: tuple[Sight, ...]) -> bool:
    """Whether every record is lacking where the TTL of its absence shows: at the servers.

    Where none can be asked, the resolver's word counts.
    """
    return all(
        any(
            (gap.where and gap.obstacle in (Obstacle.SERVER_LACKS, Obstacle.OVERRULED))
            or (gap.obstacle is Obstacle.RESOLVER_LACKS and not sight.servers_asked)
            for gap in sight.gaps
        )
        for sight in sights
    )


def _seen_since(awaiting: Awaiting, now: datetime) -> datetime:
    """The first look since which all is seen; ``now`` if the clock was behind at that look."""
    known = max(awaiting.since, awaiting.unseen_at or awaiting.since)
    since = awaiting.seen_since
    return now if since is None or since < known <= now else since


def seen_awaited(sights: tuple[Sight, ...], awaiting: Awaiting | None) -> Seen:
    """All awaited records together.

    The resolver's word alone is none where servers were heard before: it may be out of its cache.
    """
    seen = together(sights)
    silent = any(sight.servers_asked == 0 for sight in sights)
    if awaiting is None or awaiting.witness is Witness.RESOLVER or not silent:
        return seen
    return Seen.UNKNOWN if seen is Seen.EVERYWHERE else seen


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


# ---- plan -----------------------------------------------------------------------------------


def plan(observation: Observation, memory: Memory, policy: Policy, now: datetime) -> Plan:
    """The next step for one lineage, or why there is none.

    ``memory`` must already hold this observation (see `remember`).  Nothing is planned on what
    could not be seen.
    """
    state = observation.state
    serving = state.serving
    current = look_all(state.required or (), serving.key, observation.owners) if serving else ()
    base = Plan(Phase.STABLE, current=current)
    if state.management is Management.PASS_THROUGH:
        return replace(base, phase=Phase.PASS_THROUGH)
    if _useless_combo(state):
        return replace(base, phase=Phase.ISSUED, step=Step.DEPLOY)
    if serving is None or not serving.matches or state.staged is None:
        return replace(base, phase=Phase.BROKEN, hold=Hold.NOTHING_SERVED, certbot_may_renew=False)
    base = _with_awaited(base, observation, memory, policy)
    unfinished = state.awaited_key is not None and state.awaited_key == serving.key
    if unfinished and _in_place(state):
        return replace(base, step=Step.FINISH)
    if not serving.same_content(state.staged):
        return _plan_staged(base, observation, state.staged, memory, policy=policy, now=now)
    if not _in_place(state):
        return replace(base, phase=Phase.ISSUED, step=Step.DEPLOY)
    return _plan_awaited(base, observation, memory, policy, now)


def _useless_combo(state: LineageState) -> bool:
    """Whether ``combo.pem`` holds a key that isn't its chain's, and live and staging are sound."""
    live = state.live
    mixed = state.combo is not None and not state.combo.matches
    return mixed and live is not None and live.matches and live.same_content(state.staged)


def _in_place(state: LineageState) -> bool:
    """Whether combo, live links and staging links all hold the same."""
    staged = state.staged
    return (
        staged is not None
        and staged.same_content(state.combo)
        and state.live is not None
        and state.live.version == staged.version
    )


def _with_awaited(base: Plan, observation: Observation, memory: Memory, policy: Policy) -> Plan:
    state = observation.state
    key = state.awaited_key
    if key is None:
        return base
    sights = look_all(state.required or (), key, observation.owners)
    repair = Repair.NOT_NEEDED
    if _repairs(key, observation):
        repair = Repair.AT_ONCE
    safe = safe_time(memory, state.owners, in_force(policy, memory, key))
    return replace(base, awaited=sights, safe=safe, repair=repair)


def _repairs(key: PublicKey, observation: Observation) -> bool:
    """Whether mail is failing already and ``key`` would mend it."""
    state = observation.state
    return (
        state.serving is not None
        and bool(state.required)
        and together(look_all(state.required or (), key, observation.owners)) is Seen.EVERYWHERE
        and live_is_gone(state.serving, state.owners, observation.owners)
    )


def _plan_staged(
    base: Plan,
    observation: Observation,
    staged: Held,
    memory: Memory,
    *,
    policy: Policy,
    now: datetime,
) -> Plan:
    """Something else than what is served is staged: deploy it, hold it, or put staging back."""
    state = observation.state
    issued = replace(base, phase=Phase.ISSUED)
    repair = Repair.AT_ONCE if _repairs(staged.key, observation) else Repair.NOT_NEEDED
    seen = seen_awaited(base.awaited, memory.awaiting)
    unsafe = _key_hold(base, state, staged.key, seen, now)
    if mismatch_accepted(memory, staged.key):
        unsafe = None
    if unsafe is not None and repair is Repair.NOT_NEEDED:
        if unsafe is Hold.CANNOT_SEE:
            return replace(issued, hold=unsafe, certbot_may_renew=False)
        return replace(
            issued,
            step=Step.PUT_BACK,
            hold=unsafe,
            keep=_keep(observation, staged.key),
            certbot_may_renew=False,
        )
    hold, detail = chain_hold(state, staged, observation.distrust)
    if hold is not None:
        return replace(issued, hold=hold, detail=detail, repair=repair)
    waits = in_force(policy, memory, staged.key)
    refusal = gate(state, staged, observation.owners, memory, policy=waits, now=now)
    if refusal is not None and not mismatch_accepted(memory, staged.key):
        return replace(_refused(issued, refusal), repair=repair)
    return replace(issued, step=Step.DEPLOY, repair=repair)


def _refused(issued: Plan, refusal: Refusal) -> Plan:
    """The gate stays shut: for want of records, for want of sight, or until caches are empty."""
    hold = Hold.GATE if refusal.until is None else Hold.CACHES
    if refusal.unknown:
        hold = Hold.CANNOT_SEE
    return replace(issued, hold=hold, detail=str(refusal), refusal=refusal)


def _key_hold(
    base: Plan, state: LineageState, key: PublicKey, seen: Seen, now: datetime
) -> Hold | None:
    """Why a chain with ``key`` must not be deployed; None if it may.

    ``seen`` is said of the awaited key's records.
    """
    if key == state.current_key or state.required == ():
        return None
    if state.required is None:
        return Hold.RECORDS_UNREADABLE
    if state.ready is None or key != state.ready.key:
        known = state.next is not None and key == state.next.key
        return Hold.NOT_COOLED if known else Hold.UNKNOWN_KEY
    match seen:
        case Seen.UNKNOWN:
            return Hold.CANNOT_SEE
        case Seen.MISSING:
            return Hold.NOT_EVERYWHERE
        case Seen.EVERYWHERE:
            cooled = base.safe is not None and now >= base.safe.at
            return None if cooled else Hold.NOT_COOLED


def chain_hold(state: LineageState, held: Held, distrust: str | None) -> tuple[Hold | None, str]:
    """Why a chain must not be deployed whatever its key; (None, "") if it may."""
    if not held.matches:
        return Hold.KEY_MISMATCH, ""
    if state.names is None:
        return Hold.NAMES_UNREADABLE, ""
    missing = [str(name) for name in state.names if not held.chain.covers(name)]
    if missing:
        return Hold.NAME_MISSING, " ".join(missing)
    if distrust is None or distrust:
        return Hold.CHAIN_UNVERIFIED, distrust or "not examined"
    return None, ""


def _keep(observation: Observation, key: PublicKey) -> Keep:
    state = observation.state
    files = (state.next, state.ready)
    if any(file is not None and file.key == key for file in files):
        return Keep.NOWHERE
    if state.awaited is None and state.required:
        published = together(look_all(state.required, key, observation.owners))
        if published is Seen.EVERYWHERE:
            return Keep.AS_NEXT
    return Keep.ASIDE


def _plan_awaited(
    base: Plan, observation: Observation, memory: Memory, policy: Policy, now: datetime
) -> Plan:
    """Staging and live agree: say what becomes of the key on its way."""
    state = observation.state
    if state.awaited_key is None:
        unconfirmed = memory.deployment is not None and memory.deployment.confirmed_at is None
        wanted = wants_next_key(state, memory, policy, now)
        return replace(
            base,
            phase=Phase.DEPLOYED if unconfirmed else Phase.STABLE,
            step=Step.MAKE_NEXT if wanted else None,
        )
    if mismatch_accepted(memory, state.awaited_key):
        return _plan_attempt(base, memory, now)
    ready = state.ready is not None
    waiting = replace(base, phase=Phase.COOLING if ready else Phase.STAGED)
    if state.required is None:
        return replace(waiting, hold=Hold.RECORDS_UNREADABLE)
    match seen_awaited(base.awaited, memory.awaiting):
        case Seen.UNKNOWN:
            return replace(waiting, hold=Hold.CANNOT_SEE)
        case Seen.MISSING if ready and state.next is None:  # there is a place to go back to
            return replace(
                waiting, phase=Phase.STAGED, step=Step.BACK_TO_NEXT, hold=Hold.NOT_EVERYWHERE
            )
        case Seen.MISSING:
            return replace(waiting, hold=Hold.NOT_EVERYWHERE)
        case Seen.EVERYWHERE if not ready:
            return replace(waiting, step=Step.MARK_READY)
        case Seen.EVERYWHERE:
            wanted = wants_rollover(state, memory, policy, now)
            return _plan_use(waiting, memory, now, wanted=wanted)


def _plan_use(cooling: Plan, memory: Memory, now: datetime, *, wanted: bool) -> Plan:
    """The ready key's records are seen everywhere: use it when it has cooled and is wanted."""
    if cooling.repair is Repair.AT_ONCE:
        return _plan_attempt(cooling, memory, now)
    if cooling.safe is None or now < cooling.safe.at:
        return replace(cooling, hold=Hold.NOT_COOLED)
    if not wanted:
        return replace(cooling, phase=Phase.STANDBY, hold=Hold.STANDS_BY)
    return _plan_attempt(cooling, memory, now)


def _plan_attempt(waiting: Plan, memory: Memory, now: datetime) -> Plan:
    """The key may be used: issue with it, unless that failed a short while ago."""
    due = replace(waiting, phase=Phase.DUE)
    failure = memory.promotion_failure
    if failure is not None and failure.last <= now < failure.retry_at:
        return replace(due, hold=Hold.BACKING_OFF, detail=failure.message)
    return replace(due, step=Step.PROMOTE)
