"""No stop without an end, no end without a word: what can't be seen holds a step, not the mail."""

from __future__ import annotations

from datetime import datetime

import pytest

from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.lineage.renewal import CERTBOTS_OWN, renews_at
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.anchors import anchored
from danebot.domain.rollover.evidence.memory import (
    Call,
    CallResult,
    Contact,
    Memory,
    Request,
    Urgency,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.steps.patience import URGENT_PAUSE, gave_way, urgent_pause
from danebot.domain.rollover.steps.phases import Hold, Keep, Observation, Phase, Plan, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.text import when
from domain import builders
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    OTHER,
    T0,
    UNREACHABLE,
    Wait,
    held,
    kept_up,
    key_file,
    look,
    seen,
)
from domain.gate_world import Watch, chain, renewal, shown, tlsa, watch

A, B = tlsa("2 1 1", by="A"), tlsa("2 1 1", by="B")
SWITCHED = chain(by="B", version=2)
DEAD = {"ns1": None, "ns2": UNREACHABLE}
ISSUED = builders.state(staged=held("new", 2), ready=key_file("new", T0 + HOUR))
DUE = 50 * DAY  # the builders' certificate: 90 days, 80 of them after T0
FOUND = tuple[Plan, dict[FindingKind, Finding]]


def waited() -> Memory:
    """The next key's record was there everywhere from T0 + 1 h on."""
    wait = Wait()
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    return wait.memory


def found(
    state: LineageState, one: OwnerObservation, memory: Memory, at: datetime
) -> tuple[Plan, dict[FindingKind, Finding]]:
    """The plan and the findings of one look, which the memory holds already."""
    observation = Observation(state, seen(one), "")
    planned = plan(observation, memory, Policy(), at)
    findings = assess(observation, planned, memory, Policy(), at)
    return planned, {finding.code: finding for finding in findings}


# ---- the reason is the server ---------------------------------------------------------------


def test_a_chain_held_by_an_unheard_server_names_the_server_and_asks_for_no_record() -> None:
    """All who answer have B: to publish it again mends nothing."""
    site = watch(SWITCHED, A)
    site.look(T0, shown(A, B))
    mute = shown(A, B, at={"ns1": None, "ns2": UNREACHABLE})
    site = watch(SWITCHED, A)
    planned = site.look(T0 + DAY, mute)
    assert (planned.phase, planned.step, planned.hold) == (Phase.ISSUED, None, Hold.CANNOT_SEE)
    assert planned.refusal is not None
    assert planned.refusal.publish is None
    observation = Observation(renewal(SWITCHED), seen(mute), "")
    said = assess(observation, planned, site.memory, site.policy, T0 + DAY)
    held_back = next(one for one in said if one.code is Code.DEPLOYMENT_HELD)
    assert "ns2.example.org [192.0.2.1]" in held_back.text
    assert "IN TLSA" not in held_back.remedy
    assert "NS set" in held_back.remedy


def test_a_server_that_still_shows_the_old_rrset_is_asked_for_the_record_first() -> None:
    """One server lags, another is silent: what can be published comes before what must be heard."""
    site = watch(SWITCHED, A)
    planned = site.look(T0, shown(A, B, at={"ns1": None, "ns2": [A], "ns3": UNREACHABLE}))
    assert planned.hold is Hold.GATE
    assert planned.refusal is not None
    assert planned.refusal.publish == B


def test_where_the_resolver_is_silent_it_is_the_resolver_that_is_named() -> None:
    site = watch(SWITCHED, A)
    quiet = shown(security=Security.INDETERMINATE, at={"ns1": [A, B], "ns2": [A, B]})
    planned = site.look(T0, quiet)
    assert planned.hold is Hold.CANNOT_SEE
    assert "the validating resolver" in planned.detail


# ---- staging goes back before the certificate runs out ----------------------------------------


