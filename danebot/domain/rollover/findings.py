"""Observation + plan + memory + policy -> findings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from danebot.domain.dns.answers import Cause, Presence, TlsaAnswer
from danebot.domain.dns.tlsa import Declared
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import STAGING_GONE, UNLINKED, LineageState, Management
from danebot.domain.rollover.advice import advise
from danebot.domain.rollover.change_outcomes import Outcome
from danebot.domain.rollover.clock import behind
from danebot.domain.rollover.gate import RESOLVER
from danebot.domain.rollover.in_use import KeysInUse
from danebot.domain.rollover.memory import OwnerMemory, Urgency
from danebot.domain.rollover.plan import Hold, Observation, Phase, Plan, Step, under_way_since
from danebot.domain.rollover.propagation import Gap, Obstacle, Propagation, Seen, matches_chain
from danebot.domain.rollover.renewing import renewing
from danebot.domain.rollover.schedule import lacks_key_type, rollover_at, scheduled, standing
from danebot.domain.rollover.unprotected import unprotected
from danebot.domain.text import duration, when

if TYPE_CHECKING:
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.gate import Refusal
    from danebot.domain.rollover.memory import Memory
    from danebot.domain.rollover.policy import Policy


NO_KEYS = KeysInUse()
_SILENCE = timedelta(days=1)  # of a server, before it is more than a notice in a rollover
_LACKS = (Obstacle.RESOLVER_LACKS, Obstacle.SERVER_LACKS, Obstacle.OVERRULED)
_EVERY_SERVER = (
    "a record counts as published only when every server has it: "
    "mend that server, or take it out of the NS set"
)
_REMEDIES = {
    Obstacle.BOGUS: "mend the zone's signatures or its DS record",
    Obstacle.INSECURE: "sign the zone, or let danebot ask a validating resolver whose AD bit it "
    "may trust",
    Obstacle.RESOLVER_SILENT: "see that the resolver runs, or name another one with resolver in "
    "danebot.toml",
}


def assess(
    observation: Observation,
    plan: Plan,
    memory: Memory,
    policy: Policy,
    now: datetime,
    *,
    in_use: KeysInUse = NO_KEYS,
) -> tuple[Finding, ...]:
    """Everything worth saying about one lineage, most severe first.

    ``in_use`` are the keys that other lineages use: what is advised must not harm these.
    """
    found = [
        *_clock(observation, now),
        *_files(observation.state, plan),
        *_lost_lines(observation.state),
        *_current(_Scene(observation, memory, in_use, now), plan),
        *_unheard(observation.state, plan, memory, now),
        *_expiry(observation.state, policy, now),
        *_rollover(observation.state, plan, memory, policy, now),
        *_deployment(observation.state, memory),
        *_compromise(observation.state, plan, memory),
        *_publishing(observation.state, memory),
        *renewing(observation.state, memory, policy, now),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: -finding.severity))


def _clock(observation: Observation, now: datetime) -> Iterator[Finding]:
    """A clock that is provably behind: what is seen under it can't be dated."""
    state = observation.state
    evidence = behind(state, observation.owners, now)
    if evidence is not None and state.management is Management.STAGED:
        yield Finding(
            Code.CLOCK_BEHIND,
            Severity.WARNING,
            state.name,
            f"the clock says {when(now)}, but {evidence}; no wait begins or ends by it",
        )


def _files(state: LineageState, plan: Plan) -> Iterator[Finding]:
    for fault in state.faults:
        severity = Severity.WARNING if state.serving is not None else Severity.CRITICAL
        yield Finding(
            Code.FILES_BROKEN,
            severity,
            state.name,
            fault,
            _mending(state, fault),
        )
    if plan.phase is Phase.BROKEN and not state.faults:
        yield Finding(
            Code.FILES_BROKEN,
            Severity.CRITICAL,
            state.name,
            "live's key, chain and links don't belong together, so nothing is renewed or deployed",
            f"restore live/{state.name} from a backup, then run: danebot renew",
        )
    staged = state.management is Management.STAGED
    declared = state.declared is Declared.NO_RECORDS
    if staged and state.required is not None and not state.owners and not declared:
        yield unprotected(state.name)
    for unknown in state.unknown:
        yield Finding(
            Code.KEY_SET_ASIDE,
            Severity.NOTICE,
            state.name,
            f"a key that danebot didn't make is kept as {unknown.file}",
            f"use it with: danebot newkey --adopt {unknown.file} {state.name}, or remove the file",
        )


