"""Whether the CA may be asked again: what comes by itself leaves room for an emergency."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.rollover.evidence.memory import (
    Call,
    CallResult,
    Contact,
    Failure,
    Memory,
    Publishing,
    Request,
    Urgency,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.patience import (
    URGENT_PAUSE,
    Asking,
    after_certificates,
    begun,
    ended,
    gave_way,
    one_more_failure,
    promotion_wait,
    publishing_retry_at,
    publishing_wait,
    renewal_failed,
    unmade,
    urgent_pause,
    wait_until,
)
from danebot.domain.rollover.steps.phases import Hold, Phase, Plan, Step
from domain import builders
from domain.builders import DAY, HOUR, MINUTE, T0

LIFETIME = 90 * DAY
VALIDATIONS = 5  # that may fail within an hour at Let's Encrypt, for an account and a host name


def failed(*minutes: int, call: Call = Call.RENEWAL) -> Memory:
    return Memory(
        contacts=tuple(Contact(T0 + m * MINUTE, call, CallResult.FAILED) for m in minutes)
    )


def issued(*days: float, call: Call = Call.RENEWAL) -> Memory:
    return Memory(contacts=tuple(Contact(T0 + d * DAY, call, CallResult.DONE) for d in days))


def test_nothing_is_held_before_the_first_attempt() -> None:
    for call in Call:
        for asking in Asking:
            assert wait_until(Memory(), call, asking, Policy(), T0) is None


@pytest.mark.parametrize(("asking", "most"), [(Asking.TIMER, 3), (Asking.NAMED, 4)])
def test_an_emergency_finds_room_whatever_was_tried_before(asking: Asking, most: int) -> None:
    memory, now = Memory(), T0
    for _ in range(20):
        if wait_until(memory, Call.PROMOTION, asking, Policy(), now) is None:
            memory = ended(memory, Call.PROMOTION, CallResult.FAILED, now)
        now += timedelta(seconds=10)
    assert len(memory.contacts) == most
    assert wait_until(memory, Call.PROMOTION, Asking.URGENT, Policy(), now) is None


def test_not_even_an_emergency_goes_beyond_what_the_ca_allows() -> None:
    memory, now = Memory(), T0
    for _ in range(6 * 60):
        if wait_until(memory, Call.PROMOTION, Asking.URGENT, Policy(), now) is None:
            memory = ended(memory, Call.PROMOTION, CallResult.FAILED, now)
        hour = [c for c in memory.contacts if now - HOUR < c.at <= now]
        assert len(hour) <= VALIDATIONS
        now += timedelta(seconds=10)
    assert len(memory.contacts) == VALIDATIONS


def test_the_wait_ends_when_the_oldest_failure_is_an_hour_old() -> None:
    memory = failed(0, 10, 20)
    now = T0 + 30 * MINUTE
    assert wait_until(memory, Call.PROMOTION, Asking.TIMER, Policy(), now) == T0 + HOUR
    assert wait_until(memory, Call.PROMOTION, Asking.TIMER, Policy(), T0 + HOUR) is None


def test_an_attempt_that_never_ended_counts_as_one_that_failed() -> None:
    memory = Memory()
    for _ in range(3):
        memory = begun(memory, Call.RENEWAL, T0)
    assert wait_until(memory, Call.RENEWAL, Asking.TIMER, Policy(), T0) == T0 + HOUR


def test_an_attempt_that_ends_is_one_contact() -> None:
    memory = ended(begun(Memory(), Call.NAMES, T0), Call.NAMES, CallResult.DONE, T0 + MINUTE)
    assert memory.contacts == (Contact(T0, Call.NAMES, CallResult.DONE),)
    assert unmade(begun(memory, Call.RENEWAL, T0), Call.RENEWAL) == memory
    assert unmade(memory, Call.NAMES) == memory


def test_revocations_validate_nothing() -> None:
    memory = failed(0, 1, 2, 3, 4, 5, call=Call.REVOCATION)
    assert wait_until(memory, Call.PROMOTION, Asking.TIMER, Policy(), T0 + 6 * MINUTE) is None


def test_failures_space_out_ordinary_renewals() -> None:
    """An hour, two, four, up to a day: the daily job isn't put off to the day after."""
    memory, now = Memory(), T0
    pauses = []
    for _ in range(8):
        memory = renewal_failed(memory, "refused", Policy(), now, LIFETIME)
        until = wait_until(memory, Call.RENEWAL, Asking.TIMER, Policy(), now)
        assert until is not None
        pauses.append((until - now) / HOUR)
        now = until
    assert pauses == pytest.approx([0.9, 1.8, 3.6, 7.2, 14.4, 21.6, 21.6, 21.6])


