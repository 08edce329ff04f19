"""Several names that change together: whatever fails on the way, all of them are as before."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters import trees
from adapters.layouts import opened
from adapters.tree.failing import Failure, failing
from adapters.trees import NAME, Grown
from danebot.adapters.tree import changes
from danebot.adapters.tree.paths import KINDS
from danebot.adapters.tree.recovery import recover
from danebot.config.settings import ComboAccess
from danebot.domain.rollover.steps.plan import Keep
from danebot.errors import TreeError

Contents = dict[str, tuple[object, ...]]


def deploy(grown: Grown) -> None:
    changes.deploy(grown.paths, 2, ComboAccess(0o640, 7))


def stage_key(grown: Grown) -> None:
    changes.stage_key(grown.paths)


def put_back(grown: Grown) -> None:
    state = grown.tree.read(NAME)
    assert state.serving is not None
    assert state.staged is not None
    changes.put_back(grown.paths, state.serving, state.staged, Keep.AS_NEXT)


def write_back(grown: Grown) -> None:
    """The version that live had is gone from the archive, and its links lead to the other."""
    recover(grown.tree, NAME)


def heal_links(grown: Grown) -> None:
    """Live's links lead to the other version."""
    recover(grown.tree, NAME)


HEALING = (write_back, heal_links)
Act = Callable[[Grown], None]


def prepare(root: Path, act: Act) -> Grown:
    grown = trees.staged(root)
    grown.version(2, "other")
    grown.link(grown.paths.staging, 2)
    grown.staging_file("ready.pem", trees.key_pem("third"))
    if act is write_back:
        for kind in KINDS:
            grown.paths.archived(kind, 1).unlink()
        grown.link(grown.paths.live, 2)
    if act is heal_links:
        grown.link(grown.paths.live, 2)
    return grown


def contents(grown: Grown) -> Contents:
    """All names of the tree: what each links to or holds, and who may use it."""
    found: Contents = {}
    for path in sorted(grown.root.rglob("*")):
        status = path.lstat()
        access = (status.st_mode, status.st_gid)
        name = str(path.relative_to(grown.root))
        if path.is_symlink():
            found[name] = os.readlink(path), *access
        elif path.is_file():
            found[name] = path.read_bytes().replace(str(grown.root).encode(), b"ROOT"), *access
        else:
            found[name] = access
    return found


def _with_live(before: Contents, after: Contents) -> Contents:
    """The tree as it was, with live healed, and the version in the archive that it needs."""
    there = ("live", "archive")
    kept = {name: value for name, value in before.items() if not name.startswith(there)}
    return kept | {name: value for name, value in after.items() if name.startswith(there)}


@pytest.mark.parametrize("failure", Failure, ids=lambda failure: failure.name)
@pytest.mark.parametrize("act", [deploy, stage_key, put_back, write_back, heal_links])
def test_what_fails_in_the_middle_is_taken_back(tmp_path: Path, act: Act, failure: Failure) -> None:
    """Healing is more than one change: each of them is made as a whole, or not at all."""
    grown = prepare(tmp_path / "whole", act)
    with failing(failure, 0) as calls:
        act(grown)
    made, after, failed = calls.made, contents(grown), 0
    for at in range(1, made + 1):
        grown = prepare(tmp_path / str(at), act)
        before = contents(grown)
        allowed = [before, _with_live(before, after)] if act in HEALING else [before]
        with failing(failure, at):
            try:
                act(grown)
            except TreeError:
                failed += 1
            else:
                allowed = [after]  # there was another way
        assert contents(grown) in allowed, f"call {at} of {made}"
    assert failed > 1
    grown = prepare(tmp_path / "again", act)
    with failing(failure, made), contextlib.suppress(TreeError):
        act(grown)
    act(grown)
    recover(grown.tree, NAME)
    assert recover(grown.tree, NAME) == ()
    opened(grown, grown.paths.live)
    opened(grown, grown.paths.staging)