def _lost_lines(state: LineageState) -> Iterator[Finding]:
    """Lines that protect though ``dane-ee`` has lost them: that is the operator's to decide."""
    file = f"staging/{state.name}/dane-ee"
    lost = state.remembered
    if lost and state.required is not None:
        lines = ", ".join(f"'{line}'" for line in lost)
        gone = " ".join(dict.fromkeys(str(one.owner) for one in lost))
        yield Finding(
            Code.WATCH_LOST,
            Severity.WARNING,
            state.name,
            f"{file} has lost {lines}, which protects the lineage all the same",
            f"put that back, or let go of it: danebot watch --remove {state.name} {gone} "
            "(the same as a line '- OWNER' there)",
        )
    if state.fading:
        owners = ", ".join(dict.fromkeys(str(line.owner) for line in state.fading))
        yield Finding(
            Code.WATCH_LOST,
            Severity.INFO,
            state.name,
            f"{owners} is watched until no cache holds its TLSA records any more",
            "",
        )


def _mending(state: LineageState, fault: str) -> str:
    if fault.endswith(STAGING_GONE):
        return f"run: danebot init {state.name}"
    heals = state.management is Management.STAGED and fault.endswith(UNLINKED)
    return "run: danebot renew" if heals else "mend the file, then run: danebot renew"


# ---- the current key's records --------------------------------------------------------------


class _Scene(NamedTuple):
    """What the live key's records are judged by."""

    observation: Observation
    memory: Memory
    in_use: KeysInUse
    now: datetime


def _current(scene: _Scene, plan: Plan) -> Iterator[Finding]:
    for propagation in plan.current:
        yield from _current_record(scene, propagation)


def _current_record(scene: _Scene, propagation: Propagation) -> Iterator[Finding]:
    observation = scene.observation
    state = observation.state
    owner = propagation.required.owner
    wanted = f"{owner} TLSA {propagation.record}"
    lacking = []
    for gap in propagation.gaps:
        match gap.obstacle:
            case Obstacle.RESOLVER_LACKS:
                yield _lacking(scene, propagation)
            case Obstacle.SERVER_LACKS:
                lacking.append(gap.where)
            case Obstacle.NOT_OBSERVED | Obstacle.SERVER_SILENT | Obstacle.OVERRULED:
                continue
            case _:
                yield _unsecured(state.name, str(owner), gap)
    if any(gap.obstacle is Obstacle.OVERRULED for gap in propagation.gaps):
        yield _overruled(scene, propagation)
    wrong = _mismatching_witnesses(observation, owner)
    if wrong:
        yield Finding(
            Code.TLSA_MISMATCH,
            Severity.CRITICAL,
            state.name,
            f"no TLSA record at {owner} that the world sees, by {', '.join(wrong)}, matches the "
            "live key: DANE senders defer or bounce mail",
            f"add it to the view that the world sees: {owner}. IN TLSA {propagation.record}",
        )
    lacking = [where for where in lacking if where not in wrong]
    if lacking:
        yield Finding(
            Code.SERVER_LACKS_RECORD,
            Severity.WARNING,
            state.name,
            f"the live key's record is missing at {', '.join(lacking)}: {wanted}",
            ("see why that server lags, or " if propagation.present_at else "")
            + _addition(scene, propagation),
        )


def _mismatching_witnesses(observation: Observation, owner: DnsName) -> tuple[str, ...]:
    """The witnesses that show records, none of which the live chain satisfies."""
    observed, serving = observation.owners.get(owner), observation.state.serving
    if observed is None or serving is None:
        return ()
    return tuple(
        str(one.server)
        for one in observed.witnesses
        if one.records and not any(matches_chain(record, serving) for record in one.records)
    )


def _addition(scene: _Scene, propagation: Propagation, soon: str = "") -> str:
    """What to add for the live key so that it has effect and harms nobody, or why nothing can."""
    state, owner = scene.observation.state, propagation.required.owner
    if state.current_key is None:
        return "see the files: no usable key is live"
    spki = state.current_key.spki
    awaited = [state.awaited_key.spki] if state.awaited_key is not None else []
    advice = advise(
        owner,
        scene.observation.owners.get(owner),
        [(propagation.required, spki)],
        {*scene.in_use.keys, *awaited},
    )
    if not advice.add:
        said = "; ".join(one.remedy for one in advice.objections)
        return said or "see that every server has the same zone"
    records = " and ".join(f"{advice.target}. IN TLSA {record}" for record in advice.add)
    alias = f" ({owner} is an alias of it)" if advice.target != owner else ""
    return f"add{soon}: {records}{alias}"


