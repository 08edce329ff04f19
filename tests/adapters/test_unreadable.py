"""What can't be looked at is told, and is never taken for absent or empty.

A link that leads to itself and a name that is too long are errors for root, too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from danebot.adapters import files, inspection, presence
from danebot.adapters.access import Access
from danebot.adapters.certbot import held_hooks
from danebot.adapters.tree import locks, tree
from danebot.adapters.tree.reader import TreeReader
from danebot.errors import DanebotError, HookError, TreeError, UnreadableError

Look = Callable[[Path], object]
LOOKS: dict[str, tuple[Look, type[DanebotError]]] = {
    "is there": (presence.is_there, UnreadableError),
    "is a file": (presence.is_file, UnreadableError),
    "is the same": (lambda path: presence.is_same(path, "/"), UnreadableError),
    "is empty": (presence.is_empty, UnreadableError),
    "is a directory": (presence.is_directory, UnreadableError),
    "has permissions": (presence.permissions, UnreadableError),
    "is written by others": (presence.written_by_others, UnreadableError),
    "has hooks": (inspection.hook_files, UnreadableError),
    "has names": (tree._names, UnreadableError),
    "is danebot's hook": (held_hooks._holds, HookError),
    "is to be kept as it is": (lambda path: files.rewritten(path, b"", 0o600), UnreadableError),
    "is a key": (lambda path: TreeReader().key_file(path), TreeError),
    "is to be locked": (locks._opened, TreeError),
    "is to be synced": (files.sync, TreeError),
}


def looped(at: Path) -> Path:
    """A directory that is a link to itself, and a name in it."""
    (at / "loop").symlink_to("loop")
    return at / "loop" / "file"


def overlong(at: Path) -> Path:
    return at / ("x" * 300)


@pytest.mark.parametrize("place", [looped, overlong])
@pytest.mark.parametrize("look", LOOKS)
def test_what_cannot_be_looked_at_is_told(
    look: str, place: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = place(tmp_path)
    see, error = LOOKS[look]
    with pytest.raises(error) as caught:
        see(path)
    said = str(caught.value)
    assert str(path) in said
    assert any(words in said for words in ("Too many levels", "File name too long"))
    assert "\n" not in said


ABSENT: dict[str, tuple[Look, object]] = {
    "is there": (presence.is_there, False),
    "is a file": (presence.is_file, False),
    "is the same": (lambda path: presence.is_same(path, "/"), False),
    "is empty": (presence.is_empty, False),
    "is a directory": (presence.is_directory, False),
    "is written by others": (presence.written_by_others, False),
    "has hooks": (inspection.hook_files, ()),
    "has names": (tree._names, []),
    "is danebot's hook": (held_hooks._holds, False),
    "is to be kept as it is": (
        lambda path: files.rewritten(path, b"", 0o600).access,
        Access(0o600),
    ),
    "is a key": (lambda path: TreeReader().key_file(path), None),
}


@pytest.mark.parametrize("look", ABSENT)
def test_what_is_absent_is_no_trouble(look: str, tmp_path: Path) -> None:
    see, found = ABSENT[look]
    assert see(tmp_path / "absent") == found


def test_a_disk_whose_space_nobody_tells_has_none_told(tmp_path: Path) -> None:
    assert inspection.space(overlong(tmp_path)) is None
    found = inspection.space(tmp_path / "absent/below")
    assert found is not None
    assert found.path == str(tmp_path)
