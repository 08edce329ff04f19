"""Commands that remedies and pages tell people to type are ones that danebot takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import command_line
from danebot.commands.group import danebot

if TYPE_CHECKING:
    import click

ROOT = Path(__file__).parents[2]
PLACES = ("danebot", "checks", "exporters", "docs", "systemd")
KINDS = {".py", ".md", ".cfg", ".yml", ".conf", ".service", ".example", ".json"}
VERBS = sorted(command_line.VERBS)
COMMAND = re.compile(rf"\bdanebot((?: -[-\w]+)*) ({'|'.join(VERBS)})\b((?: +[^\s`\"',;)|]+)*)")


def texts() -> Iterator[Path]:
    yield ROOT / "README.md"
    for place in PLACES:
        yield from (path for path in (ROOT / place).rglob("*") if path.suffix in KINDS)


def options(command: click.Command) -> set[str]:
    names = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return {*names, "-h", "--help"}


def unknown(text: str) -> Iterator[str]:
    """Commands with an option that there isn't."""
    for found in COMMAND.finditer(text):
        before, verb, after = found.groups()
        given = {word for word in after.split() if re.match(r"--?[a-z]", word)}
        if set(before.split()) - options(danebot) or given - options(command_line.VERBS[verb]):
            yield found[0]


@pytest.mark.parametrize("path", sorted(texts()), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_option_of_a_command_that_is_named_is_there(path: Path) -> None:
    assert list(unknown(path.read_text(encoding="utf-8"))) == []


def test_one_that_is_not_there_is_found() -> None:
    assert list(unknown("see: danebot renew -v")) == ["danebot renew -v"]
    assert list(unknown("see `danebot -v renew` or `danebot tlsa --json NAME`")) == []
