"""Runs mutants in one warm process: each in a fork of its own, with the tests that reach it.

A function's code is exchanged where it is, so that whoever imported it has the mutant; a constant
of a module is exchanged in every module that has it.  Which tests reach a line is measured first.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import inspect
import json
import math
import os
import re
import resource
import signal
import sys
import time
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    import pytest

    from mutants.edits import Mutant

KILLED, SURVIVED, UNREACHED = "killed", "survived", "no test reaches it"
UNDECIDED = "its own room's tests don't notice it, and there was no time for others"
Files = dict[Path, list["pytest.Item"]]
Known = dict[str, Any]  # of each file: see `_measure`
Measured = tuple[float, dict[str, list[int]]]  # seconds, and the lines of each file
_UNENDED = 3  # the exit status of one for which there was no time
_EXITS = {0: SURVIVED, 1: KILLED, 2: UNREACHED}


@dataclass
class Trial:
    """The plugin: takes pytest's loop over, and tries the mutants instead.

    ``slow`` is how many seconds a test may take to be among those that are run, and ``limit`` how
    many a mutant has before it counts as killed, for it doesn't end.
    ``ends`` is when all of it must end (`time.monotonic`): see `_in_time`.
    """

    mutants: Sequence[Mutant]
    domain: Path
    kept: Path
    slow: float
    limit: float
    workers: int
    told: Callable[[Mutant, str], None]
    ends: float | None = None
    outcomes: dict[int, str] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    reached: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    _slow: list[str] = field(default_factory=list)
    _good: dict[Path, list[pytest.Item]] = field(default_factory=dict)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all tests once; then run each mutant."""
        files: dict[Path, list[pytest.Item]] = {}
        for item in session.items:
            files.setdefault(item.path, []).append(item)
        known = json.loads(self.kept.read_text()) if self.kept.exists() else {}
        if self.ends is None:
            self._measure(files, known, math.inf)
            self._run(range(len(self.mutants)), math.inf)
        else:
            self._in_time(files, known, self.ends)
        self.kept.parent.mkdir(exist_ok=True)
        self.kept.write_text(json.dumps(known))
        if self.ends is not None:
            for number, outcome in self.outcomes.items():
                self.told(self.mutants[number], outcome)
        return True

    def _in_time(self, files: Files, known: Known, ends: float) -> None:
        """As many mutants, from the first on, as there is time for; a room's tests come first.

        The others' lines are measured, and tried with what is left, once half of the time is over.
        """
        half, number, count = (time.monotonic() + ends) / 2, 0, len(self.mutants)
        while number < count and time.monotonic() < half:
            mutant = self.mutants[number]
            near = {path: inside for path, inside in files.items() if _near(mutant, path)}
            self._measure(near, known, ends)
            several = [
                n
                for n in range(number, min(number + self.workers, count))
                if self.mutants[n].path == mutant.path
            ]
            self._run(several, ends)
            number += len(several)
        again = [n for n, outcome in self.outcomes.items() if outcome != KILLED]
        self.outcomes.update(dict.fromkeys(again, UNDECIDED))
        if self._measure(files, known, ends):
            self._run(again, ends)
            self._run(range(number, count), ends)
        if self._slow:  # on a busy machine: one of these might have noticed
            left = [n for n, outcome in self.outcomes.items() if outcome != KILLED]
            self.outcomes.update(dict.fromkeys(left, UNDECIDED))

    def _run(self, numbers: Iterable[int], ends: float) -> None:
        """Try mutants with all tests that are measured."""
        gc.collect()
        gc.freeze()  # what children leave alone isn't copied
        items = [item for inside in self._good.values() for item in inside]
        running: dict[int, int] = {}
        for number in numbers:
            if time.monotonic() >= ends:
                break
            chosen = self._chosen(self.mutants[number], items)
            if len(running) >= self.workers:
                self._collect(running)
            running[self._start(self.mutants[number], chosen, ends)] = number
        while running:
            self._collect(running)

    def _measure(self, files: Files, known: Known, ends: float) -> bool:
        """Find the tests that pass in time; how long they take and what they reach is ``known``.

        Return whether there was time for all of them.
        """
        for path, inside in files.items():
            if path in self._good:
                continue
            if not _holds(path, known.get(str(path), {})):
                tests = {}
                for item in inside:
                    if time.monotonic() >= ends:
                        return False
                    tests[item.nodeid] = self._measured(item)
                reached = {str(path), *(file for one in tests.values() if one for file in one[1])}
                known[str(path)] = {"of": {file: _digest(file) for file in reached}, "tests": tests}
            for item in inside:
                self._take(item, known[str(path)]["tests"].get(item.nodeid))
            self._good[path] = [item for item in inside if item.nodeid in self.durations]
        return True

    def _measured(self, item: pytest.Item) -> Measured | None:
        """How long a test takes, and the lines that it reaches; None if it is slow, or fails."""
        domain = ["*/danebot/domain/*"]
        import coverage

        measured = coverage.Coverage(data_file=None, include=domain, config_file=False)
        measured.set_option("run:disable_warnings", ["no-data-collected"])  # no rule is reached
        _forget()  # what another test had brought about
        begun = time.perf_counter()
        measured.start()
        _limit(3 * self.slow, _too_slow)  # measuring takes its time
        passed = _passes(item)
        _limit(0, signal.SIG_IGN)
        measured.stop()
        if not passed:
            print(f"left out, since it fails or is slow: {item.nodeid}")
            return None
        data = measured.get_data()
        lines = {file: data.lines(file) or [] for file in data.measured_files()}
        return time.perf_counter() - begun, lines

    def _take(self, item: pytest.Item, measured: Measured | None) -> None:
        if measured is None:
            self._slow.append(item.nodeid)
            return
        self.durations[item.nodeid], reached = measured
        for file, lines in reached.items():
            for line in lines:
                self.reached.setdefault((file, line), set()).add(item.nodeid)

    def _chosen(self, mutant: Mutant, items: Iterable[pytest.Item]) -> list[pytest.Item]:
        """The tests that reach a mutant, its own room's first, and the fastest before others."""
        if mutant.where:
            lines = range(mutant.line, mutant.last + 1)
            reaching = [self.reached.get((str(mutant.path), line), ()) for line in lines]
            tests = set().union(*reaching)
        else:  # a constant of the module: whoever reaches a file that names it
            files = {str(path) for path in self.domain.rglob("*.py") if _mentions(path, mutant)}
            tests = set().union(*(who for at, who in self.reached.items() if at[0] in files))
            tests |= {item.nodeid for item in items if _mentions(item.path, mutant)}

        def order(item: pytest.Item) -> tuple[bool, float]:
            return not _near(mutant, item.path), self.durations[item.nodeid]

        return sorted((item for item in items if item.nodeid in tests), key=order)

    def _start(self, mutant: Mutant, items: Sequence[pytest.Item], ends: float) -> int:
        child = os.fork()
        if child:
            return child
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        _limit(self.limit, lambda *_: os._exit(1))
        if (left := ends - time.monotonic()) < 10 * self.limit:
            signal.signal(signal.SIGALRM, lambda *_: os._exit(_UNENDED))
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.01))
        os._exit(_try(mutant, items))

    def _collect(self, running: dict[int, int]) -> None:
        child, status = os.wait()
        number = running.pop(child, None)
        code = os.waitstatus_to_exitcode(status)
        if number is not None and code != _UNENDED:
            self.outcomes[number] = _EXITS.get(code, KILLED)
            if self.ends is None:  # nothing else will become of it
                self.told(self.mutants[number], self.outcomes[number])


