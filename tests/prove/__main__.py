"""The promises shown rather than claimed: see docs/proof.md.

python -m prove [--minutes M] [--seed N] [--part NAME]...     (``tests`` on PYTHONPATH)
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import click

from prove import (
    crash_points,
    fleet,
    histories,
    load,
    long_run,
    parsers,
    power_cuts,
    programs,
    small_worlds,
    together,
)
from prove.part import Budget, Part, Row

PARTS = (
    small_worlds.PART,
    histories.PART,
    programs.CLAUSES,
    programs.MUTANTS,
    parsers.PART,
    crash_points.PART,
    power_cuts.PART,
    together.PART,
    long_run.PART,
    load.PART,
    fleet.PART,
)
_WORK = 0.9  # of a part's time; in the rest it ends
_ASKED, _KILLED = 12, 18  # seconds beyond its own after which a part is interrupted, and killed


class Lane(NamedTuple):
    """Parts that run one after the other, and how many processors they have."""

    parts: list[Part]
    cores: int

    @property
    def share(self) -> float:
        """Of all its parts."""
        return sum(part.share for part in self.parts)


def main() -> int:
    """Exit status 1 if anything wasn't as promised; then it is told below the table."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="make prove", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="for all parts together")
    parser.add_argument("--seed", type=int, help="what is by chance; told, so that it can be again")
    parser.add_argument("--part", action="append", choices=names, help="this one alone")
    parser.add_argument("--here", type=int, metavar="CORES", help=argparse.SUPPRESS)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it
    signal.signal(signal.SIGTERM, _interrupt if options.here else signal.default_int_handler)
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    chosen = [part for part in PARTS if options.part is None or part.name in options.part]
    seconds = options.minutes * 60
    if options.here:
        for row in chosen[0].run(Budget.of(seconds, seed, options.here)):
            click.echo(json.dumps(row))
        return 0
    click.echo(f"seed {seed}: the same again with SEED={seed}")
    began = time.monotonic()
    rows = all_of(chosen, Budget.of(seconds, seed))
    table(rows)
    click.echo(f"{(time.monotonic() - began) / 60:.1f} minutes, seed {seed}")
    return int(any(row.broken for row in rows))


def _interrupt(*_: object) -> None:
    """As a part's end from outside: those who work for it are waited for, so they end as well."""
    os.killpg(0, signal.SIGINT)


def all_of(parts: list[Part], budget: Budget) -> list[Row]:
    """Run parts beside each other; if this is interrupted, so are they."""
    processors = lanes(parts, len(os.sched_getaffinity(0)))
    running: set[int] = set()
    with ThreadPoolExecutor(len(processors)) as pool:
        try:
            ran = list(pool.map(lambda lane: dict(along(lane, budget, running)), processors))
        except KeyboardInterrupt:
            for group in running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGINT)
            os._exit(130)  # the threads would go on to the next part
    found = {name: rows for lane in ran for name, rows in lane.items()}
    return [row for part in parts for row in found[part.name]]


def lanes(parts: list[Part], cores: int) -> list[Lane]:
    """As many as there are processors, or parts; each with about as much to do as the others."""
    count = min(cores, len(parts))
    made = [Lane([], cores // count) for _ in range(count)]
    for part in sorted(parts, key=lambda part: -part.share):
        min(made, key=lambda lane: lane.share).parts.append(part)
    return made


def along(lane: Lane, budget: Budget, running: set[int]) -> Iterator[tuple[str, list[Row]]]:
    """Each part of a lane in a process of its own; what one leaves of its time is for the next."""
    left = lane.share
    for part in lane.parts:
        seconds = budget.left() * part.share / left
        left -= part.share
        click.echo(f"{part.name}: {seconds:.0f} s", err=True)
        yield part.name, apart(part, seconds, budget.seed, lane.cores, running)


def apart(part: Part, seconds: float, seed: int, cores: int, running: set[int]) -> list[Row]:
    """Run a part; whatever becomes of its process, return the rows that it had come to.

    ``running`` has its process group meanwhile.
    """
    command = [sys.executable, "-m", "prove", "--part", part.name, "--seed", str(seed)]
    command += ["--minutes", str(seconds * _WORK / 60), "--here", str(cores)]
    late = threading.Event()
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as noise:
        process = subprocess.Popen(command, stdout=told, stderr=noise, start_new_session=True)
        running.add(process.pid)

        def end(signum: signal.Signals) -> None:
            late.set()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signum)

        after = ((_ASKED, signal.SIGINT), (_KILLED, signal.SIGKILL))
        timers = [threading.Timer(seconds + grace, end, (signum,)) for grace, signum in after]
        for timer in timers:
            timer.start()
        try:
            status = process.wait()
        finally:
            for timer in timers:
                timer.cancel()
            running.discard(process.pid)
            with contextlib.suppress(ProcessLookupError):  # what it left behind
                os.killpg(process.pid, signal.SIGKILL)
        told.seek(0)
        noise.seek(0)
        rows = {row.what: row for row in map(_row, told)}
        words = "\n".join(noise.read().splitlines()[-20:])
    if late.is_set():
        what = f"{part.name}, ended since its time was over"
        rows[what] = Row(what, "what it had come to stands above" if rows else "nothing")
    elif status:
        rows[part.name] = Row(part.name, "it broke off", (words,))
    return list(rows.values())


def _row(line: str) -> Row:
    what, amount, broken = json.loads(line)
    return Row(what, amount, tuple(broken))


def table(rows: list[Row]) -> None:
    """Print what was tried, how much of it, and below it all that was broken."""
    wide = max(len(row.what) for row in rows)
    for row in rows:
        click.echo(f"{row.what:{wide}}  {row.amount}{'  BROKEN' if row.broken else ''}")
    for row in rows:
        for words in row.broken:
            click.echo(f"\n{row.what}: {words}")


if __name__ == "__main__":
    sys.exit(main())
