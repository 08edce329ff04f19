"""What a lineage on disk comes to: what it serves, what is on its way, and what is watched."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from danebot.domain.dns.tlsa import Declared
from danebot.domain.lineage.renewal import (
    CERTBOTS_OWN,
    beyond_reckoning,
    interval,
    renews_at,
)
from danebot.domain.lineage.state import Anchored, LineageState, Management
from domain.builders import DAY, MX, MX2, T0, chain, held, key, key_file, line, record, state

LIVE, COMBO = held("live"), held("combo", None)
BOTH = state()._replace(live=LIVE, combo=COMBO)


@pytest.mark.parametrize(
    ("lineage", "serves"),
    [
        (BOTH, "combo"),
        (BOTH._replace(combo=None), "live"),
        (BOTH._replace(management=Management.PASS_THROUGH), "live"),
        (BOTH._replace(live=None, combo=None), None),
    ],
)
def test_what_services_serve(lineage: LineageState, serves: str | None) -> None:
    expected = key(serves) if serves is not None else None
    assert lineage.current_key == expected
    assert (lineage.serving.key if lineage.serving is not None else None) == expected


def test_a_version_matches_its_own_key_and_the_same_content() -> None:
    assert LIVE.matches
    assert not held("live", private="other").matches
    assert LIVE.same_content(LIVE._replace(version=7))
    assert not LIVE.same_content(None)
    assert not LIVE.same_content(held("live", private="other"))
    assert not LIVE.same_content(LIVE._replace(chain=chain("live", 2)))


def test_the_ready_key_comes_before_the_next() -> None:
    both = state(next_key=key_file("next"), ready=key_file("ready"))
    assert both.awaited_key == key("ready")
    assert state(next_key=key_file("next")).awaited_key == key("next")
    assert state().awaited is None
    assert state().awaited_key is None


ANCHOR = Anchored(line(MX2), record("old"))


@pytest.mark.parametrize(
    ("changes", "owners", "exempt"),
    [
        ({}, [MX], False),
        ({"required": (line(), line(mtype=2), line(MX2))}, [MX, MX2], False),
        ({"anchored": (ANCHOR,)}, [MX, MX2], False),
        ({"required": (), "anchored": (ANCHOR,)}, [MX2], True),
        ({"required": ()}, [], False),
        ({"required": (), "declared": Declared.NO_RECORDS}, [], True),
        ({"required": (), "declared": Declared.WAIVED}, [], True),
        ({"declared": Declared.NO_RECORDS}, [MX], False),
        ({"required": None, "remembered": (line(MX2),), "anchored": (ANCHOR,)}, [MX2], False),
        ({"required": None, "remembered": (line(),)}, [MX], False),
    ],
)
def test_what_is_watched_and_who_needs_no_record(
    changes: dict[str, Any], owners: list[object], *, exempt: bool
) -> None:
    lineage = state()._replace(**changes)
    assert list(lineage.owners) == owners
    assert lineage.exempt is exempt


@pytest.mark.parametrize(
    ("days", "after"),
    [(10, 10 - 10 / 3), (9.9, 9.9 / 2), (90, 60)],
)
def test_a_half_is_left_only_of_what_lasts_less_than_ten_days(days: float, after: float) -> None:
    one = chain("old")._replace(not_before=T0, not_after=T0 + days * DAY)
    due = renews_at(one, CERTBOTS_OWN)
    assert due is not None
    assert abs(due - T0 - after * DAY) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("36525", 36525 * DAY),
        ("36526", None),
        ("36525 days", 36525 * DAY),
        ("36526 days", None),
        ("36525 days 1 hour", None),
        ("1 day, 2 hours", DAY + timedelta(hours=2)),
        ("1y 1w", 372 * DAY),
    ],
)
def test_a_century_is_the_longest_interval(text: str, length: timedelta | None) -> None:
    assert interval(text) == length
    assert beyond_reckoning(text) is (length is None)
