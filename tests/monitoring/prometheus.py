"""Prometheus, Alertmanager and node_exporter beside the lab, as nobody, with the shipped files.

What differs from the shipped files is in `shipped_rules` and `_prometheus`: how often is looked,
how long an alert must last before it fires (``for:``), which is a day for some of them, and how far
back they look.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from lab.processes import Service
from monitoring.plugins import AS_NOBODY

SHIPPED = Path(__file__).parents[2] / "exporters/prometheus"
PROGRAMS = ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter")
RULES, EXPORTER, NODE, ALERTMANAGER, PROMETHEUS = "danebot.rules.yml", 9698, 9100, 9093, 9090

SELECTOR = re.compile(r"(?<![\w:])(?:danebot_|\w+:danebot_|probe_|up\b)[\w:]*(?:\{[^}]*\})?")


@dataclass(frozen=True)
class Site:
    """Where the daemons live; all listen on one address, at their usual ports."""

    directory: Path
    address: str
    programs: Path
    settings: Path
    domain: str = "example.test"

    @property
    def textfiles(self) -> Path:
        """node_exporter's textfile collector reads this directory."""
        return self.directory / "textfiles"

    def url(self, port: int, path: str) -> str:
        """An address of one of the daemons."""
        return f"http://{self.address}:{port}{path}"

    def get(self, port: int, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        """What an API answers."""
        url = self.url(port, f"{path}?{urllib.parse.urlencode(query)}")
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def query(self, expression: str) -> list[Any]:
        """The samples of a query, now."""
        answer = self.get(PROMETHEUS, "/api/v1/query", query=expression)
        found: list[Any] = answer["data"]["result"]
        return found


def shipped_rules() -> str:
    """The shipped rules; minutes, hours or a day to last are a second, those to look back six."""
    text, count = re.subn(
        r"(?m)^( +(?:keep_firing_)?for:) \d+[mhd]$",
        r"\1 1s",
        (SHIPPED / RULES).read_text(encoding="utf-8"),
    )
    assert count > 10
    text, count = re.subn(r"\[\d+[mh]\]", "[6s]", text)
    assert count > 10
    return re.sub(r"offset \d+[mh]", "offset 6s", text)


def _prometheus(site: Site) -> dict[str, Any]:
    """The shipped example with this site's addresses, looking faster than anybody would."""
    config: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["global"] = {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    jobs["danebot"]["static_configs"] = [{"targets": [f"{site.address}:{EXPORTER}"]}]
    jobs["node"]["static_configs"] = [{"targets": [f"{site.address}:{NODE}"]}]
    probe = jobs["danebot-probe"]
    probe |= {"scrape_interval": "2s", "scrape_timeout": "2s"}
    probe["static_configs"] = [{"targets": [site.domain]}]
    probe["relabel_configs"][-1]["replacement"] = f"{site.address}:{EXPORTER}"
    managers = config["alerting"]["alertmanagers"]
    managers[0]["static_configs"] = [{"targets": [f"{site.address}:{ALERTMANAGER}"]}]
    return config


def _feed(site: Site, spool: Path) -> str:
    """One service for Nagios' spool, which no Nagios empties: alerts on a feed have data."""
    options = json.dumps(["--domain", site.domain])
    service = f'[[service]]\nhost = "mail"\nname = "DANE"\noptions = {options}\n'
    return f'[nagios]\nspool = "{spool}"\n\n{service}'


def services(site: Site) -> list[Service]:
    """Write all that the daemons read; the daemons."""
    here, address = site.directory, site.address
    spool = here / "checkresults"
    for directory in (here, site.textfiles, here / "data", here / "alertmanager", spool):
        directory.mkdir(parents=True)
        shutil.chown(directory, "nobody", "nogroup")
    (here / RULES).write_text(shipped_rules())
    (here / "prometheus.yml").write_text(json.dumps(_prometheus(site)))
    (here / "feed.toml").write_text(_feed(site, spool))
    manager = (SHIPPED / "alertmanager.yml").read_text()
    (here / "alertmanager.yml").write_text(manager.replace("localhost:25", f"{address}:9"))
    daemons = {
        "exporter": (EXPORTER, "/-/healthy", str(site.programs / "danebot-exporter")),
        "node": (NODE, "/", "prometheus-node-exporter"),
        "alertmanager": (ALERTMANAGER, "/-/ready", "prometheus-alertmanager"),
        "prometheus": (PROMETHEUS, "/-/ready", "prometheus"),
    }
    options = {
        "exporter": (
            f"--config={site.settings}",
            "--probe.interval=1s",
            "--probe.targets=any",
            f"--feed={here / 'feed.toml'}",
        ),
        "node": (
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={site.textfiles}",
        ),
        "alertmanager": (
            f"--config.file={here / 'alertmanager.yml'}",
            f"--storage.path={here / 'alertmanager'}",
            "--cluster.listen-address=",
        ),
        "prometheus": (
            f"--config.file={here / 'prometheus.yml'}",
            f"--storage.tsdb.path={here / 'data'}",
        ),
    }
    return [
        Service(
            name,
            [*AS_NOBODY, program, f"--web.listen-address={address}:{port}", *options[name]],
            _answers(site.url(port, path)),
        )
        for name, (port, path, program) in daemons.items()
    ]


def _answers(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except OSError:
            return False

    return ready


def firing(site: Site) -> set[str]:
    """``ALERT@JOB`` for what Prometheus says fires and Alertmanager was told of."""
    samples = site.query('ALERTS{alertstate="firing"}')
    ours = {_short(sample["metric"]) for sample in samples}
    theirs = {_short(alert["labels"]) for alert in site.get(ALERTMANAGER, "/api/v2/alerts")}
    return ours & theirs


def silent(site: Site) -> bool:
    """Whether neither of them has an alert left, not even one that is pending."""
    return not site.query("ALERTS") and not site.get(ALERTMANAGER, "/api/v2/alerts")


def _short(labels: dict[str, str]) -> str:
    return f"{labels['alertname']}@{labels.get('job', '')}"


def unanswered(site: Site, since: float) -> list[str]:
    """What had no data at any time since then: panels' queries, and what alerts look at."""
    panels = json.loads((SHIPPED.parent / "grafana/danebot.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in panels["panels"] for target in panel["targets"]]
    queries += [one["expr"] for one in panels["annotations"]["list"]]
    groups = yaml.safe_load((SHIPPED / RULES).read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    alerts = [rule["expr"] for rule in rules if "alert" in rule]
    queries += [found[0] for one in alerts for found in SELECTOR.finditer(one)]
    queries += [rule["record"] for rule in rules if "record" in rule]
    # What is known of failures: of two days after a success, and of findings that no fault brings.
    late = ("instance:danebot_renew_failing:known", "_finding:known", "unjudged")
    queries = [one for one in queries if not any(word in one for word in late)]
    plain = dict.fromkeys(q.replace("$instance", ".*").replace("$lineage", ".*") for q in queries)
    return [query for query in plain if not _answered(site, query, since)]


def _answered(site: Site, query: str, since: float) -> bool:
    times = {"start": f"{since:.0f}", "end": f"{time.time():.0f}", "step": "1"}
    answer = site.get(PROMETHEUS, "/api/v1/query_range", query=query, **times)
    return bool(answer["data"]["result"])
