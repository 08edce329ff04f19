"""Publication in a run, and by itself: in which order, by what was seen, and what is said of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.tree.memory_file import write_memory
from danebot.config.settings import Method, PublishSettings
from danebot.domain.finding import Code, Severity
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.evidence.memory import CancelledKey, Deployment, PastKey, Protection
from danebot.jobs.newkey import cancel, stage
from danebot.jobs.publish_all import publish_now
from domain.builders import DAY
from jobs.world import World, record

PUBLISHES = PublishSettings(Method.RFC2136, wait=timedelta(0))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def in_renew(world: World) -> None:
    settings = world.settings.common._replace(publish=PUBLISHES)
    world.settings = world.settings._replace(common=settings)


def staged(world: World) -> None:
    file = world.grown.root.parent / "two.pem"
    file.write_bytes(trees.key_pem("two"))
    stage(world.context, NAME, None, file, Protection.REQUIRED)


def past_key(world: World, name: str = "three") -> None:
    """A key that no service has any more, and whose record is still there."""
    world.zone.keys.append(name)
    deployment = Deployment(b"chain", b"one", world.now - DAY, confirmed_at=world.now - DAY)
    deployment = deployment._replace(clear_since=world.now, cleared_at=world.now)
    memory = world.memory._replace(
        deployment=deployment,
        past_keys=(PastKey(trees.public(name).spki, world.now - DAY),),
    )
    write_memory(world.paths, memory)


@pytest.mark.parametrize("by_itself", [True, False])
def test_what_lacks_is_added_before_what_is_old_goes(
    world: World,
    by_itself: bool,  # noqa: FBT001 - a column
) -> None:
    in_renew(world)
    staged(world)
    past_key(world)
    if by_itself:
        publish_now(world.context, [NAME])
    else:
        world.renew()
    assert [change.add for change in world.zone.asked] == [(record("two"),), ()]
    assert [change.remove for change in world.zone.asked] == [(), (record("three"),)]
    assert world.zone.keys == ["one", "two"]


def test_a_removal_is_judged_by_what_was_seen_after_the_addition(world: World) -> None:
    """A publisher that replaces the RRset would take the new record away again."""
    in_renew(world)
    staged(world)
    past_key(world)
    world.renew()
    _, removal = world.zone.asked
    assert record("two") in removal.result(removal.base)


def test_what_was_refused_is_not_asked_for_again_in_the_same_run(world: World) -> None:
    in_renew(world)
    staged(world)
    world.zone.outcome = ChangeOutcome.REFUSED
    world.renew()
    assert len(world.zone.asked) == 1
    failure = world.memory.publishing.failure
    assert failure is not None
    assert failure.count == 1


def test_what_is_slow_to_appear_is_not_asked_for_again_in_the_same_run(world: World) -> None:
    in_renew(world)
    staged(world)
    world.zone.lags = True
    world.renew()
    assert len(world.zone.asked) == 1
    world.renew()
    assert len(world.zone.asked) == 2


def test_by_itself_nothing_waits_for_the_time_that_a_failure_set(world: World) -> None:
    staged(world)
    world.zone.outcome = ChangeOutcome.REFUSED
    publish_now(world.context, [NAME])
    _, findings = publish_now(world.context, [NAME])
    assert len(world.zone.asked) == 2
    assert [f.code for f in findings] == [Code.PUBLISH_FAILED]


def test_a_lineage_that_cannot_be_read_stops_no_other(world: World) -> None:
    (world.grown.root / "renewal" / "broken.conf").write_text("")
    (world.grown.root / "staging" / "broken" / "rollover.json").mkdir(parents=True)
    staged(world)
    views, findings = publish_now(world.context, ["broken", NAME])
    assert [view.state.name for view in views] == [NAME]
    assert [f.where for f in findings if f.severity is Severity.CRITICAL] == ["broken"]
    assert world.zone.keys == ["one", "two"]


def test_a_cancelled_key_that_is_gone_is_told_once(world: World) -> None:
    key = trees.public("two")
    write_memory(
        world.paths,
        world.memory._replace(cancelled=(CancelledKey(key.digest, world.now - DAY, key.spki),)),
    )
    _, findings = publish_now(world.context, [NAME])
    assert [f.code for f in findings] == [Code.CANCELLED]
    assert publish_now(world.context, [NAME])[1] == ()


def test_a_cancelled_key_loses_its_record_at_once(world: World) -> None:
    staged(world)
    publish_now(world.context, [NAME])
    assert world.zone.keys == ["one", "two"]
    done = cancel(world.context, NAME)
    assert world.zone.keys == ["one"]
    assert done.view.publication.remove == ()
    assert Code.RECORDS_REMOVED in [f.code for f in done.findings]
    assert done.kept is not None
    assert done.kept.exists()