def _lacking(scene: _Scene, propagation: Propagation) -> Finding:
    observation = scene.observation
    state = observation.state
    owner = propagation.required.owner
    answer = observation.owners[owner].answer
    serving = state.serving
    matched = serving is not None and any(matches_chain(r, serving) for r in answer.records)
    if answer.presence is Presence.PRESENT and not matched:
        return Finding(
            Code.TLSA_MISMATCH,
            Severity.CRITICAL,
            state.name,
            f"no TLSA record at {owner} matches the live key: DANE senders defer or bounce mail",
            _addition(scene, propagation, " now"),
        )
    if _remembers_absence(scene, propagation):
        return Finding(
            Code.TLSA_MISSING,
            Severity.NOTICE,
            state.name,
            f"every authoritative server has the live key's TLSA record at {owner}; the resolver "
            "still remembers that there was none",
            "that ends with the TTL of its answer",
        )
    return Finding(
        Code.TLSA_MISSING,
        Severity.WARNING,
        state.name,
        f"the live key's TLSA record is missing ({_absence(answer)}) at {owner}",
        _addition(scene, propagation),
    )


def _remembers_absence(scene: _Scene, propagation: Propagation) -> bool:
    """Whether the resolver lacks a record for no longer than its cache explains.

    That is, as long as the longest TTL that was seen for the owner, after the first observation at
    which all servers had the RRset (RFC 2308 section 5).
    """
    lacks = {gap.obstacle for gap in propagation.gaps}
    if lacks != {Obstacle.RESOLVER_LACKS} or not propagation.servers_asked:
        return False
    observed = scene.observation.owners[propagation.required.owner]
    known = scene.memory.owners.get(propagation.required.owner, OwnerMemory())
    there = {tuple(sorted(set(s.records))) for s in observed.servers if s.records}
    first = [one.first for one in known.rrsets if one.records in there]
    longest = max((one.ttl for one in known.sightings), default=timedelta(0))
    return bool(first) and scene.now < min(first) + longest


def _absence(answer: TlsaAnswer) -> str:
    """How the resolver says that it has no record."""
    present = answer.presence is Presence.PRESENT
    words = "only others are there" if present else answer.presence.value
    return f"{words}; {answer.detail}" if answer.cause is Cause.OPT_OUT else words


def _overruled(scene: _Scene, propagation: Propagation) -> Finding:
    """The remedy of digest agility (RFC 7671 section 9): the stronger digest of the live key."""
    return Finding(
        Code.TLSA_MISMATCH,
        Severity.CRITICAL,
        scene.observation.state.name,
        f"the live key's TLSA record at {propagation.required.owner} stands beside SHA2-512 "
        "records of other keys, so most senders ignore it and defer or bounce mail",
        _addition(scene, propagation, " now"),
    )


def _unsecured(name: str, owner: str, gap: Gap) -> Finding:
    detail = f" ({gap.detail})" if gap.detail else ""
    match gap.obstacle:
        case Obstacle.BOGUS:
            return Finding(
                Code.TLSA_BOGUS,
                Severity.CRITICAL,
                name,
                f"DNSSEC validation of {owner} fails{detail}: DANE senders defer mail",
                _REMEDIES[Obstacle.BOGUS],
            )
        case Obstacle.INSECURE:
            return Finding(
                Code.TLSA_INSECURE,
                Severity.WARNING,
                name,
                f"the answer for {owner} is not secured by DNSSEC{detail}, so no sender uses it",
                _REMEDIES[Obstacle.INSECURE],
            )
        case _:
            return Finding(
                Code.DNS_UNREACHABLE,
                Severity.WARNING,
                name,
                f"the validating resolver gives no answer for {owner}{detail}",
                _REMEDIES[Obstacle.RESOLVER_SILENT],
            )


def _silent_gaps(plan: Plan) -> tuple[Gap, ...]:
    """The servers that were asked for the lineage's records and gave no answer, each once."""
    gaps = (gap for propagation in (*plan.current, *plan.awaited) for gap in propagation.gaps)
    return tuple(dict.fromkeys(gap for gap in gaps if gap.obstacle is Obstacle.SERVER_SILENT))


def _unheard(state: LineageState, plan: Plan, memory: Memory, now: datetime) -> Iterator[Finding]:
    """Servers that are silent; that holds a rollover up, and an emergency from its first minute."""
    gaps = _silent_gaps(plan)
    if not gaps:
        return
    where = "; ".join(f"{gap.where} ({gap.detail})" for gap in gaps)
    heard = [_last_heard(gap, memory) or now for gap in gaps]
    lasts = state.awaited_key is not None and _lasts(memory, min(heard), now)
    yield Finding(
        Code.SERVERS_UNREACHABLE,
        Severity.WARNING if lasts else Severity.NOTICE,
        state.name,
        f"authoritative servers give no usable answer: {where}",
        _EVERY_SERVER,
    )


