"""docs/troubleshooting.md has each message with which a command stops, under what to do about it.

Run as a program with --write it mends the page.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from danebot import errors

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "troubleshooting.md"
SOURCES = ("danebot", "checks", "exporters")
KINDS = {
    "Wrong usage": ("UsageError", "BadParameter", "ArgumentTypeError"),
    "Settings": ("ConfigError",),
    "Names": ("NameSyntaxError", "NameChangeError"),
    "TLSA records": ("RecordSyntaxError",),
    "Certificates and keys": ("CertificateError",),
    "certbot's tree": ("TreeError", "UnreadableError", "ForeignError", "NewerError", "StatusError"),
    "A lineage that isn't there": ("UnknownLineageError",),
    "Somebody else is at work": ("LockedError",),
    "certbot": ("CertbotError",),
    "Refused, since mail would suffer": ("RolloverError",),
    "No answer": ("UnansweredError",),
    "Hooks": ("HookError",),
    "The rest": ("DanebotError", "OutOfTimeError"),
}


def text(node: ast.expr) -> str:
    """The words of a message, "…" for what differs; "" for what is made elsewhere."""
    match node:
        case ast.Constant(value=str(words)):
            return words
        case ast.JoinedStr(values=parts):
            return re.sub("…+", "…", "".join(text(part) or "…" for part in parts))
        case ast.IfExp(body=one, orelse=other):
            return text(one) or text(other)
    return ""


def raised(source: str) -> Iterator[tuple[str, str]]:
    """Each error that is made in a module, by its class, and its words."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            name = ast.unparse(node.func).rpartition(".")[2]
            words = text(node.args[0])
            if name == "foreign":  # of `danebot.errors`
                name, words = ast.unparse(node.args[0]), text(node.args[1])
            if re.search(r"[a-z]{2}", words):
                yield name, words


@cache
def messages() -> dict[str, list[str]]:
    """The messages of each section, sorted."""
    made = [
        one
        for place in SOURCES
        for path in (PROJECT / place).rglob("*.py")
        for one in raised(path.read_text(encoding="utf-8"))
    ]
    return {
        title: sorted({words for name, words in made if name in names}, key=str.lower)
        for title, names in KINDS.items()
    }


def sections(page: str) -> dict[str, tuple[str, str]]:
    """By title, what is written by hand and the list that isn't."""
    found = {}
    for part in re.split(r"(?m)^## ", page)[1:]:
        title, _, rest = part.partition("\n")
        by_hand, mark, lines = rest.partition("\n- ")
        found[title] = (by_hand, mark + lines)
    return found


def lines(words: list[str]) -> str:
    quoted = [f"`` {one} ``" if "`" in one else f"`{one}`" for one in words]
    return "".join(f"\n- {one}" for one in quoted) + "\n\n"


@pytest.mark.parametrize("title", KINDS)
def test_each_message_is_there_and_no_other(title: str) -> None:
    page = sections(PAGE.read_text(encoding="utf-8"))
    assert page[title][1].strip() == lines(messages()[title]).strip()


def test_each_kind_says_what_to_do() -> None:
    page = sections(PAGE.read_text(encoding="utf-8"))
    assert list(page) == list(KINDS)
    assert [title for title, (by_hand, _) in page.items() if len(by_hand.split()) < 10] == []


def test_each_error_has_a_section() -> None:
    classes = {
        name
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, errors.DanebotError)
    }
    assert classes <= {name for names in KINDS.values() for name in names}


def test_a_message_is_read_as_it_is_printed() -> None:
    source = 'raise TreeError(f"cannot read {path}: {why}; " f"see {a}{b}") from exc'
    assert list(raised(source)) == [("TreeError", "cannot read …: …; see …")]
    assert list(raised('raise TreeError(f"{path}: {exc}")')) == []


if __name__ == "__main__" and "--write" in sys.argv:
    head = PAGE.read_text(encoding="utf-8")
    parts = [re.split(r"(?m)^## ", head)[0]]
    for kind, told in messages().items():
        hand = sections(head).get(kind, ("\n", ""))[0].rstrip("\n")
        parts.append(f"## {kind}\n{hand}\n{lines(told)}")
    PAGE.write_text("".join(parts).rstrip("\n") + "\n", encoding="utf-8")
