"""What `deinit` can't do, its dry run says, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.trees import NAME
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
