"""P1 over many histories; and, with a clause of safe time taken out, histories that break it.

`python -m sim --histories 1000000` plays more; a seed that fails is shown by `--show SEED`.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from domain import mutants
from domain.builders import Rules
from sim.outcome import Feature
from sim.play import simulate

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

_FIRST = int(os.environ.get("DANEBOT_SIM_SEED", "0"))
_HISTORIES = int(os.environ.get("DANEBOT_SIM_HISTORIES", "800"))
_PARTS = 2
_ENOUGH = 2500
_NOT_PLAYED = {
    Feature.MOVED,
    Feature.STALE_GLUE,
    Feature.LOWERED,
    Feature.GAP,
    Feature.RESTORED,
    Feature.CLOCK,
    Feature.CAME_BACK,
}


@pytest.mark.parametrize("part", range(_PARTS))
def test_no_cache_lacks_the_record_of_a_promoted_key(part: int) -> None:
    size = _HISTORIES // _PARTS
    played = [simulate(seed) for seed in range(_FIRST + part * size, _FIRST + (part + 1) * size)]
    broken = [outcome.seed for outcome in played if outcome.broken]
    assert not broken, f"P1 broken; look at: python -m sim --show {broken[0]} (all: {broken})"
    features = Counter(feature for outcome in played for feature in outcome.features)
    assert features[Feature.PROMOTED] > 0.7 * size
    tried = set(Feature) - _NOT_PLAYED
    assert all(features[feature] >= 5 for feature in tried), features  # what is to be tried


def test_a_history_is_what_its_seed_makes_it() -> None:
    for seed in range(_FIRST, _FIRST + 20):
        one, again = simulate(seed), simulate(seed)
        assert (again.deployed, again.features) == (one.deployed, one.features)


@dataclass(frozen=True)
class Breaking:
    """Rules that lack a clause, and a history that showed it: tried first, to save time."""

    words: str
    rules: Callable[[], Rules]
    seed: int


BREAKING = (
    Breaking("secondaries are not asked", lambda: mutants.FIRST_SERVER_ONLY, 36),
    Breaking("breaks are forgiven", lambda: mutants.BREAKS_FORGIVEN, 119),
    Breaking("the RRset's TTL is ignored", lambda: mutants.NO_TTL_OF_THE_RRSET, 36),
    Breaking("the negative TTL is ignored", lambda: mutants.NO_NEGATIVE_TTL, 17),
    Breaking("only TTLs still in force count", lambda: mutants.ONLY_TTLS_IN_FORCE, 17),
    Breaking("only TTLs of the first look count", lambda: mutants.ONLY_FIRST_TTLS, 887),
    Breaking("what was not observed is not assumed", lambda: mutants.NO_UNSEEN_TTL, 141),
    Breaking("new lines of dane-ee go unnoticed", lambda: mutants.NEW_LINES_UNNOTICED, 556),
    Breaking("servers that change go unnoticed", lambda: mutants.SERVERS_NEVER_CHANGE, 512),
    Breaking("the NS TTL is ignored", lambda: mutants.NO_NS_TTL, 1132),
    Breaking("aliases that change go unnoticed", lambda: mutants.ALIASES_NEVER_CHANGE, 512),
    Breaking("nothing is looked at twice", mutants.no_second_look, 20),
    Breaking("what dane-ee lost protects no more", lambda: mutants.LOST_LINES_DROPPED, 200),
    Breaking("an empty dane-ee is no hold", lambda: mutants.EMPTY_IS_NO_HOLD, 49),
    Breaking("denials beside wildcards count not", lambda: mutants.NO_DENIAL_TTL_OF_WILDCARDS, 17),
)


@pytest.mark.parametrize("breaking", BREAKING, ids=lambda breaking: breaking.words)
def test_without_a_clause_some_history_breaks_p1(breaking: Breaking) -> None:
    seeds = itertools.chain((breaking.seed,), range(_ENOUGH))
    assert any(simulate(seed, breaking.rules()).broken for seed in seeds)
