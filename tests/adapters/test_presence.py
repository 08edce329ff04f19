"""Only "no such file" is an absence: what can't be told stops, and nothing is healed over it.

A loop of symbolic links stands for a failing disk or server: the kernel answers with an error of
its own (ELOOP), as it does with EIO, ESTALE or EACCES.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME, Grown
from danebot.adapters.presence import is_directory, is_file, is_there
from danebot.adapters.tree.memory_file import recall
from danebot.adapters.tree.paths import archive_versions
from danebot.adapters.tree.recovery import recover
from danebot.adapters.tree.tree import Tree
from danebot.domain.lineage.state import STAGING_GONE, Management
from danebot.errors import TreeError, UnreadableError


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    return trees.staged(tmp_path)


def out_of_reach(path: Path) -> bytes:
    """From now on the kernel says neither that it is there nor that it isn't."""
    kept = b""
    if path.is_file():
        kept = path.read_bytes()
        path.unlink()
    elif path.is_dir():
        path.rename(path.with_name(f".{path.name}.kept"))
    path.symlink_to(path.name)
    return kept


def test_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert is_there(tmp_path / "file")
    assert is_there(tmp_path / "dangling")
    assert not is_there(tmp_path / "nothing")
    assert not is_there(tmp_path / "file" / "below")
    assert is_file(tmp_path / "file")
    assert not is_file(tmp_path / "dangling")
    assert not is_file(tmp_path)
    assert is_directory(tmp_path)
    assert not is_directory(tmp_path / "file")
    assert not is_directory(tmp_path / "nothing")


@pytest.mark.parametrize("look", [is_file, is_directory])
def test_what_cannot_be_told_is_no_absence(tmp_path: Path, look: object) -> None:
    out_of_reach(tmp_path / "it")
    assert callable(look)
    with pytest.raises(UnreadableError, match="cannot read"):
        look(tmp_path / "it")
    with pytest.raises(UnreadableError):
        look(tmp_path / "it" / "below")


def test_a_staging_directory_out_of_reach_makes_no_passed_through_lineage(grown: Grown) -> None:
    out_of_reach(grown.paths.staging)
    with pytest.raises(UnreadableError):
        grown.tree.read(NAME)


@pytest.mark.parametrize("file", ["live/{}/combo.pem", "archive/{}/privkey1.pem"])
def test_nothing_is_healed_over_what_cannot_be_read(grown: Grown, file: str) -> None:
    """combo.pem is what services serve: it is not written anew because a disk fails."""
    path = grown.tree.root / file.format(NAME)
    out_of_reach(path)
    before = sorted(grown.tree.root.rglob("*"))
    fresh = Tree(grown.tree.root)
    with pytest.raises(UnreadableError):
        fresh.read(NAME)
    with pytest.raises(UnreadableError):
        recover(fresh, NAME)
    assert sorted(grown.tree.root.rglob("*")) == before
    assert path.is_symlink()


def test_owners_out_of_reach_are_a_fault_and_no_empty_list(grown: Grown) -> None:
    (grown.paths.staging / "dane-ee").unlink(missing_ok=True)
    out_of_reach(grown.paths.staging / "dane-ee")
    state = grown.tree.read(NAME)
    assert state.required is None
    assert any("dane-ee" in fault for fault in state.faults)


def test_memory_and_archive_out_of_reach(grown: Grown) -> None:
    (grown.paths.staging / "rollover.json").unlink(missing_ok=True)
    out_of_reach(grown.paths.staging / "rollover.json")
    with pytest.raises(UnreadableError):
        recall(grown.paths)[0]
    out_of_reach(grown.paths.archive)
    with pytest.raises(UnreadableError):
        archive_versions(grown.paths)


# ---- parts that are gone --------------------------------------------------------------------


def test_staging_gone_while_the_configuration_leads_there(grown: Grown) -> None:
    grown.paths.staging.rename(grown.tree.root / "taken")
    state = grown.tree.read(NAME)
    assert state.management is Management.PASS_THROUGH
    assert any(fault.endswith(STAGING_GONE) for fault in state.faults)


def test_orphans_are_what_lies_there_without_a_configuration(grown: Grown) -> None:
    assert grown.tree.orphans() == ()
    grown.paths.conf.unlink()
    assert grown.tree.orphans() == (NAME,)
    with pytest.raises(TreeError, match=f"danebot status {NAME}"):
        grown.tree.select((NAME,))
    grown.paths.staging.rename(grown.tree.root / "taken")
    assert grown.tree.orphans() == (NAME,)  # live alone


def test_what_is_no_lineage_is_no_orphan(grown: Grown) -> None:
    live = grown.paths.live.parent
    (live / "README").write_text("certbot's")
    (live / "empty").mkdir()
    (grown.tree.root / "staging" / ".danebot-tmp-x").mkdir()
    assert grown.tree.orphans() == ()
