"""Deploy hooks and confirmation once more, whatever the last run came to."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.tree.locks import TreeLock
from danebot.adapters.tree.memory_file import save_memory
from danebot.adapters.tree.paths import archive_versions
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.memory import Deployment, PendingHook
from danebot.jobs.deploy import deploy_again
from domain.builders import DAY, HOUR
from jobs.world import OWNER, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A lineage whose service was asked, at rest."""
    world = World(tmp_path)
    log = tmp_path / "log"
    common = world.settings.common._replace(hooks=(f"echo ran >>{log}",), probe=True)
    world.settings = world.settings._replace(common=common)
    world.renew()
    world.service.asked = 0
    return world


def ran(world: World) -> int:
    log = world.grown.root.parent / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def deploy(world: World) -> tuple[Finding, ...]:
    with TreeLock(world.grown.root):
        return deploy_again(world.context, (NAME,))[1]


def test_a_lineage_at_rest_has_its_hooks_run_and_its_service_asked(world: World) -> None:
    before = world.memory
    assert (ran(world), world.service.asked) == (0, 0)
    assert deploy(world) == ()
    assert (ran(world), world.service.asked) == (1, 1)
    assert world.memory == before
    asked = world.service.asked
    world.renew()
    assert (ran(world), world.service.asked) == (1, asked)


def test_what_came_live_by_itself_is_confirmed_where_nobody_is_asked(world: World) -> None:
    common = world.settings.common._replace(probe=False)
    world.settings = world.settings._replace(common=common)
    last = Deployment(b"former", b"former", world.now)
    save_memory(world.paths, world.memory, world.memory._replace(deployment=last))
    assert deploy(world) == ()
    assert world.memory.deployment is None


def test_where_nothing_was_ever_deployed_it_proves_no_reload(world: World) -> None:
    """The service had the chain all the while, so nobody knows what reloads it."""
    common = world.settings.common._replace(hooks=())
    world.settings = world.settings._replace(common=common)

    def told() -> list[Finding]:
        return [one for one in world.renew().findings if one.code is Code.NO_RELOAD]

    assert len(told()) == 1
    assert deploy(world) == ()
    assert len(told()) == 1


def test_it_is_done_again_each_time(world: World) -> None:
    for count in (1, 2, 3):
        assert deploy(world) == ()
        assert (ran(world), world.service.asked) == (count, count)


def test_a_service_that_serves_another_certificate_is_told_and_asked_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    world.service.key = "two"
    assert [one.code for one in deploy(world)] == [Code.NOT_SERVED]
    deployment = world.memory.deployment
    assert deployment is not None
    assert deployment.confirmed_at is None
    world.service.key = "one"
    asked = world.service.asked
    world.renew()
    assert world.service.asked > asked
    assert world.memory.deployment is None  # nothing was deployed


def test_a_hook_that_fails_stays_pending(world: World) -> None:
    common = world.settings.common._replace(hooks=("false",))
    world.settings = world.settings._replace(common=common)
    assert [one.code for one in deploy(world)] == [Code.HOOK_FAILED]
    deployment = world.memory.deployment
    assert deployment is not None
    assert [(one.hook, one.attempts) for one in deployment.pending] == [("false", 1)]


def test_a_post_hook_that_waits_is_run_once_as_ever(world: World) -> None:
    """A run died before it: what that hook starts again would stay down."""
    log = world.grown.root.parent / "post"
    post = world.grown.root / "renewal-hooks" / "post" / "start"
    post.parent.mkdir(parents=True)
    post.write_text(f"#!/bin/sh\necho ran >>{log}\n")
    post.chmod(0o755)
    memory, live = world.memory, world.context.tree.read(NAME).live
    assert live is not None
    pending = (PendingHook(str(post)),)
    waiting = Deployment(live.chain.fingerprint, live.key.digest, world.now, pending)
    save_memory(world.paths, memory, memory._replace(deployment=waiting))
    assert not log.exists()
    assert deploy(world) == ()
    assert deploy(world) == ()
    assert log.read_text() == "ran\n"
    assert world.memory.deployment is not None
    assert world.memory.deployment.pending == ()


@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_no_service_is_reloaded_onto_what_is_not_live(world: World, content: bytes | None) -> None:
    combo = world.paths.live / "combo.pem"
    combo.unlink()
    if content is not None:
        combo.write_bytes(content)
    found = deploy(world)[-1]
    assert found.severity is Severity.CRITICAL
    assert "combo.pem does not hold the live key and chain, so no hook is run" in found.text
    assert f"danebot renew {NAME}" in found.text
    assert ran(world) == 0


def test_a_rollover_whose_old_records_wait_waits_no_longer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    world.grown.staging_file("nextkey.pem", trees.key_pem("two"))
    world.zone.keys.append("two")
    world.pass_time(4 * DAY)
    world.service.key, world.service.number = "two", max(archive_versions(world.paths))
    world.renew()
    before = world.memory
    assert before.deployment is not None
    confirmed = before.deployment.confirmed_at, before.deployment.clear_since
    assert confirmed == (world.now, world.now)
    world.now += HOUR / 2
    assert deploy(world) == ()
    assert world.memory.past_keys == before.past_keys
    assert world.memory.deployment == before.deployment


def test_what_a_crash_left_is_mended_first(world: World) -> None:
    link = world.paths.live / "cert.pem"
    was = link.readlink()
    link.unlink()
    assert [one.code for one in deploy(world)] == [Code.HEALED]
    assert link.readlink() == was
    assert ran(world) == 1


def test_one_that_is_not_under_care_is_certbots(world: World) -> None:
    for file in (world.grown.root / "staging" / NAME).iterdir():
        file.unlink()
    (world.grown.root / "staging" / NAME).rmdir()
    world.grown.conf("live")
    (found,) = deploy(world)
    assert "is not under danebot's care, so certbot runs its hooks" in found.text
    assert ran(world) == 0


def test_a_service_that_can_not_be_asked_is_told(world: World) -> None:
    world.service.outcome = ProbeOutcome.UNREACHABLE
    assert [one.code for one in deploy(world)] == [Code.NOT_CONFIRMED]


def test_what_lacks_in_dns_is_no_concern_of_it(world: World) -> None:
    world.zone.keys.clear()
    assert deploy(world) == ()


def test_no_service_is_reloaded_onto_a_key_that_what_is_published_refuses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves a former key, by which mail flows until then (RFC 7671 section 8.1)."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    world.zone.keys = ["two"]
    world.service.key = "two"
    (found,) = deploy(world)
    assert f"senders may refuse the live chain at {OWNER}" in found.text
    assert f"danebot tlsa {NAME}" in found.text
    assert ran(world) == 0
    assert world.memory.deployment is None
    world.zone.keys = ["two", "one"]
    (found,) = deploy(world)  # caches have the former RRset
    assert f"until {world.now + 2 * DAY:%Y-%m-%d %H:%M} UTC" in found.text
    world.pass_time(2 * DAY)
    assert [one.code for one in deploy(world)] == [Code.NOT_SERVED]
    assert ran(world) == 1


def test_where_the_former_record_was_replaced_nothing_is_to_be_waited_for(world: World) -> None:
    world.zone.keys = ["two"]
    world.service.outcome = ProbeOutcome.UNREACHABLE
    assert len(deploy(world)) == 1
    world.zone.keys = ["one"]
    world.service.outcome = ProbeOutcome.SERVED
    assert deploy(world) == ()
    assert ran(world) == 1
