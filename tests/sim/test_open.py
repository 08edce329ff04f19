"""Histories that break a promise yet, as long runs found them: nobody has mended these.

Each is expected to fail, and fails this test once it doesn't.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sim.ending import simulate_ending
from sim.outcome import Outcome

pytestmark = [pytest.mark.once, pytest.mark.no_cover]


@pytest.mark.xfail(strict=True, reason="found among 930,000 histories, and not mended yet")
@pytest.mark.parametrize(
    ("play", "seed", "branch"),
    [
        (simulate_ending, 202612020002378, 2),
        (simulate_ending, 202612020003529, 3),
        (simulate_ending, 202612020005658, 4),
        (simulate_ending, 202612020051225, 0),
        (simulate_ending, 202612020052426, 4),
    ],
)
def test_a_history_that_breaks_a_promise(
    play: Callable[..., Outcome], seed: int, branch: int
) -> None:
    assert not play(seed, branch=branch).broken