def test_an_operator_need_not_wait_for_that() -> None:
    memory = renewal_failed(Memory(), "refused", Policy(), T0, LIFETIME)
    assert wait_until(memory, Call.RENEWAL, Asking.NAMED, Policy(), T0 + MINUTE) is None
    assert wait_until(memory, Call.PROMOTION, Asking.TIMER, Policy(), T0 + MINUTE) is None


def test_a_short_lived_certificate_has_room_for_many_attempts() -> None:
    memory, now = Memory(), T0
    attempts = 0
    while now < T0 + 3 * DAY:  # from half its lifetime on
        now = wait_until(memory, Call.RENEWAL, Asking.TIMER, Policy(), now) or now
        memory = renewal_failed(memory, "refused", Policy(), now, 6 * DAY)
        attempts += 1
    assert attempts >= 6


def test_a_clock_that_went_back_holds_nothing() -> None:
    memory = renewal_failed(Memory(), "refused", Policy(), T0, LIFETIME)
    assert wait_until(memory, Call.RENEWAL, Asking.TIMER, Policy(), T0 - DAY) is None


def test_ordinary_renewals_leave_certificates_of_the_week_to_rollovers() -> None:
    memory = issued(0, 1, 2)
    now = T0 + 3 * DAY
    assert wait_until(memory, Call.RENEWAL, Asking.TIMER, Policy(), now) == T0 + 7 * DAY
    assert wait_until(memory, Call.RENEWAL, Asking.NAMED, Policy(), now) is None
    assert wait_until(memory, Call.PROMOTION, Asking.TIMER, Policy(), now) is None
    anyhow = Policy(certificates_per_week=0)
    assert wait_until(memory, Call.RENEWAL, Asking.TIMER, anyhow, now) is None


def month(policy: Policy, refused: tuple[datetime, datetime], every: timedelta) -> Memory:
    """A month of runs with six-day certificates; the CA refuses in between."""
    memory = Memory()
    begins = now = T0
    while now < T0 + 30 * DAY:
        due = now >= begins + 3 * DAY
        if due and wait_until(memory, Call.RENEWAL, Asking.TIMER, policy, now) is None:
            memory = begun(memory, Call.RENEWAL, now)
            if refused[0] <= now < refused[1]:
                memory = ended(memory, Call.RENEWAL, CallResult.FAILED, now)
                memory = renewal_failed(memory, "refused", policy, now, 6 * DAY)
            else:
                memory = ended(memory, Call.RENEWAL, CallResult.DONE, now)
                memory = memory._replace(renewal_failure=None)
                begins = now
        assert now < begins + 6 * DAY, "the certificate ran out"
        now += every
    return memory


@pytest.mark.parametrize("every", [10 * timedelta(seconds=1) * 60, HOUR, DAY])
def test_a_month_of_six_day_certificates(every: timedelta) -> None:
    """Ten renewals, however often danebot runs; a day without the CA costs few attempts more."""
    calm = month(Policy(), (T0, T0), every)
    assert [c.result for c in calm.contacts] == [CallResult.DONE] * len(calm.contacts)
    assert len(calm.contacts) == (30 * DAY - every) // (3 * DAY)
    rough = month(Policy(), (T0 + 3 * DAY, T0 + 5 * DAY), every)
    failures = [c for c in rough.contacts if c.result is CallResult.FAILED]
    assert 1 <= len(failures) <= 8


def test_a_promotion_in_an_emergency_has_the_whole_hour() -> None:
    request = Request(b"", T0, Urgency.EMERGENCY)
    now = T0 + 30 * MINUTE
    three, five = failed(0, 1, 2), failed(0, 1, 2, 3, 4)
    assert promotion_wait(three, now) == T0 + HOUR
    assert promotion_wait(three._replace(request=request), now) is None
    assert promotion_wait(five._replace(request=request), now) == T0 + HOUR
    assert promotion_wait(issued(0, 0, 0, 0, 0), now) is None  # nothing failed


