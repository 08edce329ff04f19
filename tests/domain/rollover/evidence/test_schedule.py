"""Whether a rollover is wanted: standing keys, the calendar, certificates, requests."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danebot.domain.dns.tlsa import Declared
from danebot.domain.rollover.evidence.memory import (
    CurrentKey,
    Failure,
    Memory,
    Request,
    Revocation,
    Urgency,
)
from danebot.domain.rollover.evidence.policy import Occasion, Policy
from danebot.domain.rollover.evidence.schedule import (
    mismatch_accepted,
    remember_current,
    requested,
    rollover_at,
    wants_next_key,
)
from danebot.domain.rollover.steps.phases import Hold, Phase, Step
from danebot.domain.rollover.steps.safe_time import emergency_wait
from domain.builders import (
    DAY,
    HOUR,
    MX2,
    T0,
    Wait,
    blind,
    held,
    key,
    key_file,
    line,
    long_watched,
    look,
    silent,
    state,
)

NONE = timedelta(0)
SECOND = timedelta(seconds=1)
STANDING = Policy(min_wait=NONE, margin=NONE, prepublish=True)
EACH = Policy(min_wait=NONE, margin=NONE, rollover_every=Occasion.RENEWAL)
YEARLY = Policy(min_wait=NONE, margin=NONE, rollover_every=365 * DAY)


def request(name: str, urgency: Urgency = Urgency.ORDINARY) -> Request:
    return Request(key(name).digest, T0, urgency)


def cooled(policy: Policy, memory: Memory | None = None) -> Wait:
    """The next key is published and in every cache."""
    wait = Wait(policy=policy, memory=memory or Memory())
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    return wait


def late(wait: Wait, hours: int = 3) -> tuple[Phase, Step | None, Hold | None]:
    plan = wait.look(T0 + hours * HOUR, look("old", "new"))
    return plan.phase, plan.step, plan.hold


# ---- making the next key --------------------------------------------------------------------


@pytest.mark.parametrize("policy", [STANDING, EACH])
def test_a_lineage_without_a_next_key_gets_one(policy: Policy) -> None:
    wait = Wait(policy=policy, state=state())
    assert wait.look(T0, look("old")).step is Step.MAKE_NEXT


def test_nobody_makes_a_key_unasked() -> None:
    wait = Wait(policy=Policy(), state=state())
    assert wait.look(T0, look("old")).step is None


def test_no_key_is_made_where_nothing_protects_it() -> None:
    bare = state()._replace(required=())
    assert Wait(policy=STANDING, state=bare).look(T0).step is None


def test_no_key_is_made_while_the_owners_cannot_be_read() -> None:
    unreadable = state()._replace(required=None)
    assert Wait(policy=STANDING, state=unreadable).look(T0).step is None


def test_the_calendar_makes_a_key_when_it_is_due() -> None:
    wait = Wait(policy=YEARLY, state=state())
    assert wait.look(T0, look("old")).step is None
    assert wait.look(T0 + 320 * DAY, look("old")).step is None
    assert wait.look(T0 + 366 * DAY, look("old")).step is Step.MAKE_NEXT


def test_no_second_key_is_made_beside_one_on_its_way() -> None:
    assert wants_next_key(state(), Memory(), STANDING, T0)
    assert not wants_next_key(state(next_key=key_file("new")), Memory(), STANDING, T0)


def test_the_current_key_is_as_old_as_its_certificate_but_never_from_the_future() -> None:
    begins = T0 - 10 * DAY
    for now, since in ((T0, begins), (begins - DAY, begins - DAY)):
        current = remember_current(Memory(), state(), now)
        assert current == CurrentKey(key("old").digest, since, (begins,))
    other = Memory(current=CurrentKey(key("older").digest, T0 - 90 * DAY))
    assert remember_current(other, state(), T0) == CurrentKey(key("old").digest, T0, (begins,))


# ---- standing by ----------------------------------------------------------------------------


def test_a_cooled_key_stands_by() -> None:
    assert late(cooled(STANDING)) == (Phase.STANDBY, None, Hold.STANDS_BY)


def test_a_failure_is_over_when_the_certificate_was_renewed_without_the_key() -> None:
    """The CA refused, then the current key was renewed: the next key has time again."""
    failure = Failure("rateLimited", 3, T0, T0 + HOUR, T0 + 2 * HOUR)
    wait = cooled(EACH)
    wait.memory = wait.memory._replace(promotion_failure=failure)
    waiting = wait.look(T0 + 3 * HOUR, look("old", "new"))
    assert waiting.phase is Phase.STANDBY
    assert wait.memory.promotion_failure is None
    wait.look(T0 + 78 * DAY, look("old", "new"))
    wait.memory = wait.memory._replace(promotion_failure=failure)
    due = wait.look(T0 + 79 * DAY, look("old", "new"))
    assert due.phase is Phase.DUE
    assert wait.memory.promotion_failure is failure


def test_a_request_takes_it() -> None:
    wait = cooled(STANDING)
    wait.memory = wait.memory._replace(request=request("new"))
    assert late(wait) == (Phase.DUE, Step.PROMOTE, None)


def test_a_request_for_another_key_does_not() -> None:
    wait = cooled(STANDING)
    wait.memory = wait.memory._replace(request=request("other"))
    assert late(wait)[1] is None


def test_without_standing_keys_a_next_key_needs_no_request() -> None:
    wait = cooled(Policy(min_wait=NONE, margin=NONE))
    assert late(wait)[1] is Step.PROMOTE


def test_a_withdrawn_standing_key_goes_back() -> None:
    wait = cooled(STANDING)
    late(wait)
    assert wait.look(T0 + 4 * HOUR, look("old")).phase is Phase.STAGED
    assert wait.steps[-1] is Step.BACK_TO_NEXT


# ---- the calendar ---------------------------------------------------------------------------


def test_the_calendar_takes_a_standing_key() -> None:
    wait = cooled(STANDING._replace(rollover_every=90 * DAY))
    assert late(wait)[1] is None
    plan = wait.look(T0 + 91 * DAY, look("old", "new"))
    assert plan.step is Step.PROMOTE


@given(st.text(min_size=1, max_size=8), st.integers(1, 3650))
def test_a_period_is_cut_by_a_tenth_at_most(name: str, days: int) -> None:
    memory = Memory(current=CurrentKey(key(name).digest, T0))
    due = rollover_at(state(current=name), memory, Policy(rollover_every=days * DAY))
    assert due is not None
    assert T0 + 0.9 * days * DAY <= due <= T0 + days * DAY


def test_the_period_begins_when_the_key_becomes_current() -> None:
    wait = Wait(policy=YEARLY, state=state(), daily=False)
    wait.look(T0, look("old"))
    wait.state = state(current="new")
    wait.look(T0 + 100 * DAY, look("new"))
    assert wait.memory.current is not None
    assert wait.memory.current[:2] == (key("new").digest, T0 + 100 * DAY)
    wait.look(T0 + 200 * DAY, look("new"))
    assert wait.memory.current.since == T0 + 100 * DAY


# ---- with each certificate ------------------------------------------------------------------


def test_a_key_for_each_certificate_is_taken_before_certbot_would_renew() -> None:
    wait = cooled(EACH)  # 90 days from T0 - 10 d: certbot renews with 30 days left, at T0 + 50 d
    assert wait.look(T0 + 47 * DAY, look("old", "new")).step is None
    assert wait.look(T0 + 48 * DAY, look("old", "new")).step is Step.PROMOTE


def test_six_day_certificates_are_renewed_by_certbot_while_the_key_cools() -> None:
    """At half their lifetime, whatever the next key does: nothing runs out."""
    wait = Wait(policy=EACH._replace(min_wait=5 * DAY))
    serving = wait.state.live
    assert serving is not None
    short = serving.chain._replace(not_before=T0, not_after=T0 + 6 * DAY)
    live = serving._replace(chain=short)
    wait.state = wait.state._replace(live=live, combo=live._replace(version=None), staged=live)
    wait.look(T0, look("old"))
    plan = wait.look(T0 + 3 * DAY, look("old", "new"))
    assert (plan.step, plan.hold, plan.certbot_may_renew) == (None, Hold.NOT_COOLED, True)


# ---- emergencies ----------------------------------------------------------------------------


def test_in_an_emergency_the_ttls_alone_count() -> None:
    wait = cooled(Policy())
    wait.memory = wait.memory._replace(request=request("new", Urgency.EMERGENCY))
    soon = wait.look(T0 + 2 * HOUR - timedelta(seconds=1), look("old", "new"))
    assert (soon.step, soon.hold) == (None, Hold.NOT_COOLED)
    assert wait.look(T0 + 2 * HOUR, look("old", "new")).step is Step.PROMOTE


def test_an_emergency_without_servers_to_ask_keeps_the_minimum_wait() -> None:
    wait = Wait(policy=Policy(), memory=Memory(request=request("new", Urgency.EMERGENCY)))
    wait.look(T0, blind("old"))
    wait.look(T0 + HOUR, blind("old", "new"))
    assert wait.look(T0 + 40 * HOUR, blind("old", "new")).hold is Hold.NOT_COOLED
    assert wait.look(T0 + 60 * HOUR, blind("old", "new")).step is Step.PROMOTE


def test_an_emergency_still_needs_the_record_everywhere() -> None:
    wait = Wait(policy=Policy(), memory=Memory(request=request("new", Urgency.EMERGENCY)))
    wait.look(T0, look("old"))
    plan = wait.look(T0 + DAY, look("old", "new", at={"ns1": None, "ns2": ("old",)}))
    assert (plan.step, plan.hold) == (None, Hold.NOT_EVERYWHERE)


def test_an_accepted_mismatch_waits_for_nothing() -> None:
    wait = Wait(policy=Policy(), memory=Memory(request=request("new", Urgency.MISMATCH_ACCEPTED)))
    assert wait.look(T0, look("old")).step is Step.PROMOTE


def test_an_accepted_mismatch_is_deployed_though_no_record_is_there() -> None:
    memory = Memory(request=request("new", Urgency.MISMATCH_ACCEPTED))
    issued = state(staged=held("new", 2), next_key=key_file("new"))
    assert Wait(state=issued, memory=memory).look(T0, look("old")).step is Step.DEPLOY


def test_accepting_one_key_accepts_no_other() -> None:
    memory = Memory(request=request("new", Urgency.MISMATCH_ACCEPTED))
    issued = state(staged=held("stranger", 2), next_key=key_file("new"))
    assert Wait(state=issued, memory=memory).look(T0, look("old")).step is Step.PUT_BACK


def test_what_an_emergency_would_take() -> None:
    wait = Wait(state=state(), policy=Policy())
    wait.look(T0, look("old", ttl=6 * HOUR))
    assert emergency_wait(wait.state, wait.memory, Policy(), T0) == 6 * HOUR


def test_soon_after_the_first_look_an_emergency_takes_what_may_have_been_before() -> None:
    """The TTL in force is no answer: it may have been lowered ten minutes ago."""
    wait = Wait(state=state(), policy=Policy(), past=Memory())
    wait.look(T0, look("old", ttl=300 * SECOND))
    found = emergency_wait(wait.state, wait.memory, Policy(), T0 + HOUR)
    assert found == 7 * DAY - HOUR + 300 * SECOND


def test_what_an_emergency_would_take_is_what_it_then_takes() -> None:
    """One function decides and tells; the record is published right after it was asked."""
    for past in (Memory(), long_watched()):
        for ttl in (HOUR, 12 * HOUR):
            wait = Wait(state=state(), policy=Policy(), past=past)
            wait.look(T0, look("old", ttl=ttl))
            told = emergency_wait(wait.state, wait.memory, Policy(), T0)
            assert told is not None
            wait.state = state(next_key=key_file("new"))
            wait.memory = wait.memory._replace(request=request("new", Urgency.EMERGENCY))
            plan = wait.look(T0, look("old", "new", ttl=ttl))
            assert plan.safe is not None
            unseen = Policy().unseen_ttl  # the record is there at the first look after the key
            assert plan.safe.at - T0 in (told, max(told, unseen))


def test_what_nobody_saw_nobody_knows() -> None:
    """DNS is dead, and nothing is remembered: that isn't "at once"."""
    wait = Wait(state=state(), policy=Policy(), past=Memory())
    wait.look(T0, silent())
    assert emergency_wait(wait.state, wait.memory, Policy(), T0) is None
    two = Wait(state=state(line(), line(MX2)), policy=Policy(), past=Memory())
    two.look(T0, look("old"), silent(MX2))
    assert emergency_wait(two.state, two.memory, Policy(), T0) is None
    bare = state()._replace(required=())
    assert emergency_wait(bare, Memory(), Policy(), T0) is None


