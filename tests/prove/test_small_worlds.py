"""Small worlds keep the promises, and show what clauses are for that mended earlier defects."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from amounts import ALL, amount
from domain import mutants
from domain.builders import Rules
from prove.part import Budget
from prove.small import robot
from prove.small.search import Search, SmallWorld
from prove.small.world import FLOOR, Content, delegations, moves
from prove.small.worlds import WORLDS, misplace
from prove.small_worlds import search_all

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

_BY_NAME = {small.name: small for small in WORLDS}
_P1 = "P1: the new key is served, and "


@pytest.mark.parametrize("small", WORLDS, ids=lambda small: small.name)
def test_no_history_of_few_events_breaks_a_promise(small: SmallWorld) -> None:
    events = amount(0, 1)
    search = Search(small)
    assert search.play(events) is None
    assert search.depth == events
    assert len(search.states) > 30  # looked, waited, died, made the key


@dataclass(frozen=True)
class Breaking:
    """Rules that lack a clause; how few events show it, in a part of a small world that does.

    ``promise`` is what is broken, and ``words`` are lines of the timeline, in their order.
    """

    what: str
    rules: Rules
    small: SmallWorld
    events: int
    promise: str
    words: tuple[str, ...]


_READY = replace(
    _BY_NAME["begun"], files=(), first=((Content.BOTH, Content.BOTH),), trees=((None, FLOOR),)
)
_LAGGING = _BY_NAME["lagging"]
_LOWERED = replace(_BY_NAME["absent"], ttls=(2,))
_OLD_CACHED = f"{_P1}a cache has the current key's record for 1 more steps"
BREAKING = (
    Breaking(
        "an emptied file holds",
        mutants.EMPTY_IS_NO_HOLD,
        _BY_NAME["files"],
        1,
        _OLD_CACHED,
        ("dane-ee lists nothing",),
    ),
    Breaking(
        "secondaries are asked",
        mutants.FIRST_SERVER_ONLY,
        replace(_LAGGING, operator=()),
        0,
        f"{_P1}address 1 has the current key's record",
        ("both keys' records, TTL 1: make the waiting",),
    ),
    Breaking(
        "the TTL of the RRset",
        mutants.NO_TTL_OF_THE_RRSET,
        replace(_BY_NAME["records"], files=()),
        1,
        _OLD_CACHED,
        (
            "day 6: owner 0: both keys' records, TTL 1",
            "day 6: a run is shown owner 0: both keys' records, TTL 1: make the waiting",
        ),
    ),
    Breaking(
        "the negative TTL",
        mutants.NO_NEGATIVE_TTL,
        _LOWERED,
        1,
        f"{_P1}a cache has no record for 1 more steps",
        (
            "day 6: owner 0: both keys' records, TTL 1",
            "day 9: a run is shown owner 0: both keys' records, TTL 1: make the waiting",
        ),
    ),
    Breaking(
        "what was there before the first look",
        mutants.NO_FIRST_LOOK,
        replace(_BY_NAME["absent"], ttls=(1,)),
        1,
        f"{_P1}a cache has no record for 1 more steps",
        (
            "day 0: newkey",
            "day 0: owner 0: both keys' records, TTL 1",
            "day 3: a run is shown owner 0: both keys' records, TTL 1: make the waiting",
        ),
    ),
    Breaking(
        "the old address of a server",
        mutants.ADDRESSES_NEVER_CHANGE,
        replace(_LAGGING, operator=(moves,)),
        1,
        _OLD_CACHED,
        (
            "day 6: server 1 moves to address 2",
            "day 6: address 2 gets owner 0's records",
            "day 9: a run is shown owner 0: both keys' records, TTL 1: make the waiting",
        ),
    ),
    Breaking(
        "a server that is taken out",
        mutants.SERVERS_NEVER_CHANGE,
        replace(_LAGGING, operator=(delegations,)),
        1,
        f"{_P1}address 1 has the current key's record",
        ("server 1 is taken out", "make the waiting"),
    ),
    Breaking(
        "a gap between looks",
        mutants.GAPS_FORGIVEN,
        _READY,
        2,
        _OLD_CACHED,
        (
            "day 9: a run is shown owner 0: both keys' records, TTL 1: have certbot issue",
            "day 15: owner 0: the current key's record, TTL 1",
            "day 15: owner 0: both keys' records, TTL 1",
            "day 15: a run is shown owner 0: both keys' records, TTL 1: make the waiting",
        ),
    ),
    Breaking(
        "the key that is put back is kept",
        mutants.KEY_LEFT_BEHIND,
        replace(_READY, files=(misplace,), operator=()),
        1,
        "P2: the key is gone, and its record published",
        ("day 9: the ready key's file is lost", "put the waiting certificate back"),
    ),
    Breaking(
        "whoever waits is told",
        mutants.WAITS_UNTOLD,
        replace(_READY, files=(), operator=()),
        0,
        "P4: the rollover waits for ever, and nobody is told",
        ("day 0: nothing else happens",),
    ),
)


@pytest.mark.parametrize("one", BREAKING, ids=lambda one: one.what)
def test_without_a_clause_a_short_history_breaks_a_promise(one: Breaking) -> None:
    small = _BY_NAME[one.small.name] if ALL else one.small
    found = Search(small, one.rules).play(one.events)
    assert found is not None
    if not ALL:  # in the whole world another history may come first
        assert found.promise == one.promise
        lines = iter(found.timeline)
        assert all(any(words in line for line in lines) for words in one.words), found.timeline


@pytest.mark.parametrize(("name", "events"), [("absent", 0), ("files", 0), ("begun", 1)])
def test_what_memories_need_not_tell_loses_no_state_of_the_world(
    name: str, events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Search(_BY_NAME[name])
    assert few.play(events) is None
    monkeypatch.setattr(robot, "_outlasted", lambda *_: False)
    all_of_them = Search(_BY_NAME[name])
    assert all_of_them.play(events) is None
    assert len(few.states) < len(all_of_them.states)
    assert _but_for_memories(few) == _but_for_memories(all_of_them)


def _but_for_memories(search: Search) -> set[tuple[object, ...]]:
    return {
        (search.outside.worlds[one.world], *one._replace(world=0, memory=0))
        for one in search.states
    }


def test_a_world_in_which_nothing_new_can_happen_is_exhausted() -> None:
    small = replace(_BY_NAME["records"], operator=(), files=())
    search = Search(small)
    assert search.play(8) is None
    assert search.exhausted
    assert search.depth == 8
    assert search.whole == len(search.states) > 30
    busy = Search(_BY_NAME["lagging"])
    assert busy.play(0) is None
    assert not busy.exhausted, "its events were not tried"


def test_a_row_claims_no_more_than_was_seen() -> None:
    rows = list(search_all(Budget.of(0)))
    assert len(rows) == len(WORLDS)
    assert all("not even all histories without an event" in row.amount for row in rows)
