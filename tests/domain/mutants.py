"""The rollover's rules with one clause taken out: what a test of that clause must notice.

A mutant is the real code that isn't told something, or whose word on something is overruled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from danebot.domain.dns.answers import (
    OwnerObservation,
    Presence,
    Server,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.dns.tlsa import Declared, Required, TlsaRecord
from danebot.domain.lineage.state import KeyFile, LineageState
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence import caches, unbroken, watched
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory, TtlSighting, Witness
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.propagation import (
    Observations,
    Seen,
    propagations_of,
    taken_together,
)
from danebot.domain.rollover.records.advice import Advice, advise
from danebot.domain.rollover.steps import gate
from danebot.domain.rollover.steps import remember as remembering
from danebot.domain.rollover.steps.phases import Hold, Keep, Observation, Phase, Plan, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from domain.builders import Rules, record

_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
Edit = Callable[[OwnerObservation], OwnerObservation]


def unaware(edit: Edit) -> Rules:
    """Looks lose what ``edit`` takes away."""

    def edited(observations: Observations) -> Observations:
        return {name: edit(one) for name, one in observations.items()}

    return Rules(
        lambda memory, state, observations, now: remember(memory, state, edited(observations), now),
        lambda observation, memory, policy, now: plan(
            observation._replace(owners=edited(observation.owners)), memory, policy, now
        ),
    )


def policed(change: Callable[[Policy], Policy]) -> Rules:
    """A part of the policy is not applied."""
    return Rules(
        plan=lambda observation, memory, policy, now: plan(observation, memory, change(policy), now)
    )


def recalling(change: Callable[[Memory, Memory], Memory]) -> Rules:
    """``change`` gets the memory before and after each look, and has the last word."""
    return Rules(
        lambda memory, state, observations, now: change(
            memory, remember(memory, state, observations, now)
        )
    )


def forgetful(change: Callable[[Memory], Memory]) -> Rules:
    """``change`` is applied to the memory before each look."""
    return Rules(
        lambda memory, state, observations, now: remember(change(memory), state, observations, now)
    )


def with_sightings(memory: Memory, wanted: Callable[[TtlSighting, OwnerMemory], bool]) -> Memory:
    """The memory with only the wanted TTLs."""
    return memory._replace(
        owners={
            name: own._replace(sightings=tuple(s for s in own.sightings if wanted(s, own)))
            for name, own in memory.owners.items()
        },
    )


def with_owners(memory: Memory, change: Callable[[OwnerMemory], OwnerMemory]) -> Memory:
    """The memory with every owner changed."""
    return memory._replace(owners={name: change(own) for name, own in memory.owners.items()})


# ---- who is asked ---------------------------------------------------------------------------


def _first_server(one: OwnerObservation) -> OwnerObservation:
    return one._replace(
        servers=one.servers[:1], name_servers=frozenset(s.server.name for s in one.servers[:1])
    )


def _none_silent(servers: tuple[ServerAnswer, ...]) -> tuple[ServerAnswer, ...]:
    """What is silent is taken to have what the first that answers has."""
    heard = [s for s in servers if s.heard]
    return tuple(s if s in heard else heard[0]._replace(server=s.server) for s in servers if heard)


def _heard_servers(one: OwnerObservation) -> OwnerObservation:
    return one._replace(servers=_none_silent(one.servers))


NO_WITNESSES = unaware(lambda one: one._replace(witnesses=()))
FIRST_SERVER_ONLY = unaware(_first_server)
SILENT_SERVERS_PASSED_OVER = unaware(_heard_servers)
ANY_ANSWER_OF_THE_RESOLVER = unaware(
    lambda one: one._replace(
        answer=one.answer._replace(
            records=tuple({r for s in one.servers for r in s.records} | set(one.answer.records))
        )
    )
)


ALIAS_SERVERS_PASSED_OVER = unaware(lambda one: one._replace(aliases=()))
SILENT_ALIAS_SERVERS_PASSED_OVER = unaware(
    lambda one: one._replace(
        aliases=tuple(alias._replace(servers=_none_silent(alias.servers)) for alias in one.aliases)
    )
)


class _AnyZone(OwnerObservation):
    """Whoever answers for one zone of the way is taken to answer for all that it has."""

    @property
    def speaking(self) -> frozenset[Server]:
        return frozenset(one.server for one in self.all_servers if one.heard)


ONE_ZONE_WILL_DO = unaware(lambda one: _AnyZone(*one))


def _insisting(observation: Observation, memory: Memory, policy: Policy, now: datetime) -> Plan:
    found = plan(observation, memory, policy, now)
    if all(sight.servers_asked for sight in found.awaited):
        return found
    return found._replace(step=None, hold=Hold.CANNOT_SEE)


NO_FALLBACK = Rules(plan=_insisting)


# ---- what is remembered ---------------------------------------------------------------------


def _unbroken(before: Memory, after: Memory) -> Memory:
    if before.awaiting is None or after.awaiting is None:
        return after
    since = before.awaiting.seen_since
    return (
        after
        if since is None
        else after._replace(awaiting=after.awaiting._replace(seen_since=since))
    )


BREAKS_FORGIVEN = recalling(_unbroken)


def _doubting(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    after = remember(memory, state, observations, now)
    key = state.awaited_key
    if key is None or after.awaiting is None:
        return after
    if taken_together(propagations_of(state.required or (), key, observations)) is not Seen.UNKNOWN:
        return after
    return after._replace(awaiting=after.awaiting._replace(served_since=None, seen_since=None))


UNKNOWN_RESETS = Rules(_doubting)


def _waiting_for_the_resolver(memory: Memory) -> Memory:
    awaiting = memory.awaiting
    if awaiting is None or awaiting.seen_since is not None:
        return memory
    return memory._replace(awaiting=awaiting._replace(served_since=None))


RESOLVER_DELAYS = forgetful(_waiting_for_the_resolver)


def _believing(memory: Memory) -> Memory:
    awaiting = memory.awaiting
    return memory._replace(awaiting=awaiting and awaiting._replace(belied_at=None))


BELIEVED_AGAIN = forgetful(_believing)


def once_served() -> Rules:
    """Once every server had it, it counts as served; made anew for each wait."""
    first: list[datetime] = []

    def change(_: Memory, after: Memory) -> Memory:
        awaiting = after.awaiting
        if awaiting is None:
            return after
        if awaiting.served_since is not None:
            first.append(awaiting.served_since)
        since = first[0] if first else None
        seen_since = None if awaiting.seen_since is None else since
        return after._replace(awaiting=awaiting._replace(served_since=since, seen_since=seen_since))

    return recalling(change)


def no_second_look() -> Rules:
    """Once the record was seen everywhere, no look changes anything; made anew for each wait."""
    first: list[Observations] = []

    def remembered(
        memory: Memory, state: LineageState, observations: Observations, now: datetime
    ) -> Memory:
        if first and memory.awaiting is not None and memory.awaiting.seen_since is not None:
            return memory
        after = remember(memory, state, observations, now)
        if after.awaiting is not None and after.awaiting.seen_since is not None:
            first.append(observations)
        return after

    def planned(observation: Observation, memory: Memory, policy: Policy, now: datetime) -> Plan:
        owners = first[0] if first else observation.owners
        return plan(observation._replace(owners=owners), memory, policy, now)

    return Rules(remembered, planned)


# ---- TTLs -----------------------------------------------------------------------------------

NO_TTL_OF_THE_RRSET = unaware(
    lambda one: one._replace(
        answer=one.answer._replace(ttl=None),
        servers=tuple(s._replace(ttl=None) for s in one.servers),
    )
)
NO_TTL_OF_ALIASES = unaware(lambda one: one._replace(answer=one.answer._replace(aliases=())))
NO_NEGATIVE_TTL = unaware(
    lambda one: one._replace(servers=tuple(s._replace(negative_ttl=None) for s in one.servers))
)
NO_TTL_OF_ZERO = unaware(
    lambda one: one._replace(
        answer=one.answer._replace(ttl=one.answer.ttl or None),
        servers=tuple(s._replace(ttl=s.ttl or None) for s in one.servers),
    )
)
NO_TTL_OF_ALIAS_SERVERS = unaware(
    lambda one: one._replace(
        aliases=tuple(
            alias._replace(
                servers=tuple(s._replace(ttl=None, negative_ttl=None) for s in alias.servers)
            )
            for alias in one.aliases
        )
    )
)
ONLY_TTLS_IN_FORCE = recalling(
    lambda _, after: with_sightings(after, lambda sighting, _: sighting.until is None)
)
ONLY_FIRST_TTLS = recalling(
    lambda _, after: with_sightings(
        after, lambda sighting, own: sighting.first == min(s.first for s in own.sightings)
    )
)


def _as_of_old(sighting: TtlSighting) -> TtlSighting:
    return sighting._replace(first=_LONG_AGO)


LATER_TTLS_COUNT = recalling(
    lambda _, after: with_owners(
        after, lambda own: own._replace(sightings=tuple(map(_as_of_old, own.sightings)))
    )
)
CLOSED_AT_ONCE = unaware(
    lambda one: _heard_servers(one)._replace(answer=one.answer._replace(presence=_known(one)))
)


def _known(one: OwnerObservation) -> Presence:
    unknown = one.answer.presence is Presence.UNKNOWN
    return Presence.NODATA if unknown else one.answer.presence


NO_DENIAL_TTL_OF_WILDCARDS = unaware(
    lambda one: one._replace(
        servers=tuple(s._replace(negative_ttl=None) if s.records else s for s in one.servers)
    )
)

# ---- policy ---------------------------------------------------------------------------------

NO_MARGIN = policed(lambda policy: policy._replace(margin=timedelta(0)))
NO_MIN_WAIT = policed(lambda policy: policy._replace(min_wait=timedelta(0)))
NO_UNSEEN_TTL = policed(lambda policy: policy._replace(unseen_ttl=timedelta(0)))

# ---- routes ---------------------------------------------------------------------------------

SERVERS_NEVER_CHANGE = unaware(lambda one: one._replace(name_servers=frozenset()))
ADDRESSES_NEVER_CHANGE = unaware(
    lambda one: one._replace(
        servers=tuple(
            s._replace(server=s.server._replace(address="192.0.2.1")) for s in one.servers
        )
    )
)
NO_ADDRESS_TTL = unaware(lambda one: one._replace(address_ttl=None))
UNRESOLVED_IS_GONE = unaware(lambda one: one._replace(unresolved=frozenset()))
NO_NS_TTL = unaware(lambda one: one._replace(ns_ttl=None))
NO_NS_TTL_OF_ALIASES = unaware(
    lambda one: one._replace(aliases=tuple(a._replace(ns_ttl=None) for a in one.aliases))
)
ALIASES_NEVER_CHANGE = unaware(
    lambda one: one._replace(answer=one.answer._replace(canonical=DnsName("any.example")))
)
FORGETS_WHO_WAS_HEARD = forgetful(
    lambda memory: with_owners(memory, lambda own: own._replace(heard={}))
)
EVERY_ADDRESS_MUST_ANSWER = unaware(
    lambda one: one._replace(
        servers=tuple(
            s if s.heard else s._replace(outcome=ServerOutcome.FELL_SILENT) for s in one.servers
        )
    )
)
LAST_NS_TTL_ONLY = forgetful(
    lambda memory: with_owners(memory, lambda own: own._replace(route_ttl=None))
)


def _old_route_pruned(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    """TTLs of an old route expire as if nobody asked there any more."""
    routeless = with_owners(memory, lambda own: own._replace(old_route_until=None))
    after = remember(routeless, state, observations, now)

    def restored(name: DnsName, own: OwnerMemory) -> OwnerMemory:
        before = memory.owners.get(name, OwnerMemory()).old_route_until
        ends = [end for end in (before, own.old_route_until) if end is not None]
        return own._replace(old_route_until=max(ends, default=None))

    return after._replace(owners={n: restored(n, own) for n, own in after.owners.items()})


OLD_ROUTE_PRUNED = Rules(_old_route_pruned)


# ---- what the publisher says ----------------------------------------------------------------


def _with_records(
    one: OwnerObservation, change: Callable[[tuple[TlsaRecord, ...]], tuple[TlsaRecord, ...]]
) -> OwnerObservation:
    answer = one.answer._replace(records=change(one.answer.records))
    servers = tuple(s._replace(records=change(s.records)) if s.heard else s for s in one.servers)
    return one._replace(answer=answer, servers=servers)


PUBLISHER_BELIEVED = unaware(
    lambda one: _with_records(one, lambda there: tuple(dict.fromkeys((*there, record("new")))))
)
ANY_RECORD_WILL_DO = unaware(
    lambda one: _with_records(
        one,
        lambda there: tuple(
            record("new") if (r.mtype == 1 and r != record("old")) else r for r in there
        ),
    )
)

# ---- who is long silent, and goes -----------------------------------------------------------


def _without(replaced: Callable[[OwnerObservation, list[datetime | None]], object]) -> Rules:
    """``replaced`` has the last word on who is asked no longer, and when they were heard."""
    real = unbroken._replaced

    def remembered(
        memory: Memory, state: LineageState, observations: Observations, now: datetime
    ) -> Memory:
        unbroken._replaced = lambda old, one: replaced(one, real(old, one))  # type: ignore[assignment,return-value]
        try:
            return remember(memory, state, observations, now)
        finally:
            unbroken._replaced = real

    return Rules(remembered)


REPLACED_UNNOTICED_BY_THE_RESOLVER = _without(lambda one, found: found if one.speaking else [])
NEVER_HEARD_AND_GONE = _without(lambda _, found: [at for at in found if at is not None])


def _heard_once(observation: Observation, memory: Memory, policy: Policy, now: datetime) -> Plan:
    real = unbroken.long_unheard

    def once(owner: OwnerMemory, one: OwnerObservation | None, at: datetime) -> tuple[str, ...]:
        return tuple(name for name in real(owner, one, at) if name in owner.heard)

    return _gated(once, observation, memory, policy, now)


def _led_by_any_answer(
    observation: Observation, memory: Memory, policy: Policy, now: datetime
) -> Plan:
    real = unbroken.long_unheard

    def led(owner: OwnerMemory, one: OwnerObservation | None, at: datetime) -> tuple[str, ...]:
        return real(owner._replace(route=None), one, at)

    return _gated(led, observation, memory, policy, now)


def _gated(
    unheard: Callable[[OwnerMemory, OwnerObservation | None, datetime], tuple[str, ...]],
    observation: Observation,
    memory: Memory,
    policy: Policy,
    now: datetime,
) -> Plan:
    real = vars(gate)["long_unheard"]
    vars(gate)["long_unheard"] = unheard
    try:
        return plan(observation, memory, policy, now)
    finally:
        vars(gate)["long_unheard"] = real


NEVER_HEARD_IS_NO_SILENCE = Rules(plan=_heard_once)
LED_BY_ANY_ANSWER = Rules(plan=_led_by_any_answer)


def _forgotten_with_servers(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    """That any was heard, and when anybody last was, where new ones speak."""
    real, places = unbroken.broken, (vars(caches), vars(remembering))

    def broken(old: OwnerMemory, one: OwnerObservation, at: datetime) -> bool:
        new = not {str(server) for server in one.speaking} & old.heard.keys()
        words = old._replace(answered_at=at) if one.speaking and new else old
        return real(words, one, at)

    memory = with_owners(memory, lambda own: own._replace(witness=Witness.RESOLVER))
    for place in places:
        place["broken"] = broken
    try:
        return remember(memory, state, observations, now)
    finally:
        for place in places:
            place["broken"] = real


FORGOTTEN_WITH_SERVERS = Rules(_forgotten_with_servers)


def _without_ends(servers: tuple[ServerAnswer, ...]) -> tuple[ServerAnswer, ...]:
    return tuple(one._replace(end=None) for one in servers)


ONE_SERVER_LEADS_NOBODY = unaware(
    lambda one: one._replace(
        servers=_without_ends(one.servers),
        aliases=tuple(
            alias._replace(servers=_without_ends(alias.servers)) for alias in one.aliases
        ),
    )
)


def _led_nowhere(real: Callable[..., bool], *who: object, bare: bool) -> bool:
    return not bare and real(*who, bare=bare)


def _nothing_before(
    observation: Observation, memory: Memory, policy: Policy, now: datetime
) -> Plan:
    real = gate._past_may_matter
    gate._past_may_matter = functools.partial(_led_nowhere, real)
    try:
        return plan(observation, memory, policy, now)
    finally:
        gate._past_may_matter = real


ALIASES_LED_NOWHERE_BEFORE = Rules(plan=_nothing_before)

# ---- files and clocks -----------------------------------------------------------------------


def _undated(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    ready = state.ready
    undated = ready._replace(modified=_LONG_AGO) if ready is not None else None
    return remember(memory, state._replace(ready=undated), observations, now)


NO_DATE_OF_READY_FILE = Rules(_undated)


def _younger(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    def dated(file: KeyFile | None) -> KeyFile | None:
        return file._replace(modified=now) if file is not None else None

    return remember(memory, state._replace(next=dated(state.next)), observations, now)


NO_AGE_OF_NEXT_FILE = Rules(_younger)


def _timeless(memory: Memory) -> Memory:
    awaiting = memory.awaiting
    if awaiting is None:
        return memory
    unseen = _LONG_AGO if awaiting.unseen_at is not None else None
    return memory._replace(awaiting=awaiting._replace(since=_LONG_AGO, unseen_at=unseen))


CLOCK_NEVER_BEHIND = forgetful(_timeless)


def _in_the_future(before: Memory, after: Memory) -> Memory:
    if before.awaiting is None or after.awaiting is None:
        return after
    old, new = before.awaiting.seen_since, after.awaiting.seen_since
    if old is None or new is None or new >= old:
        return after
    return after._replace(awaiting=after.awaiting._replace(seen_since=old))


FUTURE_BELIEVED = recalling(_in_the_future)


def _all_lines_known(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    awaiting = memory.awaiting
    if awaiting is not None and awaiting.lines:
        lines = tuple(dict.fromkeys((*awaiting.lines, *(state.required or ()))))
        memory = memory._replace(awaiting=awaiting._replace(lines=lines))
    return remember(memory, state, observations, now)


NEW_LINES_UNNOTICED = Rules(_all_lines_known)


def _resolver_will_do(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    """Whether servers or the resolver alone spoke makes no difference."""
    after = remember(memory, state, observations, now)
    if memory.awaiting is None or after.awaiting is None:
        return after
    since = memory.awaiting.seen_since
    if since is None or after.awaiting.seen_since is None:
        return after
    return after._replace(awaiting=after.awaiting._replace(seen_since=since))


RESOLVER_COUNTS_AS_SERVERS = Rules(_resolver_will_do)


def _promoting_blindly(
    observation: Observation, memory: Memory, policy: Policy, now: datetime
) -> Plan:
    found = plan(observation, memory, policy, now)
    cooled = found.safe is not None and now >= found.safe.at
    return found._replace(step=Step.PROMOTE) if found.hold is Hold.CANNOT_SEE and cooled else found


BLIND_AT_PROMOTION = Rules(plan=_promoting_blindly)


def _putting_back_alone(
    observation: Observation, memory: Memory, policy: Policy, now: datetime
) -> Plan:
    found = plan(observation, memory, policy, now)
    return found._replace(keep=Keep.NOWHERE) if found.step is Step.PUT_BACK else found


KEY_LEFT_BEHIND = Rules(plan=_putting_back_alone)


def _never_promoting(
    observation: Observation, memory: Memory, policy: Policy, now: datetime
) -> Plan:
    found = plan(observation, memory, policy, now)
    if found.step is not Step.PROMOTE:
        return found
    return found._replace(step=None, phase=Phase.STANDBY, hold=Hold.STANDS_BY)


WAITS_UNTOLD = Rules(plan=_never_promoting)

# ---- what is watched ------------------------------------------------------------------------

LOST_LINES_DROPPED = Rules(protect=lambda state, _: state)


def _none_needed(state: LineageState, memory: Memory) -> LineageState:
    """An empty ``dane-ee`` is taken for the operator's word that there are no records."""
    if state.required:
        return watched.protecting(state, memory)
    return state._replace(declared=Declared.NO_RECORDS)


