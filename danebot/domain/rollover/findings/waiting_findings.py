"""Findings about a rollover: what it waits for, what holds it up; and about emergencies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.policy import LONGEST_GAP
from danebot.domain.rollover.evidence.propagation import Gap, Obstacle, Seen
from danebot.domain.rollover.evidence.schedule import (
    lacks_key_type,
    rollover_at,
    scheduled,
    standing,
)
from danebot.domain.rollover.evidence.unbroken import RESOLVER
from danebot.domain.rollover.findings.record_findings import (
    VALIDATES,
    silent_gaps,
    silent_servers,
)
from danebot.domain.rollover.steps.patience import promotion_retry_at, under_way_since, urgent
from danebot.domain.rollover.steps.phases import Hold, Phase, Plan, Step
from danebot.domain.text import because, duration, quoted, set_apart, times, when

if TYPE_CHECKING:
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.steps.refusals import Refusal

_OFTEN, _OFTEN_URGENT = 3, 2  # beginnings of a wait anew that are no single change any more
_NAMED = 4  # servers that come and go, in one line
_SILENCE = timedelta(days=1)  # of a server, before it is more than a notice in a rollover
_LACKS = (Obstacle.RESOLVER_LACKS, Obstacle.SERVER_LACKS, Obstacle.OVERRULED)
_PART = 3  # of a lifetime: who waits for caches for longer hardly waits for a TTL alone
_LASTING_SERVERS = (
    "keep the name servers and their addresses as they are until {}, and if they change by "
    "themselves, ask who runs them for lasting ones"
)
_KNOWN_TTLS = (
    "have its services answer this host, or if no TLSA record there had a longer TTL before, say "
    'so in danebot.toml: unseen_ttl = "1d"'
)
_TOO_LATE = "let the records be as they are: each change of them makes it wait longer"
_EVERY_SERVER = Code.SERVERS_UNREACHABLE.remedy
_REMEDIES = {
    Obstacle.BOGUS: Code.TLSA_BOGUS.remedy,
    Obstacle.INSECURE: Code.TLSA_INSECURE.remedy,
    Obstacle.RESOLVER_SILENT: Code.DNS_UNREACHABLE.remedy,
}


def rollover_findings(
    state: LineageState, plan: Plan, memory: Memory, policy: Policy, now: datetime
) -> Iterator[Finding]:
    """Yield what a key on its way waits for, and what keeps it from being used."""
    if plan.phase is Phase.ISSUED and plan.step is None:
        yield _held(state, plan, policy, now)
    if state.awaited_key is None:
        if (standing(policy) or scheduled(policy)) and lacks_key_type(state, policy):
            yield Finding(
                Code.SCHEDULE_STUCK,
                Severity.WARNING,
                state.name,
                "rollovers are wanted by themselves, but certbot doesn't issue with a key of the "
                "current one's type, so no next key is made",
            )
        return
    failure, retry_at = memory.promotion_failure, promotion_retry_at(memory)
    if failure is not None and retry_at is not None:
        outcome, said = set_apart(failure.message)
        yield Finding(
            Code.PROMOTION_FAILED,
            Severity.WARNING,
            state.name,
            f"issuing with the ready key failed {times(failure.count)} since "
            f"{when(failure.first)}, next attempt after {when(retry_at)}{because(outcome)}",
            f"to try again at once: danebot newkey --emergency {quoted(state.name)}"
            if urgent(memory)
            else "the live certificate is still renewed with the current key",
            said,
        )
    if not silent_gaps((*plan.current, *plan.awaited)) and any(
        s.servers_asked == 0 and s.seen is Seen.EVERYWHERE for s in plan.awaited
    ):
        fallback = plan.hold is not Hold.CANNOT_SEE
        words = "the minimum wait alone protects the rollover" if fallback else "the rollover waits"
        lasts = not fallback and _lasts(memory, under_way_since(memory) or now, now)
        yield Finding(
            Code.SERVERS_UNREACHABLE,
            Severity.WARNING if lasts else Severity.NOTICE,
            state.name,
            f"no authoritative server can be reached; {words}",
            "allow DNS to the internet from this host",
        )
    yield _waiting(state, plan, memory, policy, now)


def _held(state: LineageState, plan: Plan, policy: Policy, now: datetime) -> Finding:
    version = state.staged.version if state.staged is not None else None
    refusal = plan.refusal
    if plan.hold is Hold.CACHES and refusal is not None:
        return _held_by_caches(state, version, refusal, policy, now)
    reason = plan.hold.value if plan.hold is not None else "it is not safe"
    detail = f" ({plan.detail})" if plan.detail else ""
    remedies = {
        Hold.NAME_MISSING: "issue with all names, or correct the dnsnames file",
        Hold.CHAIN_UNVERIFIED: "see the issuer, or name its root with ca_file",
        Hold.CANNOT_SEE: _sight_remedy(state.name, plan),
        Hold.NAMES_UNREADABLE: "correct the dnsnames file",
        Hold.GATE: _gate_remedy(refusal),
    }
    return Finding(
        Code.DEPLOYMENT_HELD,
        Severity.WARNING,
        state.name,
        f"version {version} was issued but is not deployed: {reason}{detail}; live stays as it is",
        remedies.get(plan.hold or Hold.UNKNOWN_KEY, ""),
    )


def _held_by_caches(
    state: LineageState, version: int | None, refusal: Refusal, policy: Policy, now: datetime
) -> Finding:
    """To wait for caches is usual, unless it lasts, or the live certificate ends before it is over.

    No wait for what was there before the first look depends on what is published now.
    """
    from danebot.domain.rollover.steps.refusals import BEFORE_FIRST_LOOK

    begun = refusal.since or now
    chain = state.serving.chain if state.serving is not None else None
    lifetime = chain.lifetime if chain is not None else timedelta(0)
    since, ends, remedy = "", "", ""
    if now - begun > min(policy.staged_warning, lifetime / _PART):
        since, remedy = f"since {when(begun)} ", _LASTING_SERVERS.format("it is deployed")
    soon = chain.not_after - lifetime * policy.expiry_warning if chain is not None else None
    if chain is not None and soon is not None and (refusal.until or now) > soon:
        ends = f"; the live certificate ends {when(chain.not_after)}"
        remedy = remedy or _TOO_LATE
        if refusal.reason == BEFORE_FIRST_LOOK:
            remedy = _KNOWN_TTLS
    return Finding(
        Code.DEPLOYMENT_HELD,
        Severity.WARNING if remedy else Severity.INFO,
        state.name,
        f"version {version} waits {since}until caches have dropped TLSA records by which "
        f"senders would refuse it ({refusal}){ends}",
        remedy,
    )


def _sight_remedy(name: str, plan: Plan) -> str:
    """What ends the want of answers: the servers, where the resolver answers and they don't."""
    from danebot.domain.rollover.steps.refusals import UNVALIDATED

    silent = plan.refusal.silent if plan.refusal is not None else ()
    if plan.refusal is not None and UNVALIDATED in silent:
        return (
            f"{VALIDATES}; or have its servers answer this host; if the zone isn't signed, no "
            f"sender uses its records: danebot watch --remove {quoted(name, plan.refusal.owner)}"
        )
    obstacles = {gap.obstacle for propagation in plan.awaited for gap in propagation.gaps}
    if Obstacle.SERVER_SILENT in obstacles or (silent and silent != (RESOLVER,)):
        return _EVERY_SERVER
    return "see that the resolver runs and validates; it is deployed once DNS can be observed"


