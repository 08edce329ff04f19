"""What only a comparison with the document before tells of a lineage."""

from __future__ import annotations

import pytest

from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.dns.tlsa import Declared
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.keys import PublicKey
from danebot.domain.lineage.state import Anchored, LineageState
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.domain.rollover.evidence.memory import (
    Awaiting,
    CancelledKey,
    Deployment,
    Exposure,
    Failure,
    Memory,
    PastKey,
    PendingHook,
)
from danebot.domain.rollover.evidence.policy import Occasion, Policy
from danebot.domain.rollover.evidence.propagation import Gap, Obstacle, Propagation, Seen
from danebot.domain.rollover.evidence.schedule import rollover_at
from danebot.domain.rollover.records.publication import OwnedRecord, Publication
from danebot.domain.rollover.steps.phases import Hold, Observation, Phase, Plan, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.safe_time import Baseline, SafeTime
from danebot.domain.status.document import (
    CertificateStatus,
    Former,
    KeyStatus,
    LineageStatus,
    ProbeStatus,
    RunStatus,
    Serves,
    finding_of,
)
from danebot.domain.status.summary import carry, lineage_status, probe_status
from domain.builders import DAY, HOUR, MX, MX2, T0, key, key_file, line, look, record, seen, state

RUN = RunStatus("renew", "1", T0, T0 + HOUR, 0)
LOOKED = RUN._replace(verb="status")
BEGINS = T0 - 10 * DAY  # of the builders' certificate
PROBE = ProbeStatus(T0, "mx.example.org:25", "192.0.2.1", "deployed", "served", "")


def status(lineage: LineageState | None = None, memory: Memory | None = None) -> LineageStatus:
    observation = Observation(lineage or state(), seen(look("old")), "")
    known = memory or Memory()
    planned = plan(observation, known, Policy(), T0)
    nothing = Publication((), (), (), ())
    return lineage_status(observation, known, planned, nothing, (), policy=Policy(), at=T0)


def wrong(severity: Severity, where: str, code: Code = Code.EXPIRES_SOON) -> Finding:
    return Finding(code, severity, where, f"{severity.name} of {where}", "do something")


# ---- since when ------------------------------------------------------------------------------


def test_a_key_is_known_since_the_first_certificate_that_was_seen_with_it() -> None:
    first = carry(status(), None, RUN, ())
    assert first.key_since == BEGINS
    renewed = status()._replace(live=None)
    assert carry(renewed, first, RUN, ()).key_since == BEGINS
    other = status(state(current="new"))
    assert carry(other, first._replace(key_since=T0 - 99 * DAY), RUN, ()).key_since == BEGINS
    assert carry(status(), first._replace(key_since=None), RUN, ()).key_since == BEGINS
    assert carry(renewed, None, RUN, ()).key_since is None


def test_a_phase_lasts_since_the_run_that_found_it_first() -> None:
    first = carry(status(), None, RUN, ())
    assert first.phase_since == RUN.ended
    later = RUN._replace(ended=T0 + DAY)
    assert carry(status(), first, later, ()).phase_since == RUN.ended
    other = status()._replace(phase="broken")
    assert carry(other, first, later, ()).phase_since == later.ended
    forgotten = first._replace(phase_since=None)
    assert carry(status(), forgotten, later, ()).phase_since == later.ended


def test_what_a_clock_that_was_ahead_left_is_no_beginning() -> None:
    """Else nothing lasts too long before that year."""
    later = RUN._replace(ended=T0 + DAY)
    ahead = carry(status(), None, RUN._replace(ended=T0 + 3650 * DAY), ())
    assert carry(status(), ahead, later, ()).phase_since == later.ended
    future = ahead._replace(key_since=T0 + 3650 * DAY)
    assert carry(status(), future, later, ()).key_since == BEGINS


def test_probes_are_those_since_the_last_deployment() -> None:
    deployed = status(memory=Memory(deployment=Deployment(b"chain", b"digest", T0)))
    old = deployed._replace(probes=(PROBE,))
    assert carry(deployed, old, RUN, ()).probes == (PROBE,)
    assert carry(status(), old, RUN, ()).probes == ()
    fresh = PROBE._replace(at=T0 + HOUR)
    assert carry(deployed._replace(probes=(fresh,)), old, RUN, ()).probes == (fresh,)


