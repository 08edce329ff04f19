"""The plan's rules one by one: each test fails where its clause is taken out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import (
    Call,
    CallResult,
    Contact,
    Deployment,
    Interruption,
    Memory,
    Occurrence,
    Request,
    Urgency,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.propagation import Gap, Obstacle, Propagation, Seen
from danebot.domain.rollover.steps.patience import after_plan, gave_way
from danebot.domain.rollover.steps.phases import Hold, Keep, Observation, Phase, Plan, Repair, Step
from danebot.domain.rollover.steps.plan import plan, unanswered
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    T0,
    UNREACHABLE,
    Wait,
    held,
    key_file,
    line,
    look,
    record,
    seen,
    state,
)
from domain.gate_world import Watch, chain, shown, tlsa, watch

GOOD = look("old", "new")
READY = key_file("new", T0 + HOUR)
A, B = tlsa("2 1 1", by="A"), tlsa("2 1 1", by="B")


def cooled() -> Memory:
    """The next key's records are everywhere since T0 + 1 h, and in every cache an hour later."""
    wait = Wait(policy=Policy(min_wait=timedelta(0), margin=timedelta(0)))
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, GOOD)
    return wait.memory


def planned(
    lineage: LineageState, memory: Memory, at: timedelta = 2 * HOUR, distrust: str = ""
) -> Plan:
    observation = Observation(lineage, seen(GOOD), distrust)
    policy = Policy(min_wait=timedelta(0), margin=timedelta(0))
    return plan(observation, memory, policy, T0 + at)


# ---- what was issued -------------------------------------------------------------------------


def test_a_chain_with_the_ready_key_goes_live_at_the_safe_time_and_not_before() -> None:
    issued = state(staged=held("new", 2), ready=READY)
    assert planned(issued, cooled()).step is Step.DEPLOY
    early = planned(issued, cooled(), at=2 * HOUR - MINUTE)
    assert (early.step, early.hold) == (Step.PUT_BACK, Hold.NOT_COOLED)


def test_a_stranger_does_not_pass_for_the_ready_key_that_has_cooled() -> None:
    issued = state(staged=held("stranger", 2), ready=READY)
    found = planned(issued, cooled())
    assert (found.step, found.hold, found.keep) == (Step.PUT_BACK, Hold.UNKNOWN_KEY, Keep.ASIDE)


def test_a_stranger_is_not_taken_for_the_next_key() -> None:
    for name, hold in (("stranger", Hold.UNKNOWN_KEY), ("new", Hold.NOT_COOLED)):
        issued = state(staged=held(name, 2), next_key=key_file("new"))
        assert planned(issued, cooled()).hold is hold


def test_what_is_seen_and_not_remembered_has_not_cooled() -> None:
    """So it is under a clock that is behind."""
    found = planned(state(staged=held("new", 2), ready=READY), Memory())
    assert (found.step, found.hold) == (Step.PUT_BACK, Hold.NOT_COOLED)


def test_beside_a_combo_that_does_not_match_only_what_is_live_is_deployed() -> None:
    mixed = state()._replace(combo=held("old", None, private="other"))
    assert planned(mixed, Memory()).step is Step.DEPLOY
    stranger = mixed._replace(staged=held("stranger", 2))
    assert planned(stranger, Memory()).phase is Phase.BROKEN
    broken = held("old", private="other")
    assert planned(mixed._replace(live=broken, staged=broken), Memory()).phase is Phase.BROKEN


def test_mail_that_fails_already_is_said_though_the_repair_is_held() -> None:
    issued = state(staged=held("new", 2), ready=READY)
    observation = Observation(issued, seen(look("new")), "its issuer is unknown")
    found = plan(observation, cooled(), Policy(), T0 + 2 * HOUR)
    assert (found.hold, found.repair) == (Hold.CHAIN_UNVERIFIED, Repair.AT_ONCE)
    stranger = observation._replace(state=state(staged=held("new", 2)))
    found = plan(stranger, cooled(), Policy(), T0 + 2 * HOUR)
    assert (found.hold, found.repair) == (Hold.CHAIN_UNVERIFIED, Repair.AT_ONCE)
    found = plan(stranger._replace(distrust=""), Memory(), Policy(), T0 + 2 * HOUR)
    assert (found.hold, found.repair) == (Hold.CANNOT_SEE, Repair.AT_ONCE)


def test_who_does_not_answer_is_told_with_what_happened() -> None:
    gaps = (
        Gap(Obstacle.SERVER_SILENT, "ns4"),
        Gap(Obstacle.SERVER_LACKS, "ns3", "NODATA"),
        Gap(Obstacle.SERVER_SILENT, "ns2", "no route"),
    )
    found = Propagation(line(), record("new"), Seen.UNKNOWN, gaps)
    assert unanswered([found, found]) == "ns2 (no route); ns4"
    silent = look("old", "new", at={"ns1": None, "ns2": UNREACHABLE})
    observation = Observation(state(staged=held("new", 2), ready=READY), seen(silent), "")
    held_back = plan(observation, cooled(), Policy(), T0 + 2 * HOUR)
    assert held_back.detail == "ns2.example.org (192.0.2.1: no answer any more)"


# ---- what gave way ---------------------------------------------------------------------------


