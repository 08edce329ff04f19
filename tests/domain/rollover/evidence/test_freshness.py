"""What an idle run has to write: nothing, until what it saw is an hour newer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from danebot.domain.rollover.evidence.freshness import OFTEN, as_good
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory, Reading
from danebot.domain.rollover.evidence.policy import LONGEST_GAP
from danebot.domain.rollover.steps.remember import remember
from domain.builders import HOUR, MINUTE, MX, MX2, T0, look, seen, state

IDLE = remember(Memory(), state(), seen(look("old")), T0)
CLOCK = Reading("boot", timedelta(hours=1), T0)


def test_an_hour_is_little() -> None:
    assert 24 * OFTEN < LONGEST_GAP


@pytest.mark.parametrize("late", [timedelta(0), MINUTE, 59 * MINUTE])
def test_another_look_at_the_same_adds_nothing_for_an_hour(late: timedelta) -> None:
    later = remember(IDLE, state(), seen(look("old")), T0 + late)
    assert as_good(IDLE, later)


@pytest.mark.parametrize("late", [HOUR, -MINUTE, 30 * HOUR])
def test_what_is_an_hour_newer_is_written_and_so_is_what_a_clock_put_back(late: timedelta) -> None:
    later = remember(IDLE, state(), seen(look("old")), T0 + late)
    assert not as_good(IDLE, later)


def test_everything_else_is_written_at_once() -> None:
    soon = T0 + MINUTE
    for one in (look("old", "new"), look("old", at={"ns1": None}), look("old", ttl=3 * HOUR)):
        assert not as_good(IDLE, remember(IDLE, state(), seen(one), soon))
    assert not as_good(IDLE, IDLE._replace(owners={**IDLE.owners, MX2: OwnerMemory()}))
    heard = dict.fromkeys((*IDLE.owners[MX].heard, "ns3.example.org [192.0.2.3]"), T0)
    more = IDLE.owners[MX]._replace(heard=heard)
    assert not as_good(IDLE, IDLE._replace(owners={MX: more}))


@pytest.mark.parametrize(("late", "same"), [(59 * MINUTE, True), (HOUR, False)])
def test_each_time_counts_by_itself(late: timedelta, *, same: bool) -> None:
    owner = IDLE.owners[MX]
    one, *others = owner.heard
    for newer in (
        owner._replace(answered_at=T0 + late),
        owner._replace(heard={one: T0 + late, **dict.fromkeys(others, T0)}),
    ):
        assert as_good(IDLE, IDLE._replace(owners={MX: newer})) is same
    silent = IDLE._replace(owners={MX: owner._replace(answered_at=None)})
    assert as_good(silent, silent)
    assert not as_good(silent, IDLE)


@pytest.mark.parametrize(
    ("clock", "same"),
    [
        (CLOCK, True),
        (CLOCK._replace(uptime=timedelta(hours=1, minutes=1), at=T0 + MINUTE), True),
        (CLOCK._replace(at=T0 + HOUR), False),
        (CLOCK._replace(boot="another"), False),
        (None, False),
    ],
)
def test_a_reading_of_the_clock_is_as_good_for_an_hour(
    clock: Reading | None, *, same: bool
) -> None:
    assert as_good(IDLE._replace(clock=CLOCK), IDLE._replace(clock=clock)) is same


def test_every_owner_counts() -> None:
    one = IDLE.owners[MX]
    both = IDLE._replace(owners={MX: one, MX2: one})
    later = one._replace(answered_at=T0 + HOUR)
    for owners in ({MX: later, MX2: one}, {MX: one, MX2: later}):
        assert not as_good(both, both._replace(owners=owners))


def test_what_was_never_known_is_as_good_as_before() -> None:
    """Nor is what is known for the first time, or no more, left unwritten."""
    one = IDLE.owners[MX]._replace(answered_at=None)
    unanswered = IDLE._replace(owners={MX: one})
    heard = dict.fromkeys(one.heard, T0 + MINUTE)
    assert as_good(unanswered, IDLE._replace(owners={MX: one._replace(heard=heard)}))
    assert not as_good(IDLE, unanswered)
    assert not as_good(IDLE._replace(clock=None), IDLE._replace(clock=CLOCK))
