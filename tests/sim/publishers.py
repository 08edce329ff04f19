"""Publishers that say they have published: later, at one server less, or something else.

The operator believes what they say; danebot believes what it sees.
"""

from __future__ import annotations

import enum
from dataclasses import replace
from random import Random

from sim.operator import in_turn
from sim.outcome import Feature
from sim.world import DAY, HOUR, Content, RRset, World


class Lie(enum.Enum):
    """What was done in place of what was said."""

    NOTHING = "nothing, for days"
    NOT_HERE = "not at one server"
    ALTERED = "something else"


def publish_falsely(world: World, rng: Random) -> frozenset[Feature]:
    """Make some worlds such, where the awaited record comes after the first look."""
    if rng.random() > 0.15 or not all(_added(row) for row in world.rrsets.values()):
        return frozenset()
    lie, late = rng.choice(tuple(Lie)), rng.randrange(HOUR, 4 * DAY)
    lacking = rng.choice(sorted({address for _, address in world.rrsets}))
    for (target, address), row in world.rrsets.items():
        if lie is not Lie.NOT_HERE or address == lacking:
            told = Content.ALTERED if lie is Lie.ALTERED else None
            world.rrsets[target, address] = list(in_turn(_later(row, late, told)))
    return frozenset({Feature.PUBLISHER})


def _added(row: list[RRset]) -> int:
    """Where in the row the awaited record is first; 0 where it was there before, or never comes."""
    return next((n for n, one in enumerate(row) if one.content is Content.BOTH), 0)


def _later(row: list[RRset], late: int, told: Content | None) -> list[RRset]:
    """The row with what is there in place of the awaited record for so long."""
    at_ = _added(row)
    mended = row[at_].start + late
    instead = [] if told is None else [replace(row[at_], content=told)]
    last = [one for one in row[at_:] if one.start <= mended][-1]
    rest = [one for one in row[at_:] if one.start > mended]
    return [*row[:at_], *instead, replace(last, start=mended), *rest]
