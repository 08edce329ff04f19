"""Each guide's commands are run as written, on a lab of its own, and end as the text says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from docs import walk
from lab.lab import missing

GUIDES = sorted((Path(__file__).parents[2] / "docs/guides").glob("*.md"))
WALKED = [path for path in GUIDES if any(map(walk.steps, walk.blocks(path.read_text("utf-8"))))]


def test_the_guides_have_commands() -> None:
    assert {"start.md", "rollover.md"} <= {path.name for path in WALKED}


@pytest.mark.lab
@pytest.mark.no_cover
@pytest.mark.parametrize("guide", WALKED, ids=lambda path: path.stem)
def test_what_a_guide_says_is_so(guide: Path, tmp_path: Path) -> None:
    if reason := missing():
        pytest.skip(reason)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        walk.copied(tmp_path, guide), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("says", "prints"),
    [
        ("all is well\n", "all is well\n"),
        ("from 2026-11-30 01:57 UTC on\n", "from 2027-02-01 12:00 UTC on\n"),
        ("3 1 1 … matches\n", "3 1 1 abcd matches\n"),
        ("first\n…\nlast\n", "first\nsecond\nthird\nlast\n"),
        ("first\n…\n", "first\n"),
        ("", ""),
    ],
)
def test_output_is_as_told(says: str, prints: str) -> None:
    assert walk.pattern(says).fullmatch(prints)


@pytest.mark.parametrize(
    ("says", "prints"),
    [
        ("", "a warning\n"),
        ("first\n", "first\nsecond\n"),
        ("a … c\n", "a b\nc\n"),
        ("a.c\n", "abc\n"),
    ],
)
def test_output_that_is_not_as_told_is_noticed(says: str, prints: str) -> None:
    assert not walk.pattern(says).fullmatch(prints)
