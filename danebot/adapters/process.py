"""Runs other people's programs: bounded in time and output, and never left behind.

A program runs in a session of its own, so that a signal to danebot's terminal doesn't hit it in
the middle of a write; when danebot is told to end, it ends the program first, politely, and then
itself.
"""

from __future__ import annotations

import enum
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO

from danebot.adapters import cores
from danebot.domain.names import printable
from danebot.tuples import NamedTuple

_SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_OUTPUT = 64 * 1024  # octets kept: the last ones, which say how it ended
_DRAIN = 16  # reads after the end, more than a pipe holds; others may write to it for ever
_PIECE = 4096  # octets; what writes less at a time is waited for, line by line costs far more
_GATHER = 0.05  # seconds
_POLL = 0.2  # seconds between looks at what no file descriptor tells: signals, a silent end
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Ending(enum.Enum):
    """How a program came to its end; the value is in words."""

    EXITED = "ended"
    TIMED_OUT = "ran out of time"
    INTERRUPTED = "was interrupted"
    NOT_STARTED = "could not be started"


class Ended(NamedTuple):
    """A program that has ended.

    ``exit_status`` is negative for a signal's number, None if nothing was started.  ``output`` is
    the end of standard output and error together, untrusted.
    """

    ending: Ending
    exit_status: int | None
    output: str
    duration: timedelta

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself with exit status 0."""
        return self.ending is Ending.EXITED and self.exit_status == 0

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of the output that have anything on them, printable."""
        lines = (printable(line.strip(), 400) for line in self.output.splitlines())
        return tuple(line for line in lines if line)


def search_path(extra: Sequence[str] = ()) -> str:
    """PATH, and behind it where system programs usually are: cron's own PATH lacks most of it."""
    given = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([p for p in given if p] + [*_SYSTEM_PATH, *extra]))


def run_program(
    argv: Sequence[str | Path],
    *,
    timeout: timedelta,
    grace: timedelta,
    environment: Mapping[str, str],
    stdin: bytes = b"",
) -> Ended:
    """Run ``argv`` until it ends; ``environment`` is added to danebot's own, ``stdin`` is to read.

    After ``timeout``, or when danebot is told to end (SIGTERM, SIGINT, SIGHUP), the program gets
    SIGTERM and has ``grace`` to clean up; then its whole process group is killed.  A signal to
    danebot takes effect when that is done.  A process that the program leaves in the background
    isn't waited for.
    """
    began = time.monotonic()
    with _deferred_signals() as received:
        try:
            with _given(stdin) as given:
                process = subprocess.Popen(
                    argv,
                    stdin=given,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env={**os.environ, "PATH": search_path(), **environment},
                    start_new_session=True,
                )
        except (OSError, ValueError) as exc:  # ValueError: a NUL in an argument
            reason = exc.strerror if isinstance(exc, OSError) else None
            return Ended(Ending.NOT_STARTED, None, reason or str(exc), timedelta(0))
        cores.allow_as_before(process.pid)
        watch = _Watch(process)
        deadline = began + timeout.total_seconds()
        ending = Ending.EXITED
        while not watch.ended():
            if received or time.monotonic() >= deadline:
                ending = Ending.INTERRUPTED if received else Ending.TIMED_OUT
                watch.stop(grace.total_seconds())
                break
            watch.read(min(_POLL, max(0.0, deadline - time.monotonic())))
        status = watch.reap()
    spent = timedelta(seconds=time.monotonic() - began)
    return Ended(ending, status, watch.output.decode("utf-8", "replace"), spent)


@contextmanager
def _given(stdin: bytes) -> Iterator[IO[bytes] | int]:
    """What a program is to read: a file, since a pipe would wait for one that doesn't read."""
    if not stdin:
        yield subprocess.DEVNULL
        return
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(stdin)
        file.seek(0)
        yield file


class _Watch:
    """A running program and what it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.output = bytearray()
        self._open = True

    def ended(self) -> bool:
        """Whether the program itself has ended; it stays a zombie, so its group's id is taken."""
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, flags) is not None

    def read(self, wait: float) -> bool:
        """Take in what is written within ``wait`` seconds; whether there was anything."""
        pipe = self.process.stdout
        if not self._open or pipe is None:
            time.sleep(min(wait, _GATHER))  # it has closed its output: the end is near
            return False
        if not select.select([pipe], [], [], wait)[0]:
            return False
        data = os.read(pipe.fileno(), _OUTPUT)
        self._open = bool(data)
        self.output += data
        del self.output[:-_OUTPUT]
        if wait and 0 < len(data) < _PIECE:
            time.sleep(min(wait, _GATHER))
        return bool(data)

    def stop(self, grace: float) -> None:
        """SIGTERM to the program, time to clean up, SIGKILL to all that is left of its group."""
        self.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while not self.ended() and time.monotonic() < deadline:
            self.read(min(_POLL, max(0.0, deadline - time.monotonic())))
        os.killpg(self.process.pid, signal.SIGKILL)

    def reap(self) -> int:
        """The exit status, after the rest of the output."""
        status = self.process.wait()
        for _ in range(_DRAIN):
            if not self._open or not self.read(0):
                break
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status


@contextmanager
def _deferred_signals() -> Iterator[list[int]]:
    """Collect the signals that would end danebot; they are raised again at the end.

    One that is ignored (nohup) stays so.  Outside the main thread, which alone gets signals,
    nothing changes.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    former = {
        number: signal.signal(number, lambda got, _: received.append(got))
        for number in _ENDING_SIGNALS
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    try:
        yield received
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for got in dict.fromkeys(received):
            signal.raise_signal(got)
