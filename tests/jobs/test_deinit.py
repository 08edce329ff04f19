"""What `deinit` can't do, its dry run says, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.trees import NAME, key_pem
from danebot.errors import TreeError
from danebot.jobs.init import StagedKeys, deinitialise, refuse_deinit
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
