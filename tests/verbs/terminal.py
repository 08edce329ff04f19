"""Danebot at a terminal: a real one, behind which somebody reads and types."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from lab.net import until

_PATIENCE = 120
CTRL_C = "\x03"


class Session(NamedTuple):
    """How it ended, all that was on the screen, and which answers weren't asked for."""

    status: int
    screen: str
    unasked: tuple[str, ...]


def at_terminal(
    act: Callable[[], object], answers: Iterable[str] = (), prompt: str = "]: "
) -> Session:
    """Have ``act`` done in a process of its own at a terminal, typing an answer at each prompt.

    The process is a copy of this one, so that what a test has put in place is there.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of ours aren't needed there
        child, terminal = pty.fork()
    if child == 0:
        status = 99
        try:
            sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, "rw"[n > 0]) for n in range(3))
            act()
        except SystemExit as exc:
            status = exc.code if isinstance(exc.code, int) else 98
            sys.stdout.flush()
        finally:
            os._exit(status)
    left, screen, seen = list(answers), "", 0
    deadline = time.monotonic() + _PATIENCE
    while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        screen += data.decode(errors="replace")
        if screen.rstrip(" ").endswith(prompt.rstrip(" ")) and len(screen) > seen and left:
            seen = len(screen) + 1
            until("it waits for an answer", lambda: _sleeps(child), _PATIENCE)
            answer = left.pop(0)
            os.write(terminal, (answer if answer == CTRL_C else f"{answer}\n").encode())
    os.close(terminal)
    _, ended = os.waitpid(child, 0)
    return Session(os.waitstatus_to_exitcode(ended), screen.replace("\r\n", "\n"), tuple(left))


def _sleeps(process: int) -> bool:
    """Whether it waits: a signal just before it begins to read would be noticed after the line."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "S"
