"""What the exporter itself found counts wherever findings are added up, as if a run had."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from danebot.config import Settings
from danebot.domain.delivery.judgements import GRADES, Judgement, Served
from danebot.domain.delivery.routes import Dane
from danebot.domain.finding import DELIVERY_SEVERITIES
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot_exporter import page as module
from danebot_exporter.endpoints import EndpointReport, Watched, round_metrics
from danebot_exporter.page import PageWish, page
from danebot_exporter.store import Store
from exporter import sample
from exporter.sample import NOW
from exporter.test_metrics import Samples, parsed, value

if TYPE_CHECKING:
    from danebot_exporter.server import ExporterServer

ROOT = Path(__file__).parents[2]
NAME = "a.example"
CODES = {grade.code for grade in GRADES.values()}


def report(name: str, judgement: Judgement, port: int = 25) -> EndpointReport:
    served = (Served("192.0.2.25", judgement, judgement.value),)
    watched = Watched(name, Endpoint(Hostname(name), port, Protocol.SMTP), None)
    return EndpointReport(watched, NOW, 1.0, Dane.APPLIES, served)


def healthy(tmp_path: Path) -> Path:
    run = sample.snapshot().run._replace(exit_status=0)
    document = sample.snapshot([sample.lineage(NAME)])._replace(run=run, last_renew=run)
    return sample.write(tmp_path / "status.json", document)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Settings()._replace(snapshot=healthy(tmp_path)))


def scraped(store: Store) -> Samples:
    body = b"".join(part for piece in store.pieces() for part in piece.parts)
    assert len(re.findall(rb"(?m)^# TYPE danebot_findings ", body)) == 1
    return parsed(body)


def shown(path: Path, *reports: EndpointReport, wish: PageWish | None = None) -> str:
    by_lineage = {NAME: reports} if reports else {}
    return page(path, wish or PageWish(), by_lineage, NOW, host="mx1.example.org").decode()


def verdict(body: str) -> tuple[str, str]:
    """The header's verdict: its colour and its words."""
    found = re.search(r'<p class="run"><span class="chip (\w+)">(.*?)</span>', body)
    assert found is not None, body
    return found[1], found[2]


def title(body: str) -> str:
    found = re.search(r"<title>(.*?)</title>", body)
    assert found is not None
    return found[1]


# ---- metrics --------------------------------------------------------------------------------


def test_what_probes_find_is_in_the_total(store: Store) -> None:
    reports = [report(NAME, Judgement.MISMATCH), report(NAME, Judgement.NO_DANE, 465)]
    assert value(scraped(store), "danebot_findings", code="mismatch", severity="critical") is None
    store.keep_round(reports, round_metrics(reports, NOW, 1.0))
    samples = scraped(store)
    found = {
        (labels["code"], labels["severity"]): count
        for (name, pairs), count in samples.items()
        if name == "danebot_findings" and (labels := dict(pairs)) and count
    }
    assert found == {("mismatch", "critical"): 1, ("no-dane", "warning"): 1}
    for code in CODES:
        for severity in DELIVERY_SEVERITIES:
            assert (code.value, severity.word) in found or value(
                samples, "danebot_findings", code=code.value, severity=severity.word
            ) == 0
    store.keep_round([], b"")
    assert value(scraped(store), "danebot_findings", code="mismatch", severity="critical") is None


def test_a_document_that_is_lost_takes_no_finding_of_probes_away(store: Store) -> None:
    reports = [report(NAME, Judgement.MISMATCH)]
    store.keep_round(reports, round_metrics(reports, NOW, 1.0))
    store.path.unlink()
    samples = scraped(store)
    assert value(samples, "danebot_snapshot_readable") == 0
    assert value(samples, "danebot_findings", code="mismatch", severity="critical") == 1
    assert value(samples, "danebot_findings", code="expired", severity="critical") is None


def test_the_dashboard_counts_and_lists_both() -> None:
    board = json.loads((ROOT / "exporters/grafana/danebot.json").read_text(encoding="utf-8"))
    expressions = {
        panel["title"]: " ".join(target["expr"] for target in panel["targets"])
        for panel in board["panels"]
    }
    assert expressions["Critical findings"].startswith("sum(danebot_findings{")
    assert "danebot_lineage_finding{" in expressions["Findings"]
    assert "danebot_run_findings{" in expressions["Findings"]
    assert "danebot_endpoint_grade{" in expressions["Findings"]


# ---- the page -------------------------------------------------------------------------------


def test_the_header_says_what_probes_found(tmp_path: Path) -> None:
    path = healthy(tmp_path)
    assert verdict(shown(path)) == ("fine", "Nothing needs attention")
    assert title(shown(path)) == "mx1.example.org: danebot"
    good = shown(path, report(NAME, Judgement.AUTHENTICATED))
    assert verdict(good) == ("fine", "Nothing needs attention")
    bad = report(NAME, Judgement.MISMATCH)
    body = shown(path, bad, report(NAME, Judgement.NO_DANE, 465))
    assert verdict(body) == ("critical", "1 critical, 1 warning")
    assert title(body) == "2 matters on mx1.example.org: danebot"
    assert title(shown(path, bad)) == "1 matter on mx1.example.org: danebot"
    assert re.search(r'class="chip critical[ "][^>]*>1 need', body)
    searched = shown(path, bad, wish=PageWish(search="nowhere"))
    assert verdict(searched) == ("critical", "1 critical"), "whatever is looked for"


