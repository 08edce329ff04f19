"""Deploy hooks are held back and given back, whatever happens between."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from danebot.adapters.certbot import held_hooks
from danebot.adapters.certbot.held_hooks import DIRECTORY, KEPT, any_staged, give_back, hold


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
    assert not (root / KEPT).exists()


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
    assert give_back(root) == (root / KEPT / "hook",)
    assert os.listdir(root / DIRECTORY) == []


def test_links_lead_to_where_they_led_and_what_certbot_does_not_run_stays(root: Path) -> None:
    (root / "real").write_text("#!/bin/sh\necho real\n", encoding="utf-8")
    (root / "real").chmod(0o700)
    (root / DIRECTORY / "link").symlink_to("../../real")
    for name in ("notes", "backup~"):
        script(root, name, "", 0o644 if name == "notes" else 0o755)
    hold(root)
    assert (run(root, "/le/live/x", "link"), run(root, "/le/staging/x", "link")) == ("real\n", "")
    assert sorted(os.listdir(root / KEPT)) == ["hook", "link"]
    give_back(root)
    assert os.readlink(root / DIRECTORY / "link") == "../../real"


def test_a_tree_without_hooks_stays_as_it_is(tmp_path: Path) -> None:
    hold(tmp_path)
    assert give_back(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def test_whether_a_lineage_is_under_care(tmp_path: Path) -> None:
    assert not any_staged(tmp_path)
    (tmp_path / "staging/.danebot-tmp-1").mkdir(parents=True)
    assert not any_staged(tmp_path)
    (tmp_path / "staging/a").mkdir()
    assert any_staged(tmp_path)
    assert not any_staged(tmp_path, but="a")
