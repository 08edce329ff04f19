"""Histories from beginning to end: runs, branches, and the verdict.

A world is played to its end, and then on from some of its runs with other weather, crashes and
times of runs.  Such a branch is a history like any other, most of which was played before: what
needs a rare world and rare weather at once, it finds sooner; what any weather shows, it doesn't.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import NamedTuple

from danebot.domain.rollover.steps.phases import Plan
from domain.builders import REAL, T0, Rules
from sim.dice import begin, past
from sim.history import History, Runs
from sim.keeping import Keep, kept
from sim.operator import LONG, Trouble
from sim.outcome import Feature, Outcome
from sim.story import Tell, brief, describe
from sim.world import DAY, HORIZON, HOUR, LONG_HORIZON

MOST_LOOKS = 60
_LONGEST_PAUSE = 4 * DAY  # where no trouble makes it longer
BRANCHES = 8
"""So many histories have a world in common, and all that happened in it up to some run."""


class Pace(NamedTuple):
    """How long after each other runs come, in seconds, and when the history is over."""

    pause: int
    longest: int
    last: int
    looks: int


class Moment(NamedTuple):
    """A history as a run is about to begin."""

    history: History
    pace: Pace
    now: int


@dataclass(frozen=True, slots=True)
class Game:
    """What comes first in a history that has begun, and until when its plans wait."""

    opening: Callable[[History], None]
    until: Callable[[Plan], datetime | None]


def _newkey(history: History) -> None:
    history.watch(past(history))
    history.make_key(history.urgency)


def _safe_at(plan: Plan) -> datetime | None:
    return plan.safe.at if plan.safe is not None else None


NEWKEY = Game(_newkey, _safe_at)


def simulate(
    seed: int,
    rules: Rules = REAL,
    tell: Tell | None = None,
    *,
    branch: int = 0,
    without: Iterable[int] = (),
    keep: Keep = Keep.RESULTS,
    runs: Runs | None = None,
) -> Outcome:
    """Play one history to its end; ``tell`` gets a line for each run.

    The changes of its world that are named in ``without`` never happen: see `sim.shrink`.
    """
    history = begin(seed, rules, runs)
    history.leave_out(without)
    return played(history, NEWKEY, tell, branch=branch, keep=keep)


def branches(seed: int) -> Iterator[Outcome]:
    """Play all histories of one world."""
    return all_played(begin(seed), NEWKEY)


def played(history: History, game: Game, tell: Tell | None, *, branch: int, keep: Keep) -> Outcome:
    """One that has begun, or that ``branch`` of it; 0 is itself."""
    lines: list[str] = []
    if tell is not None:
        history.tell = lines.append
        describe(history.world, lines.append)
        history.lines = len(lines)
    with kept(keep, history.eyes):
        moments = _trunk(history, game)
        if branch:
            moment = _forked(moments, history.seed, branch)
            history = moment.history
            lines[history.lines :] = ["from here on the dice are others"]
            history.tell = lines.append if tell is not None else None
            _play(moment, game)
    if tell is not None:
        for words in lines:
            tell(words)
    return _outcome(history, branch)


def all_played(history: History, game: Game) -> Iterator[Outcome]:
    """One that has begun, and its branches."""
    with kept(Keep.RESULTS, history.eyes):
        moments = _trunk(history, game)
        yield _outcome(history, 0)
        for branch in range(1, BRANCHES):
            moment = _forked(moments, history.seed, branch)
            _play(moment, game)
            yield _outcome(moment.history, branch)


def _trunk(history: History, game: Game) -> list[Moment]:
    game.opening(history)
    moments: list[Moment] = []
    _play(Moment(history, _pace(history), 0), game, moments.append)
    return moments


def _forked(moments: list[Moment], seed: int, branch: int) -> Moment:
    """The history at one of its runs, rather late than early, with dice of its own."""
    rng, count = Random(f"{seed}.{branch}"), len(moments)
    moment = moments[max(rng.randrange(count), rng.randrange(count))]
    return moment._replace(history=moment.history.fork(rng))


def _outcome(history: History, branch: int) -> Outcome:
    stale = history.stale()
    return Outcome(
        history.seed,
        history.deployed,
        stale,
        frozenset(history.features),
        history.looks,
        history.zone.spoiled,
        branch,
        history.kept_back,
    )


def _play(moment: Moment, game: Game, note: Callable[[Moment], None] = lambda _: None) -> None:
    """Runs at random times, and right when the plan says that what it waits for is over."""
    history, pace, now = moment
    while history.deployed is None and history.looks < pace.looks and now < pace.last:
        note(Moment(history.fork(history.rng), pace, now))
        now = _next_run(history, pace, game, now)


def _pace(history: History) -> Pace:
    long = bool(history.troubles & LONG)
    pause = history.rng.choice((DAY, 2 * DAY) if long else (6 * HOUR, DAY, 2 * DAY))
    last = 2 * LONG_HORIZON if long else 3 * HORIZON
    if history.runs is Runs.ANY_TIME:
        return Pace(pause, 0, last, MOST_LOOKS)
    calm = not history.eyes.silence and history.eyes.flaky is None
    longest = _LONGEST_PAUSE if calm else DAY  # or all would be too long without a word
    return Pace(pause, longest, last, MOST_LOOKS // 2)


def _next_run(history: History, pace: Pace, game: Game, now: int) -> int:
    """One run, and when the next one comes."""
    rng = history.rng
    start, end = history.window
    pause = 1 + int(rng.expovariate(1 / pace.pause))
    following = now + pause
    now, plan = history.run(now)
    if plan is not None and history.tell is not None:
        history.say(now, brief(plan))
    safe = game.until(plan) if plan is not None else None
    soonest = int((safe - T0).total_seconds()) if safe is not None else now
    jumps = safe is not None and rng.random() < 0.8
    if history.runs is Runs.AFTER_CHANGES and (jumps or soonest <= now):
        new = history.eyes.something_new(now) + pause
        following = max(following, min(new, now + pace.longest))
    if jumps:
        soonest += rng.choice((0, 1, 30))
        if now < soonest and (soonest < following or rng.random() < 0.3):
            following = soonest
    following = min(following, now + _LONGEST_PAUSE)
    stop = next((stop for stop in history.stops if now < stop < following), None)
    if stop is not None:
        following = stop
    elif start <= now < end and Trouble.GAP in history.troubles:
        history.happens(now, Feature.GAP)
        following = end
    return max(following, now + 1)
