"""The picture in docs/architecture.md has every room, and each imports from lower lines alone.

And a public name is one thing's.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

grimp = pytest.importorskip("grimp", reason="imports are read where the dev tools are installed")

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/architecture.md").read_text(encoding="utf-8")
_SHARED = ("domain", "adapters")  # their rooms count one by one
_DEEP = "domain/rollover"  # so do the rooms of this one
_NO_ROOMS = {"danebot", "__main__", *_SHARED, _DEEP}  # the packages' own files
_TWINS = {
    "main": "where each program begins, as pyproject.toml names it",
    "outcome": "what each plugin does, without the end of a process",
    "Answer": "of DNS, and of a checker: nothing imports both",
    "parse_options": "each plugin's, of the same form",
}


def room(module: str) -> str:
    """The room that a module is in."""
    program, *inside = module.split(".")
    if program != "danebot" or not inside:
        return program
    depth = 3 if "/".join(inside[:2]) == _DEEP else 2 if inside[0] in _SHARED else 1
    return "/".join(inside[:depth])


def imports() -> dict[str, frozenset[str]]:
    """The rooms that each room imports, by the code."""
    graph = grimp.build_graph("danebot", "danebot_checks", "danebot_exporter", cache_dir=None)
    found: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        found[room(module)] |= set(map(room, graph.find_modules_directly_imported_by(module)))
    return {name: frozenset(others - {name}) - _NO_ROOMS for name, others in found.items()}


def picture() -> dict[str, int]:
    """The line of each room, the top being the first."""
    drawn = re.search(r"^```text\n(.+?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert drawn is not None
    lines = [line.partition("|")[0].split() for line in drawn[1].splitlines()]
    names = [name for line in lines for name in line]
    assert len(names) == len(set(names)), "a room is drawn twice"
    return {name: number for number, line in enumerate(lines) for name in line}


_IMPORTS = imports()


def test_every_room_is_drawn_and_no_other() -> None:
    assert set(picture()) == set(_IMPORTS) - _NO_ROOMS


@pytest.mark.parametrize("name", sorted(set(_IMPORTS) - _NO_ROOMS))
def test_a_room_imports_from_lower_lines_alone(name: str) -> None:
    lines = picture()
    assert [other for other in _IMPORTS[name] if lines[other] <= lines[name]] == []


def test_no_module_imports_itself_by_any_way() -> None:
    """Imports inside functions included; those for types alone tie nothing."""
    graph = grimp.build_graph(
        "danebot",
        "danebot_checks",
        "danebot_exporter",
        cache_dir=None,
        exclude_type_checking_imports=True,
    )
    above: dict[str, set[str]] = {
        module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules
    }
    while leaves := {module for module, others in above.items() if not others}:
        above = {module: others - leaves for module, others in above.items() if others}
    assert sorted(above) == [], "each of these is in a circle, or imports one"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([\w/.-]+)\)", PAGE))))
def test_what_it_links_to_exists(path: str) -> None:
    assert (PROJECT / "docs" / path).exists()


def names() -> dict[str, set[str]]:
    """The public classes and functions at the top of modules, and the modules that define each."""
    found: dict[str, set[str]] = defaultdict(set)
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for place in ("danebot", "checks", "exporters"):
        for path in sorted((PROJECT / place).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, kinds) and not node.name.startswith("_"):
                    found[node.name].add(str(path.relative_to(PROJECT)))
    return found


def test_a_public_name_is_defined_in_one_module() -> None:
    """But for a verb, which has a command line and what it does, and for `_TWINS`."""
    twins = {name: sorted(modules) for name, modules in names().items() if len(modules) > 1}
    wrong = {
        name: modules
        for name, modules in twins.items()
        if not re.fullmatch(
            rf"danebot/commands/{name}\.py danebot/verbs/\w+\.py", " ".join(modules)
        )
    }
    assert wrong.keys() == _TWINS.keys(), {n: wrong[n] for n in wrong.keys() - _TWINS.keys()}
