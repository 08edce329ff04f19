"""A step's executor gives what it did as values, and what is to be remembered before it acts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.tree.locks import TreeLock
from danebot.adapters.tree.memory_file import save_memory
from danebot.domain.finding import Code
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import (
    CallResult,
    Memory,
    Request,
    Revocation,
    Urgency,
)
from danebot.domain.rollover.records.in_use import KeysInUse
from danebot.domain.rollover.steps.phases import Hold, Keep, Plan, Step
from danebot.errors import TreeError
from danebot.jobs.authority import CaAccess
from danebot.jobs.execute import execute
from danebot.jobs.observing import view
from danebot.jobs.progress import Done
from danebot.jobs.view import LineageView, Observed
from jobs.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def lock(world: World) -> Iterator[TreeLock]:
    with TreeLock(world.grown.root) as held:
        yield held


def acts(
    world: World,
    lock: TreeLock,
    step: Step,
    memory: Memory | None = None,
    hold: Hold | None = None,
) -> Iterator[Done]:
    """What a step does with the tree as it is now, whether or not it would be planned."""
    context = world.context
    state: LineageState = context.tree.read(NAME)
    observed = Observed(state, memory or Memory(), {}, KeysInUse(), world.now)
    planned = view(context, observed)
    forced: LineageView = planned._replace(
        plan=Plan(planned.plan.phase, step, hold, keep=Keep.NOWHERE)
    )
    return execute(context, CaAccess(world.certbot, lock), forced, {})


def with_ready_key(world: World) -> None:
    world.grown.staging_file("ready.pem", trees.key_pem("two"))


def test_the_ca_is_asked_after_that_was_given_to_remember(world: World, lock: TreeLock) -> None:
    with_ready_key(world)
    doing = acts(world, lock, Step.PROMOTE)
    begun = next(doing).memory
    assert begun is not None
    assert begun.contacts[-1].result is CallResult.BEGUN
    assert world.issuer.calls == []
    save_memory(world.paths, Memory(), begun)
    (end,) = doing
    assert world.issuer.calls == ["promote"]
    assert end.issued
    assert end.memory is not None
    assert end.memory.contacts[-1].result is CallResult.DONE


def test_what_a_deployment_leaves_to_do_is_given_before_it_is_made(
    world: World, lock: TreeLock
) -> None:
    """A crash in between must find the hooks pending and the key that was served remembered."""
    world.grown.version(2, "two")
    world.grown.link(world.paths.staging, 2)
    doing = acts(world, lock, Step.DEPLOY)
    memory = next(doing).memory
    assert memory is not None
    assert memory.deployment is not None
    assert [one.hook for one in memory.deployment.pending] == ["true"]
    assert [past.spki for past in memory.past_keys] == [trees.public("one").spki]
    assert (world.paths.live / "combo.pem").read_bytes() == trees.combo_pem("one", 1)
    (end,) = doing
    assert [event.code for event in end.events] == [Code.PROMOTED]
    assert world.context.tree.read(NAME).serving == world.context.tree.read(NAME).combo
    held = world.context.tree.read(NAME).serving
    assert held is not None
    assert held.key == trees.public("two")


@pytest.mark.parametrize(("key", "revoked"), [("one", []), ("two", ["one"])])
def test_certificates_are_to_be_revoked_of_a_compromised_key_that_is_replaced(
    world: World, lock: TreeLock, key: str, revoked: list[str]
) -> None:
    """An ordinary renewal, while its successor cools, replaces none."""
    world.grown.version(2, key)
    world.grown.link(world.paths.staging, 2)
    digest = trees.public("two").digest
    request = Request(digest, world.now, Urgency.EMERGENCY, Revocation.WANTED)
    memory = next(acts(world, lock, Step.DEPLOY, Memory(request=request))).memory
    assert memory is not None
    assert memory.request == request
    assert [one.spki for one in memory.revocations] == [trees.public(one).spki for one in revoked]


def test_the_same_chain_deployed_again_leaves_nothing_to_do(world: World, lock: TreeLock) -> None:
    assert list(acts(world, lock, Step.DEPLOY)) == []


def test_a_key_that_is_live_leaves_its_file_and_the_memory(world: World, lock: TreeLock) -> None:
    world.grown.staging_file("ready.pem", trees.key_pem("one"))
    (end,) = acts(world, lock, Step.FINISH)
    assert end.memory is not None
    assert (end.memory.awaiting, end.memory.request) == (None, None)
    assert not (world.paths.staging / "ready.pem").exists()


def test_a_ready_key_that_is_withdrawn_is_told(world: World, lock: TreeLock) -> None:
    with_ready_key(world)
    (end,) = acts(world, lock, Step.BACK_TO_NEXT)
    assert [event.code for event in end.events] == [Code.NEXT_KEY_WITHDRAWN]
    assert (world.paths.staging / "nextkey.pem").read_bytes() == trees.key_pem("two")


def test_without_the_ready_key_the_ca_is_not_asked(world: World, lock: TreeLock) -> None:
    with pytest.raises(TreeError, match="the ready key is gone"):
        list(acts(world, lock, Step.PROMOTE))
    assert world.issuer.calls == []


@pytest.mark.parametrize(
    ("hold", "told"),
    [(Hold.GATE, Code.DEPLOYMENT_HELD), (Hold.NOT_COOLED, Code.KEY_UNKNOWN)],
)
@pytest.mark.parametrize("urgency", list(Urgency))
def test_a_chain_that_is_put_back_is_told_and_what_gave_way_remembered(
    world: World, lock: TreeLock, hold: Hold, told: Code, urgency: Urgency
) -> None:
    """Else the CA would be asked for the same at each run."""
    world.grown.version(2, "two")
    world.grown.link(world.paths.staging, 2)
    memory = Memory(request=Request(trees.public("two").digest, world.now, urgency))
    (end,) = acts(world, lock, Step.PUT_BACK, memory, hold)
    assert [event.code for event in end.events] == [told]
    if hold is Hold.NOT_COOLED and urgency is Urgency.ORDINARY:
        assert end.memory is None, "its own wait begins anew"
    else:
        assert end.memory is not None
        assert end.memory.promotion_failure is not None
        assert end.memory.promotion_failure.message == hold.value
