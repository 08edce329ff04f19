"""Small worlds (`prove.small`), as deep as the time allows.

python -m prove.small_worlds [--minutes M] [--events N]     (``tests`` on PYTHONPATH)
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import timedelta

import click

from prove.part import Part, Row, counted
from prove.small.search import WORLDS, Search, SmallWorld

MOST_EVENTS = 8


def _searched(small: SmallWorld, seconds: float, events: int) -> Row:
    search, ends = Search(small), time.monotonic() + seconds
    found = search.play(events, lambda: time.monotonic() > ends)
    whole = f"all histories of up to {search.depth} events"
    amount = (
        f"{counted(len(search.states))} states, {counted(search.moves)} moves, "
        f"{whole if search.depth >= 0 else 'not even all histories without an event'}"
    )
    broken = () if found is None else ("\n".join((found.promise, *found.timeline)),)
    return Row(f"small world: {small.name}", amount, broken)


def search_all(budget: timedelta, events: int = MOST_EVENTS) -> list[Row]:
    """Search each of them; what one doesn't need of its part of the time the others share."""
    ends = time.monotonic() + budget.total_seconds()
    return [
        _searched(small, (ends - time.monotonic()) / (len(WORLDS) - number), events)
        for number, small in enumerate(WORLDS)
    ]


PART = Part("small worlds", 4, search_all)


def main() -> int:
    """Exit status 1 if a promise is broken, with how it came to that."""
    parser = argparse.ArgumentParser(prog="python -m prove.small_worlds", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--events", type=int, default=MOST_EVENTS)
    options = parser.parse_args()
    rows = search_all(timedelta(minutes=options.minutes), options.events)
    for row in rows:
        click.echo(f"{row.what}: {row.amount}")
        for words in row.broken:
            click.echo(words)
    return int(any(row.broken for row in rows))


if __name__ == "__main__":
    sys.exit(main())
