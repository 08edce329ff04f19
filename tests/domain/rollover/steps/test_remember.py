"""One observation after another: what begins a wait anew, and what one without a date ends."""

from __future__ import annotations

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import Awaiting, Memory
from danebot.domain.rollover.steps.remember import remember
from domain.builders import DAY, HOUR, MX, MX2, OTHER, T0, key_file, line, look, seen, silent, state

WAITING = state(next_key=key_file("new"))
BEHIND = T0 - 20 * DAY  # the certificate of the builders begins ten days later


def waited(*looks: OwnerObservation) -> Memory:
    """What looks an hour apart leave, the first of which finds no record."""
    memory = Memory()
    for number, one in enumerate((look("old"), *looks)):
        memory = remember(memory, WAITING, seen(one), T0 + number * HOUR)
    return memory


def wait_of(memory: Memory) -> Awaiting:
    assert memory.awaiting is not None
    return memory.awaiting


LAGS = look("old", "new", resolver=["old"])
THREE = {"ns1": None, "ns2": None, "ns3": None}


@pytest.mark.parametrize("at", [THREE, {"ns1": None}])
def test_a_move_while_only_the_resolver_lags_begins_anew_once_that_has_it(
    at: dict[str, None],
) -> None:
    """What the servers had before the move says nothing of what others were led to."""
    memory = waited(LAGS, look("old", "new", resolver=["old"], at=at))
    assert (wait_of(memory).served_since, wait_of(memory).seen_since) == (None, None)
    memory = remember(memory, WAITING, seen(look("old", "new", at=at)), T0 + 3 * HOUR)
    assert wait_of(memory).seen_since == T0 + 3 * HOUR


@pytest.mark.parametrize("at", [THREE, {"ns1": None}])
def test_a_move_while_all_have_it_begins_anew_at_once(at: dict[str, None]) -> None:
    memory = waited(look("old", "new"), look("old", "new", at=at))
    since = T0 + 2 * HOUR
    assert (wait_of(memory).served_since, wait_of(memory).seen_since) == (since, since)
    assert wait_of(memory).unseen_at == T0


def test_where_an_alias_leads_elsewhere_nothing_is_known_of_before() -> None:
    moved = look("old", "new", aliases=((OTHER, HOUR),))
    memory = waited(look("old", "new"), moved)
    assert wait_of(memory).unseen_at is None
    assert wait_of(memory).seen_since == T0 + 2 * HOUR
    assert memory.owners[MX].watched_since == T0 + 2 * HOUR


# ---- without a date ---------------------------------------------------------------------------


@pytest.mark.parametrize("before", [look("old", "new"), LAGS])
def test_what_lacks_under_a_clock_that_is_behind_ends_the_wait(before: OwnerObservation) -> None:
    memory = waited(before)
    assert wait_of(memory).served_since is not None
    after = wait_of(remember(memory, WAITING, seen(look("old")), BEHIND))
    assert (after.unseen_at, after.served_since, after.lagged_at, after.seen_since) == (None,) * 4
    assert after.since == wait_of(memory).since


OTHER_KEY = state(next_key=key_file("other"))


@pytest.mark.parametrize(
    ("found", "lineage"),
    [
        (look("old", "new"), WAITING),  # nothing lacks
        (silent(), WAITING),  # nobody knows
        (look("old"), OTHER_KEY),  # of another key
        (look("old"), WAITING._replace(required=None)),
        (look("old"), state()),
    ],
)
def test_all_else_leaves_it_as_it_is(found: OwnerObservation, lineage: LineageState) -> None:
    memory = waited(look("old", "new"))
    after = remember(memory, lineage, seen(found), BEHIND)
    assert after.awaiting == memory.awaiting
    old, new = memory.owners[MX], after.owners[MX]
    assert new._replace(rrsets=()) == old._replace(rrsets=())
    assert set(old.rrsets) <= set(new.rrsets), "it ends none"


def test_lines_that_are_new_are_watched_all_the_same() -> None:
    """Whoever loses the file before the clock is right loses none of them."""
    more = WAITING._replace(required=(line(), line(MX2)))
    after = remember(waited(look("old", "new")), more, seen(look("old", "new")), BEHIND)
    assert after.watched == (line(), line(MX2))
