"""Lineages that watch nothing: each its own finding, and one line for all."""

from __future__ import annotations

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.findings.unprotected import gathered, unprotected

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
