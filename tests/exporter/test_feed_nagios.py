"""Nagios' doors where Nagios isn't behind them."""

from __future__ import annotations

import os
import select
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


def test_a_spool_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DanebotError, match="No such file"):
        list(ResultSpool(tmp_path / "gone").submit([found()]))
