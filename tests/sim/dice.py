"""The dice for one history: its world, the policy, the weather, and what danebot saw before."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from danebot.domain.rollover.evidence.memory import Urgency
from danebot.domain.rollover.evidence.policy import Policy
from domain.builders import REAL, Rules, line, state
from sim.eyes import OWNERS, Eyes, Resolver, routes
from sim.history import History, Runs
from sim.operator import MODEST, Operator, Trouble, operator, stale_glue
from sim.outcome import Feature
from sim.publishers import publish_falsely
from sim.shared import plain, shared
from sim.world import DAY, HOUR, MINUTE
from sim.zones import add_zones

_MAIN = (*Trouble, *[None] * 6)
KINDS = len(_MAIN)
"""Seeds that differ by this are of one kind."""


def troubled(seed: int, rng: Random) -> frozenset[Trouble]:
    """One trouble by the seed, none in some histories; now and then another beside it."""
    main = _MAIN[seed % len(_MAIN)]
    if main is None:
        return frozenset()
    found = {trouble for trouble in Trouble if rng.random() < 0.05}
    return frozenset({main, *found})


_OLD_LINES = {Trouble.BACKUP, Trouble.LINES_LOST}


def begin(seed: int, rules: Rules = REAL, runs: Runs | None = None) -> History:
    """Roll the dice for the world, the policy and the weather."""
    rng = Random(seed)
    troubles = troubled(seed, rng)
    darkness = rng.random() < (0.15 if troubles else 0.3)
    blind = darkness and rng.random() < 0.4
    if blind:  # nobody can see them
        troubles -= {Trouble.MOVES, Trouble.SILENCE}
    drawn = operator(rng, troubles, dark=darkness)
    owners = rng.choice((1, 1, 2)) if Trouble.LINES_LOST not in troubles else 2
    made = Trouble.WILDCARD in troubles
    zone = plain(rules, wildcard=made)
    if Trouble.SHARED in troubles:
        zone = shared(rules, rng, wildcard=made)
    world = drawn.make_world(owners)
    jitter = rng.choice((0, 0, 20 * MINUTE))
    min_wait = rng.choice(drawn.ranges.min_waits)
    if blind:  # it alone counts then
        min_wait = max(MODEST.min_waits)
    margin = timedelta(hours=1) if jitter else timedelta(seconds=rng.choice((0, HOUR)))
    urgent = not jitter and rng.random() < 0.2  # clocks that waver are what the margin is for
    if urgent:
        min_wait, margin = 2 * DAY, timedelta(hours=1)
    late_line = owners == 2 and rng.random() < 0.3 and troubles.isdisjoint(_OLD_LINES)
    known = owners - 1 if late_line else owners
    lost = Trouble.LINES_LOST in troubles
    eyes = Eyes(
        world,
        rng,
        Resolver(world, rng),
        routes(world),
        zone.records,
        blind,
        rng.choice((0.1, 0.4)) if darkness else 0.0,
        1 if rng.random() < 0.2 else None,
    )
    history = History(
        seed,
        rules,
        rng,
        world,
        troubles,
        Policy(min_wait=timedelta(seconds=min_wait), margin=margin),
        jitter,
        state(*(line(owner, zone.mtype) for owner in OWNERS[:known])),
        zone,
        eyes,
        told=list(range(known)),
        urgency=Urgency.EMERGENCY if urgent else Urgency.ORDINARY,
        added_line=rng.randrange(5 * DAY) if late_line else None,
        lines_lost=rng.randrange(3 * DAY) if lost else None,
        window=drawn.window or (0, 0),
        stops=_stops(drawn),
        runs=runs or _runs(seed),
    )
    if Trouble.CLOCK in troubles:
        start = rng.choice((0, 0, 0, history.window[0] - 1))
        by = rng.choice((rng.randrange(DAY, 5 * DAY), rng.randrange(DAY, 20 * DAY)))
        history.boots = by > DAY + 3 * HOUR and rng.random() < 0.5
        if history.boots:  # or nothing would tell of it
            eyes.resolver.resign = DAY
        history.behind = (start, history.window[0] + 1, by)
    _outside(history)
    for feature, there in (
        (Feature.BLIND, blind),
        (Feature.NO_MIN_WAIT, min_wait == 0),
        (Feature.EMERGENCY, urgent),
        (Feature.ALIASES, any(len(spans) > 1 for spans in world.aliases)),
        (Feature.NEW_SERVERS, any(len(spans) > 1 for spans in world.delegations.values())),
        (Feature.STALE_GLUE, stale_glue(world)),
        (Feature.SHARED, Trouble.SHARED in troubles),
        (Feature.WILDCARD, Trouble.WILDCARD in troubles),
        (Feature.BOGUS, bool(eyes.bogus[1])),
        (Feature.CAME_BACK, Trouble.SILENCE in troubles),
    ):
        if there:
            history.features.add(feature)
    return history


def _outside(history: History) -> None:
    """What happens to the zone's chain of trust and to the CA, by dice of its own."""
    rng = Random(f"{history.seed} outside")
    if history.runs is Runs.ANY_TIME:
        return
    if rng.random() < 0.15:
        start = rng.choice((rng.randrange(DAY), rng.randrange(5 * DAY)))
        history.eyes.bogus = start, start + rng.choice((HOUR, DAY, 4 * DAY, 8 * DAY))
    if not history.eyes.blind:
        history.features |= add_zones(history.world, Random(f"{history.seed} servers"))
        history.features |= publish_falsely(history.world, Random(f"{history.seed} publisher"))
        history.eyes.routes = routes(history.world)
    if rng.random() < 0.3:
        start = rng.randrange(6 * DAY)
        history.outage = start, start + rng.choice((DAY, 7 * DAY, 14 * DAY))


def _runs(seed: int) -> Runs:
    """In three histories of four, no run comes that would see what the last one saw."""
    return Runs.AFTER_CHANGES if seed // KINDS % 4 else Runs.ANY_TIME


def _stops(drawn: Operator) -> tuple[int, ...]:
    """When runs are sure to come: as the window begins, and soon after its end."""
    if drawn.window is None:
        return ()
    start, end = drawn.window
    return start, end + 6 * HOUR


def past(history: History) -> tuple[int, ...]:
    """The looks before the key was made; none where that is the first."""
    if Trouble.LOWERED in history.troubles or history.rng.random() < 0.3:
        return ()
    history.features.add(Feature.WATCHED)
    days = (10, 7, 4, 1) if history.runs is Runs.ANY_TIME else (8, 4)
    return tuple(-day * DAY for day in days)
