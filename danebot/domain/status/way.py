"""The way of a rollover, from a key that is made to old records that are gone, as far as known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.status.document import LineageStatus


class Stage(NamedTuple):
    """One step: ``at`` is when it was reached or, of one that isn't, when it is expected.

    None where nobody knows.
    """

    title: str
    at: datetime | None
    reached: bool


_TITLES = (
    *("key made", "seen everywhere", "safe to use", "issued", "live", "confirmed"),
    "old records gone",
)


def way(status: LineageStatus, now: datetime) -> tuple[Stage, ...]:
    """Return all steps of a lineage's rollover, those to come included; () without one.

    Each one counts as reached only if those before it are.
    """
    times: tuple[datetime | None, ...]
    if status.awaiting_since is not None:
        times = (status.awaiting_since, status.seen_since, status.safe_at, None, None, None, None)
        safe = status.safe_at is not None and status.safe_at <= now
        done: tuple[bool, ...] = (True, status.seen_since is not None, safe, _issued(status), False)
    elif status.deployed_at is not None and _brought_a_key(status):
        times = (None, None, None, None, status.deployed_at, status.confirmed_at, status.retire_at)
        done = (True, True, True, True, True, status.confirmed_at is not None, False)
    else:
        return ()
    reached = done.index(False)
    return tuple(
        Stage(title, at if at is None or number < reached or at > now else None, number < reached)
        for number, (title, at) in enumerate(zip(_TITLES, times, strict=True))
    )


def share(stages: tuple[Stage, ...], now: datetime) -> float:
    """Return how far it is from the last step that was reached to the next one, from 0 to 1.

    Where nobody knows when that comes, it is a quarter of the way.
    """
    reached = sum(stage.reached for stage in stages)
    begun, ahead = stages[reached - 1].at, stages[reached].at
    if begun is None or ahead is None or ahead <= begun:  # by a clock that was set back, perhaps
        return 0.25
    return min(max((now - begun) / (ahead - begun), 0.0), 1.0)


def _issued(status: LineageStatus) -> bool:
    """Whether the waiting certificate is one of the key on its way."""
    keys = [key.digest for key in (status.next, status.ready) if key is not None]
    return status.staged is not None and status.staged.key.digest in keys


def _brought_a_key(status: LineageStatus) -> bool:
    """Whether the last deployment was a rollover's, whose old records aren't gone yet."""
    return bool(status.old_keys or status.publication.of_old_keys)


def rolling(status: LineageStatus) -> bool:
    """Return whether a rollover is under way: a key that only stands by makes none."""
    begun = datetime.min.replace(tzinfo=UTC)
    return status.phase != "standby" and bool(way(status, begun))
