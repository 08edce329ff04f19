"""After a deployment: hooks until they succeed, and the service until it shows the new chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.config.settings import LineageSettings
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.finding import Code
from danebot.domain.kinds import FindingKind
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Exposure,
    Memory,
    PastKey,
    PendingHook,
)
from danebot.jobs import confirm as module
from danebot.jobs.confirm import confirm, run_pending_hooks
from danebot.jobs.progress import Done
from domain import builders
from domain.builders import HOUR
from jobs.world import OWNER, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The key two was deployed; the service still has the key one."""
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0))
    world = World(tmp_path)
    world.settings = world.settings._replace(common=LineageSettings())
    world.grown.version(2, "two")
    for directory in (world.paths.staging, world.paths.live):
        world.grown.link(directory, 2)
    world.grown.combo("two", 2)
    return world


def deployed(world: World, exposure: Exposure = Exposure.NONE) -> Memory:
    past = PastKey(trees.public("one").spki, world.now, exposure)
    live = world.grown.tree.read(NAME).live
    assert live is not None
    last = Deployment(live.chain.fingerprint, trees.public("two").digest, world.now)
    return Memory(deployment=last, past_keys=(past,))


def hook(world: World, name: str, script: str) -> None:
    file = world.grown.root / "renewal-hooks" / "deploy" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)


def confirmed(world: World, memory: Memory) -> tuple[Memory, list[FindingKind]]:
    """What is remembered after a probe, and what was said."""
    acts = list(confirm(world.context, world.context.tree.read(NAME), memory, {}))
    return last(acts, memory), [event.code for done in acts for event in done.events]


def last(acts: list[Done], memory: Memory) -> Memory:
    found = [done.memory for done in acts if done.memory is not None]
    return found[-1] if found else memory


def test_a_hook_that_fails_stays_pending_and_the_others_run(world: World) -> None:
    hook(world, "first", "exit 3")
    hook(world, "second", 'echo "$RENEWED_LINEAGE" > "$0.ran"')
    names = ("first", "second", "taken out since")
    directory = world.grown.root / "renewal-hooks" / "deploy"
    pending = tuple(PendingHook(f"{directory}/{name}") for name in names)
    before = deployed(world)
    assert before.deployment is not None
    before = before._replace(deployment=before.deployment._replace(pending=pending))
    acts = list(run_pending_hooks(world.context, world.context.tree.read(NAME), before))
    left = [
        done.memory.deployment.pending for done in acts if done.memory and done.memory.deployment
    ]
    assert [len(some) for some in left] == [3, 2, 1]
    assert [(one.hook, one.attempts) for one in left[-1]] == [(pending[0].hook, 1)]
    assert (directory / "second.ran").read_text() == f"{world.paths.live}\n"


def test_a_service_that_still_has_the_old_chain_is_told_and_all_hooks_run_again(
    world: World,
) -> None:
    hook(world, "reload", "")
    before = deployed(world)._replace(asked=(OWNER,))
    memory, said = confirmed(world, before)
    assert said == [Code.NOT_SERVED]
    assert memory.deployment is not None
    assert memory.deployment.confirmed_at is None
    assert len(memory.deployment.pending) == 1
    assert world.service.asked > 1


def test_a_chain_that_did_not_go_live_is_asked_of_nobody(world: World) -> None:
    """The deployment was remembered, and went no further."""
    before = deployed(world)
    assert before.deployment is not None
    staged = builders.held("new")
    begun = before.deployment._replace(chain=staged.chain.fingerprint)
    state = world.context.tree.read(NAME)._replace(staged=staged)
    assert list(confirm(world.context, state, before._replace(deployment=begun), {})) == []
    assert world.service.asked == 0


def test_a_service_that_cannot_be_asked_confirms_nothing(world: World) -> None:
    world.service.outcome = ProbeOutcome.REFUSED
    memory, said = confirmed(world, deployed(world))
    assert said == [Code.NOT_CONFIRMED]
    assert memory.deployment is not None
    assert (memory.deployment.confirmed_at, memory.deployment.pending) == (None, ())
    assert len(memory.deployment.behind) == 1


