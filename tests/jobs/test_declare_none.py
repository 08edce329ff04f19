"""What `init --no-dane` writes is read as it is said, whatever the file ended with."""

from __future__ import annotations

from pathlib import Path

import pytest

from danebot.adapters.tree.paths import LineagePaths
from danebot.domain.dns.tlsa import Declared, parse_dane_ee
from danebot.jobs.watch import declare_none


@pytest.mark.parametrize("before", ["", "# mx of the office", "- _465._tcp.mx.example.org", "#\n"])
def test_a_last_line_without_newline_stays_a_line(tmp_path: Path, before: str) -> None:
    paths = LineagePaths.of("mx", tmp_path, tmp_path / "archive" / "mx")
    paths.staging.mkdir(parents=True)
    file = paths.staging / "dane-ee"
    file.write_text(before)
    declare_none(paths)
    said = parse_dane_ee(file.read_text())
    assert said.declared is Declared.NO_RECORDS
    assert before.rstrip("\n") in file.read_text()
