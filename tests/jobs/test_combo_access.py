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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize(
    ("mode", "group", "access", "left"),
    [
        (0o644, 4243, ComboAccess(), 0o600),
        (0o644, MAIL, ComboAccess(0o640, MAIL), 0o640),
        (0o660, 4243, ComboAccess(0o640, MAIL), 0o600),
        (0o400, 4243, ComboAccess(0o640, MAIL), 0o400),
    ],
)
def test_a_key_that_was_given_to_another_user_is_open_no_wider_than_configured(
    tmp_path: Path, mode: int, group: int, access: ComboAccess, left: int
) -> None:
    """As by `chown dovecot combo.pem`: it stays that user's, who may have put it there."""
    world = World(tmp_path)
    world.settings = world.settings._replace(combo_access=access)
    combo = world.paths.live / "combo.pem"
    os.chown(combo, 4244, group)
    combo.chmod(mode)
    world.renew()
    found = combo.stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (left, 4244, group)
    assert [f for f in world.renew().findings if f.code is Code.HEALED] == []
