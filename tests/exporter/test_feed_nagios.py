"""Nagios' doors where Nagios isn't behind them."""

from __future__ import annotations

import grp
import os
import re
import select
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from danebot.errors import DanebotError
from danebot_exporter.feed.nagios import CommandPipe, ResultSpool, command_line
from danebot_exporter.feed.receivers import Receipt
from danebot_exporter.feed.services import Fed, FedResult

NOW = datetime.fromtimestamp(1_796_000_000, UTC)


def found(output: str = "DANE OK - fine\n") -> FedResult:
    return FedResult(Fed("h", "s ä"), 0, output, NOW, NOW, timedelta(minutes=3))


def test_a_pipe_without_a_reader_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "nagios.cmd"
    os.mkfifo(pipe)
    with pytest.raises(DanebotError, match="nobody reads it"):
        list(CommandPipe(pipe).submit([found()]))


def test_no_file_is_made_where_the_pipe_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DanebotError, match="No such file"):
        list(CommandPipe(tmp_path / "nagios.cmd").submit([found()]))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_to_what_is_no_pipe(tmp_path: Path) -> None:
    file = tmp_path / "nagios.cmd"
    file.write_text("mine")
    with pytest.raises(DanebotError, match="not a named pipe"):
        list(CommandPipe(file).submit([found()]))
    assert file.read_text() == "mine"


def test_a_full_pipe_keeps_whole_lines_and_the_rest_comes_again(tmp_path: Path) -> None:
    pipe = tmp_path / "nagios.cmd"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    results = [found("x" * 1500) for _ in range(200)]
    outcomes: list[Receipt] = []
    with pytest.raises(DanebotError, match="Nagios reads too slowly"):
        outcomes.extend(CommandPipe(pipe).submit(results))
    taken = len(outcomes)
    assert 0 < taken < 200
    lines = os.read(reader, 1 << 20).splitlines()
    os.close(reader)
    assert len(lines) == taken
    assert set(lines) == {command_line(results[0]).rstrip()}


def test_a_line_fits_into_one_write() -> None:
    line = command_line(found("DANE OK - a | b=1\n" + "[NOTE] äöü\n" * 1000))
    assert len(line) <= select.PIPE_BUF
    assert line.startswith("[1796000000] PROCESS_SERVICE_CHECK_RESULT;h;s ä;0;DANE".encode())
    assert line.endswith("[NOTE] äöü\\n...\n".encode())
    assert line.count(b"\n") == 1
    line = command_line(found("x" * 9999))
    assert len(line) <= select.PIPE_BUF


def test_a_spool_that_nobody_empties_is_not_filled(tmp_path: Path) -> None:
    spool = ResultSpool(tmp_path)
    for _ in range(50):
        list(spool.submit([found()]))
    with pytest.raises(DanebotError, match="Nagios takes no files"):
        list(spool.submit([found()]))
    assert len(list(tmp_path.glob("c??????"))) == len(list(tmp_path.glob("c??????.ok"))) == 50
    for one in tmp_path.iterdir():
        one.unlink()
    assert [one.refused for one in spool.submit([found()])] == [""]


@pytest.mark.parametrize("door", [CommandPipe, ResultSpool])
def test_a_door_for_another_group_says_whose_is_needed(
    door: type[CommandPipe | ResultSpool],
) -> None:
    if os.geteuid():
        pytest.skip("only root can be somebody else")
    with tempfile.TemporaryDirectory() as base:
        place = Path(base) / "rw"
        place.mkdir(mode=0o710)
        os.mkfifo(place / "nagios.cmd")
        Path(base).chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(DanebotError, match="SupplementaryGroups= of the unit"):
                list(door(place / "nagios.cmd" if door is CommandPipe else place).submit([found()]))
        finally:
            os.seteuid(0)


def test_what_the_documents_give_the_unit_opens_debians_doors() -> None:
    """As whoever has that group, and as that user; Debian's own directories, in mode and group."""
    doors = [Path("/var/lib/nagios4") / name for name in ("rw", "spool/checkresults")]
    if os.geteuid() or not doors[0].exists():
        pytest.skip("nagios4-core of Debian has these directories, and only root sees into them")
    text = (Path(__file__).parents[2] / "docs/exporter.md").read_text()
    (group,) = re.findall(r"^    SupplementaryGroups=(\S+)$", text, re.MULTILINE)
    (user,) = re.findall(r"^    User=(\S+)$", text, re.MULTILINE)
    as_group = ["--reuid=65534", "--regid=65534", f"--groups={grp.getgrnam(group).gr_gid}"]
    as_user = [f"--reuid={user}", f"--regid={user}", "--init-groups"]
    for words, door, right in ((as_group, doors[0], "-x"), (as_user, doors[1], "-w")):
        subprocess.run(["setpriv", *words, "test", right, door], check=True)


def test_a_spool_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DanebotError, match="No such file"):
        list(ResultSpool(tmp_path / "gone").submit([found()]))
