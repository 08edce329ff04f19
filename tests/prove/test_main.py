"""`make prove` keeps its time, and tells what it came to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from prove import __main__ as prove
from prove import histories, small_worlds
from prove.crash_points import Tally
from prove.part import Part, Row, counted

pytestmark = [pytest.mark.once, pytest.mark.no_cover]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    places = (root, *(root / name for name in ("tests", "checks", "exporters")))
    monkeypatch.setenv("PYTHONPATH", ":".join(map(str, places)))


def test_a_part_tells_of_how_many() -> None:
    rows = prove.apart(histories.PART, 1, 1, 1, set())
    assert [row.what for row in rows] == [
        "histories of a new key",
        "histories of another intermediate",
        "histories of a certificate that ends",
        "histories of a restored tree",
    ]
    assert all(" of 1" in row.amount and not row.broken for row in rows)


def test_a_part_that_goes_on_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is no fault: what it came to counts.  Python may not heed SIGINT as it starts."""
    monkeypatch.setattr(prove, "_ASKED", -3600)
    monkeypatch.setattr(prove, "_KILLED", -3590)
    (row,) = prove.apart(small_worlds.PART, 3600, 1, 1, set())
    assert row == Row("small worlds, ended since its time was over", "nothing")


@pytest.mark.parametrize("at_first", [signal.SIGINT, signal.SIGTERM])
def test_a_part_that_is_told_to_end_leaves_nobody_at_work(
    tmp_path: Path, at_first: signal.Signals
) -> None:
    words = ["--part", "histories", "--minutes", "9", "--here", "2"]
    with (tmp_path / "out").open("w") as out:
        part = subprocess.Popen(
            [sys.executable, "-m", "prove", *words], stdout=out, stderr=out, start_new_session=True
        )
    try:
        while len(_group(part.pid)) < 3:  # the test's time limit ends it
            assert part.poll() is None, (tmp_path / "out").read_text()
            time.sleep(0.1)
        time.sleep(1)  # they have begun
        os.killpg(part.pid, at_first) if at_first is signal.SIGINT else part.terminate()
        part.wait(60)
        while _group(part.pid):
            time.sleep(0.1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(part.pid, signal.SIGKILL)
        part.wait()


def _group(leader: int) -> list[str]:
    """The processes of a group that haven't ended."""
    found = subprocess.run(
        ["ps", "-eo", "pgid=,stat=,pid="], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in found.stdout.splitlines()]
    return [pid for group, state, pid in rows if group == str(leader) and state[0] != "Z"]


def test_a_part_that_breaks_off_is_a_fault() -> None:
    (row,) = prove.apart(Part("no such part", 1, small_worlds.PART.run), 10, 1, 1, set())
    assert "invalid choice" in row.broken[0]


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_each_processor_has_about_as_much_to_do(cores: int) -> None:
    found = prove.lanes(list(prove.PARTS), cores)
    assert sorted(part.name for lane in found for part in lane.parts) == sorted(
        part.name for part in prove.PARTS
    )
    shares = [lane.share for lane in found]
    assert max(shares) - min(shares) <= max(part.share for part in prove.PARTS)


def test_a_part_alone_has_all_processors() -> None:
    (lane,) = prove.lanes([histories.PART], 4)
    assert lane.cores == 4


def test_a_table_tells_what_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    prove.table([Row("one", counted(12_400, 1_000_000)), Row("another", "3", ("how it came",))])
    assert capsys.readouterr().out.splitlines() == [
        "one      12,400 of 1,000,000",
        "another  3  BROKEN",
        "",
        "another: how it came",
    ]


def test_what_several_came_to_is_one_table() -> None:
    one = Tally(
        Counter(a=1, faults=2), Counter(a=9, faults=10), {"faults": ["x"]}, Counter(open=3), 1
    )
    two = Tally(
        Counter(b=4, faults=1), Counter(b=8, faults=10), {"faults": ["y"]}, Counter(open=2), 2
    )
    assert list((one + two).rows()) == [
        Row("a", "1 of 9 points"),
        Row("faults", "3 of 20 points", ("x", "y")),
        Row("b", "4 of 8 points"),
        Row("different states mended", "3"),
        Row("calls struck", "open 5"),
    ]


def test_that_all_points_were_tried_is_told_at_a_glance() -> None:
    tally = Tally(Counter(a=1200, b=1), Counter(a=1200, b=2))
    assert [row.amount for row in tally.rows()][:2] == ["all 1,200 points", "1 of 2 points"]
