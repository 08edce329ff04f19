"""`danebot deinit` once more, where the last one could not do all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.trees import NAME
from danebot.adapters.certbot import held_hooks
from danebot.errors import TreeError
from verbs.desk import HERE, Desk, of_key

_LEFT = ".danebot-tmp-left"


@pytest.fixture
def hook(desk: Desk) -> Path:
    """A deploy hook that is held back."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    hook = grown.root / held_hooks.DIRECTORY / "reload"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    held_hooks.hold(grown.root)
    assert "danebot" in hook.read_text()
    return hook


def _refused(source: Path, target: Path) -> None:
    raise TreeError(f"cannot move {source} to {target}: Permission denied; run danebot as root")


def test_hooks_that_are_not_put_back_are_no_success_and_the_next_run_does(
    desk: Desk, hook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system refuses is forced: as root it refuses nothing on demand."""
    with monkeypatch.context() as refusing:
        refusing.setattr(held_hooks, "move", _refused)
        said = desk.danebot("deinit", NAME)
    assert said.status == 1
    assert f"danebot: {NAME}: cannot move {hook}.danebot~" in said.err
    dry = desk.danebot("deinit", "--dry-run", NAME)
    finished = f"{NAME}: not managed by danebot; an earlier deinit is to be finished\n"
    assert dry._replace(out="") == (0, "", "")
    assert dry.out.startswith(finished)
    assert "danebot" in hook.read_text()
    assert desk.danebot("deinit", NAME) == (0, finished, "")
    assert hook.read_text() == "#!/bin/sh\n"
    assert [path.name for path in hook.parent.iterdir()] == ["reload"]
    nothing = f"{NAME}: not managed by danebot; nothing to do\n"
    assert desk.danebot("deinit", NAME) == (0, nothing, "")


def test_a_hook_without_its_place_is_told_each_time(desk: Desk, hook: Path) -> None:
    hook.unlink()
    assert desk.danebot("deinit", NAME).status == 1
    for words in ((NAME,), ()):
        said = desk.danebot("deinit", *words)
        assert said.status == 1
        assert f"danebot: {hook}.danebot~ is left" in said.err


@pytest.mark.parametrize("where", ["renewal", "live", "archive", "staging", "renewal-hooks/deploy"])
@pytest.mark.parametrize("words", [(NAME,), ()])
def test_what_was_left_beside_goes_with_the_next_run(
    desk: Desk, where: str, words: tuple[str, ...]
) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    assert desk.danebot("deinit", NAME).status == 0
    place = grown.root / where
    if where in ("live", "archive"):
        place /= NAME
    place.mkdir(parents=True, exist_ok=True)
    (place / _LEFT).write_bytes(b"")
    assert desk.danebot("deinit", *words).status == 0
    assert not (place / _LEFT).exists()


@pytest.mark.parametrize("words", [(NAME,), ()])
def test_an_empty_staging_goes_with_the_next_run(desk: Desk, words: tuple[str, ...]) -> None:
    """As where the last step alone was refused."""
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    assert desk.danebot("deinit", NAME).status == 0
    (desk.tree / "staging").mkdir()
    assert desk.danebot("deinit", *words).status == 0
    assert not (desk.tree / "staging").exists()


def test_another_lineage_under_care_is_nothing_to_finish(desk: Desk, hook: Path) -> None:
    assert desk.danebot("deinit", NAME).status == 0
    (hook.parent / "reload").unlink()
    other = desk.tree / "staging/other.example.test"
    other.mkdir(parents=True)
    said = desk.danebot("deinit", NAME)
    assert said == (0, f"{NAME}: not managed by danebot; nothing to do\n", "")
