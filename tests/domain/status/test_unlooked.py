"""Lineages that runs can't look at any more, and findings as documents have them."""

from __future__ import annotations

import pytest

from danebot.domain.codes import code_of
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import Concern
from danebot.domain.status.document import FindingStatus, finding_of, finding_status
from danebot.domain.status.overdue import StatusCode
from danebot.domain.status.unlooked import doubted, unlooked
from exporter import sample

NAME = "mail.example.test"


def told(code: Code, severity: str = "critical", where: str = NAME) -> FindingStatus:
    return FindingStatus(code.value, severity, where, "its words", "its remedy")


GONE, BROKEN = told(Code.NOT_RENEWED, "warning"), told(Code.FILES_BROKEN)


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ((), None),
        ((GONE,), "its renewal configuration is gone"),
        ((BROKEN,), "its files are broken"),
        ((told(Code.FILES_BROKEN, "warning"),), None),
        ((told(Code.EXPIRED),), None),
        ((told(Code.NOT_RENEWED, where="other"),), None),
        ((GONE, BROKEN), "its renewal configuration is gone"),
        ((BROKEN, GONE), "its renewal configuration is gone"),
    ],
)
def test_why_nobody_looks(findings: tuple[FindingStatus, ...], words: str | None) -> None:
    found = unlooked(sample.snapshot([sample.lineage(NAME)], *findings))
    assert list(found) == ([NAME] if words is not None else [])
    assert all(why.endswith(words or "") for why in found.values())


@pytest.mark.parametrize("concern", Concern)
def test_findings_of_a_lineage_that_nobody_looks_at(concern: Concern) -> None:
    document = sample.snapshot([sample.lineage(NAME)], GONE)
    here, elsewhere = (
        Finding(Code.TLSA_MISSING, Severity.WARNING, where, "missing", "add it")
        for where in (NAME, "other")
    )
    found = doubted([here, elsewhere], document, concern, StatusCode.NOT_LOOKED_AT)
    if concern not in (Concern.TLSA, Concern.ROLLOVER):
        assert found == [here, elsewhere]
        return
    changed, same, said = found
    assert changed == here._replace(own_remedy=f"danebot status {NAME}")
    assert same == elsewhere
    assert (said.code, said.severity) == (StatusCode.NOT_LOOKED_AT, Severity.UNJUDGED)
    assert (said.where, said.remedy) == (NAME, f"danebot status {NAME}")


def test_a_finding_is_read_back_as_it_was_published() -> None:
    finding = Finding(Code.EXPIRED, Severity.WARNING, NAME, "words", "remedy")
    assert finding_of(finding_status(finding)) == finding
    usual = Finding(Code.TLSA_MISSING, Severity.NOTICE, NAME, "words")
    assert finding_status(usual).remedy == usual.remedy
    assert all(code_of(code.value) is code for code in Code)
    later = finding_of(FindingStatus("of-a-later-version", "odd", NAME, "", ""))
    assert (later.code, later.severity) == (Code.INTERNAL, Severity.CRITICAL)
