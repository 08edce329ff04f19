"""Two real Prometheus servers share what they probe, by shards.yml, through three exporters."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from exporter.running import exporter
from monitoring.feeding import daemon, domains, until
from monitoring.prometheus import SHIPPED

pytestmark = [
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="not installed (make deps)"),
    pytest.mark.once,
    pytest.mark.timeout(600),
]
TARGETS, WRONG = 24, 3
SERVERS = ("127.0.78.1:9090", "127.0.78.2:9090")
EXPORTERS = ("192.0.2.11:9698", "192.0.2.12:9698", "192.0.2.13:9698")


def configured(directory: Path, shard: int, exporters: list[str]) -> Path:
    """The shipped example with our addresses, looking faster than anybody would."""
    directory.mkdir()
    text = (SHIPPED / "shards.yml").read_text()
    for shipped, ours in zip(
        (*EXPORTERS, "192.0.2.22:9090"), (*exporters, SERVERS[1]), strict=True
    ):
        assert shipped in text
        text = text.replace(shipped, ours)
    for words, faster in (("scrape_interval: 10m", "3s"), ("scrape_interval: 1m", "1s")):
        assert words in text
        text = text.replace(words, f"scrape_interval: {faster}")
    text = text.replace("scrape_timeout: 45s", "scrape_timeout: 3s")
    text = text.replace("refresh_interval: 5m", "refresh_interval: 1s")
    config: dict[str, Any] = yaml.safe_load(text)
    config["global"]["evaluation_interval"] = "1s"
    probe, federated = config["scrape_configs"]
    if shard:  # as the file says
        config["global"]["external_labels"]["shard"] = str(shard)
        (kept,) = (one for one in probe["relabel_configs"] if one.get("action") == "keep")
        kept["regex"] = str(shard)
        config["scrape_configs"].remove(federated)
    path = directory / "prometheus.yml"
    path.write_text(json.dumps(config))
    for name in config["rule_files"]:
        rules = re.sub(r"\[30m\]", "[9s]", (SHIPPED / name).read_text())
        (directory / name).write_text(rules)
    return path


@contextlib.contextmanager
def prometheus(directory: Path, shard: int, exporters: list[str]) -> Iterator[None]:
    """One server."""
    command = [
        "prometheus",
        f"--config.file={configured(directory, shard, exporters)}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={SERVERS[shard]}",
    ]
    with daemon(command):
        yield


def asked(server: str, expression: str) -> list[tuple[dict[str, str], float]]:
    """The samples of a query, now; none while the server isn't there."""
    url = f"http://{server}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            found = json.load(answer)["data"]["result"]
    except OSError:
        return []
    return [(one["metric"], float(one["value"][1])) for one in found]


def test_the_rules_are_accepted_and_add_up(tmp_path: Path) -> None:
    subprocess.run(["promtool", "check", "config", SHIPPED / "shards.yml"], check=True)
    series = {
        'danebot_probe_grade{instance="a", grade="notice"}': "1x60",
        'danebot_probe_grade{instance="b", grade="notice"}': "1x60",
        'shard:danebot_probe_targets:sum{grade="notice", shard="1"}': "5x60",
        'shard:danebot_probe_targets:sum{grade="critical", shard="1"}': "2x60",
        'up{instance="a", job="danebot-probe"}': "0x60",
    }
    case = {
        "rule_files": [str(SHIPPED / "danebot.shards.yml")],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": k, "values": v} for k, v in series.items()],
                "promql_expr_test": [
                    {
                        "expr": "danebot:probe_targets:sum",
                        "eval_time": "20m",
                        "exp_samples": [
                            {"labels": f'danebot:probe_targets:sum{{grade="{grade}"}}', "value": n}
                            for grade, n in (("notice", 7), ("critical", 2))
                        ],
                    },
                    {
                        "expr": "danebot:probe_failed:sum",
                        "eval_time": "20m",
                        "exp_samples": [{"labels": "danebot:probe_failed:sum", "value": 1}],
                    },
                ],
            }
        ],
    }
    file = tmp_path / "case.json"
    file.write_text(json.dumps(case))
    subprocess.run(["promtool", "test", "rules", file], check=True)


def test_each_target_is_probed_by_one_and_the_sum_has_all(tmp_path: Path) -> None:
    with domains() as world, contextlib.ExitStack() as stack:
        port = world.world.port
        names = [f"mx{number}.example" for number in range(TARGETS)]
        for number, name in enumerate(names):
            (world.wrong if number < WRONG else world.right)(name)
        targets = tmp_path / "targets"
        targets.write_text("# all\n" + "".join(f"{name}:{port} tls\n" for name in names[:-1]))
        settings = tmp_path / "danebot.toml"
        settings.write_text(f'resolver = ["127.0.0.1:{world.world.dns.port}"]\n')
        options = ("--config", settings, "--probe.targets", "any", "--targets", targets)
        running = [stack.enter_context(exporter(*options)) for _ in EXPORTERS]
        exporters = [f"127.0.0.1:{one.port}" for one in running]
        for shard in (0, 1):
            stack.enter_context(prometheus(tmp_path / str(shard), shard, exporters))

        def sums() -> dict[str, float]:
            found = asked(SERVERS[0], "danebot:probe_targets:sum")
            return {labels["grade"]: value for labels, value in found}

        def whole(count: int) -> bool:
            wanted = {"notice": count - WRONG, "critical": WRONG, "warning": 0, "unjudged": 0}
            return sums() == wanted

        until(lambda: whole(TARGETS - 1), "the sum has all of them", 120)
        by = [
            (server, labels["exporter"], labels["instance"])
            for server in SERVERS
            for labels, _ in asked(server, 'up{job="danebot-probe"}')
        ]
        assert sorted(instance for _, _, instance in by) == sorted(
            f"{name}:{port}" for name in names[:-1]
        )
        assert {(server, at) for server, at, _ in by} == {
            (server, at) for server in SERVERS for at in exporters
        }
        with targets.open("a") as file:
            file.write(f"{names[-1]}:{port} tls\n")
        until(lambda: whole(TARGETS), "one more in the list", 60)
        mismatches = asked(SERVERS[0], 'danebot:probe_findings:sum{code="mismatch"}')
        assert [value for _, value in mismatches] == [WRONG]
