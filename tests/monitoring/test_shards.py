"""Two real Prometheus servers share what they probe, by shards.yml, through three exporters."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from exporter.running import exporter
from lab import net
from monitoring.feeding import daemon, domains, until
from monitoring.prometheus import SHIPPED

pytestmark = [
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="not installed (make deps)"),
    pytest.mark.once,
    pytest.mark.timeout(600),
]
EACH, WRONG = 4, 3
SHARDS = (0, 1)
FEDERATED = "192.0.2.22:9090"  # the other one
EXPORTERS = ("192.0.2.11:9698", "192.0.2.12:9698", "192.0.2.13:9698")


def cell(target: str) -> tuple[int, int]:
    """The numbers of the server and of the exporter that have it, as hashmod reckons them."""
    digest = hashlib.md5(f"{target};tls".encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[8:])
    return number % len(SHARDS), number % len(EXPORTERS)


def spread(port: int) -> list[str]:
    """Targets of which each exporter has as many from each server, whatever the port."""
    found: Counter[tuple[int, int]] = Counter()
    chosen: list[str] = []
    for number in itertools.count():
        target = f"mx{number}.example:{port}"
        if found[cell(target)] < EACH:
            found[cell(target)] += 1
            chosen.append(target)
        if len(chosen) == EACH * len(SHARDS) * len(EXPORTERS):
            return chosen
    raise AssertionError


def configured(directory: Path, shard: int, federated: str, exporters: list[str]) -> Path:
    """The shipped example with our addresses, looking faster than anybody would."""
    directory.mkdir()
    text = (SHIPPED / "shards.yml").read_text()
    for shipped, ours in zip((*EXPORTERS, FEDERATED), (*exporters, federated), strict=True):
        assert shipped in text
        text = text.replace(shipped, ours)
    for words, faster in (("scrape_interval: 10m", "3s"), ("scrape_interval: 1m", "1s")):
        assert words in text
        text = text.replace(words, f"scrape_interval: {faster}")
    text = text.replace("scrape_timeout: 45s", "scrape_timeout: 3s")
    text = text.replace("refresh_interval: 5m", "refresh_interval: 1s")
    config: dict[str, Any] = yaml.safe_load(text)
    config["global"]["evaluation_interval"] = "1s"
    probe, _ = config["scrape_configs"]
    if shard:  # as the file says
        config["global"]["external_labels"]["shard"] = str(shard)
        (kept,) = (one for one in probe["relabel_configs"] if one.get("action") == "keep")
        kept["regex"] = str(shard)
    path = directory / "prometheus.yml"
    path.write_text(json.dumps(config))
    for name in config["rule_files"]:
        rules = re.sub(r"\[30m\]", "[9s]", (SHIPPED / name).read_text())
        (directory / name).write_text(rules)
    return path


@contextlib.contextmanager
def prometheus(
    directory: Path, shard: int, servers: list[str], exporters: list[str]
) -> Iterator[None]:
    """One server."""
    command = [
        "prometheus",
        f"--config.file={configured(directory, shard, servers[1 - shard], exporters)}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={servers[shard]}",
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


def firing(directory: Path, series: dict[str, str], *alerts: str) -> None:
    """Which alerts of `danebot.shards.yml` fire after an hour."""
    samples = [{"labels": f'{{alertname="{one}"}}', "value": 1} for one in alerts]
    question = 'group by (alertname) (ALERTS{alertstate="firing"})'
    case = {
        "rule_files": [str(SHIPPED / "danebot.shards.yml")],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": k, "values": v} for k, v in series.items()],
                "promql_expr_test": [{"expr": question, "eval_time": "1h", "exp_samples": samples}],
            }
        ],
    }
    file = directory / "case.json"
    file.write_text(json.dumps(case))
    subprocess.run(["promtool", "test", "rules", file], check=True)


OTHER = 'up{instance="192.0.2.22:9090", job="danebot-shards"}'
PROBE = 'up{instance="a", job="danebot-probe"}'


def test_a_server_that_is_down_or_probes_nothing_is_told_by_the_others(tmp_path: Path) -> None:
    """The sums are but smaller then, and what it probed is looked at by nobody."""
    theirs = 'shard:danebot_probe_targets:sum{grade="notice", shard="1"}'
    firing(tmp_path, {OTHER: "1x60", PROBE: "1x60", theirs: "5x60"})
    firing(tmp_path, {OTHER: "1x20 0x40", PROBE: "1x60", theirs: "5x20"}, "DanebotShardDown")
    firing(tmp_path, {OTHER: "1x60", PROBE: "1x60"}, "DanebotShardDown")
    firing(tmp_path, {OTHER: "1x60", theirs: "5x60"}, "DanebotNothingProbed")
    firing(tmp_path, {PROBE: "1x60"})  # one of those that are asked: it asks nobody


def test_each_target_is_probed_by_one_and_the_sum_has_all(tmp_path: Path) -> None:
    with domains() as world, contextlib.ExitStack() as stack:
        *first, last = spread(world.world.port)
        for number, target in enumerate([*first, last]):
            name, _, _ = target.partition(":")
            (world.wrong if number < WRONG else world.right)(name)
        targets = tmp_path / "targets"
        targets.write_text("# all\n" + "".join(f"{target} tls\n" for target in first))
        settings = tmp_path / "danebot.toml"
        settings.write_text(f'resolver = ["127.0.0.1:{world.world.dns.port}"]\n')
        options = ("--config", settings, "--probe.targets", "any", "--targets", targets)
        running = [stack.enter_context(exporter(*options)) for _ in EXPORTERS]
        exporters = [f"127.0.0.1:{one.port}" for one in running]
        reserved = net.reserve()
        stack.callback(reserved.release)
        servers = [f"{reserved.host(1 + shard)}:9090" for shard in SHARDS]
        for shard in SHARDS:
            directory = tmp_path / str(shard)
            stack.enter_context(prometheus(directory, shard, servers, exporters))

        def sums(server: str) -> dict[str, float]:
            found = asked(server, "danebot:probe_targets:sum")
            return {labels["grade"]: value for labels, value in found}

        def whole(count: int) -> bool:
            wanted = {"notice": count - WRONG, "critical": WRONG, "warning": 0, "unjudged": 0}
            return all(sums(server) == wanted for server in servers)

        until(lambda: whole(len(first)), "the sum has all of them", 120)
        by = {
            (labels["instance"], server, labels["exporter"])
            for server in servers
            for labels, _ in asked(server, 'up{job="danebot-probe"}')
        }
        shares = {target: cell(target) for target in first}
        assert by == {(one, servers[at], exporters[by]) for one, (at, by) in shares.items()}
        with targets.open("a") as file:
            file.write(f"{last} tls\n")
        until(lambda: whole(len(first) + 1), "one more in the list", 60)
        mismatches = asked(servers[0], 'danebot:probe_findings:sum{code="mismatch"}')
        assert [value for _, value in mismatches] == [WRONG]
