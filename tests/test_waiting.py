"""What takes long is shown while it does: on a terminal alone, and nothing of it stays."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from adapters.trees import NAME
from danebot import cli
from danebot.waiting import WaitingLine
from verbs.desk import HERE, Desk, at_desk, of_key
from verbs.terminal import at_terminal


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    made = at_desk(tmp_path, capsys, monkeypatch)
    made.staged(f"1 {HERE}")
    made.dns.publish(of_key("one"))
    made.danebot("status")  # writes the settings
    return made


def renewed(desk: Desk, *words: str) -> str:
    """What is on the screen, carriage returns included."""
    config = str(desk.root / "danebot.toml")
    session = at_terminal(lambda: cli.main(["--config", config, *words, "renew"]))
    assert session.status == 0
    return session.screen


def left_on(screen: str) -> str:
    """What can be read of it in the end: each carriage return begins the line anew."""
    lines = []
    for line in screen.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return "\n".join(lines).strip()


def test_it_is_shown_on_a_terminal_and_goes(desk: Desk) -> None:
    screen = renewed(desk)
    assert "danebot: looking at DNS" in screen
    assert "danebot: certbot renew" in screen
    assert left_on(screen) == ""
    assert "\x1b" not in screen


def test_with_v_it_stays_and_with_q_there_is_none(desk: Desk) -> None:
    said = left_on(renewed(desk, "-v"))
    assert "danebot: looking at DNS\n" in said
    assert renewed(desk, "-q") == ""


def test_in_a_pipe_there_is_none(desk: Desk) -> None:
    assert desk.danebot("renew") == (0, "", "")


def test_what_is_printed_takes_its_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    desk.dns.publish()
    config = str(desk.root / "danebot.toml")
    session = at_terminal(lambda: cli.main(["--config", config, "renew"]))
    assert session.status == 1
    assert left_on(session.screen).startswith(f"danebot: WARNING: {NAME}: ")
    assert "looking" not in left_on(session.screen)


def test_a_line_is_no_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "11")
    line = WaitingLine()
    line.show("a" * 40)
    line.show("bb")
    line.clear()
    line.clear()
    assert re.split("\r", capsys.readouterr().err) == ["", "a" * 10, "bb" + " " * 8, "  ", ""]


def test_its_width_is_that_of_standard_error(tmp_path: Path) -> None:
    """What a program prints may go to a file, or to nobody."""
    terminal, line = os.openpty()
    fcntl.ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    code = "from danebot.waiting import LINE; LINE.show('a' * 100)"
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with (tmp_path / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, stderr=line, env=env, check=True)
    assert os.read(terminal, 1000) == b"\r" + b"a" * 39
    os.close(terminal)
    os.close(line)


def test_a_terminal_that_goes_away_changes_nothing(tmp_path: Path) -> None:
    """Under nohup: nobody sees the line any more, and the run goes on and ends as it would."""
    program = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from danebot import cli; from danebot.waiting import LINE\n"
        "def act():\n"
        "    LINE.show('waiting'); sys.stdin.read(1); LINE.show('still waiting'); print('done')\n"
        "from danebot.commands.group import danebot\n"
        "danebot.main = lambda *_, **__: act()\n"
        "cli.command()"
    )
    terminal, line = os.openpty()
    out = tmp_path / "out"
    with (
        out.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=line,
            start_new_session=True,
        ) as run,
    ):
        os.close(line)
        assert os.read(terminal, 100) == b"\rwaiting"
        os.close(terminal)
        run.communicate(b"x", timeout=60)
    assert (run.returncode, out.read_text()) == (0, "done\n")
