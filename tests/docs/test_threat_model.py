"""Each threat of docs/threat-model.md has a test that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/threat-model.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!threat \|)", line)]


def missing(row: str) -> Iterator[str]:
    """The tests of a row that aren't there; a row without any lacks one."""
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row.rpartition(" | ")[2])
    if not named:
        yield "a test"
    for file, name in named:
        path = PROJECT / file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if not re.search(rf"(?m)^(async )?def {name or 'test_'}", text):
            yield f"{file}::{name}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split(" | ")[0].strip("| "))
def test_each_threat_has_its_test(row: str) -> None:
    assert list(missing(row)) == []


def test_one_that_is_not_there_is_found() -> None:
    assert list(missing("| it hangs | ended | `tests/e2e/test_none.py::test_it` |"))
    assert list(missing("| it hangs | ended | |")) == ["a test"]


def test_every_adversary_has_threats() -> None:
    parts = re.split(r"(?m)^## ", PAGE)[1:-1]
    assert len(parts) >= 8
    assert [part.partition("\n")[0] for part in parts if "\n| threat |" not in part] == []
