"""Histories by the million, by hand (with ``tests`` on PYTHONPATH).

python -m sim [--worlds N] [--first SEED] [--jobs N]     play them, and count what they held
python -m sim --show SEED [--branch N] [--without N,N]   one history, a line for each run
python -m sim --shrink SEED [--branch N]                 what it needs, of one that breaks P1
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import click

from sim.outcome import Feature, Outcome
from sim.play import branches, simulate
from sim.shrink import changes_of, shrunk
from sim.story import conclude

_PART = 100


def main() -> int:
    """Exit status 1 if any cache could still hold an answer without the served key."""
    parser = argparse.ArgumentParser(prog="python -m sim", description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--show", type=int, metavar="SEED")
    parser.add_argument("--shrink", type=int, metavar="SEED")
    parser.add_argument("--branch", type=int, default=0)
    parser.add_argument("--without", type=_numbers, default=(), metavar="NUMBERS")
    options = parser.parse_args()
    if options.shrink is not None:
        options.show = options.shrink
        options.without = shrunk(
            lambda without: simulate(options.show, branch=options.branch, without=without),
            changes_of(options.show),
        )
        click.echo(f"without {','.join(map(str, options.without))}")
    if options.show is not None:
        chosen = {"branch": options.branch, "without": options.without}
        conclude(simulate(options.show, tell=click.echo, **chosen), click.echo)
        return 0
    features: Counter[Feature] = Counter()
    broken = 0
    count = 0
    for part in _parts(options.first, options.worlds, options.jobs):
        for outcome in part:
            count += 1
            features.update(outcome.features)
            if outcome.broken:
                broken += 1
                click.echo(f"P1 broken: -m sim --shrink {outcome.seed} --branch {outcome.branch}")
    for feature in Feature:
        click.echo(f"{features[feature]:>9} {feature.value}")
    last = options.first + options.worlds - 1
    click.echo(f"{count} histories, seeds {options.first} to {last}: {broken} broke P1")
    return 1 if broken else 0


def _parts(first: int, count: int, jobs: int) -> Iterator[list[Outcome]]:
    starts = range(first, first + count, _PART)
    ends = (min(start + _PART, first + count) for start in starts)
    with ProcessPoolExecutor(jobs, initializer=gc.disable) as pool:  # histories make no cycles
        yield from pool.map(_play, starts, ends)


def _play(start: int, end: int) -> list[Outcome]:
    return [outcome for seed in range(start, end) for outcome in branches(seed)]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.split(",") if one)


if __name__ == "__main__":
    sys.exit(main())
