"""danebot in a small world: the real rules, each asked once about the same files, memory and look.

Steps of time become times before `T0`, which is always now; what is remembered becomes ages again.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from danebot.domain.dns.answers import (
    Answer,
    OwnerObservation,
    Presence,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.dns.tlsa import Required, TlsaRecord
from danebot.domain.finding import Severity
from danebot.domain.lineage.state import LineageState, UnknownKey
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.caches import gone_at
from danebot.domain.rollover.evidence.memory import (
    Awaiting,
    Memory,
    OwnerMemory,
    OwnerRoute,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.watched import fade, let_go_of_gone
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.steps.patience import after_plan
from danebot.domain.rollover.steps.phases import Keep, Observation, Plan, Repair, Step
from domain.builders import DAY, T0, Rules, held, key, key_file, line, record, state
from prove.small.world import ADDRESS_TTL, FLOOR, GAP, NS_TTL, Content, Place, World

STEP = 3 * DAY

OWNERS = (DnsName("_25._tcp.mx0.example.org"), DnsName("_25._tcp.mx1.example.org"))
POLICY = Policy(min_wait=0 * DAY, margin=0 * DAY, unseen_ttl=2 * STEP, staged_warning=STEP)
"""The TTLs alone count, and no TTL was longer before the first look than is assumed."""
_LONG_AGO = T0 - FLOOR * STEP
_EXPIRED = T0 - 2 * STEP
"""Before this, nothing that began to go is in a cache any more: no TTL is longer."""
_TOO_LONG_AGO = T0 - (GAP + 1) * STEP
_ZONE = DnsName("example.org")
_RECORDS: Mapping[Content, tuple[TlsaRecord, ...]] = {
    Content.NOTHING: (),
    Content.OLD: (record("old"),),
    Content.BOTH: (record("old"), record("new")),
    Content.FOREIGN: (record("old"), record("new"), record("somebody", 2)),
    Content.NEW: (record("new"),),
}
_TIMELESS = (OwnerRoute, Required, TlsaRecord, DnsName, Hostname, timedelta, bytes, str, int)
Shown = tuple[Content, int]
Sight = tuple[int, tuple[tuple[int, int, Shown | None], ...], Shown | None]
"""An owner, what each address shows of it, and what the resolver does; None is no answer."""


class Files(NamedTuple):
    """The tree: ``next`` is the age of that file, ``ready`` tells that there is one."""

    listed: tuple[int, ...]
    next: int | None = None
    ready: int | None = None
    staged: bool = False
    cancelled: bool = False

    @property
    def has_new(self) -> bool:
        """Whether the awaited key is anywhere in the tree."""
        return self.staged or self.cancelled or (self.next, self.ready) != (None, None)


class Decision(NamedTuple):
    """What one look leads to: the memory to keep, the plan, and owners that protect no more."""

    memory: int
    step: Step | None
    repair: Repair
    keep: Keep | None
    owners: frozenset[int]
    held: str = ""


def sights(
    world: World, owners: frozenset[int], resolver: Mapping[int, Shown | None]
) -> tuple[Sight, ...]:
    """What a look at those owners shows."""
    named = [place for place in world.places if place.named]
    return tuple(
        (owner, tuple(_shows(place, owner) for place in named), resolver[owner])
        for owner in sorted(owners)
    )


def _shows(place: Place, owner: int) -> tuple[int, int, Shown | None]:
    rrset = place.rrsets[owner]
    return place.server, place.address, None if place.silent else (rrset.content, rrset.ttl)


@functools.cache
def _observed(sight: Sight) -> OwnerObservation:
    owner, places, shown = sight
    servers = tuple(_answer(*place) for place in places)
    answer = Answer[TlsaRecord](
        OWNERS[owner], Security.INDETERMINATE, Presence.UNKNOWN, OWNERS[owner]
    )
    if shown is not None:
        content, ttl = shown
        there = content is not Content.NOTHING
        answer = answer._replace(
            security=Security.SECURE,
            presence=Presence.PRESENT if there else Presence.NODATA,
            records=_RECORDS[content],
            ttl=ttl * STEP if there else None,
        )
    return OwnerObservation(
        OWNERS[owner],
        answer,
        _ZONE,
        frozenset(server.server.name for server in servers),
        NS_TTL * STEP,
        servers,
        address_ttl=ADDRESS_TTL * STEP,
    )


def _observations(look: tuple[Sight, ...]) -> dict[DnsName, OwnerObservation]:
    return {OWNERS[sight[0]]: _observed(sight) for sight in look}


@functools.cache
def _answer(server: int, address: int, shown: Shown | None) -> ServerAnswer:
    where = Server(Hostname(f"ns{server}.example.org"), f"192.0.2.{address}")
    if shown is None:
        return ServerAnswer(where, ServerOutcome.UNREACHABLE)
    content, ttl = shown
    there = content is not Content.NOTHING
    span = ttl * STEP
    return ServerAnswer(
        where,
        ServerOutcome.ANSWERED,
        _RECORDS[content],
        span if there else None,
        None if there else span,
    )


@functools.cache
def _tree(files: Files) -> LineageState:
    def file(age: int) -> Any:  # noqa: ANN401
        return key_file("new", T0 - age * STEP)

    found = state(line(OWNERS[0]))
    return found._replace(
        required=tuple(line(OWNERS[owner]) for owner in files.listed),
        next=file(files.next) if files.next is not None else None,
        ready=file(files.ready) if files.ready is not None else None,
        staged=held("new", 2) if files.staged else found.live,
        cancelled=(UnknownKey(key("new"), "cancelled.pem"),) if files.cancelled else (),
    )


class Robot:
    """The rules, and every memory that they have made so far, by number; 0 is the empty one."""

    def __init__(self, rules: Rules) -> None:
        """With rules that answer the same to the same."""
        self.rules = rules
        self.memories: list[Memory] = []
        self._numbers: dict[object, int] = {}
        self._aged: dict[int, int] = {}
        self._kept: dict[int, int] = {}
        self._watches: dict[tuple[Files, int], tuple[int, ...]] = {}
        self._decisions: dict[tuple[Files, int, tuple[Sight, ...]], Decision] = {}
        self._lineages: dict[tuple[Files, int], LineageState] = {}
        self._interned: dict[object, LineageState] = {}
        self._plans: dict[tuple[int, int, tuple[Sight, ...]], Plan] = {}
        self.number(Memory())

    def number(self, memory: Memory) -> int:
        """The number of a memory, which is made one of ages first."""
        memory = _clamped(memory)
        owners = tuple(
            (name, one._replace(heard=tuple(sorted(one.heard.items()))))  # type: ignore[arg-type]
            for name, one in sorted(memory.owners.items())
        )
        what = owners, memory.awaiting, memory.watched, memory.lost, memory.current
        if what not in self._numbers:
            self._numbers[what] = len(self.memories)
            self.memories.append(memory)
        return self._numbers[what]

    def _again(self, number: int) -> int:
        """The number of a memory that is kept unchanged: one that was clamped is clamped again."""
        if number not in self._kept:
            self._kept[number] = self.number(self.memories[number])
        return self._kept[number]

    def older(self, number: int) -> int:
        """The same memory a step later."""
        if number not in self._aged:
            memory = self.memories[number]
            owners = {name: _earlier(one) for name, one in memory.owners.items()}
            awaiting = _earlier(memory.awaiting)
            lost = _earlier(memory.lost)
            later = memory._replace(owners=owners, awaiting=awaiting, lost=lost)
            self._aged[number] = self.number(later)
        return self._aged[number]

    def lineage(self, files: Files, memory: int) -> LineageState:
        """The lineage with what protects it."""
        if (files, memory) not in self._lineages:
            found = self.rules.protect(_tree(files), self.memories[memory])
            self._lineages[files, memory] = self._same(files, found)
        return self._lineages[files, memory]

    def _same(self, files: Files, lineage: LineageState) -> LineageState:
        """The one lineage like this, so that its identity tells what is known of it."""
        lines = lineage.required, lineage.remembered, lineage.fading, lineage.declared
        return self._interned.setdefault((files, *lines), lineage)

    def watches(self, files: Files, memory: int) -> tuple[int, ...]:
        """The owners that a run looks at, sorted."""
        asked = files, memory
        if asked not in self._watches:
            owners = self.lineage(files, memory).owners
            self._watches[asked] = tuple(sorted(set(map(OWNERS.index, owners))))
        return self._watches[asked]

    def decide(self, files: Files, memory: int, look: tuple[Sight, ...]) -> Decision:
        """Remember and plan, as every run does."""
        asked = files, memory, look
        if asked not in self._decisions:
            self._decisions[asked] = self._decide(files, memory, look)
        return self._decisions[asked]

    def _decide(self, files: Files, memory: int, look: tuple[Sight, ...]) -> Decision:
        left, after, plan = self._considered(files, memory, look)
        planned = after_plan(self.memories[after], plan, T0)
        after = self._again(after) if planned is self.memories[after] else self.number(planned)
        return Decision(
            after,
            plan.step,
            plan.repair,
            plan.keep,
            frozenset(OWNERS.index(one.owner) for one in (*(left.required or ()), *left.fading)),
            plan.hold.value if plan.hold is not None else "",
        )

    def _considered(
        self, files: Files, memory: int, look: tuple[Sight, ...]
    ) -> tuple[LineageState, int, Plan]:
        """What protects after a look, the memory of it, and the plan: once for alike memories."""
        observations = _observations(look)
        lineage = fade(self.lineage(files, memory), observations)
        remembered = self.rules.remember(self.memories[memory], lineage, observations, T0)
        remembered, left = let_go_of_gone(remembered, lineage, POLICY, T0)
        left, after = self._same(files, left), self.number(remembered)
        asked = id(left), after, look
        if asked not in self._plans:
            observation = Observation(left, observations, distrust="")
            self._plans[asked] = self.rules.plan(observation, self.memories[after], POLICY, T0)
        return left, after, self._plans[asked]

    def told(self, files: Files, memory: int, look: tuple[Sight, ...]) -> tuple[str, ...]:
        """What a run tells that somebody must act on."""
        left, number, plan = self._considered(files, memory, look)
        after = after_plan(self.memories[number], plan, T0)
        found = assess(Observation(left, _observations(look), distrust=""), plan, after, POLICY, T0)
        return tuple(one.code.name for one in found if one.severity >= Severity.WARNING)


def _clamped(memory: Memory) -> Memory:
    """The memory without what makes no difference to any rule: the same decisions, fewer states.

    That are ages beyond the floors, what comes before a time to which it is compared (as if it had
    been then, or long ago), and what is kept for findings about outside changes alone.
    """
    awaiting = memory.awaiting
    since = awaiting and (awaiting.seen_since or awaiting.served_since)
    if awaiting is not None:
        awaiting = _recent(awaiting)
        if awaiting.since < T0 - STEP:  # later than what the policy warns of
            awaiting = awaiting._replace(since=_LONG_AGO)
        seen = awaiting.seen_since and max(awaiting.seen_since, _EXPIRED)
        forgotten = awaiting.forgotten_at
        awaiting = awaiting._replace(
            begun_anew=0,
            interruption=None,
            unseen_at=awaiting.unseen_at and awaiting.since,
            belied_at=awaiting.belied_at and awaiting.since,
            served_since=awaiting.served_since and (seen or awaiting.served_since),
            seen_since=seen,
            forgotten_at=forgotten and (forgotten if forgotten > _EXPIRED else _LONG_AGO),
        )
    owners = {name: _recent_owner(one, since) for name, one in memory.owners.items()}
    if awaiting is not None and _outlasted(awaiting, owners.values()):
        awaiting = awaiting._replace(forgotten_at=None)
    return memory._replace(owners=owners, awaiting=awaiting, lost=_recent(memory.lost))


def _outlasted(awaiting: Awaiting, owners: Collection[OwnerMemory]) -> bool:
    """Whether what each owner had before its first look holds longer than what was forgotten.

    Both hold as long as the policy assumes of unseen TTLs: `safe_time` takes the later of the two,
    and no other rule reads ``forgotten_at``.  It remains so: an owner is watched anew at a later
    time alone, and so is one that comes back.
    """
    forgotten, begun = awaiting.forgotten_at, [one.watched_since for one in owners]
    return (
        forgotten is not None
        and bool(begun)
        and all(at is not None and at >= forgotten for at in begun)
    )


def _recent_owner(owner: OwnerMemory, since: datetime | None) -> OwnerMemory:
    heard = {name: max(at, _TOO_LONG_AGO) for name, at in owner.heard.items()}
    answered_at = owner.answered_at and max(owner.answered_at, _TOO_LONG_AGO)
    if heard:  # then nobody asks when the resolver was
        answered_at = _TOO_LONG_AGO
    if owner.old_route_until is not None and owner.old_route_until <= _EXPIRED:
        owner = owner._replace(old_route_until=None)
    sightings = {
        one._replace(
            first=_LONG_AGO if since is None or one.first <= since else one.first,
            until=one.until and max(one.until, T0 - one.ttl - STEP),
        )
        for one in owner.sightings
    }
    known = owner.watched_since or T0
    rrsets = {
        one._replace(
            first=known if one.first <= known else T0, lagged_at=one.left_at and one.lagged_at
        )
        for one in owner.rrsets
        if (gone := gone_at(one, owner, POLICY)) is None or gone > T0
    }
    found: OwnerMemory = _recent(
        owner._replace(
            heard=heard,
            answered_at=answered_at,
            sightings=_ordered(sightings),
            rrsets=_ordered(rrsets),
        )
    )
    return found


def _ordered(values: set[Any]) -> tuple[Any, ...]:
    """In one order, whichever; most are one or none, and need no words to compare."""
    return tuple(sorted(values, key=str) if len(values) > 1 else values)


def _recent(value: Any) -> Any:  # noqa: ANN401 - any part of the memory
    return _dated(value, lambda at: max(at, _LONG_AGO))


def _earlier(value: Any) -> Any:  # noqa: ANN401
    return _dated(value, lambda at: at - STEP)


def _dated(value: Any, change: Any) -> Any:  # noqa: ANN401
    if value is None or isinstance(value, _TIMELESS):
        return value
    if isinstance(value, datetime):
        return change(value)
    if isinstance(value, tuple):
        items = [_dated(item, change) for item in value]
        if all(map(operator.is_, items, value)):  # as most parts are
            return value
        return value._make(items) if hasattr(value, "_make") else tuple(items)
    if isinstance(value, Mapping):
        return {name: _dated(item, change) for name, item in value.items()}
    return value