@pytest.mark.parametrize("one", [look("old", "new", at=DEAD), builders.silent()])
def test_an_issued_chain_that_cannot_be_judged_gives_way_when_live_is_due(
    one: OwnerObservation,
) -> None:
    memory = waited()
    early, said = found(ISSUED, one, memory, T0 + DUE - HOUR)
    assert (early.step, early.hold, early.certbot_may_renew) == (None, Hold.CANNOT_SEE, False)
    assert said[Code.DEPLOYMENT_HELD].severity is Severity.WARNING
    due, _ = found(ISSUED, one, memory, T0 + DUE)
    assert (due.step, due.hold, due.keep) == (Step.PUT_BACK, Hold.CANNOT_SEE, Keep.NOWHERE)


def test_the_dead_server_is_named_while_the_chain_waits() -> None:
    _, said = found(ISSUED, look("old", "new", at=DEAD), waited(), T0 + 5 * DAY)
    assert "ns2.example.org" in said[Code.DEPLOYMENT_HELD].text
    assert "NS set" in said[Code.DEPLOYMENT_HELD].remedy


def test_after_it_gave_way_the_same_is_not_issued_again_at_once() -> None:
    """Else the CA would be asked at each run; and the server is heard again tomorrow."""
    serving = ISSUED.serving
    assert serving is not None
    given, _ = found(ISSUED, look("old", "new", at=DEAD), waited(), T0 + DUE)
    memory = gave_way(waited(), given, serving, T0 + DUE)
    back = ISSUED._replace(staged=ISSUED.live)
    good = look("old", "new")
    at = T0 + DUE + DAY
    memory = remember(kept_up(memory, at), back, seen(good), at)
    planned, said = found(back, good, memory, at)
    assert (planned.phase, planned.step, planned.hold) == (Phase.DUE, None, Hold.BACKING_OFF)
    assert Code.PROMOTION_FAILED in said
    later, _ = found(back, good, memory, T0 + DUE + 15 * DAY)
    assert later.step is Step.PROMOTE


def test_in_an_emergency_what_gave_way_is_issued_again_soon() -> None:
    """One look at which one server was silent doesn't leave a compromised key live for weeks."""
    serving = ISSUED.serving
    assert serving is not None
    request = Request(builders.key("new").digest, T0, Urgency.EMERGENCY)
    before = waited()._replace(request=request)
    at = T0 + DUE
    given, _ = found(ISSUED, look("old", "new", at=DEAD), before, at)
    assert given.step is Step.PUT_BACK
    memory = gave_way(before, given, serving, at)
    assert memory.promotion_failure is not None
    assert memory.promotion_failure.retry_at == at + URGENT_PAUSE
    late = memory.promotion_failure._replace(retry_at=at + 15 * DAY)  # of an earlier danebot
    back, good = ISSUED._replace(staged=ISSUED.live), look("old", "new")
    for one in (memory, memory._replace(promotion_failure=late)):
        again = remember(kept_up(one, at + MINUTE), back, seen(good), at + MINUTE)
        held_back, said = found(back, good, again, at + MINUTE)
        assert held_back.hold is Hold.BACKING_OFF
        assert f"after {when(at + URGENT_PAUSE)}" in said[Code.PROMOTION_FAILED].text
        again = remember(again, back, seen(good), at + URGENT_PAUSE)
        assert found(back, good, again, at + URGENT_PAUSE)[0].step is Step.PROMOTE


def test_in_an_emergency_records_that_come_and_go_do_not_use_up_the_certificates() -> None:
    """Each time that they are there the CA is asked, and each time that they vanish, in vain."""
    serving = ISSUED.serving
    assert serving is not None
    request = Request(builders.key("new").digest, T0, Urgency.EMERGENCY)
    done = tuple(Contact(T0 + n * DAY, Call.PROMOTION, CallResult.DONE) for n in range(3))
    before, at = waited()._replace(request=request, contacts=done), T0 + 3 * DAY
    gone = look("old")
    memory = remember(kept_up(before, at), ISSUED, seen(gone), at)
    given, _ = found(ISSUED, gone, memory, at)
    assert (given.step, given.hold) == (Step.PUT_BACK, Hold.NOT_EVERYWHERE)
    failed = gave_way(memory, given, serving, at).promotion_failure
    assert failed is not None
    assert failed.retry_at == at + 4 * URGENT_PAUSE
    ordinary = memory._replace(request=None)
    assert gave_way(ordinary, given, serving, at) == ordinary  # its wait begins anew
    stranger = given._replace(hold=Hold.UNKNOWN_KEY)
    assert gave_way(memory, stranger, serving, at) == memory


