"""Several names that change together: whatever fails on the way, all of them are as before."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters import trees
from adapters.layouts import opened
from adapters.tree.failing import Failure, failing
from adapters.trees import NAME, Grown
from amounts import amount
from danebot.adapters import replacing
from danebot.adapters.replacing import TEMP_PREFIX, NewFile, NewLink, replace
from danebot.adapters.tree import changes
from danebot.adapters.tree.paths import KINDS
from danebot.adapters.tree.recovery import recover
from danebot.config.settings import ComboAccess
from danebot.domain.rollover.steps.phases import Keep
from danebot.errors import TreeError

Contents = dict[str, tuple[object, ...]]


def deploy(grown: Grown) -> None:
    changes.make_live(grown.paths, 2, ComboAccess(0o640, 7))


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


def test_what_cannot_be_given_back_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails for good after the first name was changed."""
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        path.write_text("former")
    real, renamed = Path.rename, list[Path]()

    def rename(self: Path, target: Path) -> Path:
        if renamed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        renamed.append(target)
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(TreeError, match=r"cannot write .*two: Input/output error"):
        replace(NewFile(one, b"new"), NewFile(two, b"new"))
    (kept,) = tmp_path.glob(f"{TEMP_PREFIX}*")
    assert kept.read_text() == "former"
    assert (one.read_text(), two.read_text()) == ("new", "former")


def test_a_link_that_would_lead_elsewhere_changes_nothing(tmp_path: Path) -> None:
    for name in ("file", "other"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("other")
    for target in ("other", "nowhere"):
        with pytest.raises(TreeError, match=r"cannot link .*link: "):
            replace(NewLink(tmp_path / "link", target, tmp_path / "file"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "other"]
        assert (tmp_path / "link").readlink() == Path("other")


def test_each_name_is_durable_before_the_next_changes_and_on_the_way_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A double that writes down what is called: no power is cut here."""
    called: list[str] = []
    real, sync = Path.rename, replacing.sync_directory

    def rename(self: Path, target: Path) -> Path:
        called.append(f"rename {target.name}")
        if target.name == "three":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self, target)

    def synced(directory: Path) -> None:
        called.append("sync")
        sync(directory)

    for name in ("one", "two", "three"):
        (tmp_path / name).write_text("former")
    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(replacing, "sync_directory", synced)
    with pytest.raises(TreeError):
        replace(*(NewFile(tmp_path / name, b"new") for name in ("one", "two", "three")))
    forth = ["rename one", "sync", "rename two", "sync", "rename three"]
    assert called == [*forth, "rename two", "sync", "rename one", "sync"]


@pytest.mark.parametrize("failure", Failure, ids=lambda failure: failure.name)
@pytest.mark.parametrize("act", [deploy, stage_key, put_back, write_back, heal_links])
def test_what_fails_in_the_middle_is_taken_back(tmp_path: Path, act: Act, failure: Failure) -> None:
    """Healing is more than one change: each of them is made as a whole, or not at all."""
    grown = prepare(tmp_path / "whole", act)
    with failing(failure, 0) as calls:
        act(grown)
    made, after, failed = calls.made, contents(grown), 0
    every = amount(2, 1)
    for at in range(1 + list(Failure).index(failure) % every, made + 1, every):
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