def test_what_a_run_found_counts_too(tmp_path: Path) -> None:
    found = sample.finding("", "not-run", "critical", "another run holds the locks")
    document = sample.snapshot(sample.every_situation(), found)
    body = shown(sample.write(tmp_path / "status.json", document))
    assert verdict(body) == ("critical", "3 critical, 3 warnings")
    assert title(body) == "6 matters on mx1.example.org: danebot"


def test_a_run_that_failed_without_a_finding_is_not_fine(tmp_path: Path) -> None:
    document = sample.snapshot([sample.lineage(NAME)])
    body = shown(sample.write(tmp_path / "status.json", document))
    assert verdict(body) == ("warning", "The last run failed: exit status 1")


def test_an_old_document_is_not_fine(tmp_path: Path) -> None:
    path = healthy(tmp_path)
    body = page(path, PageWish(), {}, NOW + timedelta(days=5), host="mx1").decode()
    assert verdict(body) == ("critical", "1 critical")
    assert "the status document is 5 d 1 h old" in body
    assert title(body) == "1 matter on mx1: danebot"


def test_renewals_that_stopped_are_not_fine_whoever_writes_the_document(tmp_path: Path) -> None:
    run = sample.snapshot().run._replace(exit_status=0)
    old = run._replace(ended=NOW - timedelta(days=3))
    document = sample.snapshot([sample.lineage(NAME)])
    document = document._replace(run=run._replace(verb="newkey"), last_renew=old)
    body = shown(sample.write(tmp_path / "status.json", document))
    assert verdict(body) == ("critical", "1 critical")
    assert "danebot renew ran 3 d ago" in body


def test_what_was_seen_long_ago_is_not_called_now(tmp_path: Path) -> None:
    path = healthy(tmp_path)
    seen = report(NAME, Judgement.AUTHENTICATED)
    assert "Served now" in shown(path, replace(seen, at=NOW - timedelta(minutes=14)))
    assert "Served 16 min ago" in shown(path, replace(seen, at=NOW - timedelta(minutes=16)))
    body = shown(path, replace(seen, at=NOW - timedelta(hours=3)))
    assert "Served now" not in body
    assert "Served 3 h ago" in body
    assert verdict(body) == ("unjudged", "Not everything can be judged")


def test_without_a_document_nothing_is_fine(tmp_path: Path) -> None:
    body = shown(tmp_path / "absent")
    assert title(body) == "No status on mx1.example.org: danebot"
    assert "fine" not in body.partition("</style>")[2]


def test_the_server_names_its_host(server: ExporterServer) -> None:
    asking = HTTPConnection("127.0.0.1", server.server_address[1], timeout=120)
    asking.request("GET", "/")
    body = asking.getresponse().read().decode()
    asking.close()
    assert title(body).endswith(f"{socket.gethostname()}: danebot")


# ---- waiting --------------------------------------------------------------------------------


def test_a_key_that_waits_for_the_operator_is_no_green_info(tmp_path: Path) -> None:
    base = sample.staged(NAME)
    waits = sample.finding(
        NAME,
        "next-key-waits",
        "notice",
        "the next key waits since yesterday for its TLSA records",
        f"publish what this prints: danebot tlsa {NAME}",
    )
    document = sample.snapshot([base._replace(findings=(waits,))])
    body = shown(sample.write(tmp_path / "status.json", document))
    assert '<li class="notice"><p><b>To do</b> the next key waits' in body
    assert '<article class="card notice">' in body
    assert "1 waits for you" in body
    add = base.publication.add[0]
    assert body.count(add) == 1
    assert "Add to DNS" not in body, "the finding says so"


def test_a_record_to_add_stands_where_it_is_told_of_and_nowhere_else(tmp_path: Path) -> None:
    """Anchors that are to be replaced have records of their own, which another command prints."""
    base = sample.staged(NAME)
    remedy = f"publish what this prints: danebot tlsa --anchors {NAME}"
    anchor = sample.finding(NAME, "tlsa-anchor-retired", "warning", "it issues no more", remedy)
    document = sample.snapshot([base._replace(findings=(anchor,))])
    body = shown(sample.write(tmp_path / "status.json", document))
    warning, _, task = body.partition("Add to DNS, and keep the records that are there")
    assert "it issues no more" in warning
    assert (warning.count(base.publication.add[0]), task.count(base.publication.add[0])) == (0, 1)


def test_what_is_overdue_is_so_for_page_and_alerts() -> None:
    rules = (ROOT / "exporters/prometheus/danebot.rules.yml").read_text(encoding="utf-8")
    texts = {one.partition("\n")[0]: one for one in rules.split("- alert: ")[1:]}
    hours = int(module._OVERDUE / timedelta(hours=1))
    assert f"danebot_snapshot_timestamp_seconds > {hours} * 3600" in texts["DanebotNotRunning"]
    hours = int(module._UNSEEN / timedelta(hours=1))
    assert f"probe_timestamp_seconds offset {hours}h" in texts["DanebotEndpointUnseen"]


def test_waiting_for_caches_is_neither_a_task_nor_green(tmp_path: Path) -> None:
    document = sample.snapshot([sample.cooling(NAME)])
    body = shown(sample.write(tmp_path / "status.json", document))
    assert '<li class="info"><p><b>Waiting</b> the ready key cools' in body
    assert "0 wait for you" in body
