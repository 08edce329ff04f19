"""docs/dane-standards.md names nothing that isn't there, and leaves no tested section out."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from danebot.domain.dane.cautions import CautionCode
from domain.dane_cases import CASES

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "dane-standards.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| RFC")
]


@pytest.mark.parametrize("path", sorted({*re.findall(r"`(danebot\.[\w.]+)`", TEXT)}))
def test_code_that_is_named_exists(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("path", sorted({*re.findall(r"`(tests/[\w./:]+)`", TEXT)}))
def test_tests_that_are_named_exist(path: str) -> None:
    file, _, function = path.partition("::")
    source = (ROOT / file).read_text(encoding="utf-8")
    assert not function or f"\ndef {function}(" in source


def test_every_row_names_code_and_tests() -> None:
    assert ROWS
    assert all(len(row) == 4 and "`danebot." in row[2] and "::" in row[3] for row in ROWS)


def test_the_sections_are_those_of_the_case_table() -> None:
    sections = [row[0] for row in ROWS]
    assert len(set(sections)) == len(sections)
    assert set(sections) == {case.section for case in CASES}


def test_every_caution_occurs_in_the_case_table() -> None:
    seen = {caution.partition("@")[0] for case in CASES for caution in case.cautions}
    assert seen == {code.name for code in CautionCode}
