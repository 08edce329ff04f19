"""The files, folders and headings that the documentation names are there."""

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
PAGES = (*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").rglob("*.md")))
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


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them, and those that it names itself."""
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    named = re.findall(r'^<a id="([^"]+)"></a>$', page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles} | {*named}


def dead_links(page: Path) -> list[str]:
    """The links of a page that lead nowhere: to no file, or to no heading of it."""
    dead = []
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for link, place, anchor in re.findall(r"\]\(((?!\w+:)([^)#\s]*)#?([^)\s]*))\)", text):
        target = page.parent / place if place else page
        if not target.exists() or (
            anchor and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            dead.append(link)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n[here](#a-page) [gone](gone.md) [no heading](page.md#another)\n")
    assert dead_links(page) == ["gone.md", "page.md#another"]


def test_every_page_is_reached_from_the_readme() -> None:
    reached, to_come = set(), {PROJECT / "README.md"}
    while to_come:
        page = to_come.pop()
        reached.add(page)
        links = re.findall(r"\]\((?!\w+:)([^)#\s]+\.md)", page.read_text(encoding="utf-8"))
        places = {(page.parent / link).resolve() for link in links}
        to_come |= {place for place in places if place.exists()} - reached
    assert set(PAGES) - reached == set()