def _gate_remedy(refusal: Refusal | None) -> str:
    if refusal is None or refusal.publish is None:
        return "see what was issued: no TLSA record makes up for that"
    return (
        f"add, and keep what is there: {refusal.owner}. IN TLSA {refusal.publish}; "
        "it is deployed once every cache has that"
    )


def _waiting(
    state: LineageState, plan: Plan, memory: Memory, policy: Policy, now: datetime
) -> Finding:
    match plan.phase:
        case Phase.COOLING if plan.safe is not None and plan.hold is Hold.NOT_COOLED:
            text = (
                f"the ready key cools until {when(plan.safe.at)} "
                f"({duration(max(plan.safe.at - now, timedelta(0)))})"
            )
            since = under_way_since(memory) or now
            usual = policy.staged_warning + (plan.safe.at - plan.safe.since)
            often = _OFTEN_URGENT if urgent(memory) else _OFTEN
            begun_anew = memory.awaiting.begun_anew if memory.awaiting is not None else 0
            text += _interruption(memory)
            if now - since > usual or begun_anew >= often:
                return _stuck_cooling(state, text, since, memory)
            return Finding(Code.COOLING, Severity.INFO, state.name, text)
        case Phase.STANDBY:
            text = "a next key stands by, its records in every cache"
            due = rollover_at(state, memory, policy)
            if due is not None:
                text += f"; its turn comes {when(due)}"
            use = f"to roll over now: danebot newkey {quoted(state.name)}"
            return Finding(Code.STANDING_BY, Severity.INFO, state.name, text, use)
        case Phase.DUE:
            text = "the ready key is due for promotion"
            return Finding(Code.PROMOTION_DUE, Severity.INFO, state.name, text)
        case _:
            return _staged(state, plan, memory, policy, now)