def test_revocations_that_fail_are_spaced_out_unless_somebody_names_the_lineage() -> None:
    memory = failed(-60, 0, call=Call.REVOCATION)
    for asking in (Asking.TIMER, Asking.PRESSING):
        until = wait_until(memory, Call.REVOCATION, asking, Policy(), T0)
        assert until == T0 + 2 * Policy().backoff_first * 0.9
    assert wait_until(memory, Call.REVOCATION, Asking.NAMED, Policy(), T0) is None
    others = failed(0, 0, 0, 0, 0)  # that concerns the validations, and revocations need none
    assert wait_until(others, Call.REVOCATION, Asking.NAMED, Policy(), T0) is None
    assert wait_until(others, Call.REVOCATION, Asking.TIMER, Policy(), T0) is None


def test_a_row_of_failures_keeps_its_beginning() -> None:
    one = one_more_failure(None, "", T0, pause=HOUR)
    two = one_more_failure(one, "", T0 + DAY, pause=HOUR)
    assert (two.first, two.last, two.count) == (T0, T0 + DAY, 2)


def test_revocations_are_no_certificates_of_the_week() -> None:
    memory = issued(-1, -1, -1, -1, -1, call=Call.REVOCATION)
    assert wait_until(memory, Call.RENEWAL, Asking.TIMER, Policy(), T0) is None


@pytest.mark.parametrize("count", [1, 4, 9])
def test_an_emergency_publishes_at_once_what_failed_before_it(count: int) -> None:
    before = Failure("REFUSED", count, T0, T0, T0 + DAY)
    memory = Memory(publishing=Publishing(failure=before))
    now = T0 + timedelta(seconds=1)
    assert publishing_wait(memory, now) == T0 + DAY
    asked = memory._replace(request=Request(b"k" * 32, now, Urgency.ORDINARY))
    assert publishing_wait(asked, now) == T0 + DAY
    stolen = memory._replace(request=Request(b"k" * 32, now, Urgency.EMERGENCY))
    assert publishing_wait(stolen, now) is None
    again = before._replace(last=now)
    failed_since = stolen._replace(publishing=Publishing(failure=again))
    held = publishing_wait(failed_since, now)
    assert held is not None
    assert MINUTE <= held - now <= 15 * MINUTE


def test_one_certificate_a_week_is_left_where_the_ca_gives_few() -> None:
    """Two of a week are kept for rollovers, but never all; those of another week don't count."""
    for week, waits in ((1, True), (2, True), (3, True), (4, False), (0, False)):
        few = Policy(certificates_per_week=week)
        wait = after_certificates(issued(0).contacts, few, T0 + DAY)
        assert wait == (T0 + 7 * DAY if waits else None)
    assert after_certificates(issued(0, 0, 0).contacts, Policy(), T0 + 7 * DAY) is None
    assert after_certificates(issued(1, 1, 1).contacts, Policy(), T0) is None


def test_the_end_of_an_attempt_belongs_to_the_one_that_was_begun() -> None:
    renewal = begun(Memory(), Call.RENEWAL, T0)
    both = ended(renewal, Call.REVOCATION, CallResult.DONE, T0 + HOUR)
    assert [(c.call, c.result) for c in both.contacts] == [
        (Call.RENEWAL, CallResult.BEGUN),
        (Call.REVOCATION, CallResult.DONE),
    ]
    assert unmade(renewal, Call.REVOCATION) == renewal
    assert unmade(renewal, Call.RENEWAL) == unmade(Memory(), Call.RENEWAL) == Memory()


def test_a_short_lived_certificate_has_room_for_twelve_attempts() -> None:
    memory = Memory()
    for _ in range(8):
        memory = renewal_failed(memory, "refused", Policy(), T0, 6 * DAY)
    assert memory.renewal_failure is not None
    assert memory.renewal_failure.retry_at == T0 + 0.9 * 12 * HOUR


# ---- clause by clause: each fails where its own is taken out ----------------------------------


def urged(memory: Memory, urgency: Urgency) -> Memory:
    return memory._replace(request=Request(b"digest", T0, urgency))


