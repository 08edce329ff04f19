"""docs/exporter.md says what the program does.  Run as a program with --write it mends the list."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from danebot_exporter.cli import LISTEN, exporter
from danebot_exporter.metrics import TABLE, Origin
from danebot_exporter.probe import MODULES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "exporter.md"
MARK = "<!-- metrics: written by tests/exporter/test_docs.py --write -->\n"


def metrics() -> str:
    """The list of metrics, from the table."""
    parts = []
    for origin in Origin:
        parts.append(f"\n### {origin.value[0].upper()}{origin.value[1:]}\n")
        parts.append("| name | labels | meaning |\n|---|---|---|")
        for metric in TABLE.values():
            if metric.origin is origin:
                labels = ", ".join(metric.labels)
                parts.append(f"| `{metric.name}` | {labels} | {metric.help} |")
    return "\n".join(parts) + "\n"


def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_list_of_metrics_is_the_table() -> None:
    assert text().partition(MARK)[2] == metrics()


def test_every_option_is_explained_and_none_that_is_not_there() -> None:
    shown = {option.opts[-1] for option in exporter.params} - {"-V", "--version"}
    options = {name for one in shown for name in [one] if name.startswith("--")}
    rows = re.findall(
        r"(?m)^\| `(--[\w.-]+)", text().partition("## Options")[2].partition("## W")[0]
    )
    assert sorted(rows) == sorted(options)
    assert f"`{LISTEN}`" in text()


def test_every_module_is_named() -> None:
    section = text().partition("## Probing other domains")[2].partition("\n## ")[0]
    assert set(MODULES) <= set(re.findall(r"`([a-z0-9-]+)`", section))


def test_what_the_page_leads_to_is_there() -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text()):
        assert (DOCS / target).exists(), target


if __name__ == "__main__" and "--write" in sys.argv:
    PAGE.write_text(text().partition(MARK)[0] + MARK + metrics(), encoding="utf-8")
