"""The files and folders that the guides for contributors name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
GUIDES = (
    PROJECT / "CONTRIBUTING.md",
    PROJECT / "SECURITY.md",
    PROJECT / "docs/glossary.md",
    *sorted((PROJECT / "docs/decisions").glob("*.md")),
)
_NAMED = re.compile(
    r"`((?:danebot|checks|exporters|tests|docs)/[\w./-]*)`"  # a path in the project
)
_LINKED = re.compile(r"\]\((?!\w+:)([^)#]+)[^)]*\)")


def named() -> list[tuple[str, Path]]:
    """Each place that a guide names, with the guide."""
    found = []
    for guide in GUIDES:
        text = guide.read_text(encoding="utf-8")
        places = [PROJECT / one for one in _NAMED.findall(text)]
        places += [guide.parent / one for one in _LINKED.findall(text)]
        found += [(guide.name, place) for place in places]
    return found


@pytest.mark.parametrize(("guide", "place"), named(), ids=str)
def test_what_a_guide_names_is_there(guide: str, place: Path) -> None:
    assert place.exists(), guide


def test_the_guides_name_something() -> None:
    assert {guide for guide, _ in named()} >= {"CONTRIBUTING.md", "README.md"}
