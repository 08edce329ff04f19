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


def in_debian(at: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run ``make test`` in a root of trixie, where these programs are such scripts."""
    (at / "bin").mkdir()
    for name, body in (ABLE | programs).items():
        script = at / "bin" / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    (at / "tools").mkdir()
    for name in ("in-debian", "install-deps"):
        shutil.copy(TOOLS / name, at / "tools")
    return subprocess.run(
        [at / "tools/in-debian", "trixie", "test"],
        env={"PATH": f"{at}/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


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
    done = in_debian(tmp_path, **lacks)
    assert (done.returncode, done.stdout) == (77, "")
    said = f"in-debian: no root of Debian trixie here: {why.format(root=tmp_path)}\n"
    assert done.stderr == said
    assert not (tmp_path / "build/debian/trixie").exists()


def test_what_the_project_needs_and_does_not_get_is_a_failure(tmp_path: Path) -> None:
    """Not a machine that can't: CI passes over those."""
    root = tmp_path / "build/debian/trixie"
    failing = "echo 'E: Unable to locate package knotty'; exit 2"
    done = in_debian(
        tmp_path,
        debootstrap='mkdir -p "$4/etc/apt" "$4/usr/local/share/ca-certificates"',
        chroot="exit 0",
        unshare=f'case "$*" in *" online -s deps") {failing} ;; esac',
    )
    assert (done.returncode, done.stdout) == (2, "")
    said = "make deps failed in the root of Debian trixie: E: Unable to locate package knotty"
    assert done.stderr == f"in-debian: {said} ({root}.log)\n"
