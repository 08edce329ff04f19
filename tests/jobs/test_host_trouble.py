"""A daily run tells in one line what the doctor would say of files and disks, and at no cost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from danebot.domain.finding import Code, Severity
from danebot.jobs.doctor import at_hand
from jobs.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    (made.grown.root / "renewal-hooks/deploy").mkdir(parents=True)
    hook = made.grown.root / "renewal-hooks/deploy/reload"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    return made


def told(world: World) -> list[tuple[Severity, str]]:
    found = [one for one in world.renew().findings if one.code is Code.HOST_TROUBLE]
    return [(one.severity, one.text) for one in found]


def test_a_host_without_trouble_has_no_line(world: World) -> None:
    assert told(world) == []


def test_what_others_may_write_is_one_line(world: World) -> None:
    hooks = world.grown.root / "renewal-hooks/deploy"
    config = world.grown.root.parent / "danebot.toml"
    config.touch()
    for path in (hooks, hooks / "reload", config):
        path.chmod(0o777)
    world.settings = world.settings._replace(file=config)
    ((severity, text),) = told(world)
    assert severity is Severity.WARNING
    assert all(f"{path} (" in text for path in (hooks, hooks / "reload", config))


@pytest.mark.parametrize(
    ("disk", "words", "severity"),
    [
        ((10, 10**6, 0), "has 0 MiB left", Severity.WARNING),
        ((10**9, 7, 0), "has 7 inodes left", Severity.WARNING),
        ((10**9, 10**6, os.ST_RDONLY), "is mounted read-only", Severity.CRITICAL),
    ],
)
def test_a_disk_that_runs_full_is_told(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    disk: tuple[int, int, int],
    words: str,
    severity: Severity,
) -> None:
    monkeypatch.setattr("os.statvfs", lambda _: left(*disk))
    ((found, text),) = told(world)
    assert (found, words in text) == (severity, True)


def left(free: int, inodes: int, flag: int) -> SimpleNamespace:
    """A double of the kernel's word: no disk here fills up on demand."""
    return SimpleNamespace(f_bavail=free, f_frsize=4096, f_files=9, f_favail=inodes, f_flag=flag)


def test_little_room_is_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.statvfs", lambda _: left(10**5, 900, 0))
    assert told(world) == []


def test_an_idle_run_loads_nothing_of_the_doctor() -> None:
    code = "import sys, danebot.jobs.renew, danebot.jobs.host_trouble, danebot.jobs.competing\n"
    code += "print(sorted(one for one in sys.modules if 'doctor' in one or 'host_facts' in one))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_init_is_told_what_files_say(world: World, tmp_path: Path) -> None:
    """No timer, and a service that reads certbot's files: before the first renewal."""
    world.renew()
    postfix = tmp_path / "host/etc/postfix/main.cf"
    postfix.parent.mkdir(parents=True)
    postfix.write_text(f"smtpd_tls_cert_file = {world.paths.live}/fullchain.pem\n")
    found = [one.code.value for one in at_hand(world.context, tmp_path / "host")]
    assert found == ["not-scheduled", "reads-certbots"]
