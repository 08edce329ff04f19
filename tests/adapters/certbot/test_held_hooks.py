"""Deploy hooks are held back and given back, whatever happens between."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.tree.failing import Failure, failing
from danebot.adapters.certbot import held_hooks
from danebot.adapters.certbot.held_hooks import DIRECTORY, KEPT, any_staged, give_back, hold
from danebot.adapters.files import write_file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / DIRECTORY).mkdir(parents=True)
    script(tmp_path, "hook", "echo run $1")
    return tmp_path


def script(root: Path, name: str, line: str, mode: int = 0o755) -> Path:
    path = root / DIRECTORY / name
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(mode)
    return path


def run(root: Path, lineage: str, name: str = "hook") -> str:
    done = subprocess.run(
        [root / DIRECTORY / name, "it"],
        env={"RENEWED_LINEAGE": lineage},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def files(root: Path) -> dict[str, tuple[bytes, int]]:
    found = sorted(path for path in (root / "renewal-hooks").rglob("*") if path.is_file())
    return {str(p.relative_to(root)): (p.read_bytes(), p.stat().st_mode & 0o777) for p in found}


def test_a_held_hook_runs_for_what_is_live_and_not_for_what_waits(root: Path) -> None:
    before = files(root)
    for _ in range(2):
        hold(root)
        assert run(root, "/le/staging/mail") == ""
        for live in ("/le/live/mail", "/le/staging/live/mail", "/le/live/staging", ""):
            assert run(root, live) == "run it\n"
    assert give_back(root) == ()
    assert files(root) == before


@pytest.mark.parametrize("step", ["keep", "write_file"])
def test_a_crash_at_any_step_leaves_the_hook_and_is_gone_over(
    root: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(root)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(held_hooks, step, crash)
        with pytest.raises(KeyboardInterrupt):
            hold(root)
    assert run(root, "/le/live/mail") == "run it\n"
    hold(root)
    assert run(root, "/le/staging/mail") == ""
    give_back(root)
    assert files(root) == before


def test_a_new_version_of_the_hook_counts(root: Path) -> None:
    """A configuration management writes it again and again."""
    hold(root)
    script(root, "hook", "echo new")
    hold(root)
    assert (run(root, "/le/live/x"), run(root, "/le/staging/x")) == ("new\n", "")
    give_back(root)
    assert run(root, "/le/staging/x") == "new\n"


def test_a_hook_that_was_taken_out_stays_out_and_is_named(root: Path) -> None:
    hold(root)
    (root / DIRECTORY / "hook").unlink()
    hold(root)
    kept = f"hook{KEPT}"
    (left,) = give_back(root)
    assert left.startswith(f"{root / DIRECTORY / kept} is left")
    assert os.listdir(root / DIRECTORY) == [kept]


def test_links_lead_to_where_they_led_and_what_certbot_does_not_run_stays(root: Path) -> None:
    (root / "real").write_text("#!/bin/sh\necho real\n", encoding="utf-8")
    (root / "real").chmod(0o700)
    (root / DIRECTORY / "link").symlink_to("../../real")
    for name in ("notes", "backup~"):
        script(root, name, "", 0o644 if name == "notes" else 0o755)
    hold(root)
    assert (run(root, "/le/live/x", "link"), run(root, "/le/staging/x", "link")) == ("real\n", "")
    kept = [name for name in sorted(os.listdir(root / DIRECTORY)) if name.endswith(KEPT)]
    assert kept == [f"hook{KEPT}", f"link{KEPT}"]
    give_back(root)
    assert os.readlink(root / DIRECTORY / "link") == "../../real"


# ---- what a hook finds beside it, and where it lies -------------------------------------------


@pytest.mark.parametrize("linked", [False, True], ids=["plain", "linked"])
@pytest.mark.parametrize("language", ["sh", "python"])
def test_a_hook_finds_what_lies_beside_it(tmp_path: Path, language: str, linked: bool) -> None:  # noqa: FBT001
    place = tmp_path / "le" / DIRECTORY
    if linked:
        (tmp_path / "opt/hooks").mkdir(parents=True)
        place.parent.mkdir(parents=True)
        place.symlink_to(tmp_path / "opt/hooks")
    else:
        place.mkdir(parents=True)
    if language == "sh":
        (place / "common.sh").write_text("note=common\n")
        text = '#!/bin/sh\nset -e\n. "$(dirname "$0")/common.sh"\necho $note\n'
    else:
        (place / "common.py").write_text("note = 'common'\n")
        text = f"#!{sys.executable} -B\nfrom common import note\nprint(note)\n"
    (place / "hook").write_text(text)
    (place / "hook").chmod(0o755)
    before = files(tmp_path / "le")
    hold(tmp_path / "le")
    assert run(tmp_path / "le", "/le/live/x") == "common\n"
    assert run(tmp_path / "le", "/le/staging/x") == ""
    give_back(tmp_path / "le")
    assert files(tmp_path / "le") == before


def test_a_relative_link_in_a_directory_that_is_a_link(tmp_path: Path) -> None:
    for directory in ("opt/lib", "opt/hooks", "le/renewal-hooks"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "le" / DIRECTORY).symlink_to(tmp_path / "opt/hooks")
    script(tmp_path / "le", "../lib/reload", "echo reloaded")
    (tmp_path / "opt/hooks/hook").symlink_to("../lib/reload")
    hold(tmp_path / "le")
    assert run(tmp_path / "le", "/le/live/x") == "reloaded\n"


def test_a_hook_is_held_where_no_hard_link_can_be_made(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A double of such a file system: of what is at hand, all can."""

    def no_link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    script(root, "large", "echo large\nexit\n" + "#" * 5_000_000, 0o750)
    os.utime(root / DIRECTORY / "large", (1, 1))
    (root / DIRECTORY / "link").symlink_to("hook")
    before = files(root)
    assert hold(root) == ()
    assert (run(root, "/le/live/x", "large"), run(root, "/le/staging/x", "link")) == ("large\n", "")
    give_back(root)
    assert files(root) == before
    assert (root / DIRECTORY / "link").is_symlink()


