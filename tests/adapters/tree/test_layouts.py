"""Links that lead through other links: whatever danebot links opens, and what doesn't is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters import trees
from adapters.layouts import LAYOUTS, Layout, by_certbot, opened
from adapters.trees import NAME, Grown
from danebot.adapters.tree import changes
from danebot.adapters.tree.paths import KINDS, sound_links
from danebot.adapters.tree.recovery import recover
from danebot.config.settings import ComboAccess
from danebot.domain.rollover.steps.phases import Keep


@pytest.fixture(params=LAYOUTS, ids=[layout.__name__ for layout in LAYOUTS])
def grown(tmp_path: Path, request: pytest.FixtureRequest) -> Grown:
    layout: Layout = request.param
    return layout(trees.staged(tmp_path / "tree"))


def sound(grown: Grown, live: int, staging: int) -> None:
    """Both sets of links open, danebot says so, and there is nothing left to mend."""
    paths = grown.tree.paths(NAME)
    assert (opened(grown, paths.live), opened(grown, paths.staging)) == (live, staging)
    assert (sound_links(paths, paths.live), sound_links(paths, paths.staging)) == (live, staging)
    state = grown.tree.read(NAME)
    assert state.faults == ()
    assert state.live is not None
    assert state.staged is not None
    assert (state.live.version, state.staged.version) == (live, staging)
    assert grown.tree.points_at_staging(NAME)
    assert recover(grown.tree, NAME) == ()


def test_recovery(grown: Grown) -> None:
    recover(grown.tree, NAME)
    sound(grown, 1, 1)


def test_recovery_of_links_that_are_gone(grown: Grown) -> None:
    for directory in (grown.paths.live, grown.paths.staging):
        for kind in KINDS[:3]:
            (directory / f"{kind}.pem").unlink()
    recover(grown.tree, NAME)
    sound(grown, 1, 1)


def test_recovery_of_a_version_that_is_gone(grown: Grown) -> None:
    grown.version(3)
    grown.link(grown.paths.staging, 3)
    for kind in KINDS:
        grown.paths.archived(kind, 1).unlink()
    recover(grown.tree, NAME)
    sound(grown, 1, 3)


def test_deployment(grown: Grown) -> None:
    recover(grown.tree, NAME)
    grown.version(2, "other")
    grown.link(grown.paths.staging, 2)
    changes.make_live(grown.tree.paths(NAME), 2, ComboAccess())
    sound(grown, 2, 2)


def test_staging_a_key_and_putting_back(grown: Grown) -> None:
    recover(grown.tree, NAME)
    grown.staging_file("ready.pem", trees.key_pem("other"))
    paths = grown.tree.paths(NAME)
    assert changes.stage_key(paths) == 2
    link = paths.staging / "privkey.pem"
    assert link.samefile(grown.paths.archived("privkey", 2))
    assert by_certbot(link).samefile(grown.paths.archived("privkey", 2))
    grown.version(3, "other")
    grown.link(paths.staging, 3)
    recover(grown.tree, NAME)
    state = grown.tree.read(NAME)
    assert state.serving is not None
    assert state.staged is not None
    assert changes.put_back(paths, state.serving, state.staged, Keep.ASIDE) == 4
    sound(grown, 1, 4)


@pytest.mark.parametrize("place", ["live", "staging"])
def test_links_that_lead_astray_are_told_and_healed(tmp_path: Path, place: str) -> None:
    """Their names are those of versions that are there; the files behind them aren't these."""
    grown = trees.staged(tmp_path / "tree")
    directory = grown.root / place / NAME
    for astray in ("../../../archive", "../archive", "/nowhere"):
        for kind in KINDS:
            (directory / f"{kind}.pem").unlink()
            (directory / f"{kind}.pem").symlink_to(f"{astray}/{NAME}/{kind}1.pem")
        (fault,) = grown.tree.read(NAME).faults
        assert fault.startswith(str(directory)), fault
        recover(grown.tree, NAME)
        sound(grown, 1, 1)


def test_another_lineages_files_are_not_taken_for_ones_own(tmp_path: Path) -> None:
    grown = trees.staged(tmp_path / "tree")
    other = grown.root / "archive" / "other"
    other.mkdir()
    for kind in KINDS:
        (other / f"{kind}1.pem").write_bytes(grown.paths.archived(kind, 1).read_bytes())
        link = grown.paths.live / f"{kind}.pem"
        link.unlink()
        link.symlink_to(f"../../archive/other/{kind}1.pem")
    assert grown.tree.read(NAME).faults != ()
    recover(grown.tree, NAME)
    sound(grown, 1, 1)


_BOUND = """
import sys
from pathlib import Path
from adapters.layouts import opened
from adapters.trees import Grown, key_pem
from danebot.adapters.files import move
from danebot.adapters.tree import changes
from danebot.config.settings import ComboAccess

grown = Grown(Path(sys.argv[1]))
grown.version(2, "other")
grown.link(grown.paths.staging, 2)
changes.make_live(grown.paths, 2, ComboAccess())
assert opened(grown, grown.paths.live) == opened(grown, grown.paths.staging) == 2
grown.staging_file("nextkey.pem", key_pem("third"))
(kept,) = changes.keep_given_up(grown.paths, ["nextkey.pem"])
assert kept.read_bytes() == key_pem("third")
assert kept.stat().st_mode & 0o777 == 0o600
print(grown.listing(grown.paths.live), grown.listing(grown.paths.staging))
"""


def test_bind_mounts(tmp_path: Path) -> None:
    """Parts of the tree are mounted there: names can't be moved between them."""
    grown = trees.staged(tmp_path / "tree")
    mounts = []
    for place in ("live", "archive"):
        there = tmp_path / "srv" / "of" / place
        there.parent.mkdir(parents=True, exist_ok=True)
        (grown.root / place / NAME).rename(there)
        (grown.root / place / NAME).mkdir()
        mounts.append(f"mount --bind {there} {grown.root / place / NAME}")
    script = " && ".join(["exec 3>&1", *mounts, "echo mounted >&3", 'exec "$0" -c "$1" "$2"'])
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, sys.executable, _BOUND, str(grown.root)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "mounted" not in done.stdout:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert not any(".danebot-tmp-" in line for line in done.stdout.splitlines())
