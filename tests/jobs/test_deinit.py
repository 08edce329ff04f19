"""What `deinit` can't do, its dry run says, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.trees import NAME, key_pem
from danebot.domain.finding import Code, Severity
from danebot.errors import TreeError
from danebot.jobs.init import StagedKeys, deinitialise, initialise, refuse_deinit
from danebot.jobs.reloading import not_held
from jobs.world import World


def test_a_configuration_that_certbot_refuses_is_told_by_the_dry_run(tmp_path: Path) -> None:
    world = World(tmp_path)
    refuse_deinit(world.context, NAME, StagedKeys.REFUSE)
    with world.paths.conf.open("a") as file:
        file.write("reuse_key = True\n")
    for run in (refuse_deinit, deinitialise):
        with pytest.raises(TreeError, match="gives reuse_key once more"):
            run(world.context, NAME, StagedKeys.REFUSE)


def test_the_dry_run_names_what_is_kept_and_where(tmp_path: Path) -> None:
    world = World(tmp_path)
    for name in ("nextkey.pem", "mine.pem"):
        world.grown.staging_file(name, key_pem("two"))
    world.grown.staging_file("notes", b"text")
    told = refuse_deinit(world.context, NAME, StagedKeys.DROP)
    assert [path.exists() for path in told] == [False, False]
    assert deinitialise(world.context, NAME, StagedKeys.DROP).kept == told
    assert [path.exists() for path in told] == [True, True]


def test_hooks_are_held_by_init_and_given_back_with_the_last_lineage(tmp_path: Path) -> None:
    """Those of the directory and of the conf."""
    world = World(tmp_path)
    world.grown.conf("staging", "reuse_key = True", "renew_hook = saved")
    hook = world.grown.root / "renewal-hooks/deploy/hook"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    initialise(world.context, NAME, ())
    assert "danebot" in hook.read_text()
    assert world.context.tree.conf(NAME).parameter("renew_hook") == ""
    other = world.grown.root / "staging/other"
    other.mkdir()
    assert deinitialise(world.context, NAME, StagedKeys.DROP).hooks == ()
    assert "danebot" in hook.read_text()
    assert world.context.tree.conf(NAME).parameter("renew_hook") == "saved"
    other.rmdir()
    initialise(world.context, NAME, ())
    deinitialise(world.context, NAME, StagedKeys.DROP)
    assert hook.read_text() == "#!/bin/sh\n"
    assert [path.name for path in hook.parent.iterdir()] == ["hook"]


def test_hooks_that_cannot_be_held_are_told_and_pre_hooks_make_it_a_warning(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    assert not_held(world.context) == ()
    hooks = world.grown.root / "renewal-hooks"
    (hooks / "pre").mkdir(parents=True)
    (hooks / "deploy").write_text("")
    (told,) = not_held(world.context)
    assert (told.code, told.severity) == (Code.NOT_HELD, Severity.NOTICE)
    assert f"cannot list {hooks}/deploy" in told.text
    (hooks / "pre/stop").write_text("#!/bin/sh\n")
    (hooks / "pre/stop").chmod(0o755)
    (told,) = not_held(world.context)
    assert told.severity is Severity.WARNING
    assert "not even the pre hooks" in told.text
