"""The safe time in numbers: what it follows from, and what is told before any record is there."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.tlsa import Declared
from danebot.domain.rollover.evidence.memory import Awaiting, Memory, OwnerMemory, TtlSighting
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.safe_time import Baseline, earliest, safe_time
from domain.builders import DAY, HOUR, MX, MX2, T0, state

POLICY = Policy(min_wait=timedelta(0), margin=HOUR, unseen_ttl=7 * DAY)
HOURLY = (TtlSighting(HOUR, T0 - 90 * DAY),)
SEEN = Awaiting(b"", T0 - HOUR, unseen_at=T0 - HOUR, served_since=T0, seen_since=T0)
OBSERVED, ASSUMED, NONE = Baseline.OBSERVED, Baseline.ASSUMED, Baseline.NONE
SECOND = timedelta(seconds=1)
MONTH = timedelta(days=30)


@pytest.mark.parametrize(
    ("awaiting", "watched", "empty", "baseline"),
    [
        (SEEN, T0 - MONTH, T0 + 2 * HOUR, OBSERVED),
        (SEEN, None, T0 + 2 * HOUR, OBSERVED),
        (SEEN._replace(unseen_at=None), T0 - MONTH, T0 + 7 * DAY + HOUR, ASSUMED),
        # What a lost memory may have held, and what was there before the first look: the later
        # counts, and what was observed where they are over by then.
        (SEEN._replace(forgotten_at=T0), T0 - MONTH, T0 + 7 * DAY + HOUR, ASSUMED),
        (SEEN._replace(forgotten_at=T0 - 7 * DAY + HOUR), T0 - MONTH, T0 + 2 * HOUR, OBSERVED),
        (SEEN, T0, T0 + 7 * DAY + 2 * HOUR, ASSUMED),
        (SEEN, T0 - 7 * DAY, T0 + 2 * HOUR, OBSERVED),
        (SEEN, T0 - 7 * DAY + SECOND, T0 + 2 * HOUR + SECOND, ASSUMED),
    ],
)
def test_caches_are_empty_by_what_was_observed_or_must_be_assumed(
    awaiting: Awaiting, watched: datetime | None, empty: datetime, baseline: Baseline
) -> None:
    owners = {MX: OwnerMemory(HOURLY, watched_since=watched), MX2: OwnerMemory(HOURLY)}
    owners[MX2] = owners[MX2]._replace(watched_since=T0 - 2 * MONTH)
    found = safe_time(Memory(owners=owners, awaiting=awaiting), (MX, MX2), POLICY)
    assert found is not None
    assert (found.caches_empty, found.baseline) == (empty, baseline)


def test_where_nothing_is_watched_a_lost_memory_held_nothing() -> None:
    found = safe_time(Memory(awaiting=SEEN._replace(forgotten_at=T0)), (), POLICY)
    assert found is not None
    assert (found.caches_empty, found.baseline) == (T0, NONE)


WATCHED = Memory(owners={MX: OwnerMemory(HOURLY, watched_since=T0 - MONTH)})
EXEMPT = state()._replace(required=(), declared=Declared.NO_RECORDS)
BRIEF = POLICY._replace(min_wait=HOUR)


@pytest.mark.parametrize(
    ("memory", "at"),
    [
        (WATCHED, T0 + 2 * HOUR),
        (WATCHED._replace(awaiting=SEEN._replace(seen_since=None)), T0 + 2 * HOUR),
        (WATCHED._replace(awaiting=SEEN._replace(seen_since=T0 - HOUR)), T0 + HOUR),
        (WATCHED._replace(awaiting=SEEN._replace(seen_since=T0 - 9 * HOUR)), T0),
        (Memory(owners={MX: OwnerMemory(HOURLY)}), None),  # nobody has looked
        (Memory(), None),
    ],
)
def test_the_earliest_use_of_a_key_is_told_as_if_its_records_came_now(
    memory: Memory, at: datetime | None
) -> None:
    assert earliest(state(), memory, POLICY, T0) == at


def test_without_records_the_minimum_wait_is_what_a_key_waits_for() -> None:
    assert earliest(EXEMPT, Memory(), BRIEF, T0) == T0 + HOUR
    assert earliest(EXEMPT._replace(declared=Declared.NOTHING), Memory(), BRIEF, T0) is None