def _last_heard(gap: Gap, memory: Memory) -> datetime | None:
    """When a server, or one address of it, was last heard; if never, since when it is waited."""
    times = [
        at
        for owner in memory.owners.values()
        for server, at in owner.heard.items()
        if gap.where in (server, server.partition(" ")[0])
    ]
    return max(times, default=None) or under_way_since(memory)


def _lasts(memory: Memory, heard: datetime, now: datetime) -> bool:
    """Whether silence has held a rollover up for long: in an emergency, any silence has."""
    return _urgent(memory) or now - heard > _SILENCE


# ---- expiry ---------------------------------------------------------------------------------


def _expiry(state: LineageState, policy: Policy, now: datetime) -> Iterator[Finding]:
    serving = state.serving
    if serving is None:
        return
    chain = serving.chain
    left = chain.not_after - now
    lifetime = chain.not_after - chain.not_before
    remedy = "see why renewals fail: danebot -v renew"
    if left <= timedelta(0):
        text = f"the live certificate expired {duration(-left)} ago"
        yield Finding(Code.EXPIRED, Severity.CRITICAL, state.name, text, remedy)
    elif left < lifetime * policy.expiry_warning:
        critical = left < lifetime * policy.expiry_critical
        severity = Severity.CRITICAL if critical else Severity.WARNING
        text = f"the live certificate expires in {duration(left)}"
        yield Finding(Code.EXPIRES_SOON, severity, state.name, text, remedy)


# ---- the rollover ---------------------------------------------------------------------------


