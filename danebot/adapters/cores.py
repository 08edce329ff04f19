"""Core dumps: danebot leaves none, for private keys are in its memory."""

from __future__ import annotations

import functools
import resource
from contextlib import suppress


def forbid() -> None:
    """Let this process leave no core dump from now on, as core(5) has it."""
    _, most = _former()
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def allow_as_before(pid: int) -> None:
    """Give a program that danebot has started the limit that danebot itself was started with."""
    with suppress(OSError):  # it has ended
        resource.prlimit(pid, resource.RLIMIT_CORE, _former())


@functools.cache
def _former() -> tuple[int, int]:
    """The limit of this process before danebot changed it: soft and hard, in octets."""
    return resource.getrlimit(resource.RLIMIT_CORE)
