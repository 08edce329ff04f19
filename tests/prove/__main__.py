"""The promises shown rather than claimed: see docs/proof.md.

python -m prove [--minutes M] [--part NAME]...     (``tests`` on PYTHONPATH)
"""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta

import click

from prove import histories, parsers, programs, small_worlds
from prove.part import Row

PARTS = (
    small_worlds.PART,
    histories.PART,
    programs.CLAUSES,
    programs.MUTANTS,
    parsers.PART,
    programs.CRASHES,
    programs.FAULTS,
    programs.LONG,
)


def main() -> int:
    """Exit status 1 if anything wasn't as promised; then it is told below the table."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="make prove", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="for all parts together, about")
    parser.add_argument("--part", action="append", choices=names, help="this one alone")
    options = parser.parse_args()
    chosen = [part for part in PARTS if options.part is None or part.name in options.part]
    shares = sum(part.share for part in chosen)
    rows = []
    for part in chosen:
        click.echo(f"{part.name} …", err=True)
        rows += part.run(timedelta(minutes=options.minutes * part.share / shares))
    table(rows)
    return int(any(row.broken for row in rows))


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
