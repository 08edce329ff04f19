"""Renewals while the certificate runs out: what danebot saw holds them, and nothing else does."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import pytest

from amounts import amount
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.propagation import Observations
from danebot.domain.rollover.steps.remember import remember
from domain.builders import Rules
from domain.mutants import policed
from sim.ending import ending_branches, simulate_ending
from sim.keeping import Keep
from sim.outcome import Feature

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

_WORLDS = amount(30, 1000)
_ENOUGH = 800


def test_no_renewal_breaks_p1_and_none_is_kept_back_by_what_nobody_saw() -> None:
    played = [one for seed in range(_WORLDS) for one in ending_branches(seed)]
    assert not [(one.seed, one.branch) for one in played if one.broken]
    features = Counter(feature for outcome in played for feature in outcome.features)
    assert features[Feature.PROMOTED] > 0.7 * len(played)
    assert features[Feature.MEMORY_LOST] >= 2


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_makes_no_difference(seed: int) -> None:
    assert simulate_ending(seed) == simulate_ending(seed, keep=Keep.NOTHING)


def _seen_no_more(memory: Memory, state: LineageState, seen: Observations, now: datetime) -> Memory:
    found = remember(memory, state, seen, now)
    owners = {
        name: owner._replace(rrsets=tuple(one for one in owner.rrsets if one.until is None))
        for name, owner in found.owners.items()
    }
    return found._replace(owners=owners)


@dataclass(frozen=True)
class Breaking:
    """Rules that lack a clause, a world that showed it, tried first, and what is broken then."""

    words: str
    rules: Rules
    seed: int
    kept_back: bool


@pytest.mark.parametrize(
    "one",
    [
        Breaking(
            "what nobody saw counts to the end",
            policed(lambda policy: policy._replace(expiry_warning=0.0)),
            15,
            kept_back=True,
        ),
        Breaking(
            "what nobody saw never counts",
            policed(lambda policy: policy._replace(expiry_warning=1.0)),
            68,
            kept_back=False,
        ),
        Breaking(
            "what was seen counts while it is there", Rules(_seen_no_more), 0, kept_back=False
        ),
    ],
    ids=lambda one: one.words,
)
def test_without_a_clause_a_renewal_comes_too_early_or_too_late(one: Breaking) -> None:
    seeds = itertools.chain((one.seed,), range(_ENOUGH))
    found = (
        outcome
        for seed in seeds
        for outcome in (simulate_ending(seed, one.rules),)
        if outcome.broken
    )
    outcome = next(found)
    assert outcome.kept_back is one.kept_back
    assert bool(outcome.stale) is not one.kept_back