def test_each_certificate_that_gave_way_in_an_emergency_doubles_the_pause() -> None:
    """The CA issues five in a week: a gate that stays shut doesn't use them up in an hour."""
    done = [Contact(T0 + n * HOUR, Call.PROMOTION, CallResult.DONE) for n in range(40)]
    pauses = [urgent_pause(Memory(contacts=tuple(done[:n])), T0 + 2 * DAY) for n in (0, 1, 2, 4)]
    assert pauses == [URGENT_PAUSE, URGENT_PAUSE, 2 * URGENT_PAUSE, 8 * URGENT_PAUSE]
    assert urgent_pause(Memory(contacts=tuple(done)), T0 + 2 * DAY) == 7 * DAY / 5
    assert urgent_pause(Memory(contacts=tuple(done)), T0 + 20 * DAY) == URGENT_PAUSE
    renewed = [one._replace(call=Call.RENEWAL) for one in done]
    assert urgent_pause(Memory(contacts=tuple(renewed)), T0 + 2 * DAY) == URGENT_PAUSE


def test_a_chain_put_back_for_its_key_is_no_failure_of_a_promotion() -> None:
    stranger = builders.state(staged=held("stranger", 2))
    planned, _ = found(stranger, look("old"), waited(), T0 + 5 * DAY)
    assert planned.step is Step.PUT_BACK
    assert stranger.serving is not None
    assert gave_way(waited(), planned, stranger.serving, T0 + 5 * DAY) == waited()


def test_a_chain_that_the_gate_refuses_for_good_gives_way_too() -> None:
    """The new key's record is everywhere, but an anchor's RRset fails the new chain for ever."""
    site = watch(chain(key="new", by="B", version=2), A, live=chain(days=60))
    site.state = site.state._replace(ready=key_file("new", T0))
    early = site.look(T0, shown(A))
    assert (early.step, early.hold) == (None, Hold.GATE)
    assert site.state.serving is not None
    due = renews_at(site.state.serving.chain, CERTBOTS_OWN)
    assert due is not None
    late = site.look(due, shown(A))
    assert (late.step, late.hold) == (Step.PUT_BACK, Hold.GATE)


def test_a_renewal_with_the_live_key_has_nothing_to_give_way_to() -> None:
    site = watch(SWITCHED, A)
    planned = site.look(T0 + 59 * DAY, shown(A))
    assert (planned.step, planned.hold) == (None, Hold.GATE)


def test_what_only_waits_for_caches_may_take_until_the_expiry_warning() -> None:
    new = chain(key="new", by="B", version=2)
    site = watch(new, A, live=chain(days=60))
    site.policy = Policy(min_wait=2 * DAY)
    site.state = site.state._replace(ready=key_file("new", T0))
    assert site.state.serving is not None
    due = renews_at(site.state.serving.chain, CERTBOTS_OWN)
    assert due is not None
    site.look(due - DAY, shown(A, B))
    planned = site.look(due, shown(A, B))
    assert (planned.step, planned.hold) == (None, Hold.CACHES)
    site.policy = Policy(min_wait=30 * DAY)
    planned = site.look(due + HOUR, shown(A, B))
    assert (planned.step, planned.hold) == (Step.PUT_BACK, Hold.CACHES)


# ---- one clock ------------------------------------------------------------------------------


