"""A key on its way whose file is gone is told, until it is back, given up or shown by nobody."""

from __future__ import annotations

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import KeyFile, LineageState, Management, UnknownKey
from danebot.domain.rollover.evidence.memory import (
    CancelledKey,
    CurrentKey,
    Deployment,
    Memory,
    Request,
)
from danebot.domain.rollover.records.lost import forget_lost, missed, told_lost
from danebot.domain.rollover.steps.remember import remember
from domain.builders import DAY, MX, T0, UNREACHABLE, held, key, key_file, look, state

LOST = CancelledKey(key("new").digest, T0, key("new").spki)
MEMORY = Memory(lost=(LOST,))
STABLE = state()
BOTH = look("old", "new")
WAITING = remember(
    Memory(request=Request(key("new").digest, T0)),
    state(next_key=key_file("new")),
    {MX: BOTH},
    T0,
)


def test_the_key_of_the_wait_is_missed_once() -> None:
    missing = LOST._replace(at=T0 + DAY)
    assert missed(WAITING, STABLE, T0 + DAY) == (missing,)
    assert missed(WAITING._replace(lost=(LOST,)), STABLE, T0 + DAY) == (missing,)


@pytest.mark.parametrize(
    "lineage",
    [
        STABLE._replace(staged=held("new", 2)),
        STABLE._replace(live=held("new")),
        STABLE._replace(live=held("new", private="x")),  # broken, and the certificate names it
        STABLE._replace(live=held("x", private="new")),
        state(next_key=key_file("new")),
        STABLE._replace(ready=key_file("new")),
        STABLE._replace(cancelled=(UnknownKey(key("new"), "cancelled-00.pem"),)),
    ],
)
def test_a_key_whose_file_is_back_is_lost_no_longer(lineage: LineageState) -> None:
    assert missed(MEMORY, lineage, T0) == ()
    assert missed(WAITING, lineage, T0) == ()


def test_a_key_that_was_in_service_is_not_lost() -> None:
    served = CurrentKey(key("new").digest, T0)
    deployed = Deployment(b"chain", key("new").digest, T0)
    assert missed(MEMORY._replace(current=served), STABLE, T0) == ()
    assert missed(MEMORY._replace(deployment=deployed), STABLE, T0) == ()


def test_a_file_that_was_overwritten_with_another_key_has_lost_the_first() -> None:
    assert missed(WAITING, state(next_key=key_file("other")), T0) == (LOST,)


def test_a_file_that_is_unreadable_is_no_lost_one() -> None:
    unreadable = state(next_key=KeyFile(None, T0))
    assert missed(WAITING, unreadable, T0) == ()
    assert missed(MEMORY, unreadable, T0) == (LOST,)


def test_where_danebot_manages_nothing_nothing_more_is_missed() -> None:
    unmanaged = STABLE._replace(management=Management.PASS_THROUGH)
    assert missed(WAITING._replace(lost=(LOST,)), unmanaged, T0 + DAY) == (LOST,)
    assert missed(WAITING, unmanaged, T0) == ()


@pytest.mark.parametrize(
    ("shown", "left"),
    [
        (look("old"), ()),
        (BOTH, (LOST,)),
        (look("old", at={"ns1": ["old", "new"], "ns2": ["old"]}), (LOST,)),
        (look("old", at={"ns1": ["old"], "ns2": UNREACHABLE}), (LOST,)),
    ],
)
def test_it_is_forgotten_once_everybody_was_heard_and_nobody_shows_it(
    shown: OwnerObservation, left: tuple[CancelledKey, ...]
) -> None:
    assert forget_lost(MEMORY, STABLE, {MX: shown}).lost == left


def test_it_isn_t_forgotten_where_dane_ee_can_t_be_read() -> None:
    assert forget_lost(MEMORY, STABLE._replace(required=None), {}) == MEMORY


@pytest.mark.parametrize(
    ("shown", "where"),
    [(look("old"), "s may be published"), (BOTH, " is published: ")],
)
def test_what_is_told_says_the_way_back(shown: OwnerObservation, where: str) -> None:
    [told] = told_lost(STABLE, MEMORY, {MX: shown})
    digest = key("new").digest.hex()
    start = f"staging/{STABLE.name} has lost the next key {digest}, whose record{where}"
    assert told.text.startswith(start)
    assert told == Finding(
        Code.FILES_BROKEN,
        Severity.WARNING,
        STABLE.name,
        told.text,
        f"restore nextkey.pem, or give it up: danebot newkey --cancel {STABLE.name}",
    )
