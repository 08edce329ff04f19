"""Small worlds (`prove.small`), as deep as the time allows.

python -m prove.small_worlds [--minutes M] [--events N] [--world NAME]     (``tests`` on PYTHONPATH)
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

import click

from prove.part import Budget, Part, Row, counted, keep
from prove.small.search import Search
from prove.small.worlds import WORLDS

MOST_EVENTS = 8
_AGAIN = "PYTHONPATH=tests python -m prove.small_worlds --world {} --events {}"


def _searched(number: int, seconds: float, events: int) -> Row:
    gc.disable()  # states are tuples without a cycle: it would walk all of them, and find nothing
    search, budget = Search(WORLDS[number]), Budget.of(seconds)
    found = search.play(events, budget.over)
    amount = f"{_seen(search, events)}, {counted(search.moves)} moves"
    name = search.small.name
    broken: tuple[str, ...] = ()
    if found is not None:
        lines = [found.promise, *found.timeline]
        again = _AGAIN.format(name, search.depth + 1)
        broken = ("\n".join((f"{keep(f'small-world-{name}', lines)}: {again}", *lines)),)
    return Row(f"small world: {name}", amount, broken)


def _seen(search: Search, events: int) -> str:
    """Which states were visited, and which of them are all that there are."""
    beyond = len(search.states) - search.whole
    if search.exhausted:
        return f"all {counted(search.whole)} states, by any number of events"
    if search.depth < 0:
        return f"{counted(beyond)} states, not even all histories without an event"
    all_of = f"all {counted(search.whole)} states of up to {search.depth} of {events} events"
    return f"{all_of}, {counted(beyond)} of more" if beyond else all_of


def search_all(budget: Budget, events: int = MOST_EVENTS) -> Iterator[Row]:
    """Search each of them; what one doesn't need of its part of the time the others share.

    One begins as soon as another ends; rows come as they are done.
    """
    left = list(range(len(WORLDS)))
    running: set[Future[Row]] = set()
    with ProcessPoolExecutor(budget.cores) as pool:
        while left or running:
            while left and len(running) < budget.cores:
                seconds = budget.left() / -(-len(left) // budget.cores)
                running.add(pool.submit(_searched, left.pop(0), seconds, events))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)


PART = Part("small worlds", 4, search_all)


def main() -> int:
    """Exit status 1 if a promise is broken, with how it came to that."""
    parser = argparse.ArgumentParser(prog="python -m prove.small_worlds", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--events", type=int, default=MOST_EVENTS)
    parser.add_argument("--world", choices=[small.name for small in WORLDS])
    options = parser.parse_args()
    if options.world is None:
        rows = list(search_all(Budget.of(options.minutes * 60), options.events))
    else:
        number = [small.name for small in WORLDS].index(options.world)
        rows = [_searched(number, options.minutes * 60, options.events)]
    for row in rows:
        click.echo(f"{row.what}: {row.amount}")
        for words in row.broken:
            click.echo(words)
    return int(any(row.broken for row in rows))


if __name__ == "__main__":
    sys.exit(main())
