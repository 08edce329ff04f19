"""``tools/in-debian`` on machines that can't: shell scripts stand for what isn't there or fails."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"
ABLE = {
    "id": "echo 0",
    "unshare": "exit 0",
    "dpkg-query": "printf installed",
    "debootstrap": "echo 'I: Retrieving InRelease'; echo 'E: Invalid Release file'; exit 1",
}


@pytest.mark.parametrize(
    ("lacks", "why"),
    [
        ({"id": "echo 1000"}, "run this as root"),
        ({"unshare": "exit 1"}, "namespaces are not allowed (unshare)"),
        ({}, "E: Invalid Release file ({root}/build/debian/trixie.log)"),
    ],
    ids=["not root", "no namespaces", "no mirror"],
)
def test_a_machine_that_cannot_says_so_in_one_line(
    tmp_path: Path, lacks: dict[str, str], why: str
) -> None:
    (tmp_path / "bin").mkdir()
    for name, body in (ABLE | lacks).items():
        script = tmp_path / "bin" / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    (tmp_path / "tools").mkdir()
    for name in ("in-debian", "install-deps"):
        shutil.copy(TOOLS / name, tmp_path / "tools")
    done = subprocess.run(
        [tmp_path / "tools/in-debian", "trixie", "test"],
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (77, "")
    said = f"in-debian: no root of Debian trixie here: {why.format(root=tmp_path)}\n"
    assert done.stderr == said
    assert not (tmp_path / "build/debian/trixie").exists()
