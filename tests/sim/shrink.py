"""A broken history with less in it: what changes of its world it needs, found by leaving them out.

The dice stay as they are.  What is left out is named by numbers, so that `simulate` plays the same
again: a history that was shrunk is a regression in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from domain.builders import REAL, Rules
from sim.dice import begin
from sim.outcome import Outcome

Play = Callable[[frozenset[int]], Outcome]


def shrunk(play: Play, changes: Iterable[int]) -> tuple[int, ...]:
    """The changes without which ``play`` still breaks a promise, as many as can be left out.

    Half of them at once at first, one at a time in the end.
    """
    left, without = list(changes), frozenset[int]()
    size = max(len(left) // 2, 1)
    while left:
        for start in range(0, len(left), size):
            tried = without.union(left[start : start + size])
            if play(tried).broken:
                without = tried
        left = [one for one in left if one not in without]
        if size == 1:
            break
        size = max(size // 2, 1)
    return tuple(sorted(without))


def changes_of(seed: int, rules: Rules = REAL) -> range:
    """The numbers of the changes that may be left out of the world of a history.

    None where nobody can ask the servers: there all of them must have the same, soon enough.
    """
    history = begin(seed, rules)
    return range(0 if history.eyes.blind else history.leave_out(()))
