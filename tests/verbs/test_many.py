"""`status` of many lineages: a line each, worst first; all of one that is named, or with -v."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from danebot.adapters.tree.tree import Tree
from danebot.domain.status.document import LineageStatus, finding_of
from danebot.render.lineage import status_lines
from danebot.verbs import status as verb
from exporter import sample
from exporter.sample import NOW
from verbs.desk import Desk

NAMES = tuple(one.name for one in sample.every_situation())


@pytest.fixture
def many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A tree that may not be read, so that the last run's report is told: sample's, of that day."""
    desk.issued()
    shown(desk, *sample.every_situation())

    def select(_: Tree, names: tuple[str, ...]) -> tuple[str, ...]:
        return names or NAMES

    monkeypatch.setattr(Tree, "select", select)
    monkeypatch.setattr(Tree, "forbidden", lambda *_: True)
    monkeypatch.setattr("danebot.jobs.context.system_clock", lambda: NOW)
    monkeypatch.setattr(verb, "_lost", lambda *_: ())
    return desk


def shown(desk: Desk, *lineages: LineageStatus) -> None:
    sample.write(Path(desk.settings["snapshot"]), sample.snapshot(lineages))


def test_a_lineage_left_to_certbot_says_what_that_is(many: Desk) -> None:
    first = many.danebot("status", "www.example.com").out.splitlines()[0]
    assert first == (
        "www.example.com: pass-through "
        "(left to certbot; to have danebot keep its key: danebot init www.example.com)"
    )


def test_what_has_expired_since_the_last_run_is_not_ok(
    many: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("danebot.jobs.context.system_clock", lambda: NOW + timedelta(days=70))
    said = many.danebot("status")
    (line,) = [line for line in said.out.splitlines() if "mail.example.test" in line]
    assert line.split()[:3] == ["critical", "mail.example.test", "stable"]
    assert line.endswith("expired 10 d ago")
    assert "8 of 8 lineages need attention" in said.out
    shown(many, sample.lineage("mail.example.test"))
    assert many.danebot("status").status == 1


def test_each_has_a_line_and_the_worst_come_first(many: Desk) -> None:
    said = many.danebot("status")
    assert (said.status, said.err.count("\n")) == (1, 1), said.err
    lines = said.out.splitlines()
    found = [line.split()[:3] for line in lines[: len(NAMES)]]
    assert [severity for severity, *_ in found] == [
        *(["critical"] * 2 + ["warning"] * 3 + ["ok"] * 2 + ["-"]),
    ], "what is left to certbot is under nobody's care, so it isn't said to be ok"
    assert {name for _, name, _ in found} == set(NAMES)
    assert found[0] == ["critical", "mx.example.org", "stable"]
    assert "no TLSA record at _25._tcp.mx.example.org matches the live key" in lines[0]
    assert "(1 more)" in lines[0], "a notice"
    assert "expires in 60 d" in next(line for line in lines if "mail.example.test" in line)
    assert "cools until" in next(line for line in lines if "mail.example.com" in line)
    assert len({line.index(name) for line, (_, name, _) in zip(lines, found, strict=False)}) == 1
    assert "5 of 8 lineages need attention" in said.out
    assert "danebot status LINEAGE" in said.out


def test_a_name_or_v_shows_all(many: Desk) -> None:
    named = many.danebot("status", "mail.example.com", "mail.example.test").out
    assert named.count("  live key") == 2
    everything = many.danebot("-v", "status").out
    assert everything.count("  live key") == len(NAMES) - 1  # one is broken
    heads = [line.partition(":")[0] for line in everything.splitlines() if line[:1] != " "]
    assert set(heads[:2]) == {"mx.example.org", "old.example.net"}, "worst first, too"


def test_q_prints_problems_only(many: Desk) -> None:
    said = many.danebot("-q", "status")
    assert said.status == 1, said.err
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines] == ["critical"] * 2 + ["warning"] * 3
    assert all("; " in line for line in lines), "each with what helps"
    assert many.danebot("-q", "status", "mail.example.test").out == ""
    shown(many, *(sample.lineage(name) for name in NAMES))
    healthy = many.danebot("-q", "status")
    assert (healthy.status, healthy.out) == (0, "")


def test_q_leaves_no_word_of_a_healthy_run_and_one_of_none(desk: Desk) -> None:
    desk.staged()
    desk.danebot("init", "--no-dane")
    said = desk.danebot("-q", "status")
    assert "has not run here yet" in said.out


# ---- colour ---------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """What stands for a terminal: click writes to it as to one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("words", "no_colour", "coloured"),
    [
        (("status",), None, True),
        (("status", NAMES[0]), None, True),
        (("-q", "status"), None, True),
        (("status",), "1", False),
        (("status",), "", True),
        (("status", "--json"), None, False),
    ],
)
def test_a_terminal_has_colours_unless_it_wants_none(
    words: tuple[str, ...],
    no_colour: str | None,
    coloured: bool,  # noqa: FBT001
    many: Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_colour is not None:
        monkeypatch.setenv("NO_COLOR", no_colour)
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    many.danebot(*words)
    assert ("\x1b[31m" in screen.getvalue()) == coloured
    if "--json" in words:
        assert json.loads(screen.getvalue())


def test_a_closed_output_and_an_empty_line_are_no_mistake(
    many: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = sample.lineage("a")._replace(name=NAMES[0])
    assert nameless.live is not None
    shown(many, nameless._replace(live=nameless.live._replace(names=())))
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert many.danebot("status", NAMES[0]).status == 0
    monkeypatch.setattr(sys, "stdout", None)
    assert many.danebot("status", NAMES[0]).status == 0


def test_a_file_has_none(many: Desk) -> None:
    assert "\x1b" not in many.danebot("status").out


# ---- a missing record -----------------------------------------------------------------------


def lines(status: LineageStatus, now: datetime = NOW) -> str:
    return "\n".join(status_lines(status, now))


@pytest.mark.parametrize("status", [sample.staged("a.example"), sample.mismatch("a.example")])
def test_a_missing_record_is_told_once(status: LineageStatus) -> None:
    """Its data once, where it is to be published, and what lacks it once."""
    (record,) = (one for one in status.records if one.seen == "missing")
    data = record.record.split()[-1]
    said = lines(status)
    keys = [line for line in said.splitlines() if " key " in line]
    assert said.count(data) - sum(data in line for line in keys) == 1, said
    assert said.count("missing at") == 0
    assert said.count(finding_of(status.findings[0]).text) == 1


def test_where_some_servers_lack_it_they_are_named() -> None:
    status = sample.staged("a.example")
    record = status.records[1]._replace(missing_at=("ns2.example.net [198.51.100.53] (lacks it)",))
    publication = status.publication._replace(add=())
    said = lines(status._replace(records=(status.records[0], record), publication=publication))
    assert "missing at ns2.example.net" in said
    assert "present at ns1.example.net" in said
