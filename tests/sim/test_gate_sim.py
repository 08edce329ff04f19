"""P1 for renewals: no cache holds an RRset by which a sender refuses what was deployed."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pytest

from amounts import amount
from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory
from danebot.domain.rollover.evidence.propagation import Observations
from danebot.domain.rollover.steps.remember import remember
from domain.builders import DAY, T0, Rules
from sim.gate import simulate_gate
from sim.history import Runs
from sim.outcome import Feature

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

_FIRST = int(os.environ.get("DANEBOT_SIM_SEED", "0"))
_HISTORIES = int(os.environ.get("DANEBOT_SIM_HISTORIES", amount(400, 8000))) // 4
_PARTS = 2
_ENOUGH = 800


@pytest.mark.parametrize("part", range(_PARTS))
def test_no_cache_holds_what_refuses_a_deployed_renewal(part: int) -> None:
    size = _HISTORIES // _PARTS
    played = [simulate_gate(n) for n in range(_FIRST + part * size, _FIRST + (part + 1) * size)]
    broken = [outcome.seed for outcome in played if outcome.broken]
    assert not broken, f"P1 broken with the seeds {broken}"
    features = Counter(feature for outcome in played for feature in outcome.features)
    assert features[Feature.PROMOTED] > 0.7 * size
    for feature in (Feature.ALIASES, Feature.NEW_SERVERS, Feature.BLIND, Feature.MEMORY_LOST):
        assert features[feature] >= 2, features  # what is to be tried


def test_lines_that_no_memory_holds_any_more_are_excused() -> None:
    """The memory was lost, the next run crashed before it wrote another, and then lines went."""
    assert not simulate_gate(10003760, runs=Runs.ANY_TIME).broken


def test_glue_that_no_referral_ever_came_with_is_in_no_cache() -> None:
    """Of a server that moved, and whose glue was corrected, before anything led to it."""
    assert not simulate_gate(20003445, runs=Runs.ANY_TIME).broken


def test_an_address_that_is_never_heard_is_taken_for_dead() -> None:
    """Stale glue led there for good; all looks since the memory was lost found it silent."""
    assert not simulate_gate(30000255, runs=Runs.ANY_TIME).broken


def test_records_that_come_back_under_a_shorter_ttl_are_waited_for() -> None:
    """No server had them, the resolver lagged; then they were back for a look, the answer bogus."""
    assert not simulate_gate(40007355, runs=Runs.ANY_TIME).broken


@pytest.mark.parametrize(
    ("seed", "branch"),
    [
        (1611310000865, 5),  # the resolver lagged under a longer TTL than servers had meanwhile
        (1611310000158, 7),  # only the resolver answered the first run of a restored tree
        (1611310000714, 1),  # a TTL that was seen under a clock that was behind, and by no other
        (1611310000714, 6),
        (5153420001198, 0),  # a server was silent for ten days, until the deployment and beyond
        (5153420001304, 0),  # a clock that was put right moved what was heard before, and a gap
        (357, 0),  # a name server that was never heard was taken out
        (6049, 0),  # a bogus answer, and another way than the one to a server never heard
        (202612020002699, 2),  # the servers that were heard are gone, and who came was never heard
        (202612020001399, 4),  # one server's alias led elsewhere, under a clock that was behind
        (466, 0),  # a lagging server of an alias's zone led to records that nobody looked at
        (202612020054902, 4),  # no server was ever heard, nor the resolver for a week
    ],
)
def test_what_long_runs_found_is_mended(seed: int, branch: int) -> None:
    outcome = simulate_gate(seed, branch=branch)
    assert outcome.deployed is not None
    assert not outcome.broken


def test_who_leads_elsewhere_for_good_does_not_speak_for_the_others_there() -> None:
    """One server's alias does from some day on; at its end the other two have the old record."""
    without = (4, 5, 7, 8, 9, 10, 11, 12, 14, 15)
    outcome = simulate_gate(202612020001399, branch=4, without=without)
    assert (outcome.broken, outcome.deployed) == (False, None)


def _without(mutate: Callable[[OwnerMemory], OwnerMemory]) -> Rules:
    def broken(memory: Memory, state: LineageState, seen: Observations, now: datetime) -> Memory:
        found = remember(memory, state, seen, now)
        return found._replace(owners={name: mutate(o) for name, o in found.owners.items()})

    return Rules(remember=broken)


def _resolver_alone(
    memory: Memory, state: LineageState, seen: Observations, now: datetime
) -> Memory:
    def first(one: OwnerObservation) -> OwnerObservation:
        names = frozenset(server.server.name for server in one.servers[:1])
        return one._replace(servers=one.servers[:1], name_servers=names)

    return remember(memory, state, {name: first(one) for name, one in seen.items()}, now)


@dataclass(frozen=True)
class Breaking:
    """Rules that lack a clause, and a history that showed it: tried first, to save time."""

    words: str
    rules: Rules
    seed: int


BREAKING = (
    Breaking(
        "only RRsets still in force count",
        _without(lambda o: o._replace(rrsets=tuple(r for r in o.rrsets if r.until is None))),
        8,
    ),
    Breaking(
        "the past is taken for known",
        _without(lambda o: o._replace(watched_since=T0 - 365 * DAY)),
        2,
    ),
    Breaking("secondaries are not asked", Rules(remember=_resolver_alone), 107),
)


@pytest.mark.parametrize("breaking", BREAKING, ids=lambda breaking: breaking.words)
def test_without_a_clause_some_renewal_breaks_p1(breaking: Breaking) -> None:
    seeds = itertools.chain((breaking.seed,), range(_ENOUGH))
    assert any(simulate_gate(seed, breaking.rules).broken for seed in seeds)
