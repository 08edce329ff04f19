"""Runs a program to its end or to its time limit, with all that it starts."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from danebot.domain.names import printable

_GRACE = 10.0  # seconds between SIGTERM and SIGKILL
_KEPT = 64 * 1024  # octets of output: the end is what tells
_POLL = 0.2  # seconds between looks at a program that has closed its output


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended: ``status`` is negative for a signal; ``output`` is its last 64 KiB."""

    status: int
    timed_out: bool
    output: str

    @property
    def lines(self) -> list[str]:
        """The output's lines without blank ones, printable."""
        return [printable(line.strip(), 400) for line in self.output.splitlines() if line.strip()]


def run(
    command: Sequence[str | Path] | str,
    *,
    timeout: timedelta,
    environment: Mapping[str, str],
) -> Finished:
    """Run an argument vector, or a string by the shell, in a session of its own.

    At the time limit, and when danebot itself is interrupted, the program gets SIGTERM to clean
    up after itself, and its whole session SIGKILL ten seconds later.  Raises `OSError` if it
    can't be started.
    """
    with subprocess.Popen(
        command if isinstance(command, str) else [str(word) for word in command],
        shell=isinstance(command, str),
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output = _collect(process, time.monotonic() + timeout.total_seconds())
            timed_out = process.poll() is None
        finally:
            if process.poll() is None:
                _end(process)
    text = output.decode("utf-8", "replace")
    return Finished(process.returncode, timed_out, text)


def _collect(process: subprocess.Popen[bytes], end: float) -> bytes:
    """Read output until the program has ended or time is up; what it leaves behind may go on."""
    kept = bytearray()
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        open_ended = True
        while (left := end - time.monotonic()) > 0 and process.poll() is None:
            if not open_ended:
                time.sleep(min(left, _POLL))
                continue
            if selector.select(min(left, _POLL)):
                chunk = os.read(process.stdout.fileno(), _KEPT)
                open_ended = bool(chunk)
                kept += chunk
                del kept[:-_KEPT]
        with suppress(BlockingIOError):  # a child of the program may still hold the pipe
            kept += os.read(process.stdout.fileno(), _KEPT)
    return bytes(kept[-_KEPT:])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
