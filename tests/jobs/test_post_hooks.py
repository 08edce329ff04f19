"""certbot's post hooks, which certbot has run too early, are run once more, and once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.trees import NAME
from danebot.adapters.certbot.hooks import Hook, HookRun, run_hook
from danebot.adapters.tree.memory_file import save_memory
from danebot.adapters.tree.paths import LineagePaths
from danebot.config import Settings
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.rollover.evidence.memory import Memory
from danebot.errors import TreeError
from danebot.jobs import reloading
from danebot.jobs.context import Context
from domain.builders import DAY
from jobs.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A certificate that is due."""
    world = World(tmp_path)
    world.now += 14 * DAY
    world.issuer.due = True
    return world


def hook(world: World, place: str, lines: str, name: str = "hook") -> Path:
    path = world.grown.root / "renewal-hooks" / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


def warned(findings: tuple[Finding, ...]) -> list[tuple[FindingKind, str]]:
    return [(f.code, f.where) for f in findings if f.severity >= Severity.WARNING]


def test_they_run_after_the_deploy_hooks_with_the_chain_live(world: World) -> None:
    log = world.grown.root / "log"
    for place in ("post", "deploy"):
        hook(world, place, f"readlink $RENEWED_LINEAGE/cert.pem >>{log}; echo {place} >>{log}")
    saved = f"post_hook = echo saved $DANEBOT_EVENT $RENEWED_DOMAINS >>{log}"
    world.grown.conf("staging", "reuse_key = True", saved)
    assert warned(world.renew().findings) == []
    second = f"../../archive/{NAME}/cert2.pem"
    assert log.read_text().splitlines() == [
        *(second, "deploy", second, "post", f"saved deployed {NAME}"),
    ]
    world.renew()
    assert len(log.read_text().splitlines()) == 5


def test_one_that_fails_is_told_and_not_run_again(world: World) -> None:
    """An undone pre hook can't be undone twice."""
    path = hook(world, "post", 'echo x >>"$0.log"; echo no rule; exit 2')
    outcome = world.renew()
    assert warned(outcome.findings) == [(Code.HOOK_FAILED, NAME)]
    (told,) = (f for f in outcome.findings if f.code is Code.HOOK_FAILED)
    assert "post hook" in told.text
    assert "run_post_hooks = false" in told.remedy
    assert told.said == "no rule"
    assert warned(world.renew().findings) == []
    assert path.with_name("hook.log").read_text() == "x\n"


def test_a_run_that_is_killed_before_them_leaves_them_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hook(world, "post", 'echo x >>"$0.log"')

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("danebot.jobs.post_hooks.run_post_hooks", killed)
        with pytest.raises(KeyboardInterrupt):
            world.renew()
    world.renew()
    assert path.with_name("hook.log").read_text() == "x\n"


@pytest.mark.parametrize(
    "settings", [Settings(run_post_hooks=False), Settings(run_certbot_hooks=False)]
)
def test_they_can_be_left_to_certbot(world: World, settings: Settings) -> None:
    path = hook(world, "post", 'echo x >>"$0.log"')
    world.settings = world.settings._replace(
        run_post_hooks=settings.run_post_hooks, run_certbot_hooks=settings.run_certbot_hooks
    )
    world.renew()
    assert world.memory.deployment is not None
    assert not path.with_name("hook.log").exists()


def fills_up(monkeypatch: pytest.MonkeyPatch, when: Callable[[Memory], bool]) -> None:
    """``rollover.json`` can't be written from some time on: a double of a disk that is full."""

    def save(paths: LineagePaths, stored: Memory, memory: Memory) -> None:
        if when(memory):
            raise TreeError("cannot write rollover.json: No space left on device")
        save_memory(paths, stored, memory)

    monkeypatch.setattr("danebot.jobs.lineage_run.save_memory", save)


def test_one_that_fails_and_fills_the_disk_is_told_and_the_others_run_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = world.grown.root / "full"
    first = hook(world, "post", f'echo x >>"$0.log"; touch {full}; echo no space for me; exit 1')
    second = hook(world, "post", 'echo x >>"$0.log"', "second")
    fills_up(monkeypatch, lambda _: full.exists())
    outcome = world.renew()
    told = [(f.code, f.where) for f in outcome.findings if f.severity >= Severity.WARNING]
    assert (Code.HOOK_FAILED, NAME) in told
    assert Code.FILES_BROKEN in [code for code, _ in told]
    assert len(outcome.views) == 1
    full.unlink()
    world.renew()
    for path in (first, second):
        assert Path(f"{path}.log").read_text() == "x\n"


@pytest.mark.parametrize("when", ["before the call", "after it"])
def test_a_disk_that_fills_up_around_certbot_does_not_end_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Who can't be remembered isn't asked for; what was issued is there at the next run."""
    after = when == "after it"
    calls = world.issuer.calls
    fills_up(monkeypatch, lambda memory: bool(calls if after else memory.contacts))
    outcome = world.renew()
    told = [f for f in outcome.findings if f.severity >= Severity.WARNING]
    assert any("No space left" in f.text for f in told)
    assert calls == (["renew"] if after else [])
    assert len(outcome.views) == 1


def test_they_are_not_run_again_for_a_service_that_has_the_former_chain(world: World) -> None:
    """The deploy hooks are; these may undo something each time."""
    undo = hook(world, "post", 'echo x >>"$0.log"')
    log = world.grown.root / "log"
    hook(world, "deploy", f"echo x >>{log}")
    common = world.settings.common._replace(probe=True)
    world.settings = world.settings._replace(common=common)
    for _ in range(3):
        outcome = world.renew()
        assert (Code.NOT_SERVED, NAME) in warned(outcome.findings)
        world.now += DAY
    assert undo.with_name("hook.log").read_text() == "x\n"
    assert log.read_text() == "x\n" * 3


def test_one_that_is_cut_short_is_not_run_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hook(world, "post", 'echo x >>"$0.log"')

    def cut(
        one: Hook,
        live: Path,
        domains: Iterable[str],
        timeout: timedelta,
        environment: Mapping[str, str],
    ) -> HookRun:
        result = run_hook(one, live, domains, timeout, environment)
        if one.kind.post:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch:
        patch.setattr("danebot.adapters.certbot.hooks.run_hook", cut)
        with pytest.raises(KeyboardInterrupt):
            world.renew()
    world.renew()
    assert path.with_name("hook.log").read_text() == "x\n"


def test_a_cli_ini_that_can_not_be_read_takes_nothing_from_a_deployment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A double: certbot itself reads the file just before, so it fails in between alone."""
    log = world.grown.root / "log"
    hook(world, "deploy", f"readlink $RENEWED_LINEAGE/cert.pem >>{log}")
    known = reloading._read

    def read(context: Context) -> reloading._Certbots:
        if (world.grown.root / "live" / NAME / "cert.pem").readlink().name == "cert2.pem":
            raise TreeError("cannot read cli.ini")
        return known(context)

    monkeypatch.setattr(reloading, "_read", read)
    findings = world.renew().findings
    assert [one.text for one in findings if "cli.ini" in one.text] == []
    assert log.read_text() == f"../../archive/{NAME}/cert2.pem\n"
