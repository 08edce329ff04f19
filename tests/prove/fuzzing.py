"""Octets for a parser, by the hundred thousand; guided by coverage where atheris is installed.

python -m prove.fuzzing NAME [--seconds S] [--runs N] [--seed N] [--own] [--file FILE]

Each input is bounded in time, and all of them together in memory.  What is a fault is told once for
each place, in a line, with a file that shows it again.  Without atheris, or with ``--own``, sound
octets are made odd by chance (`prove.mutations`).  The status is 1 if there was a fault.
``tests`` must be on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from danebot.errors import DanebotError

if TYPE_CHECKING:
    from prove.wire import Wire

_KEPT = Path(__file__).resolve().parents[2] / "build" / "hostile"
_ENDLESS = 10.0  # seconds of CPU after which it is interrupted
_TRACED = 10  # times as much is allowed while coverage watches each line
_GROWTH = 64  # MiB of memory, from the tenth part of the inputs on
_LIMIT = 1024  # MiB, where libFuzzer keeps what it found in the same process
_LONGEST = 20_000  # octets of an input


class Found(NamedTuple):
    """A fault: what came, where, the file with the octets, and whose reader it was."""

    what: str
    where: str
    file: str
    wire: str

    def __str__(self) -> str:
        again = f"PYTHONPATH=.:tests python -m prove.fuzzing '{self.wire}' --file {self.file}"
        return f"{self.what} at {self.where}: {again}"


class EndlessError(BaseException):
    """An input that goes on and on; no `Exception`, lest somebody take it for one of theirs."""


class Guard:
    """Reads inputs, and collects what is wrong with that."""

    def __init__(self, name: str, wire: Wire) -> None:
        self.name = name
        self.runs = 0
        self.found: dict[tuple[str, str], Found] = {}
        self._read = wire.read
        traced = 1 if sys.gettrace() is None else _TRACED
        self._bound, self._endless = wire.bound * traced, _ENDLESS * traced
        signal.signal(signal.SIGVTALRM, _interrupt)

    def __call__(self, data: bytes) -> None:
        """Read one; whatever comes of it, no more than a note."""
        self.runs += 1
        signal.setitimer(signal.ITIMER_VIRTUAL, self._endless)
        began = time.process_time()
        try:
            self._read(data)
        except DanebotError:
            pass
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as exc:  # noqa: BLE001 - a panic of a library in Rust is no Exception
            self._note(f"{type(exc).__name__}: {exc}"[:300], _place(exc), data)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if time.process_time() - began > self._bound:
            self._note("takes too long", "", data)

    def _note(self, what: str, where: str, data: bytes) -> None:
        key = (what.partition(":")[0], where)
        if key in self.found:
            return
        _KEPT.mkdir(parents=True, exist_ok=True)
        file = _KEPT / f"{re.sub('[^a-z0-9]+', '-', self.name.lower())}-{zlib.crc32(data):08x}"
        file.write_bytes(data)
        self.found[key] = Found(what, where, str(file), self.name)
        print(json.dumps(str(self.found[key])), flush=True)  # noqa: T201 - for `Hunter`


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise EndlessError("goes on and on")


def _place(exc: BaseException) -> str:
    """The last line of danebot's own, or of the reader beside it."""
    frames = traceback.extract_tb(exc.__traceback__)
    own = [frame for frame in frames if "/danebot" in frame.filename]
    last = (own or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


# ---- by chance -------------------------------------------------------------------------------


def odd(wire: Wire, dice: random.Random) -> bytes:
    """One of the sound inputs, made odd."""
    return wire.mutate(dice, dice.choice(wire.seeds))[:_LONGEST]


def by_chance(wire: Wire, guard: Guard, runs: int, seconds: float = 1e9, first: int = 0) -> None:
    """Try until there were so many or time is up; the same numbers give the same inputs."""
    ends = time.monotonic() + seconds
    for seed in wire.seeds:
        guard(seed)
    resident, warm = 0, max(runs // 10, 1)
    for number in range(runs):
        guard(odd(wire, random.Random(first + number)))
        if number == warm:
            resident = _resident()
        if time.monotonic() > ends:
            break
    if resident and _resident() - resident > _GROWTH:
        guard.found["growth", ""] = Found(
            f"{_resident() - resident} MiB more", "", "memory", guard.name
        )


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


# ---- guided by coverage ------------------------------------------------------------------------


def _guided(name: str, runs: int, seconds: float, first: int) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with watched():
        wire = wire_of(name)
    guard = Guard(name, wire)

    def mutated(data: bytes, longest: int, seed: int) -> bytes:
        """Every second time by the table of what is known to hurt, and by the format's own form."""
        if seed % 2:
            dice = random.Random(seed)
            try:
                return wire.mutate(dice, data)[:longest]
            except Exception:  # noqa: BLE001, S110 - what was made odd before may have no form
                pass
        made: bytes = atheris.Mutate(data, longest)
        return made

    corpus = Path(tempfile.mkdtemp(prefix="danebot-corpus."))  # removed with its parent
    for number, seed in enumerate(wire.seeds):
        (corpus / f"{number}").write_bytes(seed)
    options = [
        *(f"-runs={runs}", f"-max_total_time={int(seconds)}", f"-max_len={_LONGEST}"),
        f"-seed={first % 2**32 or 1}",
        *(f"-rss_limit_mb={_LIMIT}", "-print_final_stats=1", "-verbosity=0", "-len_control=0"),
        f"-artifact_prefix={_KEPT}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], guard, custom_mutator=mutated)
    atheris.Fuzz()


@contextmanager
def watched() -> Iterator[None]:
    """What is imported within is watched for coverage, if that can be."""
    if not can_be_guided():
        yield
        return
    import atheris

    with atheris.instrument_imports(include=["danebot", "danebot_exporter"]):
        yield


def wire_of(name: str) -> Wire:
    """What is sent, or what is in a file; what it imports is imported here."""
    from prove.wires import WIRES

    if name in WIRES:
        return WIRES[name]()
    from prove.file_wires import FILES

    return FILES[name]()


def can_be_guided() -> bool:
    """Whether atheris is there."""
    try:
        import atheris  # noqa: F401
    except ImportError:
        return False
    return True


def tried(name: str, runs: int, seconds: float, seed: int, *, own: bool = False) -> int:
    """Try one format; guided by coverage, if that can be and isn't forbidden, the process ends."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    if not own and can_be_guided():
        _guided(name, runs, seconds, seed)
    wire = wire_of(name)
    guard = Guard(name, wire)
    by_chance(wire, guard, runs, seconds, seed * 10**6)
    print(f"number_of_executed_units: {guard.runs}", file=sys.stderr)  # noqa: T201
    return int(bool(guard.found))


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(prog="python -m prove.fuzzing", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--own", action="store_true", help="without atheris")
    parser.add_argument("--file", type=Path, help="this input alone")
    options = parser.parse_args()
    if options.file is None:
        return tried(options.name, options.runs, options.seconds, options.seed, own=options.own)
    guard = Guard(options.name, wire_of(options.name))
    guard(options.file.read_bytes())
    return int(bool(guard.found))


if __name__ == "__main__":
    sys.exit(main())
