"""Changes are logged where the host logs, in one line each, and nowhere else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from danebot.adapters.journal import Journal
from danebot.domain.event import Event, EventKind

EVENT = Event(datetime(2026, 6, 1, tzinfo=UTC), EventKind.DEPLOYED, "mail.example", "it is live")
RECORD = """
from adapters.test_journal import EVENT
from danebot.adapters.journal import Journal
Journal().record(EVENT)
"""


@pytest.fixture
def syslog(tmp_path: Path) -> Iterator[socket.socket]:
    """A host's syslog, as it is bound to /dev/log."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        log.settimeout(120)
        yield log


def test_syslog_gets_a_line(
    syslog: socket.socket, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(tmp_path / "log")
    journal.record(EVENT)
    assert syslog.recv(2000) == f"<29>danebot[{os.getpid()}]: mail.example: it is live".encode()
    assert journal.events == [EVENT]
    assert capfd.readouterr() == ("", "")


def test_whatever_the_name_it_is_one_line(syslog: socket.socket, tmp_path: Path) -> None:
    evil = EVENT._replace(lineage="a\n<0>b\x1b[2J", text="x" * 9000)
    Journal(tmp_path / "log").record(evil)
    line = syslog.recv(20_000).decode()
    assert line.isprintable()
    assert len(line) < 1000


@pytest.mark.parametrize("place", ["absent", "file", "full"])
def test_nobody_listens(place: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A syslog that is gone, or takes nothing more, stops no renewal."""
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "full"))
        journal = Journal(tmp_path / place)
        if place == "full":
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
                other.setblocking(False)  # noqa: FBT003 - its name
                with suppress(BlockingIOError):
                    while other.sendto(b"x", str(tmp_path / place)):
                        pass
        journal.record(EVENT)
    assert journal.events == [EVENT]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("inode", "said"), [(0, b"<5>mail.example: it is live\n"), (1, b"")])
def test_the_journal_gets_it_where_standard_error_leads_there(
    inode: int, said: bytes, tmp_path: Path
) -> None:
    """Not so where standard error was led elsewhere, though the unit's variable is still there."""
    with (tmp_path / "stderr").open("wb") as stderr:
        here = os.fstat(stderr.fileno())
        stream = f"{here.st_dev}:{here.st_ino + inode}"
        subprocess.run(
            [sys.executable, "-c", RECORD],
            env={**os.environ, "JOURNAL_STREAM": stream, "PYTHONPATH": "tests:."},
            stderr=stderr,
            check=True,
        )
    assert (tmp_path / "stderr").read_bytes() == said


@pytest.mark.parametrize("stream", ["", ":", "1", "a:b", "1:2:3", "9" * 5000 + ":1"])
def test_a_variable_that_makes_no_sense(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", stream)
    assert not Journal().on_stderr
