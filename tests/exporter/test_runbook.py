"""Each finding on the page leads to its entry of the runbook, which the exporter shows itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from danebot.domain.codes import Code, code_of
from danebot.domain.delivery.judgements import GRADES, Judgement
from danebot.domain.finding import Finding, Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.status.document import finding_status
from danebot.domain.status.overdue import StatusCode
from danebot_exporter.page import PageWish, page
from danebot_exporter.runbook import runbook, runbook_anchor
from exporter import sample
from exporter.running import exporter
from exporter.sample import NOW
from exporter.test_page import outline
from exporter.test_totals import NAME, report

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
RULES = (ROOT / "exporters/prometheus/danebot.rules.yml").read_text(encoding="utf-8")
SHOWN = (*Code, *StatusCode, *dict.fromkeys(grade.code for grade in GRADES.values()))


def anchors() -> set[str]:
    return set(re.findall(r'<h2 id="(\w+)">', runbook().decode()))


def found(code: FindingKind, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(code, severity, NAME, "it is")


def test_every_section_can_be_led_to() -> None:
    assert anchors() == {name.lower() for name in re.findall(r"(?m)^## (\w+)$", TEXT)}


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("code", SHOWN, ids=lambda code: code.value)
def test_every_finding_has_an_entry(code: FindingKind, severity: Severity) -> None:
    assert runbook_anchor(found(code, severity)) in anchors()


def test_what_has_an_alert_of_its_own_leads_to_that() -> None:
    alerts = re.findall(r"(?ms)- alert: (\w+)\n((?:(?!- alert:).)*)", RULES)
    own = {
        code: alert.lower()
        for alert, text in alerts
        for code in re.findall(r'lineage:danebot_finding:known\{[^}]*code="([a-z-]+)"', text)
    }
    assert len(own) >= 8
    for code, alert in own.items():
        assert runbook_anchor(found(code_of(code), Severity.CRITICAL)) == alert, code


def test_nothing_of_it_is_lost() -> None:
    """Each word is there, and no markup is left over."""
    words = "".join(outline(runbook()).words)
    assert "**" not in words
    assert "](" not in words
    plain = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", TEXT)
    plain = re.sub(r"(?m)^(#+|-|\d\.) |[`*]", "", plain)
    assert re.sub(r"\s", "", plain) in re.sub(r"\s|[`*]", "", words)


def test_each_finding_on_the_page_has_its_link(tmp_path: Path) -> None:
    late = finding_status(found(Code.EXPIRED, Severity.CRITICAL))
    run = sample.finding("", "not-run", "critical", "another run holds the locks")
    lineage = sample.lineage(NAME)._replace(findings=(late,))
    path = sample.write(tmp_path / "status.json", sample.snapshot([lineage], run))
    body = page(path, PageWish(), {NAME: (report(NAME, Judgement.MISMATCH),)}, NOW).decode()
    links = re.findall(r'href="runbook#(\w+)"', body)
    assert links == ["danebotrenewfailing", "danebotendpointmismatch", "danebotcertificateexpires"]
    assert set(links) <= anchors()


def test_the_exporter_shows_it(tmp_path: Path) -> None:
    with exporter("--snapshot", sample.write(tmp_path / "status.json")) as running:
        status, body, headers = running.get("/runbook")
        metrics = running.get("/metrics")[1]
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<h2 id="danebottlsamismatch">' in body
    assert 'requests_total{handler="runbook",status="2xx"} 1.0' in metrics