def test_cooling_without_end_is_said() -> None:
    """The NS set is another one at every second look: each look begins the wait anew."""
    wait = Wait()
    wait.look(T0, look("old"))
    sets: list[builders.Where] = [{"ns1": None, "ns2": None}, {"ns1": None, "ns3": None}]
    for day in range(1, 60):
        wait.look(T0 + day * DAY, look("old", "new", at=sets[day % 2]))
    at = T0 + 60 * DAY
    planned = wait.look(at, look("old", "new", at=sets[0]))
    assert (planned.phase, planned.hold) == (Phase.COOLING, Hold.NOT_COOLED)
    observation = Observation(wait.state, seen(look("old", "new", at=sets[0])), "")
    said = {f.code: f for f in assess(observation, planned, wait.memory, Policy(), at)}
    stuck = said[Code.ROLLOVER_STUCK]
    assert stuck.severity is Severity.WARNING
    assert "2026-06-01" in stuck.text
    assert stuck.remedy


def turning(number: int) -> OwnerObservation:
    """A look at which one server is at another address each time."""
    return look("old", "new", addresses={"ns1": [f"192.0.2.{number % 200 + 10}"]})


def said_of(wait: Wait, one: OwnerObservation, at: datetime) -> dict[FindingKind, Finding]:
    planned = wait.look(at, one)
    observation = Observation(wait.state, seen(one), "")
    return {f.code: f for f in assess(observation, planned, wait.memory, wait.policy, at)}


def test_what_makes_the_wait_begin_anew_is_named_the_third_time() -> None:
    wait = Wait(policy=Policy())
    wait.look(T0, look("old", addresses={"ns1": ["192.0.2.9"]}))
    assert Code.ROLLOVER_STUCK not in said_of(wait, turning(1), T0 + DAY)
    for day in (2, 3):
        said = said_of(wait, turning(day), T0 + day * DAY)
        assert Code.ROLLOVER_STUCK not in said
        assert f"192.0.2.{day + 9}] gone" in said[Code.COOLING].text
        assert f"192.0.2.{day + 10}] new" in said[Code.COOLING].text
    stuck = said_of(wait, turning(4), T0 + 4 * DAY)[Code.ROLLOVER_STUCK]
    assert stuck.severity is Severity.WARNING
    assert f"began anew 3 times, last {when(T0 + 4 * DAY)}" in stuck.text
    assert "ns1.example.org [192.0.2.13] gone, ns1.example.org [192.0.2.14] new" in stuck.text
    assert "addresses as they are" in stuck.remedy


def test_in_an_emergency_it_is_named_the_second_time_with_what_ends_the_wait() -> None:
    wait = Wait()
    request = Request(builders.key("new").digest, T0, Urgency.EMERGENCY)
    wait.memory = wait.memory._replace(request=request)
    wait.look(T0, look("old", addresses={"ns1": ["192.0.2.9"]}))
    for minute in (1, 2):
        assert Code.ROLLOVER_STUCK not in said_of(wait, turning(minute), T0 + minute * MINUTE)
    stuck = said_of(wait, turning(3), T0 + 3 * MINUTE)[Code.ROLLOVER_STUCK]
    assert "ns1.example.org [192.0.2.13] new" in stuck.text
    assert "addresses as they are" in stuck.remedy
    assert "--accept-mismatch" in stuck.remedy


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (look("old", "new", aliases=((OTHER, HOUR),)), "tlsa.example.net new"),
        (look("old", "new", at={"ns1": None}), "ns2.example.org [192.0.2.1] gone"),
        (look("old", "new", at={"ns1": None, "ns2": None, "ns3": None}), "ns3.example.org"),
    ],
)
def test_every_cause_of_a_wait_that_begins_anew_has_its_words(
    one: OwnerObservation, words: str
) -> None:
    wait = Wait(policy=Policy())
    wait.look(T0, look("old"))
    wait.look(T0 + DAY, look("old", "new"))
    assert words in said_of(wait, one, T0 + 2 * DAY)[Code.COOLING].text


def test_a_gap_between_looks_is_a_cause_too() -> None:
    wait = Wait(policy=Policy(), daily=False)
    wait.look(T0, look("old"))
    wait.look(T0 + DAY, look("old", "new"))
    said = said_of(wait, look("old", "new"), T0 + 9 * DAY)
    assert "more than 5 d without an answer" in said[Code.COOLING].text