# ---- whether a run was a success ---------------------------------------------------------------


def test_a_renew_without_a_warning_of_the_lineage_is_its_success() -> None:
    here, elsewhere = status().name, "another"
    for findings in (
        (),
        (wrong(Severity.NOTICE, here), wrong(Severity.UNJUDGED, here)),
        (wrong(Severity.CRITICAL, elsewhere), wrong(Severity.CRITICAL, "")),
    ):
        found = carry(status(), None, RUN, findings)
        assert (found.last_success, found.last_failure) == (RUN.ended, None)


def test_the_worst_that_a_renew_found_is_its_failure_and_the_success_before_stays() -> None:
    old = carry(status(), None, RUN, ())
    later = RUN._replace(ended=T0 + DAY)
    here = status().name
    findings = (
        wrong(Severity.WARNING, here),
        wrong(Severity.CRITICAL, here, Code.EXPIRED),
        wrong(Severity.WARNING, here),
    )
    found = carry(status(), old, later, findings)
    assert found.last_success == RUN.ended
    assert found.last_failure is not None
    assert found.last_failure.at == later.ended
    assert found.last_failure.message == findings[1].text


def test_a_renewal_of_all_that_failed_says_nothing_of_one() -> None:
    """Nobody knows whether it was to be renewed."""
    failed = wrong(Severity.WARNING, "", Code.RENEWAL_FAILED)
    found = carry(status(), None, RUN, (failed,))
    assert (found.last_success, found.last_failure) == (None, None)


def test_a_verb_that_renews_nothing_is_neither() -> None:
    old = carry(status(), None, RUN, (wrong(Severity.WARNING, status().name),))
    found = carry(status(), old, LOOKED._replace(ended=T0 + DAY), ())
    assert (found.last_success, found.last_failure) == (None, old.last_failure)


# ---- what one run publishes ----------------------------------------------------------------------

SAFE = SafeTime(
    T0 + DAY, T0, 2 * HOUR, caches_empty=T0 + DAY, min_wait_over=T0, baseline=Baseline.OBSERVED
)
ROLLING = Memory(
    awaiting=Awaiting(key("new").digest, T0 - DAY, seen_since=T0 - HOUR),
    deployment=Deployment(
        b"chain",
        b"digest",
        T0 - 3 * DAY,
        pending=(PendingHook("10-postfix TOKEN", 2, "status 1: words"),),
        confirmed_at=T0 - 2 * DAY,
        clear_since=T0 - DAY,
        cleared_at=T0 - HOUR,
    ),
    promotion_failure=Failure("refused", 3, T0, T0, T0 + HOUR),
)


POLICY = Policy(expiry_warning=0.5, expiry_critical=0.25, rollover_every=Occasion.RENEWAL)


def published(
    planned: Plan,
    lineage: LineageState | None = None,
    memory: Memory | None = None,
    one: OwnerObservation | None = None,
    publication: Publication | None = None,
) -> LineageStatus:
    observation = Observation(lineage or state(), seen(one or look("old")), "")
    return lineage_status(
        observation,
        memory or Memory(),
        planned,
        publication or Publication((), (), (), ()),
        (wrong(Severity.WARNING, "mx.example.org"),),
        policy=POLICY,
        at=T0,
        probes=(PROBE,),
    )


STABLE = Plan(Phase.STABLE)


def test_a_lineage_at_rest() -> None:
    found = published(STABLE)
    current = KeyStatus(key("old").digest, "p256")
    assert (found.name, found.management, found.phase) == ("mx.example.org", "staged", "stable")
    assert (found.current, found.next, found.ready) == (current, None, None)
    chain = state().serving
    assert chain is not None
    live = CertificateStatus(
        1, BEGINS, T0 + 80 * DAY, ("mx.example.org",), chain.chain.fingerprint, current
    )
    assert (found.live, found.staged) == (live, live)
    assert live.lifetime == 90 * DAY
    assert (found.expiry_warning, found.expiry_critical) == (45 * DAY, 22.5 * DAY)
    assert found.renews_at == T0 + 50 * DAY
    assert (found.awaiting_since, found.seen_since, found.safe_at) == (None, None, None)
    assert (found.longest_ttl, found.deployed_at, found.confirmed_at) == (None, None, None)
    assert (found.clear_since, found.cleared_at, found.retire_at) == (None, None, None)
    assert (found.pending_hooks, found.promotion_failures) == ((), 0)
    assert found.promotion_retry_at is None
    assert found.rollover_at is not None
    assert found.rollover_at == rollover_at(state(), Memory(), POLICY)
    assert found.probes == (PROBE,)
    assert [finding_of(one).text for one in found.findings] == ["WARNING of mx.example.org"]


