"""What is published of one lineage after a look at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.renewal import renews_at
from danebot.domain.rollover.evidence.memory import Deployment, Memory, Urgency
from danebot.domain.rollover.evidence.propagation import Obstacle, Propagation, Seen
from danebot.domain.rollover.evidence.schedule import requested, rollover_at
from danebot.domain.rollover.findings.named_records import NAMELESS, Names
from danebot.domain.rollover.records.publication import (
    OwnedRecord,
    Publication,
    cancelled_removals,
    exposed_removals,
)
from danebot.domain.rollover.records.retirement import leaving, out_of_use, retire_at
from danebot.domain.rollover.steps.patience import promotion_retry_at
from danebot.domain.rollover.steps.phases import Observation, Phase, Plan
from danebot.domain.rollover.steps.safe_time import emergency_wait
from danebot.domain.status.document import (
    CertificateStatus,
    FailureStatus,
    Former,
    HookStatus,
    KeyStatus,
    LineageStatus,
    OwnedStatus,
    ProbeStatus,
    Prospect,
    PublicationStatus,
    RecordStatus,
    RunStatus,
    Serves,
    finding_status,
)

if TYPE_CHECKING:
    from danebot.domain.delivery.probes import ProbeResult
    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.lineage.state import Anchored, Held, LineageState
    from danebot.domain.rollover.evidence.policy import Policy


_SAYS_NOTHING = (Obstacle.NOT_OBSERVED, Obstacle.RESOLVER_SILENT, Obstacle.SERVER_SILENT)


def lineage_status(
    observation: Observation,
    memory: Memory,
    plan: Plan,
    publication: Publication,
    findings: Iterable[Finding],
    *,
    policy: Policy,
    at: datetime,
    probes: tuple[ProbeStatus, ...] = (),
    names: Names = NAMELESS,
) -> LineageStatus:
    """All that is published of one lineage, as this run alone knows it (see `carry`).

    ``names`` are those of records, as far as they are known.
    """
    state = observation.state
    awaiting, deployment, failure = memory.awaiting, memory.deployment, memory.promotion_failure
    next_key = state.next.key if state.next is not None else None
    ready_key = state.ready.key if state.ready is not None else None
    served = state.serving.chain if state.serving is not None else None
    lifetime = served.lifetime if served is not None else None
    wait = emergency_wait(state, memory, policy, at) if state.lines else None
    return LineageStatus(
        name=state.name,
        management=state.management.value,
        phase=plan.phase.value,
        doing=_doing(plan),
        live=_certificate(state.serving, state.live),
        staged=_certificate(state.staged, state.staged),
        current=_key(state.current_key),
        next=_key(next_key),
        ready=_key(ready_key),
        records=tuple(_records(plan, observation, names)),
        publication=_publication(state, memory, publication),
        awaiting_since=awaiting.since if awaiting is not None else None,
        seen_since=awaiting.seen_since if awaiting is not None else None,
        safe_at=plan.safe.at if plan.safe is not None else None,
        longest_ttl=plan.safe.hold if plan.safe is not None else None,
        deployed_at=deployment.at if deployment is not None else None,
        confirmed_at=deployment.confirmed_at if deployment is not None else None,
        pending_hooks=_hooks(deployment),
        promotion_failures=failure.count if failure is not None else 0,
        promotion_retry_at=promotion_retry_at(memory),
        findings=tuple(finding_status(finding) for finding in findings),
        probes=probes,
        clear_since=deployment.clear_since if deployment is not None else None,
        cleared_at=deployment.cleared_at if deployment is not None else None,
        retire_at=retire_at(memory, policy),
        rollover_at=rollover_at(state, memory, policy),
        emergency_wait=wait,
        expiry_warning=lifetime * policy.expiry_warning if lifetime is not None else None,
        expiry_critical=lifetime * policy.expiry_critical if lifetime is not None else None,
        emergency=_prospect(state, memory, wait).value,
        renews_at=renews_at(served, state.rule) if served is not None else None,
        old_keys=tuple(
            sha256(past.spki).digest() for past in leaving(memory) if not out_of_use(memory, past)
        ),
    )


def _records(plan: Plan, observation: Observation, names: Names) -> Iterator[RecordStatus]:
    for role, required in (("current", plan.current), ("awaited", plan.awaited)):
        yield from (_record(role, propagation, observation) for propagation in required)
    yield from (_anchor(one, observation, names) for one in observation.state.anchored)


def _publication(
    state: LineageState, memory: Memory, publication: Publication
) -> PublicationStatus:
    return PublicationStatus(
        _lines(publication.keep),
        _lines(publication.add),
        _lines(publication.remove),
        _lines(cancelled_removals(state, memory, publication)),
        _lines(exposed_removals(state, memory, publication)),
        owned(publication.add),
        owned(publication.remove),
    )


def _hooks(deployment: Deployment | None) -> tuple[HookStatus, ...]:
    pending = deployment.pending if deployment is not None else ()
    return tuple(HookStatus(hook.program, hook.attempts, hook.outcome) for hook in pending)


def _prospect(state: LineageState, memory: Memory, wait: timedelta | None) -> Prospect:
    """What is known of an emergency's wait."""
    key = state.awaited_key
    request = requested(memory, key) if key is not None else None
    if request is not None and request.urgency is not Urgency.ORDINARY:
        return Prospect.UNDER_WAY
    if not state.lines:
        return Prospect.UNSAID
    return Prospect.KNOWN if wait is not None else Prospect.UNKNOWN


