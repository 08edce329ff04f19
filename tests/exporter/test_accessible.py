"""Nobody is kept from the page: axe-core finds nothing; a keyboard does, and so does paper."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.views import LOOKS, STATES, browser, opened, shown

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright", reason="what drives a browser comes with the dev tools")
pytestmark = [pytest.mark.once, pytest.mark.no_cover]

CASES = [
    *((state, look) for state in (*STATES, "runbook") for look in ("light", "dark")),
    *((state, look) for state in ("mixed", "runbook") for look in ("phone", "phone-dark")),
]
OPEN = "for (const one of document.querySelectorAll('details')) one.open = true"
SHOWN = "e => e.checkVisibility() && e.getBoundingClientRect().height > 0"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not shutil.which("chromium"):
        pytest.fail("chromium is not installed: make deps")
    with browser() as running:
        yield running


def test_axe_finds_nothing(chromium: Browser, tmp_path: Path) -> None:
    axe = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    found = []
    for look in dict.fromkeys(look for _, look in CASES):
        with opened(chromium, LOOKS[look]) as window:
            for state in (state for state, wanted in CASES if wanted == look):
                window.set_content(shown(state, tmp_path).decode())
                window.evaluate(OPEN)
                window.evaluate(axe)
                results = window.evaluate("axe.run()")
                assert len(results["passes"]) > 10, state
                found += [
                    (state, look, broken["id"], node["html"][:200])
                    for broken in results["violations"]
                    for node in broken["nodes"]
                ]
    assert found == []


def test_it_comes_again_by_itself_only_where_the_reader_wants_it(
    chromium: Browser, tmp_path: Path
) -> None:
    """And the reader's other choices stay."""
    with opened(chromium, LOOKS["light"]) as window:
        window.set_content(shown("mixed", tmp_path, show="waiting", q="example").decode())
        assert window.locator("meta[http-equiv=refresh]").count() == 0
        link = window.get_by_role("link", name="Reload every 5 minutes")
        assert link.get_attribute("href") == "?show=waiting&q=example&again=300"
        page = shown("mixed", tmp_path, show="waiting", q="example", again="300").decode()
        window.set_content(page)
        assert window.locator("meta[http-equiv=refresh]").get_attribute("content") == "300"
        link = window.get_by_role("link", name="Stop reloading")
        assert link.get_attribute("href") == "?show=waiting&q=example"
        others = window.locator(".tally a").evaluate_all("all => all.map(e => e.href)")
        assert all("again=300" in href for href in others)
        assert window.locator("form input[name=again]").get_attribute("value") == "300"


@pytest.mark.parametrize("look", ["light", "dark", "forced"])
def test_the_keyboard_reaches_all_and_shows_where_it_is(
    look: str, chromium: Browser, tmp_path: Path
) -> None:
    with opened(chromium, LOOKS[look]) as window:
        window.set_content(shown("mixed", tmp_path).decode())
        places = window.locator("a, button, input:not([type=hidden]), summary")
        wanted = sum(places.evaluate_all(f"all => all.map({SHOWN})"))  # not in what is folded
        seen = []
        for _ in range(wanted):
            window.keyboard.press("Tab")
            place = window.evaluate(
                "() => { const e = document.activeElement, s = getComputedStyle(e);"
                " return [e.outerHTML, s.outlineStyle, s.outlineWidth] }"
            )
            assert place[1:] == ["solid", "3px"], place
            seen.append(place[0])
        assert len(seen) == wanted
        assert any("aria-current" in one for one in seen), "the view that is shown is said"
        window.locator("summary").first.focus()
        window.keyboard.press("Enter")
        assert window.locator("details[open]").count() == 1


def test_on_paper_there_is_what_a_reader_can_use(chromium: Browser, tmp_path: Path) -> None:
    with opened(chromium, LOOKS["print"]) as window:
        window.set_content(shown("mixed", tmp_path).decode())
        for useless in ("form", ".tally", ".leads", ".again"):
            assert not any(window.locator(useless).evaluate_all(f"all => all.map({SHOWN})"))
        for useful in ("h1", ".run", ".card", ".card > .next li", "pre", "svg.timeline"):
            assert all(window.locator(useful).evaluate_all(f"all => all.map({SHOWN})")), useful
        edges = window.locator(".next li:not(.quiet)").evaluate_all(
            "all => all.map(e => getComputedStyle(e).borderTopStyle)"
        )
        assert set(edges) == {"solid"}, "printers leave out backgrounds"


def test_a_lineage_at_rest_takes_two_lines_on_a_phone(chromium: Browser, tmp_path: Path) -> None:
    with opened(chromium, LOOKS["phone"]) as window:
        window.set_content(shown("thousand", tmp_path).decode())
        high = window.locator(".card:has(.fold)").evaluate_all(
            "all => all.map(e => e.offsetHeight)"
        )
        assert len(high) > 40
        assert max(high) < 80
