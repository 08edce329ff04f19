"""Surveys of a small internet: known faults in known numbers, whatever is killed on the way."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from amounts import amount
from survey import job
from survey.internet import domains, expected

pytestmark = [
    pytest.mark.lab,
    pytest.mark.no_cover,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("internet"),
]


def test_every_fault_comes_out_in_known_numbers(tmp_path: Path) -> None:
    count = amount(10_000, 100_000)
    words = job.run_words(job.listed(tmp_path, count), tmp_path / "out")
    status, out, err = job.done(tmp_path, *words)
    assert (status, err) == (0, "")
    assert "watched at http://127.0.0.1:" in out
    assert job.verdicts(tmp_path / "out") == expected(count)
    names = [row[0] for row in job.select(tmp_path / "out", "SELECT domain FROM domains")]
    assert sorted(names) == sorted(name for name, _ in domains(count))


@pytest.mark.parametrize("seed", range(amount(2, 20)))
def test_killed_at_any_moment_it_goes_on(undisturbed: Path, tmp_path: Path, seed: int) -> None:
    """The driver with its workers, twice; then it is left alone."""
    chance = random.Random(seed)
    source = undisturbed.parent / "domains.txt"
    words = job.run_words(source, tmp_path / "out", "--rows", "150")
    for _ in range(2):
        process = job.start(tmp_path, *words, start_new_session=True)
        time.sleep(chance.uniform(2, 9))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    status, _, err = job.done(tmp_path, *words)
    assert (status, err) == (0, "")
    assert job.select(tmp_path / "out", job.SAME) == job.select(undisturbed, job.SAME)
    assert not list((tmp_path / "out").rglob(".danebot-tmp-*"))


def test_a_worker_that_is_killed_changes_nothing(undisturbed: Path, tmp_path: Path) -> None:
    source = undisturbed.parent / "domains.txt"
    words = job.run_words(source, tmp_path / "out", "--rows", "150")
    process = job.start(tmp_path, *words)
    killed = 0
    while process.poll() is None and killed < 3:
        made = len(list((tmp_path / "out/work").glob("*/part-*")))
        workers = job.workers(process.pid)
        if made > 16 + 4 * killed and workers:
            os.kill(workers[0], signal.SIGKILL)
            killed += 1
        time.sleep(0.1)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert killed
    assert job.select(tmp_path / "out", job.SAME) == job.select(undisturbed, job.SAME)


def test_nobody_else_reaches_its_cluster(tmp_path: Path) -> None:
    """In the clear nobody is listened to: who reaches a worker or scheduler runs code there."""
    words = job.run_words(job.listed(tmp_path, 20), tmp_path / "out", "--workers", "1")
    process = job.start(tmp_path, *words, "--interval", "2")
    listening: set[str] = set()
    asked: set[str] = set()
    dashboard = ""
    while process.poll() is None:
        shown = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True)
        ours = {str(process.pid), *map(str, job.workers(process.pid))}
        for line in shown.stdout.splitlines():
            if any(f"pid={one}," in line for one in ours):
                listening.add(line.split()[3])
        dashboard = dashboard or _first_line(process)
        for where in listening - asked:  # each once: else the survey ends before all are seen
            _unheard(where, dashboard)
        asked |= listening
        time.sleep(0.1)
    process.communicate()
    assert len(listening) >= 3  # scheduler, nanny, worker
    assert all(one.startswith("127.0.0.1:") for one in listening)


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _unheard(where: str, dashboard: str) -> None:
    """A plain connection gets no word of Dask's protocol, which begins with the sender's."""
    host, _, port = where.rpartition(":")
    if f":{port}/" in dashboard:
        return  # shows, and takes no orders
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1) as plain:
        plain.settimeout(0.3)
        assert plain.recv(1000) == b""