def test_what_began_anew_before_a_key_stood_by_is_past() -> None:
    wait = Wait(policy=Policy(min_wait=DAY, prepublish=True))
    wait.look(T0, look("old", addresses={"ns1": ["192.0.2.9"]}))
    for day in (1, 2, 3):
        wait.look(T0 + day * DAY, turning(day))
    for day in range(4, 20):
        planned = wait.look(T0 + day * DAY, turning(3))
    assert planned.phase is Phase.STANDBY
    assert Code.ROLLOVER_STUCK not in said_of(wait, turning(4), T0 + 20 * DAY)
    assert wait.memory.awaiting is not None
    assert wait.memory.awaiting.begun_anew == 1


def test_a_long_wait_that_was_asked_for_is_no_news() -> None:
    wait = Wait(policy=Policy(min_wait=60 * DAY))
    wait.look(T0, look("old"))
    for day in range(1, 60):
        planned = wait.look(T0 + day * DAY, look("old", "new"))
        observation = Observation(wait.state, seen(look("old", "new")), "")
        said = assess(observation, planned, wait.memory, wait.policy, T0 + day * DAY)
        assert {f.code for f in said} <= {Code.COOLING, Code.NEXT_KEY_WAITS}, day


def test_a_key_that_stood_by_is_not_stuck_when_it_cools_again() -> None:
    policy = Policy(min_wait=DAY, prepublish=True)
    wait = Wait(policy=policy)
    wait.look(T0, look("old"))
    for day in range(1, 50):
        planned = wait.look(T0 + day * DAY, look("old", "new"))
    assert planned.phase is Phase.STANDBY
    at = T0 + 50 * DAY
    moved = look("old", "new", at={"ns1": None, "ns3": None})
    planned = wait.look(at, moved)
    assert planned.phase is Phase.COOLING
    said = assess(Observation(wait.state, seen(moved), ""), planned, wait.memory, policy, at)
    assert {f.code for f in said} == {Code.COOLING}


def test_a_schedule_whose_key_type_the_ca_does_not_issue_is_said() -> None:
    odd = builders.state()
    assert odd.live is not None
    key = odd.live.key._replace(key_type=None)
    other = odd.live._replace(key=key, chain=odd.live.chain._replace(key=key))
    odd = odd._replace(live=other, combo=other._replace(version=None), staged=other)
    policy = Policy(rollover_every=180 * DAY)
    observation = Observation(odd, seen(look("old")), "")
    planned = plan(observation, Memory(), policy, T0)
    said = {f.code: f for f in assess(observation, planned, Memory(), policy, T0)}
    assert said[Code.SCHEDULE_STUCK].severity is Severity.WARNING
    assert "key_type" in said[Code.SCHEDULE_STUCK].remedy
    usual = plan(Observation(builders.state(), seen(look("old"))), Memory(), policy, T0)
    observation = Observation(builders.state(), seen(look("old")), "")
    assert not assess(observation, usual, Memory(), policy, T0)


# ---- looks that tell nothing -------------------------------------------------------------------

DULL = [Security.INDETERMINATE, Security.BOGUS, Security.INSECURE]


def rolled(
    records: tuple[TlsaRecord, ...], after: tuple[TlsaRecord, ...], security: Security, every: int
) -> tuple[Step | None, int, Watch]:
    """A rollover of which each ``every``-th daily look is not secure: the last step, and when."""
    site = watch(chain(days=300), *records, live=chain(days=300))
    site.look(T0 - DAY, shown(*records))
    site.state = site.state._replace(next=key_file("new"))
    planned = site.look(T0, shown(*records))
    for day in range(1, 40):
        dull = day % every == 0
        one = shown(*after, security=security if dull else Security.SECURE)
        for _ in range(4):
            planned = site.look(T0 + day * DAY, one)
            if planned.step is Step.MARK_READY:
                ready = key_file("new", T0 + day * DAY)
                site.state = site.state._replace(next=None, ready=ready)
            elif planned.step in (Step.BACK_TO_NEXT, Step.PROMOTE):
                return planned.step, day, site
    return None, 40, site


