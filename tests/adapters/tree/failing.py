"""System calls that fail on demand: a double, since real disks don't fail at a chosen call.

tests/e2e/test_full_disk.py has real runs under a tracer, certbot's own calls included.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from unittest import mock

_REAL = {name: getattr(os, name) for name in dir(os)}


class Failure(Enum):
    """An error, and the calls that may give it; ``ENOSPC`` and ``EMFILE`` last once they began."""

    ENOSPC = ("create", "write", "fsync", "symlink", "link", "mkdir", "setxattr")
    EIO = ("create", "open", "write", "fsync", "symlink", "link", "mkdir", "rename", "fchmod")
    EACCES = ("create", "symlink", "link", "mkdir", "rename", "fchown", "fchmod", "setxattr")
    EMFILE = ("create", "open")

    @property
    def number(self) -> int:
        """The value of errno."""
        return int(getattr(errno, self.name))

    @property
    def lasts(self) -> bool:
        """Whether later calls fail, too."""
        return self in (Failure.ENOSPC, Failure.EMFILE)


class Calls:
    """The calls that may fail, counted."""

    def __init__(self, failure: Failure, at: int) -> None:
        self.failure = failure
        self.at = at
        self.made = 0

    def wrap(self, name: str) -> Callable[..., object]:
        def call(*args: object, **named: object) -> object:
            kind = name
            if name == "open" and args[1] & os.O_CREAT:  # type: ignore[operator]
                kind = "create"
            if kind in self.failure.value:
                self.made += 1
                if self.made == self.at or (self.failure.lasts and self.made > self.at > 0):
                    raise OSError(self.failure.number, os.strerror(self.failure.number))
            return _REAL[name](*args, **named)

        return call


@contextmanager
def failing(failure: Failure, at: int) -> Iterator[Calls]:
    """Let the ``at``-th call that may fail so fail; 0 for none."""
    calls = Calls(failure, at)
    names = {kind for kind in failure.value if kind != "create"} | {"open"}
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(os, name, calls.wrap(name)))
        yield calls
