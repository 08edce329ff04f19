"""What packaging/Containerfile names is there; `make test-container` builds and runs it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILE = (ROOT / "packaging/Containerfile").read_text(encoding="utf-8")
LAST = FILE.rpartition("\nFROM ")[2]


def test_it_runs_a_program_of_the_wheel_without_rights() -> None:
    (program,) = re.findall(r'^CMD \["([\w-]+)"\]$', LAST, re.MULTILINE)
    assert program in PROJECT["scripts"]
    assert re.findall(r"^USER (.*)$", LAST, re.MULTILINE) == ["65534:65534"]


def test_it_takes_an_extra_that_is_there_and_leaves_tools_behind() -> None:
    (extra,) = re.findall(r"\.whl\)\[(\w+)\]", FILE)
    assert extra in PROJECT["optional-dependencies"]
    assert "pip" not in LAST


def test_the_guide_builds_it_as_it_says_itself() -> None:
    guide = (ROOT / "docs/guides/containers.md").read_text(encoding="utf-8")
    commands = re.findall(r"^#     (.*)$", FILE, re.MULTILINE)
    assert len(commands) == 2
    assert [one for one in commands if one not in guide] == []
