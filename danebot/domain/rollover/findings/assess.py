"""Observation + plan + memory + policy -> findings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import Presence
from danebot.domain.dns.tlsa import TlsaRecord, Usage
from danebot.domain.finding import Code, Finding, Severity, most_serious_first
from danebot.domain.lineage.state import (
    STAGING_GONE,
    UNLINKED,
    LineageState,
    Management,
    UnknownKey,
)
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.evidence.clock import behind
from danebot.domain.rollover.evidence.propagation import Propagation, matches_chain
from danebot.domain.rollover.evidence.senders import senders_to
from danebot.domain.rollover.findings.record_findings import Fit, Scene, record_findings
from danebot.domain.rollover.findings.unprotected import unprotected
from danebot.domain.rollover.findings.waiting_findings import (
    emergency_findings,
    rollover_findings,
    unheard_findings,
)
from danebot.domain.rollover.records.advice import advise
from danebot.domain.rollover.records.in_use import KeysInUse
from danebot.domain.rollover.steps.patience import publishing_retry_at
from danebot.domain.rollover.steps.phases import Observation, Phase, Plan
from danebot.domain.rollover.steps.renewing import renewing
from danebot.domain.text import duration, quoted, times, when

if TYPE_CHECKING:
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.memory import Memory
    from danebot.domain.rollover.evidence.policy import Policy


NO_KEYS = KeysInUse()
_PORT = r"_\d+\."  # nothing but an owner begins so
_SURELY_LATER = timedelta(days=366)  # of a clock that is behind, `clock-behind` tells


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
        *_files(observation.state, plan, now),
        *_unprotected(observation),
        *_lost_lines(observation.state),
        *_doubtful_lines(observation),
        *_left_behind(observation.state),
        *record_findings(_scene(observation, memory, in_use, now), plan.current),
        *unheard_findings(observation.state, plan, memory, now),
        *_expiry(observation.state, plan, policy, now),
        *rollover_findings(observation.state, plan, memory, policy, now),
        *_deployment(observation.state, memory),
        *emergency_findings(observation.state, plan, memory),
        *_publishing(observation.state, memory),
        *renewing(observation.state, memory, policy, now),
    ]
    return most_serious_first(dict.fromkeys(found))


def _unprotected(observation: Observation) -> Iterator[Finding]:
    if observation.state.bare:
        yield unprotected(observation.state.name, observation.beside)


def _scene(observation: Observation, memory: Memory, in_use: KeysInUse, now: datetime) -> Scene:
    """What the records are judged by where the files are at hand."""
    state = observation.state
    serving = state.serving

    def fit(owner: DnsName, record: TlsaRecord) -> Fit:
        if serving is None or not matches_chain(record, serving):
            return Fit.NO
        anchor = record.usage == Usage.DANE_TA  # may be a stranger's: the path to it tells
        strange = anchor and senders_to(owner, serving, now).refuse((record,), serving)
        return Fit.NO if strange else Fit.YES

    def addition(propagation: Propagation, soon: str) -> str:
        return _addition(observation, in_use, propagation, soon)

    return Scene(state.name, observation.owners, fit, addition, now, memory)


def _addition(
    observation: Observation, in_use: KeysInUse, propagation: Propagation, soon: str
) -> str:
    """What to add for the live key so that it has effect and harms nobody, or why nothing can."""
    state, owner = observation.state, propagation.required.owner
    if state.current_key is None:
        return "see the files: no usable key is live"
    spki = state.current_key.spki
    awaited = [state.awaited_key.spki] if state.awaited_key is not None else []
    advice = advise(
        owner,
        observation.owners.get(owner),
        [(propagation.required, spki)],
        {*in_use.keys, *awaited},
    )
    if not advice.add:
        said = "; ".join(one.remedy for one in advice.objections)
        return said or "see that every server has the same zone"
    records = " and ".join(f"{advice.target}. IN TLSA {record}" for record in advice.add)
    alias = f" ({owner} is an alias of it)" if advice.target != owner else ""
    return f"add{soon}: {records}{alias}"


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


def _files(state: LineageState, plan: Plan, now: datetime) -> Iterator[Finding]:
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
    for unknown in state.unknown:
        yield _set_aside(state.name, unknown)
    if state.ready is not None and state.ready.modified > now + _SURELY_LATER:
        file = f"staging/{state.name}/ready.pem"
        text = f"{file} was changed in {state.ready.modified.year} as it says: its wait never ends"
        yield Finding(
            Code.FILES_BROKEN, Severity.WARNING, state.name, text, f"run: touch {quoted(file)}"
        )


def _set_aside(name: str, unknown: UnknownKey) -> Finding:
    file = unknown.file
    if unknown.key is None:
        text = f"a private key that can't be read is kept as {file}"
        remedy = (
            f"decrypt it, then: danebot newkey --adopt {quoted(file, name)}, or remove the file"
        )
    else:
        text = f"a key that danebot didn't make is kept as {file}"
        remedy = f"use it with: danebot newkey --adopt {quoted(file, name)}, or remove the file"
    return Finding(Code.KEY_SET_ASIDE, Severity.NOTICE, name, text, remedy)


def _lost_lines(state: LineageState) -> Iterator[Finding]:
    """Lines that protect though ``dane-ee`` has lost them: that is the operator's to decide."""
    file = f"staging/{state.name}/dane-ee"
    lost = state.remembered
    if lost and state.required is not None:
        lines = ", ".join(f"'{line}'" for line in lost)
        gone = dict.fromkeys(one.owner for one in lost)
        yield Finding(
            Code.WATCH_LOST,
            Severity.WARNING,
            state.name,
            f"{file} has lost {lines}, which protects the lineage all the same",
            f"put that back, or let go of it: danebot watch --remove {quoted(state.name, *gone)} "
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


def _doubtful_lines(observation: Observation) -> Iterator[Finding]:
    """Lines that can hardly be meant, unless records are there: then an alias may lead to them."""
    state = observation.state
    for doubt in state.doubts:
        seen = observation.owners.get(doubt.owner)
        there = seen is not None and seen.answer.presence is Presence.PRESENT
        if there and not re.match(_PORT, doubt.owner.text):
            continue
        place = "staging" if state.management is Management.STAGED else "live"
        yield Finding(
            Code.OWNER_DOUBTFUL,
            Severity.WARNING,
            state.name,
            f"{place}/{state.name}/dane-ee:{doubt.text}; it is watched all the same",
            "correct the line, or take it out: danebot watch --remove "
            f"{quoted(state.name, doubt.owner)}",
        )


def _left_behind(state: LineageState) -> Iterator[Finding]:
    """A ``combo.pem`` of a lineage that danebot doesn't manage: certbot renews the links alone."""
    live, combo = state.live, state.combo
    if state.management is not Management.PASS_THROUGH or live is None or combo is None:
        return
    if combo.same_content(live):
        return
    by_hand = "have services read fullchain.pem and privkey.pem there, and remove combo.pem"
    joint = "; or have danebot keep it" if combo.key == live.key else "; then danebot may keep one"
    yield Finding(
        Code.COMBO_BEHIND,
        Severity.WARNING,
        state.name,
        f"live/{state.name}/combo.pem is another certificate than the links beside it, and nobody "
        f"renews it: it ends {when(combo.chain.not_after)}",
        f"{by_hand}{joint}: danebot init {quoted(state.name)}",
    )


def _mending(state: LineageState, fault: str) -> str:
    if fault.endswith(STAGING_GONE):
        return f"run: danebot init {quoted(state.name)}"
    heals = state.management is Management.STAGED and fault.endswith(UNLINKED)
    return "run: danebot renew" if heals else "mend the file, then run: danebot renew"


# ---- expiry ---------------------------------------------------------------------------------


def _expiry(state: LineageState, plan: Plan, policy: Policy, now: datetime) -> Iterator[Finding]:
    serving, staged = state.serving, state.staged
    if serving is None:
        return
    chain, remedy = serving.chain, None
    if plan.phase is Phase.ISSUED and plan.step is None and staged is not None:
        remedy = (
            f"see why version {staged.version} isn't deployed: danebot status {quoted(state.name)}"
        )
    left = chain.not_after - now
    if left <= timedelta(0):
        text = f"the live certificate expired {duration(-left)} ago"
        yield Finding(Code.EXPIRED, Severity.CRITICAL, state.name, text, remedy)
    elif left < chain.lifetime * policy.expiry_warning:
        critical = left < chain.lifetime * policy.expiry_critical
        severity = Severity.CRITICAL if critical else Severity.WARNING
        text = f"the live certificate expires in {duration(left)}"
        yield Finding(Code.EXPIRES_SOON, severity, state.name, text, remedy)


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
                f"deploy hook {pending.program} failed {times(pending.attempts)}: "
                f"{pending.outcome}",
                said=pending.said,
            )


# ---- publication ----------------------------------------------------------------------------


def _publishing(state: LineageState, memory: Memory) -> Iterator[Finding]:
    failure, retry_at = memory.publishing.failure, publishing_retry_at(memory)
    if failure is None or retry_at is None:
        return
    wrong = memory.publishing.outcome is ChangeOutcome.ALTERED
    yield Finding(
        Code.PUBLISH_ALTERED if wrong else Code.PUBLISH_FAILED,
        Severity.WARNING,
        state.name,
        f"publishing failed {times(failure.count)} since {when(failure.first)}, "
        f"next attempt after {when(retry_at)}: {failure.message}",
        memory.publishing.remedy,
        memory.publishing.said,
    )
