"""Hunts for faults, one format after the other, each in a process of its own.

python -m prove.hunting     jobs as lines of JSON on standard input (``tests`` on PYTHONPATH)

What a hunt imports is imported once, under the eyes of coverage, which takes seconds; each hunt is
a fork of that process, so that an end of it is a fault, too, and all of its time is for inputs.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn

from prove import fuzzing

if TYPE_CHECKING:
    from collections.abc import Iterator

_GRACE = 12  # seconds beyond its own for a process that doesn't end
_EXECUTED = re.compile(r"number_of_executed_units: (\d+)")


class Hunt(NamedTuple):
    """What one process tried."""

    runs: int
    seconds: float  # of CPU
    guided: bool
    faults: tuple[str, ...]


class Hunter:
    """Has hunts made by a process that has imported all they need; `hunter` starts and ends it."""

    def __init__(self, jobs: IO[str], answers: IO[str]) -> None:
        self._jobs = jobs
        self._answers = answers

    def hunt(self, name: str, runs: int, seconds: float, seed: int = 0) -> Hunt:
        """Try one format.

        A hunt that had to be ended is a fault only if it was at work all that time.
        """
        job: dict[str, Any] = {"name": name, "runs": runs, "seconds": seconds, "seed": seed}
        with tempfile.TemporaryDirectory(dir=memory_directory()) as place:  # all files are there
            status, used, guided = self._ask({**job, "place": place})
            faults = [json.loads(line) for line in Path(place, "told").read_text().splitlines()]
            words = Path(place, "noise").read_text(errors="replace")
        executed = _EXECUTED.search(words)
        if status == -signal.SIGKILL:
            if used > (seconds + _GRACE) * 0.8:
                again = f"python -m prove.fuzzing '{name}' --seed {seed} --seconds {seconds:.0f}"
                faults.append(f"an input without an end: PYTHONPATH=.:tests {again}")
        elif executed is None or (status and not faults):
            faults.append("\n".join(["it broke off:", *words.splitlines()[-15:]]))
        return Hunt(int(executed[1]) if executed else 0, used, guided, tuple(faults))

    def _ask(self, job: dict[str, Any]) -> tuple[int, float, bool]:
        print(json.dumps(job), file=self._jobs, flush=True)
        status, used, guided = json.loads(self._answers.readline())
        return status, used, guided


@contextmanager
def hunter() -> Iterator[Hunter]:
    """One that is ready, for as long as the context lasts."""
    command = [sys.executable, "-m", "prove.hunting"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield Hunter(process.stdin, process.stdout)


def memory_directory() -> str | None:
    """Where files cost no disk, if there is such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a fresh one there


# ---- the process that forks ----------------------------------------------------------------------


def _serve() -> None:
    """A hunt for each job, until there are no more; answer with its end and its seconds of CPU."""
    guided = fuzzing.can_be_guided()
    with fuzzing.watched():
        from prove import file_wires, wires  # noqa: F401 - for the forks
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            _hunt(job)
        status, used = _ended(child, job["seconds"] + _GRACE)
        print(json.dumps((status, used, guided)), flush=True)  # noqa: T201


def _hunt(job: dict[str, Any]) -> NoReturn:
    """In the fork, which ends with it."""
    status = 1
    try:
        flags = os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(Path(job["place"], "told"), flags, 0o600), 1)
        os.dup2(os.open(Path(job["place"], "noise"), flags, 0o600), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        tempfile.tempdir = job["place"]
        status = fuzzing.tried(job["name"], job["runs"], job["seconds"], job["seed"])
    except BaseException:  # noqa: BLE001 - told, and its end with it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _ended(child: int, seconds: float) -> tuple[int, float]:
    """How it ended, if need be after so many seconds by SIGKILL; and its seconds of CPU."""
    descriptor = os.pidfd_open(child)
    if not select.select([descriptor], [], [], seconds)[0]:
        os.kill(child, signal.SIGKILL)
    os.close(descriptor)
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


if __name__ == "__main__":
    _serve()
