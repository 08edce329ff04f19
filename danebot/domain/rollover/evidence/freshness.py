"""Whether a memory is worth writing: when somebody was last heard changes at every observation.

An idle run writes nothing: what it would add says the same an hour later.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory, Reading

OFTEN = timedelta(hours=1)
"""How much older what is kept may be than what was seen: little beside `LONGEST_GAP`."""


def as_good(old: Memory, new: Memory) -> bool:
    """Whether ``old`` says all that ``new`` does, but for when who was last heard, by an hour."""
    if old == new:
        return True
    if old.owners.keys() != new.owners.keys() or not _same_clock(old.clock, new.clock):
        return False
    pairs = [(old.owners[name], one) for name, one in new.owners.items()]
    if not all(_as_good(before, after) for before, after in pairs):
        return False
    return new._replace(owners=old.owners, clock=old.clock) == old


def _as_good(old: OwnerMemory, new: OwnerMemory) -> bool:
    if old.heard.keys() != new.heard.keys():
        return False
    times = [(old.heard[server], at) for server, at in new.heard.items()]
    if not all(_close(before, after) for before, after in times):
        return False
    if old.answered_at != new.answered_at and not _close(old.answered_at, new.answered_at):
        return False
    return new._replace(heard=old.heard, answered_at=old.answered_at) == old


def _same_clock(old: Reading | None, new: Reading | None) -> bool:
    """Whether the later reading tells nothing that the former won't tell as well, later on."""
    if old is None or new is None:
        return old is new
    return old.boot == new.boot and _close(old.at, new.at)


def _close(old: datetime | None, new: datetime | None) -> bool:
    return old is not None and new is not None and timedelta(0) <= new - old < OFTEN
