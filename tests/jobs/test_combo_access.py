"""What the settings say of `combo.pem` holds from the next run on, in both directions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from danebot.config.settings import ComboAccess
from danebot.domain.finding import Code
from jobs.world import World

MAIL = 4242  # a group's id


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to any group")
@pytest.mark.parametrize("way", [1, -1])
def test_another_mode_and_group_take_effect_without_a_deployment(tmp_path: Path, way: int) -> None:
    accesses = [ComboAccess(), ComboAccess(0o640, MAIL)][::way]
    world = World(tmp_path)
    combo = world.paths.live / "combo.pem"
    inode = combo.stat().st_ino
    for access in accesses:
        world.settings = world.settings._replace(combo_access=access)
        world.renew()
        found = combo.stat()
        assert found.st_ino == inode
        assert (found.st_mode & 0o777, found.st_gid) == (access.mode, access.group or 0)
    assert [f for f in world.renew().findings if f.code is Code.HEALED] == []
