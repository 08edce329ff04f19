"""The group that is to read ``combo.pem`` has to pass the directories above it."""

from __future__ import annotations

import pytest

from danebot.domain.doctor.facts import ComboGroup, FileStat, Role

MAIL = ComboGroup("mail", 8)


def door(mode: int, group: int = 0) -> FileStat:
    return FileStat("/etc/letsencrypt/live", Role.TREE, 0, mode, group)


@pytest.mark.parametrize(
    ("mode", "group", "passes"),
    [
        (0o700, 0, False),
        (0o710, 0, False),  # another group's bit
        (0o710, 8, True),
        (0o701, 8, False),  # the group's own bits count, not everybody's
        (0o701, 0, True),
        (0o755, 0, True),
        (0o740, 8, False),
    ],
)
def test_modes_tell_who_passes(mode: int, group: int, *, passes: bool) -> None:
    assert (not MAIL.barred([door(mode, group)])) is passes


def test_the_commands_let_it_through() -> None:
    path = door(0).path
    assert MAIL.ways(()) == ()
    assert MAIL.ways([door(0o700)]) == (("chgrp", "mail", path), ("chmod", "g+x", path))
    assert MAIL.ways([door(0o700, 5)]) == (("setfacl", "-m", "g:mail:x", path),)