def test_a_lineage_under_way() -> None:
    rolling = state(next_key=key_file("new"), ready=key_file("other"))
    found = published(STABLE._replace(safe=SAFE), rolling, ROLLING)
    assert (found.next, found.ready) == (
        KeyStatus(key("new").digest, "p256"),
        KeyStatus(key("other").digest, "p256"),
    )
    assert (found.awaiting_since, found.seen_since) == (T0 - DAY, T0 - HOUR)
    assert (found.safe_at, found.longest_ttl) == (T0 + DAY, 2 * HOUR)
    assert (found.deployed_at, found.confirmed_at) == (T0 - 3 * DAY, T0 - 2 * DAY)
    assert (found.clear_since, found.cleared_at) == (T0 - DAY, T0 - HOUR)
    (hook,) = found.pending_hooks
    assert (hook.hook, hook.attempts) == ("10-postfix ...", 2)
    assert "TOKEN" not in f"{found}"
    assert (found.promotion_failures, found.promotion_retry_at) == (3, T0 + HOUR)


def test_a_lineage_with_nothing_to_serve() -> None:
    bare = state()._replace(live=None, combo=None, staged=None)
    found = published(Plan(Phase.BROKEN), bare)
    assert (found.live, found.staged, found.current) == (None, None, None)
    assert (found.expiry_warning, found.expiry_critical, found.renews_at) == (None, None, None)


def test_combo_is_live_though_no_version_holds_it() -> None:
    lineage = state()._replace(live=None)
    assert lineage.combo is not None
    strange = PublicKey(b"spki", None)
    odd = lineage._replace(combo=lineage.combo._replace(key=strange))
    found = published(STABLE, odd)
    assert found.live is not None
    assert (found.live.version, found.live.key) == (None, KeyStatus(strange.digest, ""))
    assert found.current == KeyStatus(strange.digest, "")


@pytest.mark.parametrize(
    ("planned", "words"),
    [
        (STABLE, ""),
        (STABLE._replace(hold=Hold.NOT_EVERYWHERE, detail="ns1"), ""),
        (Plan(Phase.PASS_THROUGH, hold=Hold.NOT_EVERYWHERE), ""),
        (Plan(Phase.STAGED), ""),
        (Plan(Phase.STAGED, hold=Hold.NOT_EVERYWHERE), f"waiting: {Hold.NOT_EVERYWHERE.value}"),
        (
            Plan(Phase.STAGED, hold=Hold.NOT_EVERYWHERE, detail="x"),
            f"waiting: {Hold.NOT_EVERYWHERE.value} (x)",
        ),
        (Plan(Phase.STAGED, Step.MARK_READY, Hold.NOT_EVERYWHERE), Step.MARK_READY.value),
    ],
)
def test_what_a_lineage_is_doing(planned: Plan, words: str) -> None:
    assert published(planned).doing == words


def test_records_with_where_they_are_seen_and_where_not() -> None:
    gaps = tuple(Gap(obstacle, "ns1", "words") for obstacle in Obstacle)
    silent = {Obstacle.NOT_OBSERVED, Obstacle.RESOLVER_SILENT, Obstacle.SERVER_SILENT}
    one = Propagation(line(), record("old"), Seen.MISSING, gaps, ("ns2 [192.0.2.2]",))
    other = Propagation(line(MX2), record("new"), Seen.UNKNOWN, (Gap(Obstacle.RESOLVER_SILENT),))
    found = published(STABLE._replace(current=(one,), awaited=(other,)))
    current, awaited = found.records
    assert (current.role, current.owner, current.record) == ("current", str(MX), f"{record('old')}")
    assert (current.seen, current.present_at) == ("missing", ("ns2 [192.0.2.2]",))
    assert current.missing_at == tuple(
        f"ns1 ({o.value}: words)" for o in Obstacle if o not in silent
    )
    assert current.unheard_at == tuple(f"ns1 ({o.value}: words)" for o in Obstacle if o in silent)
    assert (current.security, current.ttl) == ("secure", HOUR)
    assert (awaited.role, awaited.security, awaited.ttl) == ("awaited", "", None)
    assert awaited.unheard_at == (f"resolver ({Obstacle.RESOLVER_SILENT.value})",)
    assert found.live_records == (current,)