def _near(mutant: Mutant, path: Path) -> bool:
    """Whether a file has tests of a mutant's own room."""
    rooms = {mutant.path.stem, mutant.path.parent.name}
    return bool(rooms & {path.stem.removeprefix("test_"), path.parent.name})


def _mentions(path: Path, mutant: Mutant) -> bool:
    """Whether a file has the name of the constant that a mutant changes."""
    return any(name in _words(path) for name in mutant.constants)


@functools.cache
def _words(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", path.read_text()))


def _holds(path: Path, measured: dict[str, dict[str, str]]) -> bool:
    """Whether neither a test file nor what its tests reach has changed since they were measured."""
    of = measured.get("of", {})
    return str(path) in of and all(_digest(file) == digest for file, digest in of.items())


@functools.cache
def _digest(file: str) -> str | None:
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _limit(seconds: float, handler: Callable[..., None] | signal.Handlers) -> None:
    """Call ``handler`` after so much of the processor's time, since a busy machine is no fault."""
    for signum, timer, span in (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds),
        (signal.SIGALRM, signal.ITIMER_REAL, 10 * seconds),  # whoever waits takes none
    ):
        signal.signal(signum, handler)
        signal.setitimer(timer, span)


def _too_slow(*_: object) -> None:
    raise TimeoutError


def _try(mutant: Mutant, items: Sequence[pytest.Item]) -> int:
    if not items:
        return 2
    try:
        apply(mutant)
    except Exception:  # noqa: BLE001 - a module's constant that can't be made
        return 1
    for at, item in enumerate(items):
        if not _passes(item, items[at + 1] if at + 1 < len(items) else None):
            return 1
    return 0


def _passes(item: pytest.Item, following: pytest.Item | None = None) -> bool:
    reports = runtestprotocol(item, log=False, nextitem=following)
    return not any(report.failed for report in reports)


def apply(mutant: Mutant) -> None:
    """Put a mutant in the place of what is loaded."""
    module = next(m for m in list(sys.modules.values()) if _file(m) == mutant.path)
    code = mutant.compiled()
    if mutant.where:
        function = _function(module, mutant.where.split("."))
        function.__code__ = _code(code, mutant.where)
    else:
        _exchange_constants(module, code)
    _forget()


def _forget() -> None:
    """Empty the caches of danebot's functions."""
    for loaded in list(sys.modules.values()):
        if loaded.__name__.startswith("danebot."):
            for value in list(vars(loaded).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _file(module: types.ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file) if file else None


def _function(module: types.ModuleType, names: Sequence[str]) -> types.FunctionType:
    found: object = module
    for name in names:
        found = inspect.getattr_static(found, name)
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, functools.cached_property):
        found = found.func
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    found = inspect.unwrap(found) if callable(found) else found
    return cast("types.FunctionType", found)


def _code(module: types.CodeType, where: str) -> types.CodeType:
    todo = [module]
    while todo:
        code = todo.pop()
        if code.co_qualname == where:
            return code
        todo += [one for one in code.co_consts if isinstance(one, types.CodeType)]
    raise LookupError(where)


def _exchange_constants(module: types.ModuleType, code: types.CodeType) -> None:
    """Run the module again beside itself, and take over its plain values."""
    fresh = {"__name__": module.__name__, "__file__": module.__file__}
    exec(code, fresh)  # noqa: S102 - the project's own source
    for name, old in list(vars(module).items()):
        new = fresh.get(name)
        plain = not isinstance(old, type | types.FunctionType | types.ModuleType)
        if name.startswith("__") or not plain or new is None:
            continue
        for loaded in list(sys.modules.values()):
            if loaded.__name__.startswith("danebot") and vars(loaded).get(name) is old:
                setattr(loaded, name, new)