def test_two_probes_apart_say_that_the_old_records_may_go(world: World) -> None:
    world.service.key, world.service.number = "two", 2
    memory, said = confirmed(world, deployed(world))
    assert said == [Code.CONFIRMED]
    assert memory.deployment is not None
    assert memory.deployment.cleared_at is None
    world.now += HOUR
    memory, said = confirmed(world, memory)
    assert said == [Code.RETIRED]
    assert confirmed(world, memory)[1] == []


def test_while_a_hook_is_pending_nothing_is_confirmed(world: World) -> None:
    world.service.key, world.service.number = "two", 2
    before = deployed(world)
    assert before.deployment is not None
    pending = before.deployment._replace(pending=(PendingHook("reload"),))
    memory, said = confirmed(world, before._replace(deployment=pending))
    assert said == []
    assert memory.deployment is not None
    assert (memory.deployment.confirmed_at, memory.deployment.clear_since) == (None, None)


def test_another_certificate_of_the_service_with_the_old_key_keeps_its_records(
    world: World,
) -> None:
    """Confirmed is the rollover all the same: the lineage's own certificate is in service."""
    world.service.key, world.service.number = "two", 2
    world.service.other_key = "one"
    memory, said = confirmed(world, deployed(world))
    assert said == [Code.CONFIRMED, Code.NOT_SERVED]
    assert memory.deployment is not None
    assert memory.deployment.clear_since is None
    world.now += HOUR
    assert Code.RETIRED not in confirmed(world, memory)[1]


def test_one_probe_will_do_for_a_compromised_key(world: World) -> None:
    world.service.key, world.service.number = "two", 2
    assert confirmed(world, deployed(world, Exposure.COMPROMISED))[1] == [
        Code.CONFIRMED,
        Code.RETIRED,
    ]


def test_a_key_that_another_lineage_uses_is_not_said_to_be_out_of_use(world: World) -> None:
    world.service.key, world.service.number = "two", 2
    other = world.grown.root / "renewal" / "other.conf"
    other.write_text("broken")  # nobody knows which key it has
    memory, _ = confirmed(world, deployed(world))
    world.now += HOUR
    assert Code.RETIRED not in confirmed(world, memory)[1]


def test_the_latest_probes_are_given_and_nothing_once_all_is_settled(world: World) -> None:
    world.service.key, world.service.number = "two", 2
    state = world.context.tree.read(NAME)
    acts = list(confirm(world.context, state, deployed(world), {}))
    (probes,) = [done.probes for done in acts if done.probes is not None]
    assert [probe.serves for probe in probes] == ["deployed"]
    settled = deployed(world)
    assert settled.deployment is not None
    settled = Memory(deployment=settled.deployment._replace(confirmed_at=world.now))
    assert list(confirm(world.context, state, settled, {})) == []


def test_what_came_live_by_itself_is_confirmed_where_nobody_is_asked(world: World) -> None:
    """certbot renewed on its own, and probing is off: the old records may go one day."""
    common = world.settings.common._replace(probe=False)
    world.settings = world.settings._replace(common=common)
    before = deployed(world)
    assert before.deployment is not None
    before = before._replace(deployment=before.deployment._replace(chain=b"former"))
    memory, said = confirmed(world, before)
    assert memory.deployment is not None
    assert said == []
    assert memory.deployment.confirmed_at == world.now


@pytest.mark.parametrize("exposure", Exposure)
def test_the_live_key_is_not_said_to_be_out_of_use(world: World, exposure: Exposure) -> None:
    """A crash came between the memory of a deployment and live, and the rollover was given up."""
    world.service.key, world.service.number = "two", 2
    memory = deployed(world)._replace(
        past_keys=(PastKey(trees.public("two").spki, world.now, exposure),)
    )
    for _ in range(2):
        memory, said = confirmed(world, memory)
        assert Code.RETIRED not in said
        world.now += HOUR
