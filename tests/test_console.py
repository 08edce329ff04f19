"""What reaches the two streams, whatever is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from danebot.console import Console
from danebot.domain.finding import Code, Finding, Severity

if TYPE_CHECKING:
    import pytest

STRANGE = "mail\x1b[31m\udcff\x9b"  # a lineage's name is a file's


def console(verbosity: int = 0) -> Console:
    return Console(None, None, verbosity, quiet=False)


def test_strange_names_are_spelt_out(capsys: pytest.CaptureFixture[str]) -> None:
    found = Finding(Code.EXPIRED, Severity.CRITICAL, STRANGE, "expired", "")
    console().report([found])
    console().say(STRANGE)
    console(1).detail(STRANGE)
    out, err = capsys.readouterr()
    spelt = r"mail\x1b[31m\udcff\x9b"
    assert out == f"{spelt}\n"
    assert err == f"danebot: CRITICAL: {spelt}: expired\ndanebot: {spelt}\n"


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console().say("-cert = a\n+cert = b")
    assert capsys.readouterr().out == "-cert = a\n+cert = b\n"
