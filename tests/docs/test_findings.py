"""docs/monitoring.md lists every finding, the schema of the status document every code.

Run as a program with --write it mends both.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from danebot.domain.codes import Code
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.doctor.codes import HostCode
from danebot.domain.finding import Finding, Severity
from danebot.domain.kinds import Concern, FindingKind
from danebot_checks.lineages_options import CONCERNS
from danebot_exporter.runbook import runbook_anchor

PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"
SCHEMA = Path(__file__).parents[2] / "danebot" / "schema" / "status.schema.json"
MARK = "<!-- findings: written by tests/docs/test_findings.py --write -->\n"
TITLES = {
    **{Concern(word): f"Told by `check_danebot {word}`" for word in CONCERNS},
    Concern.HOST: "Told by `danebot doctor`, beside those of `check_danebot`",
    Concern.DELIVERY: "Told by `check_dane`, `danebot verify` and `/probe`",
}


def findings() -> str:
    """The list, from the tables."""
    parts = []
    for concern, title in TITLES.items():
        parts.append(f"\n### {title}\n\n| finding | means | what helps |\n|---|---|---|")
        parts += [
            row(kind) for kind in (*Code, *HostCode, *DeliveryCode) if kind.concern is concern
        ]
    return "\n".join(parts) + "\n"


def row(kind: FindingKind) -> str:
    name = f"`{kind.value}`"
    if not isinstance(kind, HostCode):  # which no alert tells
        told = Finding(kind, Severity.WARNING, "", "it is")
        name = f"[{name}](runbook.md#{runbook_anchor(told)})"
    return f"| {name} | {kind.meaning} | {kind.remedy or '-'} |"


def test_the_list_of_findings_is_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8").partition(MARK)[2] == findings()


def schema() -> str:
    """The schema with the codes of the table."""
    document = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for kind in ("FindingStatus", "FailureStatus"):
        document["$defs"][kind]["properties"]["code"]["enum"] = [code.value for code in Code]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def test_the_schema_has_the_codes_of_the_table() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema()


if __name__ == "__main__" and "--write" in sys.argv:
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.partition(MARK)[0] + MARK + findings(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