def _stuck_cooling(state: LineageState, text: str, since: datetime, memory: Memory) -> Finding:
    """The wait began anew again and again: waiting is not what ends that."""
    remedy = Code.ROLLOVER_STUCK.remedy.replace("LINEAGE", quoted(state.name))
    last = memory.awaiting.interruption if memory.awaiting is not None else None
    if last is not None and (last.gone or last.new):
        remedy = _LASTING_SERVERS.format("the key is used")
    if urgent(memory):
        remedy += (
            f"; or go on without: danebot newkey --emergency --accept-mismatch {quoted(state.name)}"
        )
    return Finding(
        Code.ROLLOVER_STUCK,
        Severity.WARNING,
        state.name,
        f"{text}; under way since {when(since)}, it begins anew again and again",
        remedy,
    )


def _interruption(memory: Memory) -> str:
    """How often the wait began anew and what for the last time, in words; "" if it never did."""
    awaiting = memory.awaiting
    if awaiting is None or awaiting.interruption is None:
        return ""
    last, count = awaiting.interruption, awaiting.begun_anew
    if last.lacking:
        places = [where or RESOLVER for where in last.lacking]
        words = f"no record at {', '.join(places[:_NAMED])}"
    elif not last.gone and not last.new:
        words = f"more than {duration(LONGEST_GAP)} without an answer"
    else:
        parts = [*(f"{one} gone" for one in last.gone), *(f"{one} new" for one in last.new)]
        more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
        words = ", ".join(parts[:_NAMED]) + more
    return f"; the wait began anew {times(count)}, last {when(last.at)} for {last.owner}: {words}"


def _staged(
    state: LineageState, plan: Plan, memory: Memory, policy: Policy, now: datetime
) -> Finding:
    if plan.hold is Hold.NOTHING_WATCHED:
        return _unwatched(state)
    since = under_way_since(memory) or now
    often = _OFTEN_URGENT if urgent(memory) else _OFTEN
    begun_anew = memory.awaiting.begun_anew if memory.awaiting is not None else 0
    stuck = now - since > policy.staged_warning or begun_anew >= often
    gaps = [
        f"{propagation.required.owner} ({_gap_words(propagation.gaps[0])})"
        for propagation in plan.awaited
        if propagation.gaps
    ]
    key = "ready key" if state.ready is not None else "next key"
    text = f"the {key} waits since {when(since)} for its TLSA records"
    if gaps:
        text += ": " + ", ".join(gaps)
    text += _interruption(memory)
    lacking = any(gap.obstacle in _LACKS for one in plan.awaited for gap in one.gaps)
    if plan.step is Step.MARK_READY:
        text = "the next key's TLSA records are seen everywhere"
    return Finding(
        Code.NEXT_KEY_STUCK if stuck else Code.NEXT_KEY_WAITS,
        Severity.WARNING if stuck else Severity.NOTICE if lacking else Severity.INFO,
        state.name,
        text,
        _remedy(state.name, plan),
    )


