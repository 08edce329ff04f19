"""Every command line that is printed for people to paste has its names and paths quoted.

Read from the code: what an f-string puts in behind the words of a command goes through `quoted`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from danebot.commands.group import danebot

PROJECT = Path(__file__).parents[2]
FILES = sorted(
    path
    for place in ("danebot", "checks/danebot_checks", "exporters/danebot_exporter")
    for path in (PROJECT / place).rglob("*.py")
)
VERBS = "|".join(danebot.list_commands(click.Context(danebot)))
PROGRAMS = (
    r"(?:chown|chgrp|chmod|cp|mv|rm|mkdir|ln|df|du|ls|mount|touch|kill|install|openssl|cat|journalctl|systemctl"
    rf"|certbot (?:renew|delete|certonly)|postmap|danebot(?: -v| -n)* (?:{VERBS}))"
)
HOLE = "\0"
BEFORE = re.compile(
    rf"(?<![\w/-]){PROGRAMS}(?: [-\w:.,=+<>/]*[-:,+=<>][-\w:.,=+<>/]*| root| \d{{3,4}}"
    rf"| [-\w.\"]*{HOLE}[-\w.\"]*)* \Z"
)


def holes(file: Path) -> Iterator[tuple[int, str, ast.expr]]:
    """Each value in an f-string with its line and the text before it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            before = ""
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield part.lineno, before, part.value
                    before += HOLE
                elif isinstance(part, ast.Constant):
                    before += str(part.value)


def is_quoted(value: ast.expr) -> bool:
    return ast.unparse(value).startswith(("quoted(", "shlex."))


def test_what_stands_in_a_command_is_quoted() -> None:
    found = [
        f"{file.relative_to(PROJECT)}:{line}: {before[-60:]!r} {ast.unparse(value)}"
        for file in FILES
        for line, before, value in holes(file)
        if BEFORE.search(before) and not is_quoted(value)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("before", "is_one"),
    [
        ("restore it, then: danebot init ", True),
        (f"run: chown root: {HOLE}; chmod go-w ", True),
        (f"danebot watch --remove {HOLE} ", True),
        (f"danebot newkey --adopt unknown-{HOLE}.pem ", True),
        (f'danebot renew --although-unconfirmed "{HOLE}" ', True),
        ("chmod 600 ", True),
        ("danebot renew ran last at ", False),
        (f"{HOLE} is certbot ", False),
    ],
)
def test_a_command_is_told_from_a_sentence(before: str, *, is_one: bool) -> None:
    assert bool(BEFORE.search(before)) is is_one
