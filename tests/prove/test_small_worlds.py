"""Small worlds keep the promises, and show what clauses are for that mended earlier defects."""

from __future__ import annotations

import pytest

from domain import mutants
from domain.builders import Rules
from prove.small.search import WORLDS, Search, SmallWorld

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

_BY_NAME = {small.name: small for small in WORLDS}


@pytest.mark.parametrize("small", WORLDS, ids=lambda small: small.name)
def test_no_history_of_few_events_breaks_a_promise(small: SmallWorld) -> None:
    search = Search(small)
    assert search.play(0) is None
    assert search.depth == 0
    assert len(search.states) > 30  # looked, waited, died, made the key


@pytest.mark.parametrize(
    ("name", "rules", "words"),
    [
        ("files", mutants.EMPTY_IS_NO_HOLD, "dane-ee lists nothing"),
        ("records", mutants.FIRST_SERVER_ONLY, "both keys' records"),
    ],
    ids=["an emptied file holds", "secondaries are asked"],
)
def test_without_a_clause_a_short_history_breaks_p1(name: str, rules: Rules, words: str) -> None:
    found = Search(_BY_NAME[name], rules).play(1)
    assert found is not None
    assert found.promise.startswith("P1: ")
    assert any(words in line for line in found.timeline)
