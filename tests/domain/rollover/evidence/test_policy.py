from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from danebot.domain.rollover.evidence.policy import Policy, backoff

HOUR = timedelta(hours=1)


def test_attempts_are_spaced_out_by_doubling_up_to_a_day() -> None:
    waits = [backoff(Policy(), count) for count in range(1, 8)]

    assert waits == [HOUR * n for n in (1, 2, 4, 8, 16, 24, 24)]


@given(
    st.integers(min_value=1, max_value=10**9),
    st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=100)),
    st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=100)),
)
def test_any_number_of_failures_leaves_the_wait_within_its_bounds(
    failures: int, first: timedelta, most: timedelta
) -> None:
    policy = Policy(backoff_first=first, backoff_max=most)

    wait = backoff(policy, failures)

    assert min(first, most) <= wait <= most
    assert wait <= backoff(policy, failures + 1)
