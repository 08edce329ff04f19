"""Whatever call fails while a lineage is taken under care or given back, its links open."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters import trees
from adapters.layouts import opened
from adapters.tree.failing import Failure, failing
from adapters.trees import NAME
from danebot.adapters.certbot.renewal_conf import PATH_SETTINGS
from danebot.errors import DanebotError
from danebot.jobs.init import StagedKeys, deinitialise, initialise
from domain import builders
from jobs.world import OWNER, World

_EACH = 4  # every fourth call that may fail is tried
Act = Callable[[World], object]


def init(world: World) -> object:
    return initialise(world.context, NAME, (builders.line(OWNER),))


def deinit(world: World) -> object:
    return deinitialise(world.context, NAME, StagedKeys.DROP)


def _world(root: Path, act: Act) -> World:
    world = World(root)
    if act is init:
        shutil.rmtree(world.grown.root)
        world.grown = trees.issued(root / "tree")
    else:
        world.grown.version(2)
        world.grown.link(world.paths.staging, 2)
        world.grown.staging_file("nextkey.pem", trees.key_pem("two"))
    return world


def _holds(world: World, keys: set[bytes]) -> None:
    """certbot finds one version where its configuration leads, services find one in live."""
    version = opened(world.grown, world.paths.live)
    conf = world.context.tree.conf(NAME)
    (place,) = {Path(conf.top(setting)).parent for setting in PATH_SETTINGS}
    opened(world.grown, place)
    combo = world.paths.live / "combo.pem"
    if combo.exists():
        held = world.context.tree.reader.combo(combo)
        assert held is not None
        assert held.same_content(world.context.tree.reader.version(world.paths, version))
    assert keys <= world.grown.key_digests()


@pytest.mark.parametrize("failure", Failure, ids=lambda failure: failure.name)
@pytest.mark.parametrize("act", [init, deinit])
def test_links_open_and_the_same_command_completes(
    tmp_path: Path, act: Act, failure: Failure
) -> None:
    world = _world(tmp_path / "whole", act)
    with failing(failure, 0) as calls:
        act(world)
    failed = 0
    for at in range(1, calls.made + 1, _EACH):
        world = _world(tmp_path / str(at), act)
        keys = world.grown.key_digests()
        with failing(failure, at):
            try:
                act(world)
            except DanebotError:
                failed += 1
        _holds(world, keys)
        act(world)
        _holds(world, keys)
        assert world.paths.staging.exists() is (act is init), f"call {at}"
        assert not list(world.grown.root.rglob(".danebot-tmp-*")), f"call {at}"
    assert failed > 1
