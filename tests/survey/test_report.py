"""The page, the table and the difference, of surveys whose rows are known and hostile."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from danebot.errors import ConfigError, DanebotError

pytest.importorskip("pyarrow", reason="danebot[survey] isn't installed")
pytest.importorskip("duckdb", reason="danebot[survey] isn't installed")

from danebot.survey import rows
from danebot.survey.dataset import STATE, DataSet, Folder, SurveyState
from danebot.survey.diff import compare
from danebot.survey.report import FAILING, PAGE, make_report
from danebot.survey.tables import cell

GUIDE = Path(__file__).parents[2] / "docs/guides/survey.md"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SCRIPT = "<script>document.title='owned'</script>"
FORMULA = '=HYPERLINK("http://evil.test")'
TEXTS = (SCRIPT, FORMULA, "+1", "-1", "@SUM(A1)", "\tx", "a\"b'c&amp;")


def domain(name: str, status: str = "ok", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    finding = {"code": "mismatch", "severity": status, "where": name, "text": "no match"}
    return {
        "domain": name,
        "status": status,
        "dane": "all",
        "discovery": "listed",
        "mx_security": "secure",
        "mx": [{"preference": 10, "host": "mx.test"}],
        "responsible": "mx.test",
        "hosts": [{"host": "mx.test", "dane": "applies"}],
        "codes": [] if status == "ok" else ["mismatch"],
        "findings": [] if status == "ok" else [finding],
        "looked": NOW,
        **more,
    }


def host(name: str = "mx.test", key: str = "aa", record: str = "aa", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    look = {
        "address": "192.0.2.1",
        "outcome": "served",
        "key": key,
        "issuer": "An Authority",
        "expires": NOW + timedelta(days=20),
    }
    return {
        "host": name,
        "status": "ok",
        "dane": "applies",
        "tlsa": [{"usage": 3, "selector": 1, "mtype": 1, "data": record}],
        "looks": [look],
        "codes": [],
        "findings": [],
        "looked": NOW,
        **more,
    }


def survey(
    root: Path, domains: list[dict[str, Any]], hosts: list[dict[str, Any]], *, complete: bool = True
) -> Path:
    root.mkdir()
    data = DataSet(root)
    state = SurveyState(("-",), len(domains), input_complete=True, complete=complete)
    data.remember(state._replace(hosts=len(hosts)))
    data.write(Folder.DOMAINS, 0, domains, rows.domain_schema())
    data.write(Folder.HOSTS, 0, hosts, rows.host_schema())
    return root


def hostile(root: Path) -> Path:
    """Every text of strangers is one of `TEXTS`."""
    domains, hosts = [], []
    for number, words in enumerate(TEXTS):
        finding = {"code": "mismatch", "severity": "critical", "where": words, "text": words}
        more = {"responsible": words, "findings": [finding]}
        domains.append(domain(f"d{number}.test", "critical", **more))
        look = {"outcome": "served", "issuer": words, "key": words}
        hosts.append(host(words, dane="deferred", looks=[look], findings=[finding]))
    domains[0]["hosts"] = [{"host": words, "dane": words} for words in TEXTS]
    return survey(root, domains, hosts)


def test_what_strangers_say_is_text_on_the_page(tmp_path: Path) -> None:
    make_report(hostile(tmp_path / "out"))
    page = (tmp_path / "out" / PAGE).read_text(encoding="utf-8")
    assert "&lt;script&gt;document.title" in page
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_what_strangers_say_is_no_formula_in_the_table(tmp_path: Path) -> None:
    make_report(hostile(tmp_path / "out"))
    with (tmp_path / "out" / FAILING).open(encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    assert len(table) == 1 + len(TEXTS)
    assert [one for row in table for one in row if one.startswith(("=", "+", "-", "@", "\t"))] == []
    assert f"'{FORMULA}" in {one for row in table for one in row}


@pytest.mark.parametrize("words", TEXTS[1:6])
def test_a_cell_that_would_be_a_formula_is_quoted(words: str) -> None:
    assert cell(words) == f"'{words}"


def test_failing_domains_stand_by_their_mx(tmp_path: Path) -> None:
    domains = [
        domain("a.test", "critical", responsible="z.test"),
        domain("b.test", "critical"),
        domain("c.test"),
        domain("d.test", "warning"),
    ]
    _, failing, count = make_report(survey(tmp_path / "out", domains, [host()]))
    lines = failing.read_text(encoding="utf-8").splitlines()
    assert count == 3
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["mx.test", "b.test"],
        ["mx.test", "d.test"],
        ["z.test", "a.test"],
    ]


def test_domains_without_dane_are_not_green(tmp_path: Path) -> None:
    domains = [domain("a.test"), domain("b.test", dane="none"), domain("c.test", dane="some")]
    page, _, _ = make_report(survey(tmp_path / "out", domains, [host()]))
    text = page.read_text(encoding="utf-8")
    rows = dict(re.findall(r'<th scope="row">([^<]*)</th>.*?<rect class="(\w+)"', text))
    assert rows["ok, with DANE"] == "ok"
    assert rows["DANE for some hosts"] == "partial"
    assert rows["no DANE: unprotected"] == "unprotected"
    for name in ("partial", "unprotected"):
        assert f"rect.{name} {{ fill: var(--unknown)" in text
    assert "of the input" not in text  # where nothing was left out


def test_what_was_left_out_is_told(tmp_path: Path) -> None:
    root = survey(tmp_path / "out", [domain("a.test")], [host()])
    state = SurveyState(("-",), 1, refused=2, opted_out=3, input_complete=True, complete=True)
    DataSet(root).remember(state)
    page, _, _ = make_report(root)
    text = page.read_text(encoding="utf-8")
    assert "Left out: 2 that are no domain names, 3 on the opt-out list." in text


def looks(*found: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"address": address, "outcome": outcome} for address, outcome in found]


@pytest.mark.parametrize(
    ("found", "silent"),
    [
        ([("192.0.2.1", "timeout"), ("192.0.2.2", "unreachable")], ["2 IPv4"]),
        ([("192.0.2.1", "no_starttls")], ["1 IPv4"]),  # somebody on the way answers
        ([("192.0.2.1", "served"), ("2001:db8::1", "timeout")], ["1 IPv6"]),
        ([("192.0.2.1", "timeout"), ("192.0.2.2", "served")], []),
        ([("192.0.2.1", "no_route"), ("192.0.2.2", "shortage")], []),  # judged unknown already
        ([], []),
    ],
)
def test_a_network_that_lets_nothing_out_is_told(
    found: list[tuple[str, str]], silent: list[str], tmp_path: Path
) -> None:
    hosts = [host(f"mx{n}.test", looks=looks(one)) for n, one in enumerate(found)]
    page, _, _ = make_report(survey(tmp_path / "out", [domain("a.test", "critical")], hosts))
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"None of (.*?) addresses that were asked", text) == silent


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[tuple[Any, list[str]]]:
    """The hostile page in a browser, and what it asked for."""
    pytest.importorskip(
        "playwright", reason="a browser is driven where the dev tools are installed"
    )
    if shutil.which("chromium") is None:
        pytest.skip("no chromium")
    from exporter.views import Look, browser, opened

    page, _, _ = make_report(hostile(tmp_path / "out"))
    with browser() as running, opened(running, Look()) as view:
        asked: list[str] = []
        view.on("request", lambda request: asked.append(request.url))
        view.goto(page.as_uri())
        yield view, asked


@pytest.mark.lab
def test_a_browser_shows_it_without_asking_anybody(shown: tuple[Any, list[str]]) -> None:
    view, asked = shown
    assert view.title() == "DANE survey"
    assert len(asked) == 1
    heads = view.locator("h2").all_inner_texts()
    assert "Verdicts on domains" in heads
    assert "Broken denial, and other TLSA lookups that fail" in heads
    bars = view.locator("rect.critical")
    assert bars.first.bounding_box()["width"] > 100
    assert SCRIPT in view.locator("main").inner_text()


def test_an_empty_survey_has_a_page_too(tmp_path: Path) -> None:
    root = tmp_path / "out"
    root.mkdir()
    DataSet(root).remember(SurveyState(("-",), input_complete=True, complete=True))
    page, _, count = make_report(root)
    assert count == 0
    assert "None." in page.read_text(encoding="utf-8")


def test_what_is_no_complete_survey_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no survey"):
        make_report(tmp_path)
    begun = survey(tmp_path / "out", [], [], complete=False)
    with pytest.raises(ConfigError, match="go on with the command"):
        make_report(begun)


def test_the_difference_says_what_broke_and_what_was_mended(tmp_path: Path) -> None:
    old = [
        domain("stays.test"),
        domain("breaks.test"),
        domain("heals.test", "critical"),
        domain("loses.test"),
        domain("gains.test", dane="none"),
        domain("goes.test"),
    ]
    new = [
        domain("stays.test"),
        domain("breaks.test", "critical"),
        domain("heals.test"),
        domain("loses.test", dane="none"),
        domain("gains.test"),
        domain("comes.test"),
    ]
    hosts = [host("same.test"), host("rolled.test", "k1", "k1"), host("overlap.test", "k1", "k1")]
    both = [{"usage": 3, "selector": 1, "mtype": 1, "data": data} for data in ("k1", "k2")]
    later = [
        host("same.test"),
        host("rolled.test", "k2", "k2"),
        host("overlap.test", "k2", tlsa=both),
    ]
    before = survey(tmp_path / "old", old, hosts)
    counted, changes = compare(before, survey(tmp_path / "new", new, later))
    assert counted == "6 domains before, 6 now: 1 are new, 1 are gone"
    assert {one.title: [row[0] for row in one.rows] for one in changes} == {
        "broke": ["breaks.test"],
        "mended": ["heals.test"],
        "lost DANE": ["loses.test"],
        "gained DANE": ["gains.test"],
        "changed keys without an overlap": ["rolled.test"],
    }


def told(tmp_path: Path, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    """What the difference of two surveys says, of domains or of hosts alone."""
    sides = []
    for name, rows_ in (("old", old), ("new", new)):
        of_hosts = "host" in rows_[0]
        sides.append(survey(tmp_path / name, *(([], rows_) if of_hosts else (rows_, []))))
    before, after = sides
    return [one.title for one in compare(before, after)[1] if one.rows]


@pytest.mark.parametrize(
    ("was", "now", "title"), [("all", "none", "lost DANE"), ("none", "all", "gained DANE")]
)
def test_who_lost_or_gained_dane_is_told_with_a_warning_too(
    tmp_path: Path, was: str, now: str, title: str
) -> None:
    old, new = domain("a.test", dane=was), domain("a.test", "warning", dane=now)
    assert told(tmp_path, [old], [new]) == [title]


@pytest.mark.parametrize(
    ("usage", "selector", "data", "overlaps"),
    [
        (3, 1, "spare", False),  # matches neither key
        (3, 1, "k1", True),
        (3, 1, "k2", True),
        (3, 0, "spare", False),
        (2, 0, "other", False),
        (2, 0, "ca", True),
        (2, 1, "unknown", True),  # of what the CA's key is, a survey keeps nothing
        (1, 0, "ca", False),  # nobody uses that between mail servers (RFC 7672 section 3.1.3)
    ],
)
def test_a_record_of_both_surveys_is_an_overlap_if_it_may_match(
    tmp_path: Path, usage: int, selector: int, data: str, *, overlaps: bool
) -> None:
    shared = {"usage": usage, "selector": selector, "mtype": 1, "data": data}
    sides = []
    for key in ("k1", "k2"):
        one = host("a.test", key)
        one["tlsa"] = [{"usage": 3, "selector": 1, "mtype": 1, "data": key}, shared]
        one["looks"][0]["chain"] = [f"leaf-{key}", "ca"]
        sides.append(one)
    assert told(tmp_path, sides[:1], sides[1:]) == [
        "changed keys without an overlap" for _ in range(not overlaps)
    ]


@pytest.mark.parametrize("folder", [Folder.DOMAINS, Folder.HOSTS])
def test_a_survey_that_lost_a_partition_is_none(tmp_path: Path, folder: Folder) -> None:
    """What was copied in part, for one: they would be gone, and nobody would say so."""
    whole = survey(tmp_path / "whole", [domain("a.test")], [host()])
    part = survey(tmp_path / "part", [domain("a.test")], [host()])
    DataSet(part).part(folder, 0).unlink()
    for ask in (lambda: make_report(part), lambda: compare(part, whole)):
        with pytest.raises(DanebotError, match=f"part: lacks some: it has 0 of 1 {folder.value}"):
            ask()


def test_a_survey_of_an_earlier_danebot_does_not_say_how_many_hosts(tmp_path: Path) -> None:
    old = survey(tmp_path / "old", [domain("a.test")], [host()])
    document = json.loads((old / STATE).read_text())
    del document["hosts"]
    (old / STATE).write_text(json.dumps(document))
    make_report(old)


_SQL = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUERIES = _SQL.findall(GUIDE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("query", QUERIES)
def test_queries_of_the_guide_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    import duckdb

    survey(tmp_path / "survey-2027-01", [domain("a.test", "critical")], [host()])
    monkeypatch.chdir(tmp_path)
    assert duckdb.execute(query).fetchall()


def test_the_guide_has_queries() -> None:
    assert len(QUERIES) >= 4


def test_lines_have_every_column(tmp_path: Path) -> None:
    from danebot.survey.lines import write_lines

    root = survey(tmp_path / "out", [domain("a.test")], [host()])
    write_lines(DataSet(root), tmp_path / "lines")
    (line,) = (tmp_path / "lines").read_text().splitlines()
    found = json.loads(line)
    assert list(found) == rows.domain_schema().names
    assert found["looked"] == NOW.isoformat()
