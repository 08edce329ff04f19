"""Fixtures for all tests; the lab's are for tests marked ``lab``."""

import gc
import itertools
import os
import signal
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from lab.fixtures import fresh_tree, lab, running_lab, running_second, second

__all__ = ["fresh_tree", "lab", "running_lab", "running_second", "second"]

_MEASURED = "COVERAGE_PROCESS_CONFIG"  # how coverage has itself begun in programs

settings.register_profile(  # how long an example takes is no property
    "danebot", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("danebot")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what is in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests stay for good: looking for garbage among them takes a tenth of the time.

    Later collections pass them over, too.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Begin with the longest tests, each module's in one worker: else all wait for the last one.

    They are those that have a longer time limit than the others; what those of a module share
    takes long, too, and is made once.  Those with a lab follow, and the quick ones come last.
    With ``--dist worksteal`` the first worker has the first share of the items, and so on; it gives
    away the last ones of its share.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if not workers:
        return
    usual = float(config.getini("timeout"))
    heads = _heads([one for one in items if _limit(one) > usual], workers)
    others = [one for one in items if _limit(one) <= usual]
    labs = [one for one in others if one.get_closest_marker("lab") is not None]
    quick = iter([one for one in others if one.get_closest_marker("lab") is None])
    left, ordered = len(items), list[pytest.Item]()
    for number, head in enumerate(heads):
        share = left // (workers - number)
        first = [*head, *labs[len(labs) * number // workers : len(labs) * (number + 1) // workers]]
        ordered += [*first, *itertools.islice(quick, max(share - len(first), 0))]
        left -= share
    items[:] = [*ordered, *quick]


def _heads(longest: list[pytest.Item], workers: int) -> list[list[pytest.Item]]:
    """What each worker begins with: the next module goes to who has the least so far."""
    modules: dict[Path, list[pytest.Item]] = {}
    for one in longest:
        modules.setdefault(one.path, []).append(one)
    heads: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for module in sorted(modules.values(), key=_limits, reverse=True):
        min(heads, key=_limits).extend(module)
    return heads


def _limits(items: list[pytest.Item]) -> float:
    return sum(map(_limit, items))


def _limit(item: pytest.Item) -> float:
    """Its time limit in seconds, where it has one of its own."""
    marker = item.get_closest_marker("timeout")
    return 0.0 if marker is None else float(marker.args[0])


_ran = threading.Thread.run
_beginning = threading.Lock()


def _measured(thread: threading.Thread) -> None:
    """Begin to measure a thread, one after the other: with CPython 3.11, two at once fail.

    `sys.settrace` there runs audit hooks, which may give way to another thread, and must not be
    entered a second time meanwhile.  Hence not by `threading.settrace`.
    """
    if _hook is not None:
        with _beginning:
            _hook(sys._getframe(), "call", None)
    _ran(thread)


threading.Thread.run = _measured  # type: ignore[assignment, method-assign]
_hook: Any = None
"""By which coverage begins in a thread; None where nothing is measured."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Threads are measured in our own way.

    Programs that a ``no_cover`` test starts aren't: each would load coverage, too.
    """
    global _hook  # noqa: PLW0603 - threads have nowhere else to look
    quiet = item.get_closest_marker("no_cover") is not None
    if threading.gettrace() is not None:
        _hook = threading.gettrace()  # of coverage, which may have begun anew
        threading.settrace(None)
    if not quiet or _MEASURED not in os.environ:
        return (yield)
    words = os.environ.pop(_MEASURED)
    hook, _hook = _hook, None
    try:
        return (yield)
    finally:
        os.environ[_MEASURED], _hook = words, hook


@pytest.hookimpl(wrapper=True, trylast=True)  # within pytest-cov's
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """``no_cover`` under pytest-xdist: each worker has a second measurement, which goes on.

    It is the one for programs that tests start, and pytest-cov only pauses its own.
    """
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    traced = sys.gettrace()
    with _beginning:
        sys.settrace(None)
    try:
        return (yield)
    finally:
        with _beginning:
            sys.settrace(traced)
