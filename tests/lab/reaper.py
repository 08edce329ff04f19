"""End the processes of one lab by the pids it wrote down, and remove its directory.

    reaper.py ROOT        at once
    reaper.py ROOT -      when standard input ends: when whoever holds the other end is dead

A pid counts only together with its start time, so that no stranger is hit.  Runs alone,
outside the package, with nothing to import but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path


def start_time(pid: int) -> str | None:
    """Return when a process started, in the kernel's ticks; None if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def recorded(root: Path) -> list[tuple[int, str]]:
    """Return the (pid, start time) of the lab's processes that still live, newest first."""
    try:
        lines = (root / "pids").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return []
    pairs = [(int(pid), born) for _, pid, born in map(str.split, lines)]
    return [(pid, born) for pid, born in reversed(pairs) if start_time(pid) == born]


def end(processes: list[tuple[int, str]]) -> list[int]:
    """Terminate, then kill, with the whole group that each process leads; return what is left."""
    for number, limit in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 20.0)):
        alive = [(pid, born) for pid, born in processes if start_time(pid) == born]
        for pid, _ in alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)
                os.killpg(pid, signal.SIGCONT)
        stop = time.monotonic() + limit
        while alive and time.monotonic() < stop:
            time.sleep(0.02)
            alive = [(pid, born) for pid, born in alive if start_time(pid) == born]
        if not alive:
            return []
    return [pid for pid, _ in alive]


def down(root: Path) -> list[int]:
    """End a lab and remove its directory; return the pids that could not be ended."""
    left = end(recorded(root))
    if not left and (root / "pids").exists():
        shutil.rmtree(root, ignore_errors=True)
    return left


def main() -> None:
    if sys.argv[2:] == ["-"]:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        sys.stdin.read()
    left = down(Path(sys.argv[1]))
    if left:
        sys.exit(f"still running: {' '.join(map(str, left))}")


if __name__ == "__main__":
    main()