def _rollover(
    state: LineageState, plan: Plan, memory: Memory, policy: Policy, now: datetime
) -> Iterator[Finding]:
    if plan.phase is Phase.ISSUED and plan.step is None:
        yield _held(state, plan)
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
    if memory.promotion_failure is not None:
        failure = memory.promotion_failure
        yield Finding(
            Code.PROMOTION_FAILED,
            Severity.WARNING,
            state.name,
            f"issuing with the ready key failed {failure.count} times since {when(failure.first)}, "
            f"next attempt after {when(failure.retry_at)}: {failure.message}",
            f"to try again at once: danebot newkey --emergency {state.name}"
            if _urgent(memory)
            else "the live certificate is still renewed with the current key",
        )
    if not _silent_gaps(plan) and any(
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


def _held(state: LineageState, plan: Plan) -> Finding:
    version = state.staged.version if state.staged is not None else None
    refusal = plan.refusal
    if plan.hold is Hold.CACHES and refusal is not None:
        return Finding(
            Code.DEPLOYMENT_HELD,
            Severity.INFO,
            state.name,
            f"version {version} waits until caches have dropped TLSA records by which senders "
            f"would refuse it ({refusal})",
            "",
        )
    reason = plan.hold.value if plan.hold is not None else "it is not safe"
    detail = f" ({plan.detail})" if plan.detail else ""
    remedies = {
        Hold.NAME_MISSING: "issue with all names, or correct the dnsnames file",
        Hold.CHAIN_UNVERIFIED: "see the issuer, or name its root with ca_file",
        Hold.CANNOT_SEE: _sight_remedy(plan),
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


def _sight_remedy(plan: Plan) -> str:
    """What ends the want of answers: the servers, where the resolver answers and they don't."""
    silent = plan.refusal.silent if plan.refusal is not None else ()
    obstacles = {gap.obstacle for propagation in plan.awaited for gap in propagation.gaps}
    if Obstacle.SERVER_SILENT in obstacles or (silent and silent != (RESOLVER,)):
        return _EVERY_SERVER
    return "see that the resolver runs; it is deployed once DNS can be observed"


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
            if now - since > usual:
                return _stuck_cooling(state, text, since)
            return Finding(Code.COOLING, Severity.INFO, state.name, text)
        case Phase.STANDBY:
            text = "a next key stands by, its records in every cache"
            due = rollover_at(state, memory, policy)
            if due is not None:
                text += f"; its turn comes {when(due)}"
            use = f"to roll over now: danebot newkey {state.name}"
            return Finding(Code.STANDING_BY, Severity.INFO, state.name, text, use)
        case Phase.DUE:
            text = "the ready key is due for promotion"
            return Finding(Code.PROMOTION_DUE, Severity.INFO, state.name, text)
        case _:
            return _staged(state, plan, memory, policy, now)


def _stuck_cooling(state: LineageState, text: str, since: datetime) -> Finding:
    """The wait began anew again and again: waiting is not what ends that."""
    return Finding(
        Code.ROLLOVER_STUCK,
        Severity.WARNING,
        state.name,
        f"{text}, but it is under way since {when(since)}: the wait began anew again and again",
    )


def _staged(
    state: LineageState, plan: Plan, memory: Memory, policy: Policy, now: datetime
) -> Finding:
    if plan.hold is Hold.NOTHING_WATCHED:
        return _unwatched(state)
    since = under_way_since(memory) or now
    stuck = now - since > policy.staged_warning
    gaps = [
        f"{propagation.required.owner} ({_gap_words(propagation.gaps[0])})"
        for propagation in plan.awaited
        if propagation.gaps
    ]
    key = "ready key" if state.ready is not None else "next key"
    text = f"the {key} waits since {when(since)} for its TLSA records"
    if gaps:
        text += ": " + ", ".join(gaps)
    if plan.step is Step.MARK_READY:
        text = "the next key's TLSA records are seen everywhere"
    return Finding(
        Code.NEXT_KEY_STUCK if stuck else Code.NEXT_KEY_WAITS,
        Severity.WARNING if stuck else Severity.INFO,
        state.name,
        text,
        _remedy(state.name, plan),
    )


def _unwatched(state: LineageState) -> Finding:
    """Only the operator knows: there may be records that somebody forgot to list."""
    return Finding(
        Code.NEXT_KEY_STUCK,
        Severity.WARNING,
        state.name,
        f"the key on its way isn't used: {Hold.NOTHING_WATCHED.value}",
        f"have the owners found: danebot init {state.name}; or say that it has no TLSA records: "
        f"danebot init --no-dane {state.name}",
    )


def _remedy(name: str, plan: Plan) -> str:
    """What ends the wait for records; to publish them is no remedy where they are published."""
    obstacles = {gap.obstacle for propagation in plan.awaited for gap in propagation.gaps}
    for obstacle, remedy in _REMEDIES.items():
        if obstacle in obstacles:
            return remedy
    lagging = ", or see why that server lags" if Obstacle.SERVER_LACKS in obstacles else ""
    if obstacles <= {Obstacle.SERVER_SILENT} and plan.hold is Hold.CANNOT_SEE:
        return _EVERY_SERVER if obstacles else "allow DNS to the internet from this host"
    return f"publish what this prints: danebot tlsa {name}{lagging}"


def _gap_words(gap: Gap) -> str:
    where = f" at {gap.where}" if gap.where else ""
    detail = f": {gap.detail}" if gap.detail else ""
    return f"{gap.obstacle.value}{where}{detail}"


# ---- after deployment -----------------------------------------------------------------------


def _deployment(state: LineageState, memory: Memory) -> Iterator[Finding]:
    deployment = memory.deployment
    if deployment is None:
        return
    for pending in deployment.pending:
        if pending.attempts:
            yield Finding(
                Code.HOOK_FAILED,
                Severity.WARNING,
                state.name,
                f"deploy hook {pending.hook} failed {pending.attempts} times: {pending.error}",
            )


# ---- emergencies ----------------------------------------------------------------------------


def _compromise(state: LineageState, plan: Plan, memory: Memory) -> Iterator[Finding]:
    if _urgent(memory) and state.current_key is not None:
        safe = _safe_words(plan)
        yield Finding(
            Code.KEY_COMPROMISED,
            Severity.WARNING,
            state.name,
            f"the live key is compromised, and served until its successor is safe: {safe}",
        )
    for pending in memory.revocations:
        if pending.attempts:
            yield Finding(
                Code.REVOCATION_FAILED,
                Severity.WARNING,
                state.name,
                f"revoking the compromised key's certificates failed {pending.attempts} times: "
                f"{pending.error}",
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


def _urgent(memory: Memory) -> bool:
    request = memory.request
    return request is not None and request.urgency is not Urgency.ORDINARY


# ---- publication ----------------------------------------------------------------------------


def _publishing(state: LineageState, memory: Memory) -> Iterator[Finding]:
    failure = memory.publishing.failure
    if failure is None:
        return
    wrong = memory.publishing.outcome is Outcome.ALTERED
    yield Finding(
        Code.PUBLISH_ALTERED if wrong else Code.PUBLISH_FAILED,
        Severity.WARNING,
        state.name,
        f"publishing failed {failure.count} times since {when(failure.first)}, "
        f"next attempt after {when(failure.retry_at)}: {failure.message}",
        memory.publishing.remedy,
    )
