"""Pages about documents and exit statuses name what there is, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import command_line
from schemas import NAMES

PROJECT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (PROJECT / "docs" / name).read_text(encoding="utf-8")


def test_every_schema_is_listed_with_its_document() -> None:
    listed = dict(
        re.findall(r"(?m)\| `(danebot-\w+)` \| `schema/(\w+)\.schema\.json` \|$", page("json.md"))
    )
    files = (PROJECT / "danebot/schema").glob("*.schema.json")
    documents = {
        json.loads(file.read_text(encoding="utf-8"))["properties"]["document"]["const"]: file
        for file in files
    }
    assert listed == {document: file.name.partition(".")[0] for document, file in documents.items()}
    assert set(listed.values()) == set(NAMES)


def test_every_verb_with_json_is_listed() -> None:
    able = {
        name
        for name, command in command_line.VERBS.items()
        if any("--json" in one.opts for one in command.params)
    }
    listed = re.findall(r"`danebot (\w+)(?: --\w+)* --json`", page("json.md"))
    assert able == set(listed)


def test_exit_statuses_are_those_of_verbs_that_are_there() -> None:
    cells = re.findall(r"(?m)^\| ([^|]+) \|", page("exit-statuses.md"))
    named = {name for cell in cells[2:] for name in re.findall(r"`(\w+)`", cell)}
    assert named <= set(command_line.VERBS)
    assert len(named) > 8
