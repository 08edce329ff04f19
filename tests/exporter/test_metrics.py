"""The document as metrics: the text, its values, and whatever may be wrong with the document."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from danebot.adapters.codec import encode
from danebot.domain.finding import RUN_SEVERITIES, Code
from danebot.domain.rollover.steps.phases import Phase
from danebot.domain.status.document import LineageStatus, StatusFault
from danebot_exporter.collector import collect
from danebot_exporter.metrics import TABLE, MetricKind, Origin
from danebot_exporter.own import OwnMetrics
from exporter import sample
from exporter.sample import NOW

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(body: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = {}
    for family in text_string_to_metric_families(body.decode()):
        for one in family.samples:
            series = (one.name, frozenset(one.labels.items()))
            assert series not in found, series
            found[series] = one.value
    return found


def value(samples: Samples, name: str, /, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def collected(tmp_path: Path, *lineages: LineageStatus) -> Samples:
    path = sample.write(tmp_path / "status.json", sample.snapshot(lineages))
    parts, fault = collect(path)
    body = b"".join(parts)
    assert fault is None
    return parsed(body)


# ---- the table ------------------------------------------------------------------------------


def test_names_follow_the_conventions() -> None:
    for name, metric in TABLE.items():
        assert re.fullmatch(r"(danebot|probe)_[a-z_]+", name)
        assert (metric.kind is MetricKind.COUNTER) == name.endswith("_total")
        assert metric.help.endswith("."), name
        assert len(metric.help) > 30, name
        if "timestamp" in name:
            assert name.endswith("_timestamp_seconds")


def test_every_metric_of_the_document_is_seen_in_some_situation(tmp_path: Path) -> None:
    event = sample.finding("mail.example.com", "promoted", "notice", "the new key is live")
    document = sample.snapshot(sample.every_situation())._replace(findings=(event,))
    body = b"".join(collect(sample.write(tmp_path / "status.json", document))[0])
    seen = {name for name, _ in parsed(body)}
    assert seen == {name for name, one in TABLE.items() if one.origin is Origin.SNAPSHOT}


def test_labels_are_those_of_the_table(tmp_path: Path) -> None:
    for name, labels in collected(tmp_path, *sample.every_situation()):
        assert {key for key, _ in labels} == set(TABLE[name].labels)


def test_promtool_finds_nothing_to_say(tmp_path: Path) -> None:
    body = b"".join(collect(sample.write(tmp_path / "status.json"))[0])
    own = b"".join(
        line
        for line in OwnMetrics().text().splitlines(keepends=True)
        if b" process_" not in line and not line.startswith(b"process_")
    )
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=body + own,
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


# ---- values ---------------------------------------------------------------------------------


def test_a_rollover(tmp_path: Path) -> None:
    samples = collected(tmp_path, sample.cooling("mail.example.com"))
    one = {"lineage": "mail.example.com"}
    assert value(samples, "danebot_lineage_phase", **one, phase="cooling") == 1
    assert value(samples, "danebot_lineage_phase", **one, phase="stable") == 0
    at = (NOW + 18 * sample.HOUR).timestamp()
    assert value(samples, "danebot_rollover_safe_timestamp_seconds", **one) == at
    assert value(samples, "danebot_lineages", phase="cooling") == 1
    record = {"owner": "_25._tcp.mail.example.com", "type": "3 1 1", "role": "awaited"}
    assert value(samples, "danebot_tlsa_record_seen", **one, **record) == 1
    assert value(samples, "danebot_tlsa_ttl_seconds", **one, owner=record["owner"]) == 3600
    assert value(samples, "danebot_lineage_findings", **one, severity="info") == 1


def test_a_missing_record(tmp_path: Path) -> None:
    samples = collected(tmp_path, sample.staged("mail.example.com"))
    one = {"lineage": "mail.example.com", "owner": "_25._tcp.mail.example.com", "type": "3 1 1"}
    assert value(samples, "danebot_tlsa_record_seen", **one, role="awaited") == 0
    assert value(samples, "danebot_tlsa_record_seen", **one, role="current") == 1
    servers = "danebot_tlsa_record_servers"
    assert value(samples, servers, **one, role="awaited", state="missing") == 1


def test_what_is_not_known_is_absent(tmp_path: Path) -> None:
    samples = collected(tmp_path, sample.broken("old.example.net"))
    names = {name for name, _ in samples}
    for name in (
        "danebot_certificate_not_after_timestamp_seconds",
        "danebot_tlsa_record_seen",
        "danebot_rollover_safe_timestamp_seconds",
        "danebot_deployment_addresses",
    ):
        assert name not in names
    unknown = sample.record("m.example", "current", "m")._replace(seen="not known", security="")
    samples = collected(
        tmp_path, sample.lineage("m.example")._replace(records=(unknown,), last_success=None)
    )
    names = {name for name, _ in samples}
    assert not names & {"danebot_tlsa_record_seen", "danebot_tlsa_answer_secure"}
    assert "danebot_lineage_success_timestamp_seconds" not in names


def test_codes_are_there_before_the_first_event(tmp_path: Path) -> None:
    samples = collected(tmp_path)
    for code in Code:
        for severity in RUN_SEVERITIES:
            labels = {"code": code.value, "severity": severity.word}
            assert value(samples, "danebot_findings", **labels) == 0
    assert len([name for name, _ in samples if name == "danebot_findings"]) == len(Code) * 4
    for phase in Phase:
        assert value(samples, "danebot_lineages", phase=phase.value) == 0
    own = parsed(OwnMetrics().text())
    for reason in StatusFault:
        assert value(own, "danebot_snapshot_read_failures_total", reason=reason.value) == 0


def test_renewal_changes_no_label_but_those_of_info(tmp_path: Path) -> None:
    before = sample.lineage("mail.example.com")
    new = sample.certificate("mail.example.com", seed="another key")
    after = before._replace(
        live=new._replace(version=9), staged=new, current=sample.key("x", "rsa3072")
    )
    first, second = collected(tmp_path, before), collected(tmp_path, after)
    assert {name for name, _ in first.keys() ^ second.keys()} == {"danebot_lineage_info"}


def test_hostile_text_breaks_nothing(tmp_path: Path) -> None:
    lineages = []
    for text in sample.HOSTILE:
        base = sample.staged("mail.example.com")
        evil = base.records[0]._replace(owner=text, record=text)
        lineages.append(
            base._replace(
                name=text,
                management=text,
                phase=text,
                records=(evil, evil, base.records[1]),
                findings=(sample.finding(text, text, text, text), base.findings[0]),
            )
        )
    path = tmp_path / "status.json"
    document = encode(sample.snapshot([*lineages, lineages[0]]))
    path.write_text(json.dumps(document))
    parts, fault = collect(path)
    body = b"".join(parts)
    assert fault is None
    samples = parsed(body)  # which refuses a series that is there twice
    names = {dict(labels)["lineage"] for name, labels in samples if name == "danebot_lineage_info"}
    assert len(names) == len(sample.HOSTILE)
    lines = body.decode().removesuffix("\n").split("\n")
    assert all(line.isprintable() and len(line) < 2000 for line in lines)
    assert all(
        line.startswith(("# HELP danebot_", "# TYPE danebot_", "danebot_")) for line in lines
    )
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


# ---- a document that can't be read -----------------------------------------------------------

GOOD = json.dumps(encode(sample.snapshot(sample.every_situation())))
BAD = {
    "empty": ("", StatusFault.DAMAGED),
    "cut": (GOOD[: len(GOOD) // 2], StatusFault.DAMAGED),
    "followed": (GOOD + "x", StatusFault.DAMAGED),
    "html": ("<html>", StatusFault.DAMAGED),
    "list": ("[]", StatusFault.DAMAGED),
    "number": ("12", StatusFault.DAMAGED),
    "object": ("{}", StatusFault.FOREIGN),
    "other": ('{"name": "package", "version": 3}', StatusFault.FOREIGN),
    "lineages first": ('{"lineages": []}', StatusFault.FOREIGN),
    "future": (GOOD.replace('"schema": 1', '"schema": 2'), StatusFault.FOREIGN),
    "true": (GOOD.replace('"schema": 1', '"schema": true'), StatusFault.FOREIGN),
    "deep": ('{"schema": 1, "run": ' + "[" * 100_000, StatusFault.DAMAGED),
    "long number": ('{"schema": 1, "run": ' + "9" * 10_000 + "}", StatusFault.DAMAGED),
    "year": (GOOD.replace("2026-06-01T", "12026-06-01T"), StatusFault.DAMAGED),
    "naive": (GOOD.replace("+00:00", ""), StatusFault.DAMAGED),
    "null": (GOOD.replace('"staged"', "null"), StatusFault.DAMAGED),
    "without a name": ('{"schema": 1, 5: 6}', StatusFault.DAMAGED),
    "NaN": (GOOD.replace('"ttl": 3600.0', '"ttl": NaN'), StatusFault.DAMAGED),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_a_metric_and_a_line(name: str, tmp_path: Path) -> None:
    text, reason = BAD[name]
    path = tmp_path / "status.json"
    path.write_text(text)
    parts, fault = collect(path)
    body = b"".join(parts)
    samples = parsed(body)
    assert fault is not None
    assert fault.reason is reason
    assert "\n" not in str(fault)
    assert len(str(fault)) < 500
    assert value(samples, "danebot_snapshot_readable") == 0
    for one in StatusFault:
        found = value(samples, "danebot_snapshot_error", reason=one.value)
        assert found == (1 if one is reason else 0)
    assert {name for name, _ in samples} == {"danebot_snapshot_readable", "danebot_snapshot_error"}


@pytest.mark.parametrize("piece", [1, 2, 7, 100, 4096])
def test_where_the_text_is_cut_into_pieces_does_not_matter(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = sample.snapshot(sample.every_situation())
    text = json.dumps(encode(document), indent=3, ensure_ascii=False)
    path = tmp_path / "status.json"
    path.write_text(text)
    whole, _ = collect(path)
    monkeypatch.setattr("danebot.adapters.status_file._PIECE", piece)
    assert collect(path) == (whole, None)


def test_every_cut_of_a_document_is_survived(tmp_path: Path) -> None:
    text = json.dumps(encode(sample.snapshot([sample.staged("mail.example.com")])))
    path = tmp_path / "status.json"
    for length in range(0, len(text), 7):
        path.write_text(text[:length])
        assert collect(path)[1] is not None


def test_what_is_no_file_is_survived(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b'{"schema": "\xff"}')
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, reason in (
        ("absent", StatusFault.MISSING),
        ("pipe", StatusFault.FOREIGN),
        ("latin", StatusFault.DAMAGED),
        ("loop", StatusFault.UNREADABLE),
        ("", StatusFault.FOREIGN),
        ("nul\0", StatusFault.MISSING),
    ):
        fault = collect(tmp_path / name)[1]
        assert fault is not None
        assert fault.reason is reason, name


def test_fields_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    document = encode(sample.snapshot([sample.lineage("mail.example.com")]))
    document["colour"] = {"a": [1]}
    document["lineages"][0]["colour"] = None
    document["lineages"][0]["live"]["key"]["colour"] = 1
    path = tmp_path / "status.json"
    path.write_text(json.dumps(document))
    assert collect(path)[1] is None


def test_a_finding_of_the_run_that_names_no_lineage_is_a_series_too(tmp_path: Path) -> None:
    document = sample.snapshot([sample.lineage("a.example")])
    own = (
        sample.finding("", "not-run", "critical", "certbot is missing"),
        sample.finding("a.example", "promoted", "notice", "the ready key is in use"),
    )
    path = sample.write(tmp_path / "status.json", document._replace(findings=own))
    samples = parsed(b"".join(collect(path)[0]))
    found = {labels for name, labels in samples if name == "danebot_run_findings"}
    assert {dict(labels)["lineage"] for labels in found} == {"", "a.example"}
