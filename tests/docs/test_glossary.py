"""The glossary has danebot's own words, and what people are told uses them."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

import command_line
from danebot.domain.rollover.steps.phases import Hold, Phase, Step
from danebot.render.lineage import status_lines
from exporter import sample

GLOSSARY = (Path(__file__).parents[2] / "docs/glossary.md").read_text(encoding="utf-8")
OWN = re.compile(r"\bstag(ed|ing)\b")


@pytest.mark.parametrize("phase", Phase)
def test_each_phase_has_an_entry(phase: Phase) -> None:
    assert re.search(rf"(?m)^\| `{phase.value}` \| .+ \|$", GLOSSARY)


def test_status_speaks_of_the_waiting_certificate() -> None:
    """What is staged is danebot's business; `staged` is the name of a phase alone."""
    chain = sample.certificate("a.example", seed="next")
    status = sample.cooling("a.example")._replace(staged=chain)
    lines = "\n".join(status_lines(status, sample.NOW))
    assert "\n  waiting      version 4, expires" in lines
    assert "\n  waiting key  " in lines
    assert not OWN.search(lines)


def test_steps_and_help_do_too() -> None:
    said = [one.value for table in (Step, Hold) for one in table]
    said += [command.help or "" for command in command_line.VERBS.values()]
    options = (one for command in command_line.VERBS.values() for one in command.params)
    said += [one.help or "" for one in options if isinstance(one, click.Option)]
    wrong = [text for text in said if OWN.search(text.replace("staging/LINEAGE", ""))]
    assert wrong == []
