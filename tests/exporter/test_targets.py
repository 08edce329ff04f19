"""``/sd``: what Prometheus is given, and what is wrong with the file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from danebot.errors import DanebotError
from danebot_exporter.targets import TargetFile
from exporter.running import command, environment, exporter


def test_targets_are_grouped_by_module(tmp_path: Path) -> None:
    file = tmp_path / "targets"
    lines = (
        "example.org",
        "# ours",
        "",
        "mx.example.org:993 imap # in",
        "example.net",
        "example.org",
    )
    file.write_text("\ufeff" + "\n".join(lines))  # as some editors begin a file
    assert json.loads(TargetFile(file).groups()) == [
        {"targets": ["example.org", "example.net"], "labels": {"__param_module": "smtp"}},
        {"targets": ["mx.example.org:993"], "labels": {"__param_module": "imap"}},
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("example.org smb", ":2: unknown module"),
        ("example.org imap", ":2: module imap takes HOST:PORT"),
        ("a..b", ":2: "),
        ("example.org smtp x", ":2: want TARGET, or TARGET and MODULE"),
        ("\udcff", ": not UTF-8 text"),
    ],
)
def test_what_is_wrong_is_told_by_its_line(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "targets"
    file.write_bytes(f"a.example\n{line}\n".encode(errors="surrogateescape"))
    with pytest.raises(DanebotError, match=problem):
        TargetFile(file).groups()


def test_the_exporter_serves_them_and_keeps_up(tmp_path: Path) -> None:
    file = tmp_path / "targets"
    file.write_text("example.org\n")
    with exporter("--targets", file) as running:
        status, body, headers = running.get("/sd")
        assert (status, headers["content-type"]) == (200, "application/json")
        assert json.loads(body)[0]["targets"] == ["example.org"]
        file.write_text("example.org\nexample.net\n")
        assert json.loads(running.get("/sd")[1])[0]["targets"] == ["example.org", "example.net"]
        file.write_text("a..b\n")
        status, body, _ = running.get("/sd")
        assert status == 500
        assert body.startswith(f"{file}:1: ")
        file.unlink()
        assert running.get("/sd")[0] == 500
    with exporter() as running:
        assert running.get("/sd")[0] == 404


def test_a_file_that_is_not_there_ends_the_program(tmp_path: Path) -> None:
    done = subprocess.run(
        command("--targets", tmp_path / "gone"),
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"danebot-exporter: {tmp_path}/gone: No such file or directory\n"