@pytest.mark.parametrize("urgency", list(Urgency))
def test_an_emergency_alone_has_the_room_that_is_kept_for_it(urgency: Urgency) -> None:
    memory = urged(failed(0, 10, 20, 30), urgency)
    wait = promotion_wait(memory, T0 + 31 * MINUTE)
    assert wait == (T0 + 70 * MINUTE if urgency is Urgency.ORDINARY else None)
    assert promotion_wait(urged(failed(0, 1, 2, 3, 4), urgency), T0 + 5 * MINUTE) is not None


def test_failures_of_another_hour_count_no_more_and_those_of_the_future_not_yet() -> None:
    assert promotion_wait(failed(0, 1, 2), T0 + HOUR) is None
    assert promotion_wait(failed(0, 1, 2), T0 - MINUTE) is None
    assert promotion_wait(failed(0, 1, 2), T0 + HOUR - MINUTE) == T0 + HOUR


def test_of_two_waits_the_longer_counts_and_at_its_end_the_ca_is_asked() -> None:
    again = Failure("refused", 3, T0, T0 + 2 * MINUTE, T0 + 5 * HOUR)
    memory = failed(0, 1, 2)._replace(renewal_failure=again)

    def wait(span: timedelta) -> datetime | None:
        return wait_until(memory, Call.RENEWAL, Asking.TIMER, Policy(), T0 + span)

    assert wait(3 * MINUTE) == T0 + 5 * HOUR
    assert wait(5 * HOUR - MINUTE) == T0 + 5 * HOUR
    assert wait(5 * HOUR) is None


@pytest.mark.parametrize(("count", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (99, 15)])
def test_in_an_emergency_publishing_is_tried_again_after_doubling_minutes(
    count: int, minutes: int
) -> None:
    stopped = Failure("refused", count, T0, T0, T0 + DAY)
    memory = urged(Memory(publishing=Publishing(failure=stopped)), Urgency.EMERGENCY)
    end = T0 + minutes * MINUTE
    assert publishing_wait(memory, end - timedelta(seconds=1)) == end
    assert publishing_wait(memory, end) is None


def test_publishing_waits_for_its_own_failures_alone_as_far_as_they_are_past() -> None:
    assert publishing_wait(Memory(), T0) is None
    stopped = Memory(publishing=Publishing(failure=Failure("refused", 1, T0, T0, T0 + DAY)))
    assert publishing_wait(stopped, T0 + HOUR) == T0 + DAY
    assert publishing_wait(stopped, T0 + DAY) is None
    assert publishing_wait(stopped, T0 - MINUTE) is None, "the clock was ahead"


def test_what_failed_before_an_emergency_could_be_published_again_since_then() -> None:
    stopped = Memory(publishing=Publishing(failure=Failure("refused", 1, T0, T0, T0 + DAY)))
    assert publishing_retry_at(stopped) == T0 + DAY
    urgent = stopped._replace(request=Request(b"", T0 + HOUR, Urgency.EMERGENCY))
    assert publishing_retry_at(urgent) == T0


def test_only_certificates_that_were_issued_make_the_pauses_of_an_emergency_longer() -> None:
    for call, result, longer in (
        (Call.PROMOTION, CallResult.DONE, True),
        (Call.PROMOTION, CallResult.FAILED, False),
        (Call.RENEWAL, CallResult.DONE, False),
    ):
        contacts = tuple(Contact(T0 + n * DAY, call, result) for n in range(3))
        pause = urgent_pause(Memory(contacts=contacts), T0 + 3 * DAY)
        assert pause == (4 if longer else 1) * URGENT_PAUSE


@pytest.mark.parametrize("hold", [Hold.NOT_EVERYWHERE, Hold.NOT_COOLED])
@pytest.mark.parametrize("urgency", list(Urgency))
def test_records_that_vanished_count_in_an_emergency(hold: Hold, urgency: Urgency) -> None:
    """Seen everywhere again, the wait of an emergency may be over at once."""
    memory, planned = urged(Memory(), urgency), Plan(Phase.ISSUED, Step.PUT_BACK, hold)
    failure = gave_way(memory, planned, builders.held("old"), T0).promotion_failure
    assert (failure is None) == (urgency is Urgency.ORDINARY)
    if failure is not None:
        assert (failure.message, failure.retry_at) == (hold.value, T0 + URGENT_PAUSE)