@pytest.mark.parametrize("security", DULL)
@pytest.mark.parametrize("every", [2, 3])
@pytest.mark.parametrize("records", [(A,), (tlsa("3 1 1"),)], ids=["2 1 1", "3 1 1"])
def test_a_look_that_is_not_secure_takes_nothing_back(
    records: tuple[TlsaRecord, ...], security: Security, every: int
) -> None:
    """Neither what was seen before, nor that the owner rests on an anchor, is gone by that."""
    own = () if records == (A,) else (builders.record("new"),)
    step, day, _ = rolled(records, (*records, *own), security, every)
    assert step is Step.PROMOTE
    assert day < 12


@pytest.mark.parametrize("security", DULL)
def test_what_rests_on_an_anchor_demands_nothing_by_such_a_look(security: Security) -> None:
    site = watch(chain(), A)
    dull = seen(shown(A, security=security))
    assert anchored(site.state, site.memory, dull, T0).required == ()
    told = seen(shown(A, security=security, at={"ns1": None, "ns2": [tlsa("3 1 1")]}))
    assert anchored(site.state, site.memory, told, T0).required != ()
    other = site.state._replace(combo=chain(by="B"))
    assert anchored(other, site.memory, dull, T0).required != ()
    site.look(T0, shown(A, security=security))
    assert site.memory.anchors == {MX: A}
    site.look(T0, shown())
    assert site.memory.anchors == {}


def test_a_record_that_comes_and_goes_is_counted_and_named() -> None:
    wait = Wait()
    wait.look(T0, look("old"))
    lacking = look("old", "new", at={"ns1": None, "ns2": ["old"]})
    for hours in range(1, 7):
        wait.look(T0 + hours * HOUR, look("old", "new") if hours % 2 else lacking)
    awaiting = wait.memory.awaiting
    assert awaiting is not None
    assert awaiting.begun_anew == 3
    assert awaiting.interruption is not None
    assert awaiting.interruption.lacking == ("ns2.example.org [192.0.2.1]",)
    site = builders.state(next_key=key_file("new"))
    _, said = found(site, lacking, wait.memory, T0 + 6 * HOUR)
    assert said[Code.NEXT_KEY_STUCK].severity is Severity.WARNING
    assert "began anew 3 times" in said[Code.NEXT_KEY_STUCK].text
    assert "no record at ns2.example.org [192.0.2.1]" in said[Code.NEXT_KEY_STUCK].text


def test_a_renewal_whose_wait_begins_anew_for_ever_is_told_aloud() -> None:
    """One name server has another address at each daily look: caches may still lead to it."""

    def rotated(day: int, *records: TlsaRecord) -> OwnerObservation:
        one = shown(*records)
        servers = [
            a._replace(server=a.server._replace(address=f"198.51.100.{day % 7}"))
            for a in one.servers
        ]
        return one._replace(servers=tuple(servers), address_ttl=HOUR)

    issued = chain(by="B", version=2)
    site = Watch(renewal(issued))
    for day in range(-30, 0):
        site.look(T0 + day * DAY, rotated(day, A))
    told = []
    for day in range(20):
        at, one = T0 + day * DAY, rotated(day, A, B)
        planned = site.look(at, one)
        assert planned.hold is Hold.CACHES
        observation = Observation(site.state, seen(one), "")
        findings = assess(observation, planned, site.memory, Policy(), at)
        told += [f for f in findings if f.code is Code.DEPLOYMENT_HELD]
    assert [one.severity for one in told[:14]] == [Severity.INFO] * 14
    assert {one.severity for one in told[15:]} == {Severity.WARNING}
    assert "waits since 2026-06-01 12:00 UTC" in told[-1].text
    assert "keep the name servers" in told[-1].remedy