@pytest.mark.parametrize("hold", [Hold.CANNOT_SEE, Hold.GATE, Hold.CACHES])
def test_each_time_it_gives_way_is_counted_and_spaced_by_a_sixth_of_a_lifetime(hold: Hold) -> None:
    serving = held("old")  # of 90 days
    once = gave_way(Memory(), Plan(Phase.ISSUED, hold=hold), serving, T0)
    again = Plan(Phase.ISSUED, hold=hold, detail="ns2")
    twice = gave_way(once, again, serving, T0 + 20 * DAY).promotion_failure
    first = once.promotion_failure
    assert first is not None
    assert twice is not None
    assert (first.count, first.first, first.last, first.retry_at) == (1, T0, T0, T0 + 15 * DAY)
    assert (twice.count, twice.first, twice.last) == (2, T0, T0 + 20 * DAY)
    assert twice.retry_at == T0 + 35 * DAY
    assert (first.message, twice.message) == (hold.value, f"{hold.value} (ns2)")


def test_what_is_put_back_for_another_reason_is_not_counted() -> None:
    for hold in set(Hold) - {Hold.CANNOT_SEE, Hold.GATE, Hold.CACHES}:
        assert gave_way(Memory(), Plan(Phase.ISSUED, hold=hold), held("old"), T0) == Memory()


def test_what_interrupted_the_wait_of_a_key_that_stands_by_is_past() -> None:
    memory = cooled()
    assert memory.awaiting is not None
    cause = Interruption(T0, MX, lacking=("",))
    broken = memory.awaiting._replace(begun_anew=2, interruption=cause)
    after = after_plan(memory._replace(awaiting=broken), Plan(Phase.STANDBY), T0 + DAY)
    assert after.awaiting == memory.awaiting._replace(stood_by_at=T0 + DAY)


def test_a_key_that_stands_by_unremembered_leaves_nothing_behind() -> None:
    assert after_plan(Memory(), Plan(Phase.STANDBY), T0) == Memory()


# ---- the CA and the operator -----------------------------------------------------------------


def test_a_ready_key_waits_for_the_ca_s_patience() -> None:
    tried = tuple(Contact(T0 + m * MINUTE, Call.RENEWAL, CallResult.FAILED) for m in (90, 100, 110))
    due = state(ready=READY)
    found = planned(due, cooled()._replace(contacts=tried))
    assert (found.phase, found.step, found.hold) == (Phase.DUE, None, Hold.BACKING_OFF)
    assert "2026-06-01 14:30" in found.detail, "an hour after the first of the three"
    assert planned(due, cooled()._replace(contacts=tried), 150 * MINUTE).step is Step.PROMOTE


def anchored_rollover(urgency: Urgency) -> Watch:
    """A new key of another authority is issued, and asked for; its owner relies on an anchor."""
    new = chain(key="new", by="B", version=2)
    site = watch(new, A)
    site.policy = Policy(min_wait=2 * DAY)
    site.memory = site.memory._replace(request=Request(new.key.digest, T0, urgency))
    return site


def test_in_an_emergency_the_gate_waits_for_ttls_alone() -> None:
    for urgency, wait in ((Urgency.ORDINARY, 2 * DAY), (Urgency.EMERGENCY, HOUR)):
        found = anchored_rollover(urgency).look(T0 + HOUR, shown(A, B))
        assert found.refusal is not None
        assert found.refusal.until == T0 + HOUR + wait


def test_who_accepts_a_mismatch_passes_the_gate() -> None:
    assert anchored_rollover(Urgency.EMERGENCY).look(T0, shown(A)).hold is Hold.GATE
    assert anchored_rollover(Urgency.MISMATCH_ACCEPTED).look(T0, shown(A)).step is Step.DEPLOY


def test_an_address_that_answered_before_is_missed_though_its_name_answers_elsewhere() -> None:
    """Its server is heard at another address, and nobody knows what this one has."""
    two = {"ns1": ("192.0.2.1", "192.0.2.9")}
    wait = Wait(policy=Policy(min_wait=timedelta(0), margin=timedelta(0)))
    wait.look(T0, look("old", addresses=two))
    wait.look(T0 + HOUR, look("old", "new", addresses=two))
    one = look("old", "new", addresses=two, dead=["192.0.2.9"])
    found = plan(Observation(wait.state, seen(one), ""), wait.memory, Policy(), T0 + 2 * HOUR)
    assert (found.step, found.hold) == (None, Hold.CANNOT_SEE)


def test_only_what_danebot_deployed_waits_to_be_confirmed() -> None:
    live = held("old")
    made = Deployment(live.chain.fingerprint, live.key.digest, T0)
    for origin, phase in (
        (Occurrence.DEPLOYED, Phase.DEPLOYED),
        (Occurrence.FOUND, Phase.STABLE),
    ):
        memory = Memory(deployment=made._replace(origin=origin))
        assert planned(state(), memory).phase is phase
    assert planned(state(), Memory()).phase is Phase.STABLE


def test_a_stranger_goes_aside_where_the_file_cannot_be_read() -> None:
    found = planned(state(staged=held("new", 2))._replace(required=None), Memory())
    assert (found.step, found.hold) == (Step.PUT_BACK, Hold.RECORDS_UNREADABLE)
    assert found.keep is Keep.ASIDE
