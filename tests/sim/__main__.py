"""Histories by the million, by hand (with ``tests`` on PYTHONPATH).

python -m sim [--histories N] [--first SEED] [--jobs N]     play them, and count what they held
python -m sim --show SEED                                   one of them, a line for each run
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
from sim.play import simulate
from sim.story import conclude

_PART = 1000


def main() -> int:
    """Exit status 1 if any cache could still hold an answer without the served key."""
    parser = argparse.ArgumentParser(prog="python -m sim", description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--show", type=int, metavar="SEED")
    options = parser.parse_args()
    if options.show is not None:
        conclude(simulate(options.show, tell=click.echo), click.echo)
        return 0
    features: Counter[Feature] = Counter()
    broken = 0
    for part in _parts(options.first, options.histories, options.jobs):
        for outcome in part:
            features.update(outcome.features)
            if outcome.broken:
                broken += 1
                click.echo(f"P1 broken: python -m sim --show {outcome.seed}")
    for feature in Feature:
        click.echo(f"{features[feature]:>9} {feature.value}")
    last = options.first + options.histories - 1
    click.echo(f"{options.histories} histories, seeds {options.first} to {last}: {broken} broke P1")
    return 1 if broken else 0


def _parts(first: int, count: int, jobs: int) -> Iterator[list[Outcome]]:
    starts = range(first, first + count, _PART)
    ends = (min(start + _PART, first + count) for start in starts)
    with ProcessPoolExecutor(jobs, initializer=gc.disable) as pool:  # histories make no cycles
        yield from pool.map(_play, starts, ends)


def _play(start: int, end: int) -> list[Outcome]:
    return [simulate(seed) for seed in range(start, end)]


if __name__ == "__main__":
    sys.exit(main())