EMPTY_IS_NO_HOLD = Rules(protect=_none_needed)


# ---- what is taken for known -----------------------------------------------------------------

NO_FIRST_LOOK = recalling(
    lambda _, after: with_owners(
        after, lambda own: own._replace(watched_since=own.watched_since and _LONG_AGO)
    )
)


def _heard_just_now(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    def fresh(own: OwnerMemory) -> OwnerMemory:
        heard = dict.fromkeys(own.heard, now)
        return own._replace(heard=heard, answered_at=own.answered_at and now)

    return remember(with_owners(memory, fresh), state, observations, now)


def _heard_a_week_ago(memory: Memory) -> Memory:
    week = timedelta(days=7)
    return with_owners(
        memory,
        lambda own: own._replace(
            heard={server: at - week for server, at in own.heard.items()},
            answered_at=own.answered_at and own.answered_at - week,
        ),
    )


GAPS_FORGIVEN = Rules(_heard_just_now)
EVERY_PAUSE_IS_A_GAP = forgetful(_heard_a_week_ago)


def _as_the_others(own: OwnerMemory) -> OwnerMemory:
    return own._replace(heard=dict.fromkeys(own.heard, max(own.heard.values(), default=_LONG_AGO)))


RETURNS_FORGIVEN = forgetful(lambda memory: with_owners(memory, _as_the_others))

# ---- the clock, and other people's records --------------------------------------------------

CLOCK_EVIDENCE_IGNORED = replace(
    unaware(
        lambda one: one._replace(
            answer=one.answer._replace(signed_since=None),
            servers=tuple(server._replace(signed_since=None) for server in one.servers),
        )
    ),
    put_right=lambda memory, _: memory,
)


def _agility_ignored(one: OwnerObservation) -> OwnerObservation:
    """What overrules a record isn't looked at: the digest of a key that isn't awaited."""

    def own(records: tuple[TlsaRecord, ...]) -> tuple[TlsaRecord, ...]:
        first = {record.mtype for record in records} == {1, 2}
        return tuple(r for r in records if r.mtype == 1) if first else records

    return one._replace(
        answer=one.answer._replace(records=own(one.answer.records)),
        servers=tuple(s._replace(records=own(s.records)) for s in one.servers),
    )


AGILITY_IGNORED = unaware(_agility_ignored)

# ---- where servers are, and what is known of the past ---------------------------------------


def _without_glue(one: OwnerObservation) -> OwnerObservation:
    """Of each server only the address that comes last, which is the zone's own."""
    return one._replace(servers=tuple({s.server.name: s for s in one.servers}.values()))


GLUE_IGNORED = unaware(_without_glue)


def _elsewhere_known(one: OwnerObservation) -> OwnerObservation:
    """Where a server leads instead there is nothing, as far as it says itself."""

    def known(servers: tuple[ServerAnswer, ...]) -> tuple[ServerAnswer, ...]:
        return tuple(server._replace(elsewhere=None) for server in servers)

    return one._replace(
        servers=known(one.servers),
        aliases=tuple(alias._replace(servers=known(alias.servers)) for alias in one.aliases),
    )


ELSEWHERE_KNOWN = unaware(_elsewhere_known)
PARENTS_IGNORED = unaware(lambda one: one._replace(parents=None))


def _nothing_restated(
    owner: DnsName,
    observation: OwnerObservation | None,
    wanted: Iterable[tuple[Required, bytes]],
    known: Iterable[bytes],
) -> Advice:
    found = advise(owner, observation, wanted, known)
    return found._replace(add=tuple(one for one in found.add if one not in found.restated))


NOTHING_RESTATED = Rules(advise=_nothing_restated)
