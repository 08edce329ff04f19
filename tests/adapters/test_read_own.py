"""What danebot alone writes is believed only where nobody else may."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from danebot.adapters.files import read_own, write_file
from danebot.errors import ForeignError, TreeError

NOBODY = 65534


def test_what_is_ours_is_read(tmp_path: Path) -> None:
    write_file(tmp_path / "parsed.json", b"{}")
    assert read_own(tmp_path / "parsed.json") == b"{}"
    with pytest.raises(TreeError, match="No such file"):
        read_own(tmp_path / "absent")


@pytest.mark.parametrize("mode", [0o620, 0o602])
@pytest.mark.parametrize("which", ["file", "directory"])
def test_what_others_may_write_is_not(tmp_path: Path, which: str, mode: int) -> None:
    file = tmp_path / "parsed.json"
    write_file(file, b"{}")
    (file if which == "file" else tmp_path).chmod(mode | 0o100)
    with pytest.raises(ForeignError, match="others may write there"):
        read_own(file)
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("which", ["file", "directory"])
def test_what_belongs_to_somebody_else_is_not(tmp_path: Path, which: str) -> None:
    file = tmp_path / "parsed.json"
    write_file(file, b"{}")
    os.chown(file if which == "file" else tmp_path, NOBODY, -1)
    with pytest.raises(ForeignError):
        read_own(file)
