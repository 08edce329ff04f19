"""A new finding is one row: whoever tells of findings tells of it, by its code and its concern."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from danebot.domain.codes import Code
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.report import Report, ServiceSubject
from danebot.domain.doctor.codes import HostCode
from danebot.domain.finding import Finding, Severity
from danebot.domain.kinds import Concern, FindingKind
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.domain.status.document import LineageStatus, finding_status
from danebot.domain.status.overdue import StatusCode
from danebot.plugin.dane_options import parse_options
from danebot.plugin.dane_result import report_result
from danebot.plugin.output import STATES, State
from danebot.render.lineage import status_lines
from danebot.render.report import report_document, tree
from danebot_checks.lineages import outcome
from danebot_checks.lineages_options import CONCERNS
from danebot_exporter.collector import collect
from danebot_exporter.page import PageWish, page
from danebot_exporter.probe import report_metrics
from domain.delivery_world import host
from exporter import sample
from exporter.test_metrics import parsed, value

NAME = "mail.example.test"
EVERY = [code for table in FindingKind.__subclasses__() for code in table]
NOW = datetime.now(UTC)


def finding(code: FindingKind, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(code, severity, NAME, f"it is {code.value}")


def label(code: FindingKind) -> str:
    return code.value


@pytest.fixture
def status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A document of which a test says what was found."""
    monkeypatch.setattr(sample, "NOW", NOW)
    return tmp_path / "status.json"


def told(code: FindingKind, severity: Severity = Severity.WARNING) -> LineageStatus:
    found = (finding_status(finding(code, severity)),)
    return sample.lineage(NAME)._replace(findings=found)


# ---- the rows -------------------------------------------------------------------------------


def test_a_label_is_given_once() -> None:
    assert len({code.value for code in EVERY}) == len(EVERY)


@pytest.mark.parametrize("code", EVERY, ids=label)
def test_a_row_says_what_is_and_what_helps(code: FindingKind) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code.value)
    assert code.value == code.name.lower().replace("_", "-")
    assert code.meaning
    assert not re.search(r"[.\n|]$", code.meaning + code.remedy)


def test_each_table_has_its_concerns() -> None:
    assert {code.concern.value for code in Code} == set(CONCERNS)
    assert {code.concern for code in DeliveryCode} == {Concern.DELIVERY}
    assert {code.concern for code in HostCode} == {Concern.HOST}
    assert {code.concern for code in StatusCode} == {Concern.STATUS}
    assert set(FindingKind.__subclasses__()) == {Code, DeliveryCode, HostCode, StatusCode}


# ---- what runs find -------------------------------------------------------------------------


@pytest.mark.parametrize("code", Code, ids=label)
def test_the_check_of_its_concern_tells_of_it(
    code: Code, status: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = sample.snapshot([told(code)])
    run = base.run._replace(exit_status=0)
    sample.write(status, base._replace(run=run, last_renew=run, last_success=run.ended))
    for concern in CONCERNS:
        state = outcome([concern, "-v", "--snapshot", str(status)])
        out = capsys.readouterr().out
        if concern == code.concern.value:
            assert state == State.WARNING.value
            assert f"[WARNING] {finding(code)}\n" in out
        else:
            assert state == State.OK.value
            assert "it is" not in out


@pytest.mark.parametrize("code", Code, ids=label)
def test_metrics_page_and_status_tell_of_it(code: Code, status: Path) -> None:
    sample.write(status, sample.snapshot([told(code)]))
    parts, fault = collect(status)
    assert fault is None
    labels = {"code": code.value, "severity": "warning"}
    samples = parsed(b"".join(parts))
    assert value(samples, "danebot_findings", **labels) == 1
    assert value(samples, "danebot_lineage_finding", lineage=NAME, **labels) == 1
    shown = page(status, PageWish("attention"), {}, NOW).decode()
    assert f"it is {code.value}" in shown
    lines = "\n".join(status_lines(told(code), NOW))
    assert f"warning      it is {code.value}" in lines


# ---- what is found from outside -------------------------------------------------------------


def report(code: FindingKind, severity: Severity) -> Report:
    subject = ServiceSubject(Endpoint(Hostname(NAME), 25, Protocol.SMTP))
    return Report(subject, host(of=Hostname(NAME)), (), (finding(code, severity),))


@pytest.mark.parametrize("code", DeliveryCode, ids=label)
def test_plugin_probe_and_verify_tell_of_it(code: DeliveryCode) -> None:
    found = report(code, Severity.WARNING)
    options = parse_options(["-H", NAME, "-p", "25", "-v", "--resolver", "127.0.0.1"])
    result = report_result(found, NOW, 1.0, options)
    assert result.state is State.WARNING
    assert f"it is {code.value}" in result.summary
    assert result.details == (f"[WARNING] {finding(code)}",)
    samples = parsed(report_metrics(found, 1.0))
    assert value(samples, "danebot_probe_findings", code=code.value) == 1
    assert f"it is {code.value}" in "\n".join(tree(found, NOW))
    assert report_document(found)["findings"] == [
        {
            "code": code.value,
            "severity": "warning",
            "where": NAME,
            "text": f"it is {code.value}",
            "remedy": code.remedy,
        }
    ]


# ---- the scale ------------------------------------------------------------------------------


@pytest.mark.parametrize("severity", Severity)
def test_every_severity_has_a_state(severity: Severity) -> None:
    assert severity in STATES
