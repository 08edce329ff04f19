"""The documentation as a site, and as an installation has it: no link of it leads nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from danebot.verbs.files import BROUGHT

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages of the site, as `make docs` builds it."""
    pytest.importorskip("material", reason="mkdocs-material comes with the extra docs")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {str(page.relative_to(out)): page.read_text("utf-8") for page in out.rglob("*.html")}


@pytest.mark.once
def test_the_site_has_every_page(site: dict[str, str]) -> None:
    """Strictly built: each link and anchor is there, and each page in the navigation."""
    pages = {str(page.relative_to(DOCS)) for page in PAGES}
    names = {re.sub("README.md$", "index.md", page).replace(".md", ".html") for page in pages}
    assert names == set(site) - {"404.html"}


@pytest.mark.once
def test_no_markup_is_left_over(site: dict[str, str]) -> None:
    """What GitHub takes for a list, a table or a block, the site does, too."""
    left = [
        (name, found)
        for name, page in site.items()
        for found in re.findall(r"<p>[^<]*```.*|<p>(?:(?!</p>).)*\n(?:- |\d\. |\|).*", page)
    ]
    assert left == []


@pytest.mark.once
def test_a_reader_of_the_site_asks_nobody_else(site: dict[str, str]) -> None:
    fetched = r'<(?:script|img|iframe)[^>]*src="(?:https?:)?//|<link[^>]*href="(?:https?:)?//'
    assert [name for name, page in site.items() if re.search(fetched, page)] == []


def test_every_page_is_installed() -> None:
    installed = {path.partition("share/doc/danebot/")[2] for one in BROUGHT for path in one.paths}
    assert {str(page.relative_to(DOCS)) for page in PAGES} <= installed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_stay_within_what_is_installed(page: Path) -> None:
    """The site and an installation have the folder docs alone."""
    links = re.findall(r"\]\((?!\w+:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [one for one in links if not (page.parent / one).resolve().is_relative_to(DOCS)] == []