BRIEF = Policy(unseen_ttl=2 * HOUR)


def test_one_owner_of_which_no_server_can_be_asked_is_enough_for_that() -> None:
    wait = Wait(state=state(line(), line(MX2)), policy=BRIEF, past=Memory(), daily=False)
    for at in (T0, T0 + DAY):
        wait.look(at, look("old"), blind("old")._replace(owner=MX2))
    found = emergency_wait(wait.state, wait.memory, BRIEF, T0 + DAY)
    assert found == BRIEF.min_wait


def test_a_wait_of_which_nothing_was_seen_before_takes_what_is_assumed() -> None:
    """The successor's record was there at the first look, and a server has lost it since."""
    wait = Wait(policy=BRIEF)
    wait.look(T0, look("old", "new"))
    assert emergency_wait(wait.state, wait.memory, BRIEF, T0) == 2 * HOUR
    memory = wait.memory
    assert memory.awaiting is not None
    memory = memory._replace(awaiting=memory.awaiting._replace(served_since=None, seen_since=None))
    assert emergency_wait(wait.state, memory, BRIEF, T0) == 2 * HOUR
    assert memory.awaiting is not None
    seen_before = memory.awaiting._replace(unseen_at=T0)
    assert emergency_wait(wait.state, memory._replace(awaiting=seen_before), BRIEF, T0) == HOUR


