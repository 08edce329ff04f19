"""A fleet: satellites of a real Icinga are killed, and Prometheus servers share what they probe.

A satellite by chance is killed and started again for as long as the time allows; its services must
go to the other one, and come back, and what belongs to it alone must turn UNKNOWN.  Icinga says so
only once it has run for five minutes.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from monitoring import icinga, plugins
from monitoring.cluster import PINNED, SATELLITES, Cluster, cluster, hosts, lately, moved, shared
from monitoring.feeding import domains, public
from monitoring.test_shards import test_each_target_is_probed_by_one_and_the_sum_has_all as shards
from prove.part import Budget, Part, Row, counted

_KILLED = "satellites killed: the other had their services, and gave them back"
_UNKNOWN = "what belonged to a dead satellite was UNKNOWN"
_SHARDS = "Prometheus servers that share targets: each probed by one, the sum is all"
_STATE = 3
_GRACE = 310.0  # seconds after its start in which Icinga doesn't say that an endpoint is away
_LONGEST = 120.0  # seconds until others have what a dead satellite had
_SHARING = 45.0  # seconds for Prometheus servers that share targets, or else they aren't tried
_ROUND = 40.0  # seconds that a round takes, or else it isn't begun


def _run(budget: Budget) -> Iterator[Row]:
    reason = _missing()
    if reason:
        yield Row("fleet", f"none: {reason}")
        return
    if budget.left() > _SHARING:
        with tempfile.TemporaryDirectory() as directory:
            yield _tried(_SHARDS, lambda: shards(Path(directory)))
    yield from _satellites(budget)


def _missing() -> str:
    """Why the daemons can't run here."""
    absent = [one for one in (icinga.PROGRAM, "prometheus") if shutil.which(one) is None]
    if absent:
        return f"not installed (make deps): {', '.join(absent)}"
    return "" if os.geteuid() == 0 else "only root can give files to nobody"


def _tried(what: str, action: Callable[[], None]) -> Row:
    try:
        action()
    except AssertionError as exc:
        return Row(what, counted(1), (str(exc),))
    return Row(what, counted(1))


def _satellites(budget: Budget) -> Iterator[Row]:
    chance = random.Random(budget.seed)
    killed = unknown = 0
    broken: list[str] = []
    with public() as where, domains() as world:
        refused = plugins.write(where / "bin")
        if refused:
            yield Row(_KILLED, f"none: {refused}")
            return
        with cluster(where / "cluster", where / "bin", hosts(world)) as found:
            if not _until(lambda: shared(found, 0), budget):
                yield Row(_KILLED, "none", ("not all services were fine at the start",))
                return
            started = dict.fromkeys(SATELLITES, time.monotonic())
            while budget.left() > _ROUND and not broken:
                # At first always the same one, until the other is old enough to say UNKNOWN.
                victim = chance.choice(sorted(SATELLITES)) if unknown else "satellite1"
                (other,) = SATELLITES - {victim}
                says = victim == "satellite1" and time.monotonic() - started[other] > _GRACE
                broken += _round(found, victim, other, budget, says=says)
                started[victim] = time.monotonic()
                killed += 1
                unknown += says
                yield Row(_KILLED, counted(killed), tuple(broken))
                yield Row(_UNKNOWN, counted(unknown))


def _round(found: Cluster, victim: str, other: str, budget: Budget, *, says: bool) -> list[str]:
    """Kill, look, start again, look; what wasn't as it should be.

    ``says`` is whether what belongs to the dead one must be UNKNOWN.
    """
    broken = []
    found.kill(victim)
    killed = time.time()
    if not _until(lambda: moved(found, killed, other), budget):
        broken.append(f"{other} did not have all services of {victim}: {lately(found, killed)}")
    if says and not _until(lambda: lately(found, killed).get(PINNED, (0,))[0] == _STATE, budget):
        broken.append(f"{PINNED} was not UNKNOWN: {lately(found, killed)}")
    found.start(victim)
    if not _until(lambda: shared(found, time.time() - 16), budget):
        broken.append(f"{victim} did not have its services back: {lately(found, killed)}")
    return broken


def _until(holds: Callable[[], bool], budget: Budget) -> bool:
    """Whether something came to hold, in time."""
    ends = time.monotonic() + min(_LONGEST, max(budget.left(), 30.0))
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.5)
    return False


PART = Part("fleet", 4, _run)
