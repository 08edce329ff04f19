"""A named tuple is what `typing` would make of the same class body."""

from __future__ import annotations

import ast
import typing
from pathlib import Path

import pytest

from danebot import tuples

ROOT = Path(__file__).parents[1]


class Theirs(typing.NamedTuple):
    """What is compared."""

    first: int
    second: tuple[str, ...] = ()

    @property
    def sum(self) -> int:
        """Both."""
        return self.first + len(self.second)

    @classmethod
    def of(cls, first: int) -> typing.Self:
        """One with a default."""
        return cls(first)


class Ours(tuples.NamedTuple):
    """What is compared."""

    first: int
    second: tuple[str, ...] = ()

    @property
    def sum(self) -> int:
        """Both."""
        return self.first + len(self.second)

    @classmethod
    def of(cls, first: int) -> typing.Self:
        """One with a default."""
        return cls(first)


def test_it_is_what_typing_makes() -> None:
    ours, theirs = Ours.of(1), Theirs.of(1)
    assert tuple(ours) == tuple(theirs) == (1, ())
    assert ours.sum == Ours(first=0, second=("one",)).sum == 1
    assert (Ours._fields, Ours._field_defaults) == (Theirs._fields, Theirs._field_defaults)
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)
    assert Ours.__mro__[1:] == Theirs.__mro__[1:]
    assert (Ours.__module__, Ours.__qualname__, Ours.__doc__) == (
        *(Theirs.__module__, "Ours"),
        Theirs.__doc__,
    )
    assert repr(ours).replace("Ours", "Theirs") == repr(theirs)
    assert not hasattr(ours, "__dict__")
    assert ours._replace(first=2).sum == 2


@pytest.mark.parametrize("module", ["typing", "danebot.tuples"])
def test_no_field_without_a_default_follows_one_with_one(module: str) -> None:
    body = f"import {module} as m\nclass Wrong(m.NamedTuple):\n    a: int = 1\n    b: int\n"
    with pytest.raises(TypeError, match=r"default.* a$"):
        exec(body, {})  # noqa: S102 - type checkers refuse it as it stands


def test_typing_s_are_made_where_they_are_generic_alone() -> None:
    """A start pays for each of the others (see `danebot.tuples`)."""
    found = []
    for file in (
        f for part in ("danebot", "checks", "exporters") for f in ROOT.glob(f"{part}/**/*.py")
    ):
        tree = ast.parse(file.read_bytes())
        froms = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        names = {a.name for node in froms if node.module == "typing" for a in node.names}
        theirs = {"typing.NamedTuple", *names & {"NamedTuple"}}
        for node in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            bases = {ast.unparse(base).partition("[")[0] for base in node.bases}
            if bases & theirs and "Generic" not in bases:
                found.append(f"{file.relative_to(ROOT)}: {node.name}")
    assert found == []
