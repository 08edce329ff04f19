"""The units in systemd/: systemd finds nothing wrong with them, and a failure reaches a person."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.unit import command, settings

UNITS = Path(__file__).parents[2] / "systemd"


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    names = [unit.name.replace("@.", "@x.") for unit in UNITS.iterdir()]
    for unit in UNITS.iterdir():
        text = unit.read_text(encoding="utf-8")
        for program in ("/usr/local/bin/danebot-exporter", "/usr/local/bin/danebot"):
            text = text.replace(program, "/bin/true")  # installed by hand, later
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in names)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_failure_is_mailed_to_root(tmp_path: Path) -> None:
    """With doubles of systemctl and sendmail: the words that they are given are what is tested."""
    service = (UNITS / "danebot.service").read_text(encoding="utf-8")
    (wanted,) = settings(service, "Unit")["OnFailure"]
    assert wanted == "danebot-failure@%n.service"
    mailer = (UNITS / "danebot-failure@.service").read_text(encoding="utf-8")
    (tmp_path / "systemctl").write_text('#!/bin/sh\necho "said: $*"\nexit 3\n')
    (tmp_path / "sendmail").write_text(
        f'#!/bin/sh\necho "$*" >{tmp_path}/to\ncat >{tmp_path}/mail\n'
    )
    for name in ("systemctl", "sendmail"):
        (tmp_path / name).chmod(0o755)
    words = [
        word.replace("/usr/sbin/sendmail", str(tmp_path / "sendmail"))
        for word in command(mailer, i="danebot.service")
    ]
    done = subprocess.run(
        words, env={"PATH": f"{tmp_path}:{os.defpath}"}, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "to").read_text() == "-i root\n"
    head, _, body = (tmp_path / "mail").read_text().partition("\n\n")
    host = os.uname().nodename
    assert head == f"To: root\nSubject: danebot.service failed on {host}"
    assert body == "said: status --full --lines=100 --no-pager danebot.service\n"


def test_the_exporter_could_do_little_harm() -> None:
    """The bound of `make test-packages`: 1.5 of 10; what remains is that it is on the network."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    unit = UNITS / "danebot-exporter.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