def probe_status(result: ProbeResult, leaf: bytes, at: datetime) -> ProbeStatus:
    """A probe as it is published; ``leaf`` is the deployed certificate in DER."""
    from danebot.domain.delivery.probes import ProbeOutcome

    if result.outcome is not ProbeOutcome.SERVED:
        serves = Serves.NOTHING
    else:
        serves = Serves.DEPLOYED if result.chain[:1] == (leaf,) else Serves.OTHER
    return ProbeStatus(
        at,
        str(result.endpoint),
        result.address,
        serves.value,
        result.outcome.value,
        result.detail,
    )


def carry(
    new: LineageStatus,
    old: LineageStatus | Former | None,
    run: RunStatus,
    findings: Iterable[Finding],
) -> LineageStatus:
    """Add what only a comparison with the document before tells; ``findings`` are all the run's."""
    since = old.phase_since if old is not None and old.phase == new.phase else None
    if since is not None and since > run.ended:  # of a clock that was ahead
        since = None
    probes = old.probes if old is not None and old.deployed_at == new.deployed_at else ()
    success = old.last_success if old is not None else None
    failure = old.last_failure if old is not None else None
    if run.verb == "renew":
        wrong = [f for f in findings if f.where == new.name and f.severity >= Severity.WARNING]
        if wrong:
            worst = max(wrong, key=lambda finding: finding.severity)
            failure = FailureStatus(run.ended, worst.code.value, worst.text)
        elif not any(f.code is Code.RENEWAL_FAILED and not f.where for f in findings):
            success = run.ended  # else nobody knows whether it was to be renewed
    return new._replace(
        phase_since=since or run.ended,
        probes=new.probes or probes,
        last_success=success,
        last_failure=failure,
        key_since=_key_since(new, old, run.ended),
    )


def _key_since(
    new: LineageStatus, old: LineageStatus | Former | None, now: datetime
) -> datetime | None:
    known = old.key_since if old is not None and old.current == new.current else None
    if known is not None and known <= now:
        return known
    return new.live.not_before if new.live is not None else None


def _doing(plan: Plan) -> str:
    if plan.step is not None:
        return plan.step.value
    if plan.phase in (Phase.STABLE, Phase.PASS_THROUGH) or plan.hold is None:
        return ""
    detail = f" ({plan.detail})" if plan.detail else ""
    return f"waiting: {plan.hold.value}{detail}"


def _key(key: PublicKey | None) -> KeyStatus | None:
    if key is None:
        return None
    return KeyStatus(key.digest, key.key_type.value if key.key_type is not None else "")


def _certificate(held: Held | None, numbered: Held | None) -> CertificateStatus | None:
    if held is None:
        return None
    chain = held.chain
    key = KeyStatus(held.key.digest, held.key.key_type.value if held.key.key_type else "")
    return CertificateStatus(
        numbered.version if numbered is not None else None,
        chain.not_before,
        chain.not_after,
        tuple(sorted(str(name) for name in chain.names)),
        chain.fingerprint,
        key,
    )


def _record(role: str, propagation: Propagation, observation: Observation) -> RecordStatus:
    seen = observation.owners.get(propagation.required.owner)
    missing: list[str] = []
    unheard: list[str] = []
    for gap in propagation.gaps:
        where = gap.where or "resolver"
        detail = f": {gap.detail}" if gap.detail else ""
        told = unheard if gap.obstacle in _SAYS_NOTHING else missing
        told.append(f"{where} ({gap.obstacle.value}{detail})")
    return RecordStatus(
        role,
        str(propagation.required.owner),
        str(propagation.record),
        propagation.seen.value,
        propagation.present_at,
        tuple(missing),
        seen.answer.security.value if seen is not None else "",
        seen.answer.ttl if seen is not None else None,
        tuple(unheard),
    )


def _anchor(anchored: Anchored, observation: Observation, names: Names) -> RecordStatus:
    owner, name = anchored.line.owner, names.get(anchored.record)
    seen = observation.owners[owner]
    return RecordStatus(
        "anchor",
        str(owner),
        str(anchored.record),
        Seen.EVERYWHERE.value,
        tuple(str(one.server) for one in seen.servers if anchored.record in one.records),
        (),
        seen.answer.security.value,
        seen.answer.ttl,
        name=name.words if name is not None else "",
    )


def _lines(records: Iterable[OwnedRecord]) -> tuple[str, ...]:
    return tuple(str(record) for record in records)


def owned(records: Iterable[OwnedRecord]) -> tuple[OwnedStatus, ...]:
    """Records at their owners as they are published."""
    return tuple(
        OwnedStatus(
            str(one.owner),
            str(one.record),
            one.ttl,
            str(one.place),
            str(one.zone) if one.zone is not None else None,
        )
        for one in records
    )
