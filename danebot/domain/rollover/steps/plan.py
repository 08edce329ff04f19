"""The rollover: observation + memory + policy + now -> plan.

Theory of operation.  Everything that danebot does to a lineage is one of the steps below, and
only `plan` decides which comes next (a cooled key that nobody wants to use yet stands by)::

    stable --newkey--> staged --seen everywhere--> cooling --safe time reached--> due
      ^                  |  ^                        |                             |
      |               cancel  '---- record gone -----'          promotion (certbot, forced, new key)
      |                  v                                                         v
      '------ retire old records <---- served and confirmed <---- deployed <---- issued

The caller executes the one step that the plan names, looks again, and plans again, until no step is
left.  Steps that change what is served are planned on a fresh observation of DNS.  No state is kept
here and none is inferred from the past but what `Memory` holds, so that a plan after a crash is the
plan that would have been made without it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.lineage.renewal import CERTBOTS_OWN, renews_at
from danebot.domain.lineage.state import Held, LineageState, Management
from danebot.domain.names import service_at
from danebot.domain.rollover.evidence.memory import Memory, Occurrence
from danebot.domain.rollover.evidence.propagation import (
    Obstacle,
    Propagation,
    Seen,
    live_is_gone,
    propagations_of,
    taken_together,
)
from danebot.domain.rollover.evidence.schedule import (
    effective_policy,
    mismatch_accepted,
    wants_next_key,
    wants_rollover,
)
from danebot.domain.rollover.evidence.servers import completed
from danebot.domain.rollover.steps.patience import promotion_retry_at, promotion_wait
from danebot.domain.rollover.steps.phases import Hold, Keep, Observation, Phase, Plan, Repair, Step
from danebot.domain.rollover.steps.remember import seen_awaited
from danebot.domain.rollover.steps.safe_time import safe_time
from danebot.domain.text import set_apart, when

if TYPE_CHECKING:
    from collections.abc import Iterable

    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.steps.refusals import Refusal


def plan(observation: Observation, memory: Memory, policy: Policy, now: datetime) -> Plan:
    """The next step for one lineage, or why there is none.

    ``memory`` must already hold this observation (see `remember`).  Nothing is planned on what
    could not be seen.
    """
    observation = observation._replace(owners=completed(observation.owners, memory))
    state = observation.state
    serving = state.serving
    current = propagations_of(state.demanded, serving.key, observation.owners) if serving else ()
    base = Plan(Phase.STABLE, current=current)
    if state.management is Management.PASS_THROUGH:
        return base._replace(phase=Phase.PASS_THROUGH)
    if _useless_combo(state):
        return base._replace(phase=Phase.ISSUED, step=Step.DEPLOY)
    if serving is None or not serving.matches or state.staged is None:
        return base._replace(phase=Phase.BROKEN, hold=Hold.NOTHING_SERVED, certbot_may_renew=False)
    base = _with_awaited(base, observation, memory, policy)
    if state.awaited_key == serving.key and _in_place(state, state.staged):
        return base._replace(step=Step.FINISH)
    if not serving.same_content(state.staged):
        return _plan_staged(base, observation, state.staged, memory, policy=policy, now=now)
    if not _in_place(state, state.staged):
        return base._replace(phase=Phase.ISSUED, step=Step.DEPLOY)
    return _plan_awaited(base, observation, memory, policy, now)


def unanswered(propagations: Iterable[Propagation]) -> str:
    """Who gave no usable answer about records, in words; "" if nobody is known to be silent."""
    silent = {
        f"{gap.where} ({gap.detail})" if gap.detail else gap.where
        for propagation in propagations
        for gap in propagation.gaps
        if gap.obstacle is Obstacle.SERVER_SILENT
    }
    return "; ".join(sorted(silent))


def _useless_combo(state: LineageState) -> bool:
    """Whether ``combo.pem`` holds a key that isn't its chain's, and live and staging are sound."""
    live = state.live
    mixed = state.combo is not None and not state.combo.matches
    return mixed and live is not None and live.matches and live.same_content(state.staged)


def _in_place(state: LineageState, staged: Held) -> bool:
    """Whether combo, live links and staging links all hold the same."""
    live = state.live
    return staged.same_content(state.combo) and live is not None and live.version == staged.version


def _with_awaited(base: Plan, observation: Observation, memory: Memory, policy: Policy) -> Plan:
    state = observation.state
    key = state.awaited_key
    if key is None:
        return base
    propagations = propagations_of(state.required or (), key, observation.owners)
    safe = safe_time(memory, state.owners, effective_policy(policy, memory, key))
    return _with_repair(base._replace(awaited=propagations, safe=safe), key, observation, memory)


def _with_repair(base: Plan, key: PublicKey, observation: Observation, memory: Memory) -> Plan:
    """The plan with whether mail is failing already and ``key`` would mend it."""
    state, seen = observation.state, observation.owners
    there = taken_together(propagations_of(state.required or (), key, seen)) is Seen.EVERYWHERE
    if state.serving is None or not there or not live_is_gone(state.serving, state.owners, seen):
        return base._replace(repair=Repair.NOT_NEEDED, relies=())
    from danebot.domain.rollover.steps.served import served_at

    left = [owner for owner in state.owners if owner not in observation.unharmed]
    known = all(served_at(owner, state, memory, state.staged) for owner in left)
    repair = Repair.AT_ONCE if known else Repair.NOT_NEEDED
    return base._replace(repair=repair, relies=tuple(filter(service_at, left)))


def _plan_staged(
    base: Plan,
    observation: Observation,
    staged: Held,
    memory: Memory,
    *,
    policy: Policy,
    now: datetime,
) -> Plan:
    """The staged chain is not the served one: deploy it, hold it, or put it back."""
    state = observation.state
    issued = _with_repair(base._replace(phase=Phase.ISSUED), staged.key, observation, memory)
    seen = seen_awaited(state, base.awaited, memory.awaiting)
    unsafe = _key_hold(base, state, staged.key, seen, now)
    if mismatch_accepted(memory, staged.key):
        unsafe = None
    if unsafe is not None and issued.repair is Repair.NOT_NEEDED:
        if unsafe is Hold.CANNOT_SEE:
            detail = unanswered(base.awaited)
            held = issued._replace(hold=unsafe, detail=detail, certbot_may_renew=False)
            return _give_way(held, observation, staged, policy, now)
        return _put_back(issued._replace(hold=unsafe), observation, staged)
    hold, detail = chain_hold(state, staged, observation.distrust)
    if hold is not None:
        return issued._replace(hold=hold, detail=detail, relies=())
    if mismatch_accepted(memory, staged.key):
        return issued._replace(step=Step.DEPLOY, relies=())
    from danebot.domain.rollover.steps.gate import gate, relied_upon

    waits, seen_now = effective_policy(policy, memory, staged.key), observation.owners
    relied = relied_upon(state, staged, seen_now, memory, policy=waits, now=now)
    relied += issued.relies if unsafe is not None else ()
    left = (owner for owner in dict.fromkeys(relied) if owner not in observation.unharmed)
    issued = issued._replace(relies=tuple(left))
    unharmed = observation.unharmed
    refusal = gate(state, staged, seen_now, memory, policy=waits, now=now, unharmed=unharmed)
    if refusal is not None:
        held = _refused(issued, refusal)
        other_key = staged.key != state.current_key
        return _give_way(held, observation, staged, policy, now) if other_key else held
    return issued._replace(step=Step.DEPLOY)


def _put_back(issued: Plan, observation: Observation, staged: Held) -> Plan:
    """Staging goes back on the key that live serves."""
    keep = _keep(observation, staged.key)
    return issued._replace(step=Step.PUT_BACK, keep=keep, certbot_may_renew=False)


def _give_way(
    held: Plan, observation: Observation, staged: Held, policy: Policy, now: datetime
) -> Plan:
    """A chain with another key than the live one waits, but not until the live one has run out.

    certbot would renew what is staged, which doesn't help live.  So when live is due for renewal,
    by certbot's default rule, staging goes back on its key; what waits only for caches may take
    until the expiry warning.
    """
    serving = observation.state.serving
    due = renews_at(serving.chain, CERTBOTS_OWN) if serving is not None else None
    if serving is None or due is None or now < due:
        return held
    chain = serving.chain
    latest = chain.not_after - chain.lifetime * policy.expiry_warning
    until = held.refusal.until if held.refusal is not None else None
    if until is not None and until <= latest:
        return held
    return _put_back(held, observation, staged)


def _refused(issued: Plan, refusal: Refusal) -> Plan:
    """The gate stays shut: for want of records, for want of answers, or until caches are empty."""
    hold = Hold.GATE if refusal.until is None else Hold.CACHES
    if refusal.unknown or refusal.silent:
        hold = Hold.CANNOT_SEE
    return issued._replace(hold=hold, detail=str(refusal), refusal=refusal)


def _key_hold(
    base: Plan, state: LineageState, key: PublicKey, seen: Seen, now: datetime
) -> Hold | None:
    """Why a chain with ``key`` must not be deployed; None if it may.

    ``seen`` tells of the awaited key's records.
    """
    if key == state.current_key or state.exempt:
        return None
    if state.required is None:
        return Hold.RECORDS_UNREADABLE
    if not state.required:
        return Hold.NOTHING_WATCHED
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
    if any(one.key == key for one in state.cancelled):
        return Keep.NOWHERE
    files = (state.next, state.ready)
    if any(file is not None and file.key == key for file in files):
        return Keep.NOWHERE
    if state.awaited is None:
        published = taken_together(propagations_of(state.required or (), key, observation.owners))
        if published is Seen.EVERYWHERE:
            return Keep.AS_NEXT
    return Keep.ASIDE


def _plan_awaited(
    base: Plan, observation: Observation, memory: Memory, policy: Policy, now: datetime
) -> Plan:
    """Staging and live agree: say what becomes of the key on its way."""
    state = observation.state
    if state.awaited_key is None:
        last = memory.deployment
        own = last if last is not None and last.origin is Occurrence.DEPLOYED else None
        unconfirmed = own is not None and own.confirmed_at is None
        wanted = wants_next_key(state, memory, policy, now)
        return base._replace(
            phase=Phase.DEPLOYED if unconfirmed else Phase.STABLE,
            step=Step.MAKE_NEXT if wanted else None,
        )
    if mismatch_accepted(memory, state.awaited_key):
        return _plan_attempt(base, memory, now)
    waiting = base._replace(phase=Phase.COOLING if state.ready is not None else Phase.STAGED)
    if state.required is None:
        return waiting._replace(hold=Hold.RECORDS_UNREADABLE)
    if not state.required and not state.exempt:
        return waiting._replace(hold=Hold.NOTHING_WATCHED)
    seen = seen_awaited(state, base.awaited, memory.awaiting)
    if seen is Seen.EVERYWHERE and base.safe is None:  # such an observation isn't remembered
        return waiting._replace(hold=Hold.CLOCK_BEHIND)
    wanted = wants_rollover(state, memory, policy, now)
    return _plan_seen(waiting, state, memory, now, seen=seen, wanted=wanted)


def _plan_seen(
    waiting: Plan, state: LineageState, memory: Memory, now: datetime, *, seen: Seen, wanted: bool
) -> Plan:
    """What becomes of it by where its records are."""
    ready = state.ready is not None
    match seen:
        case Seen.UNKNOWN:
            return waiting._replace(hold=Hold.CANNOT_SEE)
        case Seen.MISSING if state.next is None:  # there is a place to go back to
            return waiting._replace(
                phase=Phase.STAGED, step=Step.BACK_TO_NEXT, hold=Hold.NOT_EVERYWHERE
            )
        case Seen.MISSING:
            return waiting._replace(hold=Hold.NOT_EVERYWHERE)
        case Seen.EVERYWHERE if not ready:
            return waiting._replace(step=Step.MARK_READY)
        case Seen.EVERYWHERE:
            return _plan_use(waiting, memory, now, wanted=wanted)


def _plan_use(cooling: Plan, memory: Memory, now: datetime, *, wanted: bool) -> Plan:
    """The ready key's records are seen everywhere: use it when it has cooled and is wanted."""
    cooled = cooling.safe is not None and now >= cooling.safe.at
    if cooled and wanted:
        return _plan_attempt(cooling._replace(relies=()), memory, now)
    if cooling.repair is Repair.AT_ONCE:
        return _plan_attempt(cooling, memory, now)
    if not cooled:
        return cooling._replace(hold=Hold.NOT_COOLED)
    return cooling._replace(phase=Phase.STANDBY, hold=Hold.STANDS_BY)


def _plan_attempt(waiting: Plan, memory: Memory, now: datetime) -> Plan:
    """The key may be used: issue with it, unless that failed a short while ago."""
    due = waiting._replace(phase=Phase.DUE)
    failure, retry_at = memory.promotion_failure, promotion_retry_at(memory)
    if failure is not None and retry_at is not None and failure.last <= now < retry_at:
        return due._replace(hold=Hold.BACKING_OFF, detail=set_apart(failure.message)[0])
    until = promotion_wait(memory, now)
    if until is not None:
        words = f"the CA was asked too often within an hour, so not before {when(until)}"
        return due._replace(hold=Hold.BACKING_OFF, detail=words)
    return due._replace(step=Step.PROMOTE)
