"""Rules, dashboard and examples, tried with Prometheus' own tools and on Prometheus itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from danebot_exporter.metrics import TABLE
from exporter import sample
from exporter.running import ROOT, exporter
from lab.net import free_ports

pytestmark = pytest.mark.once

HERE = ROOT / "exporters"
RULES = HERE / "prometheus" / "danebot.rules.yml"
SHARDS = HERE / "prometheus" / "danebot.shards.yml"
DASHBOARD = json.loads((HERE / "grafana" / "danebot.json").read_text(encoding="utf-8"))
RUNBOOK = ROOT / "docs" / "runbook.md"
NAME = re.compile(r"\b(?:danebot|probe)_[a-z_]+\b")


def rules(file: Path = RULES) -> list[dict[str, Any]]:
    groups = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in (*rules(), *rules(SHARDS)) if "alert" in rule]


def tool(*command: str | Path) -> None:
    if shutil.which(str(command[0])) is None:
        pytest.fail(f"{command[0]} is not installed: make deps")
    run = subprocess.run(
        command,
        cwd=HERE / "prometheus",
        env={**os.environ, "GOGC": "400"},  # a fifth of its time goes into collecting garbage
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_prometheus_accepts_the_rules() -> None:
    tool("promtool", "check", "rules", RULES)


@pytest.mark.timeout(600)  # weeks of evaluations
def test_each_rule_does_what_it_says() -> None:
    tool("promtool", "test", "rules", "danebot.rules.test.yml", "danebot.probes.test.yml")


def test_the_cases_of_probes_keep_to_the_example() -> None:
    """What fires at one interval may never fire at another."""
    example = yaml.safe_load((HERE / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (probe,) = (one for one in example["scrape_configs"] if one.get("metrics_path") == "/probe")
    cases = (HERE / "prometheus" / "danebot.probes.test.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"(?m)^  - interval: (\w+)", cases)) == {probe["scrape_interval"]}
    assert example["global"].get("evaluation_interval", "1m") == "1m"
    assert "evaluation_interval: 1m\n" in cases


def test_the_examples_are_accepted() -> None:
    tool("promtool", "check", "config", "prometheus.yml")
    tool("amtool", "check-config", "alertmanager.yml")


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    cases = (HERE / "prometheus" / "danebot.rules.test.yml").read_text(encoding="utf-8")
    files = ("exporter/test_alerts.py", "monitoring/test_shards.py")
    lasting = "".join((ROOT / "tests" / file).read_text(encoding="utf-8") for file in files)
    for rule in alerts():
        name = rule["alert"]
        fires = f'alertname="{name}"' in cases or re.search(
            rf"alertname: {name}\n\s+eval_time: \S+\n\s+exp_alerts:", cases
        )
        assert fires or re.search(rf'"{name}[" ]', lasting), name


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_is_explained(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
    severity = rule["labels"]["severity"]
    assert severity in {
        "warning",
        "critical",
        "{{ $labels.severity }}",
        "{{ $labels.grade }}",
    }
    assert severity == "warning" or rule["keep_firing_for"] == "10m"
    section = RUNBOOK.read_text(encoding="utf-8").partition(f"\n## {rule['alert']}\n")[2]
    words = section.partition("\n## ")[0].split()
    assert len(words) > 30, rule["alert"]


def test_the_runbook_has_no_section_too_many() -> None:
    titles = re.findall(r"(?m)^## (Danebot\w+)$", RUNBOOK.read_text(encoding="utf-8"))
    assert titles == [rule["alert"] for rule in alerts()]


def expressions() -> list[str]:
    found = [t["expr"] for panel in DASHBOARD["panels"] for t in panel["targets"]]
    return [*found, *(a["expr"] for a in DASHBOARD["annotations"]["list"])]


def test_rules_and_dashboard_ask_for_metrics_that_there_are() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for text in [rule["expr"] for rule in rules()] + expressions():
        for name in re.findall(r"\b\w+:danebot_\w+:\w+\b", text):
            assert name in recorded
        plain = re.sub(r"\b\w+:danebot_\w+:\w+\b|\"[^\"]*\"", "", text)
        assert {name for name in NAME.findall(plain) if name not in TABLE} == set(), text


def test_the_dashboard_is_sound() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["title"]
        assert panel["description"].endswith(".")
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, panel["title"]
        cells |= own


# ---- on Prometheus itself ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that scrapes an exporter every second; the address of its API."""
    where = tmp_path_factory.mktemp("prometheus")
    document = sample.write(where / "status.json")
    with exporter("--snapshot", document) as found:
        (port,) = free_ports(1)
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {
                    "job_name": "danebot",
                    "static_configs": [{"targets": [f"127.0.0.1:{found.port}"]}],
                }
            ],
        }
        (where / "prometheus.yml").write_text(json.dumps(config))
        with (where / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={where / 'prometheus.yml'}",
                    f"--storage.tsdb.path={where / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            api = f"http://127.0.0.1:{port}/api/v1/"
            wait_for(api)
            yield api
        finally:
            process.terminate()
            process.wait(60)


def wait_for(api: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if query(api, "lineage:danebot_certificate_remaining:ratio"):
                return
        except OSError:
            pass
        time.sleep(0.3)
    pytest.fail("Prometheus has nothing to show after two minutes")


def query(api: str, expression: str) -> list[Any]:
    url = f"{api}query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - loopback
        document = json.load(answer)
    assert document["status"] == "success"
    result: list[Any] = document["data"]["result"]
    return result


SILENT = (
    "danebot_endpoint",
    "probe",
    "changes(",
    "rate(",
)  # no probes here; one scrape has no rate


@pytest.mark.parametrize("expression", expressions())
def test_each_panel_shows_something(expression: str, server: str) -> None:
    plain = expression.replace("$instance", ".*").replace("$lineage", ".*")
    assert "$" not in plain
    found = query(server, plain)
    if not any(word in expression for word in SILENT):
        assert found, plain


def test_what_is_wrong_is_alerted(server: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        firing = query(server, 'ALERTS{alertname="DanebotTlsaMismatch", alertstate="firing"}')
        if firing:
            break
        time.sleep(0.3)
    (one,) = firing
    assert one["metric"]["lineage"] == "mx.example.org"