def test_what_a_crash_left_there_is_run_by_nobody(root: Path) -> None:
    write_file(root / DIRECTORY / ".danebot-tmp-x", b"#!/bin/sh\n", 0o755)
    hold(root)
    assert sorted(os.listdir(root / DIRECTORY)) == ["hook", f"hook{KEPT}"]


def _call(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@pytest.fixture(params=["hook", "directory", "file mount", "read-only"])
def fixed(root: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A tree whose hook can't be replaced: immutable, a mount, or on a read-only file system."""
    if os.geteuid() != 0 or not shutil.which("chattr"):
        pytest.skip("only root, with chattr, can make a file that root can't replace")
    place = root / DIRECTORY
    path = place / "hook" if request.param in ("hook", "file mount") else place
    mounts = request.param in ("file mount", "read-only")
    try:
        _call(*(("mount", "--bind", path) if mounts else ("chattr", "+i")), path)
        if request.param == "read-only":
            _call("mount", "-o", "remount,bind,ro", path)
    except subprocess.CalledProcessError as exc:
        pytest.skip(f"this file system or container has no {request.param}: {exc.stderr!r}")
    yield root
    _call(*(("umount",) if mounts else ("chattr", "-i")), path)


def test_a_hook_that_cannot_be_held_is_named_and_stays_as_it_is(fixed: Path) -> None:
    before = files(fixed)["renewal-hooks/deploy/hook"]
    for _ in range(2):
        (why,) = hold(fixed)
        assert str(fixed / DIRECTORY / "hook") in why
        assert "as root" not in why
        assert files(fixed)["renewal-hooks/deploy/hook"] == before
    assert not any(".danebot-tmp-" in name for name in files(fixed))
    give_back(fixed)
    assert files(fixed) == {"renewal-hooks/deploy/hook": before}


@pytest.mark.parametrize("fixed", ["hook", "file mount"], indirect=True)
def test_the_other_hooks_are_held_all_the_same(fixed: Path) -> None:
    script(fixed, "other", "echo other")
    assert len(hold(fixed)) == 1
    assert run(fixed, "/le/staging/x", "other") == ""


def test_hooks_that_can_no_longer_be_given_back_are_named(root: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("chattr"):
        pytest.skip("only root, with chattr, can make a directory that root can't change")
    hold(root)
    _call("chattr", "+i", root / DIRECTORY)
    try:
        (left,) = give_back(root)
    finally:
        _call("chattr", "-i", root / DIRECTORY)
    assert "cannot move" in left
    assert run(root, "/le/live/x") == "run it\n"


def test_a_directory_that_cannot_be_listed_holds_nothing_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "renewal-hooks").mkdir()
    (tmp_path / DIRECTORY).write_text("")
    (why,) = hold(tmp_path)
    assert why.startswith(f"cannot list {tmp_path / DIRECTORY}")


def test_a_tree_without_hooks_stays_as_it_is(tmp_path: Path) -> None:
    assert hold(tmp_path) == ()
    assert give_back(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def test_whether_a_lineage_is_under_care(tmp_path: Path) -> None:
    assert not any_staged(tmp_path)
    (tmp_path / "staging/.danebot-tmp-1").mkdir(parents=True)
    assert not any_staged(tmp_path)
    (tmp_path / "staging/a").mkdir()
    assert any_staged(tmp_path)
    assert not any_staged(tmp_path, but="a")


# ---- what administrators do ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a b'c", "$(d)", "two\nexit 7", os.fsdecode(b"h\xf6ok")])
def test_any_name_may_be_held_and_the_mode_is_the_hooks(root: Path, name: str) -> None:
    path = script(root, name, "echo named", 0o700)
    before = files(root)
    assert hold(root) == ()
    assert (run(root, "/le/live/x", name), run(root, "/le/staging/x", name)) == ("named\n", "")
    assert path.stat().st_mode & 0o777 == 0o700
    assert give_back(root) == ()
    assert files(root) == before


def test_a_tree_that_is_moved_keeps_its_hooks(root: Path) -> None:
    hold(root)
    moved = root.rename(root.with_name("elsewhere"))
    assert run(moved, "/elsewhere/live/x") == "run it\n"
    assert run(moved, "/elsewhere/staging/x") == ""


def test_a_kept_hook_without_its_x_bit_is_turned_off(root: Path) -> None:
    """As certbot would have it."""
    hold(root)
    (root / DIRECTORY / f"hook{KEPT}").chmod(0o644)
    assert run(root, "/le/live/x") == ""
    give_back(root)
    assert (root / DIRECTORY / "hook").stat().st_mode & 0o777 == 0o644


def test_what_stands_for_a_hook_that_is_gone_goes_with_the_last_lineage(root: Path) -> None:
    hold(root)
    (root / DIRECTORY / f"hook{KEPT}").unlink()
    with pytest.raises(subprocess.CalledProcessError):
        run(root, "/le/live/x")
    (left,) = give_back(root)
    assert "hook.danebot~ is gone" in left
    assert os.listdir(root / DIRECTORY) == []


def test_an_edited_hook_is_not_lost_to_a_new_version_of_the_former(root: Path) -> None:
    """A configuration management knows nothing of the edit."""
    hold(root)
    kept = root / DIRECTORY / f"hook{KEPT}"
    kept.write_text("#!/bin/sh\necho edited\n")
    for _ in range(2):
        script(root, "hook", "echo run $1")
        hold(root)
    assert run(root, "/le/live/x") == "run it\n"
    assert (root / DIRECTORY / "hook.former~").read_text() == "#!/bin/sh\necho edited\n"


def test_what_is_no_hook_is_neither_opened_nor_told(root: Path) -> None:
    (root / DIRECTORY / "lib").mkdir()
    os.mkfifo(root / DIRECTORY / "pipe", 0o755)
    (root / DIRECTORY / "loop").symlink_to("loop")
    (root / DIRECTORY / "gone").symlink_to("nowhere")
    assert hold(root) == ()
    assert run(root, "/le/staging/x") == ""
    assert give_back(root) == ()
    assert run(root, "/le/staging/x") == "run it\n"


@pytest.mark.parametrize("failure", Failure)
def test_a_hook_is_not_lost_whatever_call_fails(root: Path, failure: Failure) -> None:
    """Not even where its place was taken already, and only that couldn't be synchronised."""
    before = files(root)
    with failing(failure, 0) as calls:
        hold(root)
    give_back(root)
    for at in range(1, calls.made + 1):
        with failing(failure, at):
            hold(root)
        hold(root)
        assert run(root, "/le/live/x") == "run it\n", at
        assert run(root, "/le/staging/x") == "", at
        assert give_back(root) == ()
        assert files(root) == before, at