def _unwatched(state: LineageState) -> Finding:
    """The finding that nothing is watched says what else there is to do."""
    return Finding(
        Code.NEXT_KEY_STUCK,
        Severity.WARNING,
        state.name,
        f"the key on its way isn't used: {Hold.NOTHING_WATCHED.value}",
        f"have the owners found: danebot init {quoted(state.name)}",
    )


def _remedy(name: str, plan: Plan) -> str:
    """What ends the wait for records; to publish them is no remedy where they are published."""
    if plan.step is Step.MARK_READY:
        return "run: danebot renew"
    obstacles = {gap.obstacle for propagation in plan.awaited for gap in propagation.gaps}
    for obstacle, remedy in _REMEDIES.items():
        if obstacle in obstacles:
            return remedy
    has_it = Obstacle.RESOLVER_LACKS not in obstacles or any(p.present_at for p in plan.awaited)
    lags = has_it and Obstacle.SERVER_LACKS in obstacles
    lagging = ", or see why that server lags" if lags else ""
    if obstacles <= {Obstacle.SERVER_SILENT} and plan.hold is Hold.CANNOT_SEE:
        return _EVERY_SERVER if obstacles else "allow DNS to the internet from this host"
    return f"publish what this prints: danebot tlsa {quoted(name)}{lagging}"


def _gap_words(gap: Gap) -> str:
    where = f" at {gap.where}" if gap.where else ""
    detail = f": {gap.detail}" if gap.detail else ""
    return f"{gap.obstacle.value}{where}{detail}"


# ---- servers that hold it up ----------------------------------------------------------------


def unheard_findings(
    state: LineageState, plan: Plan, memory: Memory, now: datetime
) -> Iterator[Finding]:
    """Servers that are silent; that holds a rollover up, and an emergency from its first minute."""
    gaps = silent_gaps((*plan.current, *plan.awaited))
    if not gaps:
        return
    heard = [_last_heard(gap, memory) or now for gap in gaps]
    lasts = state.awaited_key is not None and _lasts(memory, min(heard), now)
    severity = Severity.WARNING if lasts else Severity.NOTICE
    yield silent_servers(state.name, gaps, severity)


def _last_heard(gap: Gap, memory: Memory) -> datetime | None:
    """When a server, or one address of it, was last heard; if never, since when it is waited."""
    moments = [
        at
        for owner in memory.owners.values()
        for server, at in owner.heard.items()
        if gap.where in (server, server.partition(" ")[0])
    ]
    return max(moments, default=None) or under_way_since(memory)


def _lasts(memory: Memory, heard: datetime, now: datetime) -> bool:
    """Whether silence has held a rollover up for long: in an emergency, any silence has."""
    return urgent(memory) or now - heard > _SILENCE


# ---- emergencies ----------------------------------------------------------------------------


def emergency_findings(state: LineageState, plan: Plan, memory: Memory) -> Iterator[Finding]:
    """Yield what is to be said while a compromised key is live, or not revoked."""
    if urgent(memory) and state.current_key is not None:
        safe = _safe_words(plan)
        yield Finding(
            Code.KEY_COMPROMISED,
            Severity.WARNING,
            state.name,
            f"the live key is compromised, and served until its successor is safe: {safe}",
        )
    for pending in memory.revocations:
        if pending.attempts:
            outcome, said = set_apart(pending.error)
            yield Finding(
                Code.REVOCATION_FAILED,
                Severity.WARNING,
                state.name,
                f"revoking the compromised key's certificates failed {times(pending.attempts)}"
                f"{because(outcome)}",
                said=said,
            )


def _safe_words(plan: Plan) -> str:
    """When an emergency's successor is safe, or what that still waits for."""
    if plan.safe is not None:
        return f"from {when(plan.safe.at)} on"
    gaps = [gap for propagation in plan.awaited for gap in propagation.gaps]
    lacking = [gap for gap in gaps if gap.obstacle in _LACKS]
    if gaps and not lacking:
        return "once this is mended: " + ", ".join(dict.fromkeys(map(_gap_words, gaps)))
    return "once its record is published, at every server"
