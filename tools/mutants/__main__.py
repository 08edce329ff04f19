"""Tries small wrong edits of danebot's rules, and prints those that no fast test notices.

Run as ``make mutants ROOM=rollover``.  What is in `equivalent_mutants.txt` makes no difference that
anybody could observe, and is left out.  What is in `surviving_mutants.txt` no test notices yet: it
is tried, and counted, but turns nothing red; what is new has to be noticed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from mutants.edits import Mutant, enums, mutants
from mutants.trial import KILLED, SURVIVED, UNDECIDED, UNREACHED, Trial

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = ROOT / "danebot" / "domain"
TESTS = (
    "domain",
    *("adapters/test_authorities.py", "checks/test_check_danebot.py", "checks/test_recheck.py"),
    "verbs/test_record.py",
)
_ROUND = 12  # mutants of one module after another, where time is short
EQUIVALENT = ROOT / "tests" / "domain" / "equivalent_mutants.txt"
SURVIVING = ROOT / "tests" / "domain" / "surviving_mutants.txt"


def main() -> int:
    """Return 1 if a mutant survives that isn't known to, or tests are missing."""
    begun, options = time.monotonic(), _options()
    every, files = _files(None), _files(options.room)
    members = enums(every)
    made = [one for path in every for one in mutants(path, members)]
    equivalent, surviving = _listed(EQUIVALENT), _listed(SURVIVING)
    for path, names in (
        (EQUIVALENT, equivalent.difference(one.name for one in made)),
        (SURVIVING, surviving.difference(map(_full_name, made))),
    ):
        for name in sorted(names):
            print(f"{path.name}: there is no such mutant any more: {name}")
    chosen = [one for one in made if one.path in files and one.name not in equivalent]
    if options.surviving:
        chosen = [one for one in chosen if _full_name(one) in surviving]
    if options.sample is not None and options.sample < len(chosen):
        picked = random.Random(options.seed).sample(range(len(chosen)), options.sample)  # noqa: S311
        chosen = [chosen[number] for number in sorted(picked)]
    if options.seconds is not None:
        chosen = _in_turn(chosen, random.Random(options.seed))  # noqa: S311
    kept = ROOT / "build" / "mutants.json"
    trial = Trial(
        *(chosen, DOMAIN, kept, options.slow, options.limit, options.workers),
        told=partial(_tell, surviving),
        ends=None if options.seconds is None else begun + options.seconds,
    )
    arguments = ["-q", "-s", "-p", "no:cacheprovider", "--hypothesis-seed=0", f"--rootdir={ROOT}"]
    tests = (str(ROOT / "tests" / name) for name in TESTS)
    status = pytest.main([*arguments, *tests], plugins=[trial])
    tally = Counter(trial.outcomes.values())
    left = tally[SURVIVED] + tally[UNREACHED]
    if options.seconds is None:
        left = len(chosen) - tally[KILLED]
    known = sum(
        outcome in (SURVIVED, UNREACHED) and _full_name(chosen[number]) in surviving
        for number, outcome in trial.outcomes.items()
    )
    if status:
        print(f"not all tests could be had: pytest ended with {status}")
    print(
        f"{len(trial.outcomes)} of {len(chosen)} mutants tried: {tally[KILLED]} killed, "
        f"{left - known} left{f', {tally[UNDECIDED]} undecided' if tally[UNDECIDED] else ''}, "
        f"{known} known to survive; {len(equivalent)} more explained"
    )
    return int(left > known or bool(status))


def _in_turn(made: list[Mutant], dice: random.Random) -> list[Mutant]:
    """Some of each module, the modules and their mutants in an order by chance; then some more."""
    modules: dict[Path, list[Mutant]] = {one.path: [] for one in made}
    for one in made:
        modules[one.path].append(one)
    shuffled = [dice.sample(modules[path], len(modules[path])) for path in modules]
    dice.shuffle(shuffled)
    return [
        one
        for first in range(0, max(map(len, shuffled), default=0), _ROUND)
        for inside in shuffled
        for one in inside[first : first + _ROUND]
    ]


def _full_name(one: Mutant) -> str:
    return f"{one.path.relative_to(DOMAIN)}: {one.name}"


def _tell(surviving: frozenset[str], one: Mutant, outcome: str) -> None:
    if (_full_name(one) in surviving) is (outcome == KILLED):
        at = f"{one.path.relative_to(ROOT)}:{one.line}"
        print(f"{at}: {one.name}  [{outcome}]", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--room", action="append", help="a folder or module of danebot/domain")
    parser.add_argument("--surviving", action="store_true", help=f"those of {SURVIVING.name} alone")
    parser.add_argument("--sample", type=int, help="try only so many")
    parser.add_argument("--seconds", type=float, help="as many as there is time for, by chance")
    parser.add_argument("--seed", type=int, default=0, help="for the choice of these")
    parser.add_argument("--slow", type=float, default=1.0, help="seconds; slower tests don't run")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one mutant")
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def _files(rooms: list[str] | None) -> list[Path]:
    """The files of some rooms, or all; ends the program where there is no such room."""
    files = sorted(DOMAIN.rglob("*.py"))
    if rooms is None:
        return files
    found = []
    for room in rooms:
        inside = [path for path in files if room.removesuffix(".py") in _rooms(path)]
        if not inside:
            sys.exit(f"{room} is no folder or module of {DOMAIN.relative_to(ROOT)}")
        found += inside
    return list(dict.fromkeys(found))


def _rooms(path: Path) -> tuple[str, ...]:
    """The names of a module, and the folders that it is in."""
    place = path.relative_to(DOMAIN).with_suffix("")
    return (place.name, str(place), *map(str, place.parents))


def _listed(path: Path) -> frozenset[str]:
    """The names of listed mutants; a line may have the reason after `` # ``."""
    if not path.exists():
        return frozenset()
    lines = path.read_text().splitlines()
    return frozenset(line.partition("  # ")[0] for line in lines if line and line[0] != "#")


if __name__ == "__main__":
    sys.exit(main())
