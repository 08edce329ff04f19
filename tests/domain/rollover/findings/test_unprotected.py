"""Lineages that watch nothing: each its own finding, and one line for all."""

from __future__ import annotations

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.names import DnsName
from danebot.domain.rollover.findings.unprotected import gathered, unprotected
from danebot.domain.rollover.records.adoption import Found, Standing

OTHER = Finding(Code.EXPIRED, Severity.CRITICAL, "a", "expired")


def test_one_is_told_as_it_is() -> None:
    every = (unprotected("a"), OTHER)
    assert gathered(every) == every
    assert every[0].severity is Severity.WARNING
    assert "danebot tlsa a" in every[0].remedy
    assert "danebot init --no-dane a" in every[0].remedy


def test_several_are_one_line() -> None:
    other, one = gathered((unprotected("a"), OTHER, unprotected("b")))
    assert other == OTHER
    assert (one.code, one.severity, one.where) == (Code.UNPROTECTED, Severity.WARNING, "")
    assert "for a, b," in one.text
    assert "danebot init --no-dane a b" in one.remedy


def test_one_beside_findings_of_other_lineages_is_told_as_it_is() -> None:
    every = (unprotected("b"), OTHER)
    assert gathered(every) == every


OWNER = DnsName.parse("_25._tcp.mail.example.org")


def beside(standing: Standing) -> Finding:
    return unprotected("a", [Found(OWNER, standing, OWNER)])


def test_records_that_refuse_the_key_are_named_and_never_denied() -> None:
    one = beside(Standing.UNTOLD)
    assert f"senders refuse its key by the records at {OWNER}" in one.text
    assert "danebot tlsa a" in one.remedy
    assert f"danebot watch a {OWNER}" in one.remedy
    assert "--no-dane" not in one.remedy


def test_records_of_its_own_are_to_be_watched() -> None:
    for standing in (Standing.OURS, Standing.IDLE):
        one = beside(standing)
        assert f"its key's records are at {OWNER}" in one.text
        assert one.remedy == f"have them watched: danebot watch a {OWNER}"


def test_where_nothing_is_said_of_records_nothing_changes() -> None:
    for standing in (Standing.ABSENT, Standing.UNANSWERED):
        assert beside(standing) == unprotected("a")


def test_one_with_records_keeps_its_own_line() -> None:
    mine = beside(Standing.UNTOLD)
    first, one = gathered((unprotected("b"), mine, unprotected("c")))
    assert first == mine
    assert "for b, c," in one.text
