"""All that danebot does, on trees whose parts lie elsewhere; tests/e2e has certbot's own part."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from adapters import trees
from adapters.layouts import LAYOUTS, Layout, opened
from adapters.trees import NAME, Grown
from danebot.adapters.certbot.renewal_conf import PATH_SETTINGS
from danebot.domain.finding import Severity
from danebot.jobs.init import StagedKeys, deinitialise, initialise
from jobs.world import World

each_layout = pytest.mark.parametrize(
    "layout", LAYOUTS, ids=[layout.__name__ for layout in LAYOUTS]
)


def _world(root: Path, layout: Layout) -> World:
    world = World(root)
    _use(world, layout(world.grown))
    return world


def _use(world: World, grown: Grown) -> None:
    world.grown = world.issuer.grown = grown


def _sound(world: World, version: int) -> None:
    assert opened(world.grown, world.paths.live) == version
    assert opened(world.grown, world.paths.staging) == version
    state = world.context.tree.read(NAME)
    assert state.faults == ()
    assert state.serving is not None
    assert state.serving.same_content(state.live)


@each_layout
def test_init_and_deinit(tmp_path: Path, layout: Layout) -> None:
    world = World(tmp_path)
    shutil.rmtree(world.grown.root)
    _use(world, layout(trees.issued(tmp_path / "tree")))
    assert initialise(world.context, NAME, ()).changed
    _sound(world, 1)
    assert not initialise(world.context, NAME, ()).changed
    world.grown.version(2)
    world.grown.link(world.paths.staging, 2)
    world.grown.staging_file("nextkey.pem", trees.key_pem("two"))
    (kept,) = deinitialise(world.context, NAME, StagedKeys.DROP).kept
    assert kept.read_bytes() == trees.key_pem("two")
    assert opened(world.grown, world.paths.live) == 2
    conf = world.context.tree.conf(NAME)
    for setting in PATH_SETTINGS:
        assert Path(conf.top(setting)).samefile(world.paths.archived(setting, 2))
    assert not world.paths.staging.exists()


@each_layout
def test_renewal(tmp_path: Path, layout: Layout) -> None:
    world = _world(tmp_path, layout)
    world.issuer.due = True
    assert [f for f in world.renew().findings if f.severity > Severity.NOTICE] == []
    _sound(world, 2)


@each_layout
def test_promotion(tmp_path: Path, layout: Layout) -> None:
    world = _world(tmp_path, layout)
    world.grown.staging_file("nextkey.pem", trees.key_pem("two"))
    world.zone.keys.append("two")
    world.pass_time(timedelta(days=7))
    assert "promote" in world.issuer.calls
    state = world.context.tree.read(NAME)
    assert state.serving is not None
    assert state.serving.key == trees.public("two")
    assert state.live is not None
    _sound(world, state.live.version or 0)
