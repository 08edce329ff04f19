"""The exporter needs no system call that its unit forbids: what it really calls, by strace."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asking import check_dane
from checking import NAME, World
from exporter import sample
from exporter.running import ROOT, Exporter, exporter
from lab.unit import settings

pytestmark = pytest.mark.once
UNIT = (ROOT / "systemd/danebot-exporter.service").read_text(encoding="utf-8")
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\(", re.MULTILINE)


def group(name: str) -> Iterator[str]:
    """The system calls of one of systemd's groups, and of the groups within."""
    command = ["systemd-analyze", "syscall-filter", name]
    for line in subprocess.check_output(command, text=True).splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            yield from group(word)
        elif word and not word.startswith("#"):
            yield word


def allowed() -> frozenset[str]:
    """What the unit's lines leave, the last word on each call counting (systemd.exec(5))."""
    left: set[str] = set()
    for line in settings(UNIT)["SystemCallFilter"]:
        named = {call for name in line.lstrip("~").split() for call in group(name)}
        left = left - named if line.startswith("~") else left | named
    return frozenset(left)


def used(found: Exporter, trace: Path, world: World, place: Path, port: int) -> frozenset[str]:
    """What it calls from its start to its end, with everything asked of it."""
    for path in ("/", "/metrics", "/status", f"/probe?target={NAME}:{port}", "/nowhere"):
        found.get(path)
    for _ in range(2):
        assert check_dane(["--via", str(place), *world.words(port)]).status == 0
    tasks = Path(f"/proc/{found.process.pid}/task/{found.process.pid}/children")
    (child,) = tasks.read_text(encoding="ascii").split()
    for number in (signal.SIGHUP, signal.SIGTERM):
        os.kill(int(child), number)
        time.sleep(0.5)  # it reads its files anew
    found.process.wait(60)
    return frozenset(_CALL.findall(trace.read_text(encoding="utf-8", errors="replace")))


def test_it_calls_nothing_that_its_unit_forbids(world: World, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None or shutil.which("strace") is None:
        pytest.skip("needs systemd-analyze and strace")
    status, place, trace = (tmp_path / name for name in ("status.json", "check.sock", "trace"))
    sample.write(status)
    words = ("--snapshot", status, "--check.socket", place, "--probe.targets", "any")
    prefix = ("strace", "-f", "-qq", "-o", str(trace))
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        with exporter(*words, prefix=prefix, interval="1s") as found:
            called = used(found, trace, world, place, peer.port)
    assert {"execve", "bind", "connect", "accept4", "epoll_wait"} <= called
    assert called - allowed() == frozenset()
