"""When a plan still holds: nothing that it rests on has moved since it came to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.tree.locks import TreeLock
from danebot.domain.rollover.evidence.memory import CancelledKey, Exposure, PastKey
from danebot.jobs.authority import CaAccess
from danebot.jobs.lineage_run import LineageRun, observe
from danebot.jobs.progress import Done, Progress
from jobs.world import OWNER, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def run(world: World) -> LineageRun:
    run = LineageRun(world.context, NAME)
    run.recall()
    observe(run.context, [run])
    with TreeLock(world.grown.root) as lock:
        run.advance(CaAccess(world.certbot, lock))
    assert run.settled
    return run


def test_it_holds_until_certbot_has_issued(world: World, run: LineageRun) -> None:
    world.grown.version(2)
    world.grown.link(world.paths.staging, 2)
    assert not run.settled


def test_it_holds_until_something_is_to_be_remembered(run: LineageRun) -> None:
    run.do((Done(run.memory),))
    assert run.settled
    past = PastKey(b"spki", run.context.clock(), Exposure.NONE)
    run.do((Done(run.memory._replace(past_keys=(past,))),))
    assert not run.settled


def test_it_holds_until_dns_is_observed_again(world: World, run: LineageRun) -> None:
    run.take_published(run.memory, (), {})
    assert run.settled
    run.take_published(run.memory, (), world.zone.observe_owners([OWNER]))
    assert not run.settled


def test_a_failure_ends_the_run_of_its_lineage_and_nothing_is_done_after(run: LineageRun) -> None:
    def fails() -> None:
        raise RuntimeError("a mistake")

    done: list[Progress] = []
    run.guard(fails)
    run.guard(lambda: done.append(run.progress))
    assert done == []
    assert not run.certbot_may_renew
    (event,) = run.progress.events
    assert "internal error: RuntimeError at " in event.text


def test_a_key_that_was_cancelled_is_seen_where_it_was_put_meanwhile(world: World) -> None:
    world.grown.staging_file("nextkey.pem", trees.key_pem("two"))
    two = trees.public("two")
    run = LineageRun(world.context, NAME)
    run.heal()
    run.recall()
    cancelled = CancelledKey(two.digest, run.context.clock(), two.spki)
    run.do((Done(run.memory._replace(cancelled=(cancelled,))),))
    run.finish_cancel()
    state = run.read_healed()
    assert state.next is None
    assert [file.key for file in state.cancelled] == [two]
