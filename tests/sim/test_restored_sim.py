"""P1 for restored trees: no renewal takes from a service the key by which its mail flows."""

from __future__ import annotations

import pytest

from amounts import amount
from danebot.domain.rollover.steps.phases import Plan
from sim.keeping import Keep
from sim.restored import relied_upon, simulate_restored

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

_HISTORIES = amount(150, 5000)


def test_no_service_loses_the_key_that_a_cache_knows_it_by() -> None:
    played = [simulate_restored(seed) for seed in range(_HISTORIES)]
    assert [seed for seed, one in enumerate(played) if one.harmed] == []
    deployed = [one for one in played if one.deployed is not None]
    assert len(deployed) > _HISTORIES / 3, "most are to be tried"
    assert sum(one.held for one in deployed) > _HISTORIES / 10
    assert sum(one.deployed is None for one in played) > _HISTORIES / 20


def test_where_the_memory_is_believed_some_service_does() -> None:
    def believes(_: Plan) -> bool:
        return False

    assert any(simulate_restored(seed, believes).harmed for seed in range(_HISTORIES))


def test_what_is_kept_changes_no_restored_tree() -> None:
    for seed in range(_HISTORIES // 5):
        first, again = (simulate_restored(seed, relied_upon, keep) for keep in Keep)
        assert first == again, seed