def test_what_has_cooled_already_takes_no_time() -> None:
    wait = Wait(policy=BRIEF)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    assert emergency_wait(wait.state, wait.memory, BRIEF, T0 + HOUR + HOUR / 2) == HOUR / 2
    assert emergency_wait(wait.state, wait.memory, BRIEF, T0 + DAY) == timedelta(0)


def test_where_no_record_is_needed_an_emergency_takes_none() -> None:
    none = state()._replace(required=(), declared=Declared.NO_RECORDS)
    assert emergency_wait(none, Memory(), BRIEF, T0) == timedelta(0)


def test_where_no_server_can_be_asked_the_estimate_has_the_minimum_wait_too() -> None:
    wait = Wait(state=state(), policy=Policy(), past=Memory())
    wait.look(T0, blind("old"))
    late = T0 + 30 * DAY
    wait.look(late, blind("old"))
    assert emergency_wait(wait.state, wait.memory, Policy(), late) == 2 * DAY


def test_an_emergency_takes_nothing_with_a_standing_key() -> None:
    wait = cooled(STANDING)
    assert emergency_wait(wait.state, wait.memory, Policy(), T0 + HOUR) == HOUR
    assert emergency_wait(wait.state, wait.memory, Policy(), T0 + 3 * HOUR) == NONE


def test_a_compromise_goes_for_any_successor() -> None:
    """The key that was made for it may be lost; what was accepted goes for one key alone."""
    other = key("third")
    for urgency in (Urgency.EMERGENCY, Urgency.MISMATCH_ACCEPTED):
        memory = Memory(request=Request(key("new").digest, T0, urgency, Revocation.WANTED))
        asked = requested(memory, other)
        assert asked is not None
        assert asked.urgency is Urgency.EMERGENCY
        assert asked.revocation is Revocation.WANTED
        assert not mismatch_accepted(memory, other)
    ordinary = Memory(request=Request(key("new").digest, T0, Urgency.ORDINARY))
    assert requested(ordinary, other) is None
    assert requested(ordinary, key("new")) is ordinary.request