def test_an_owner_that_relies_on_an_anchor() -> None:
    anchored = state()._replace(anchored=(Anchored(line(), record("old")),))
    found = published(STABLE, anchored, one=look("old", at={"ns1": None, "ns2": ["x"]}))
    (anchor,) = found.records
    assert (anchor.role, anchor.owner, anchor.seen) == ("anchor", str(MX), "seen everywhere")
    assert anchor.present_at == ("ns1.example.org [192.0.2.1]",)
    assert (anchor.security, anchor.ttl, anchor.missing_at) == ("secure", HOUR, ())
    assert found.live_records == (anchor,)


def test_records_to_keep_to_add_and_to_remove() -> None:
    keep, add, remove = (OwnedRecord(MX, record(name), HOUR) for name in ("old", "new", "x"))
    found = published(STABLE, publication=Publication((keep,), (add,), (remove,), ())).publication
    assert found.keep == (f"{MX}. 3600 IN TLSA {record('old')}",)
    assert found.add == (f"{MX}. 3600 IN TLSA {record('new')}",)
    assert found.remove == found.of_old_keys == (f"{MX}. 3600 IN TLSA {record('x')}",)
    assert found._replace(cancelled=found.remove).of_old_keys == ()


@pytest.mark.parametrize(
    ("outcome", "chain", "serves"),
    [
        (ProbeOutcome.SERVED, (b"leaf", b"issuer"), Serves.DEPLOYED),
        (ProbeOutcome.SERVED, (b"issuer", b"leaf"), Serves.OTHER),
        (ProbeOutcome.SERVED, (), Serves.OTHER),
        (ProbeOutcome.TIMEOUT, (), Serves.NOTHING),
    ],
)
def test_a_probe_as_it_is_published(
    outcome: ProbeOutcome, chain: tuple[bytes, ...], serves: Serves
) -> None:
    endpoint = Endpoint(Hostname("mx.example.org"), 25, Protocol.SMTP)
    result = ProbeResult(endpoint, "192.0.2.1", outcome, chain=chain, detail="words")
    assert probe_status(result, b"leaf", T0) == ProbeStatus(
        T0, "mx.example.org:25", "192.0.2.1", serves.value, outcome.value, "words"
    )


def test_no_wait_is_told_where_no_owner_is_watched() -> None:
    none = state()._replace(required=(), declared=Declared.NO_RECORDS)
    found = published(STABLE, none)
    assert (found.emergency, found.emergency_wait) == ("", None)


def test_when_old_records_may_go_and_which_of_them_have_a_finding_of_their_own() -> None:
    cancelled, stolen, old = (key(name) for name in ("cancelled", "stolen", "x"))
    memory = Memory(
        deployment=Deployment(b"", b"", T0 - 3 * DAY, clear_since=T0 - DAY),
        past_keys=(
            PastKey(old.spki, T0 - 3 * DAY),
            PastKey(stolen.spki, T0 - 9 * DAY, Exposure.COMPROMISED),
        ),
        cancelled=(CancelledKey(cancelled.digest, T0, cancelled.spki),),
    )
    remove = tuple(OwnedRecord(MX, record(name)) for name in ("cancelled", "stolen", "x"))
    found = published(STABLE, memory=memory, publication=Publication((), (), remove, ()))
    assert found.retire_at == T0 - DAY + POLICY.retire_after
    told = found.publication
    assert (told.cancelled, told.compromised) == ((str(remove[0]),), (str(remove[1]),))
    assert told.of_old_keys == (str(remove[2]),)


def test_what_a_former_document_is_asked_for_is_what_it_has() -> None:
    assert LineageStatus.__annotations__.items() >= Former.__annotations__.items()
