"""Keys that were to become current and were cancelled, until nobody shows a record of them.

The rollover ends at once: the key is kept aside and nothing waits for it.  Its records are wanted
no longer, so they go as those of past keys do, and until they are gone the key isn't forgotten: a
key whose record may have been published is never destroyed before that is retired.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.memory import CancelledKey, Memory
from danebot.domain.rollover.records.publication import OwnedRecord, Publication, cancelled_records
from danebot.domain.rollover.records.retirement import everybody_heard, shown_at
from danebot.domain.text import quoted

if TYPE_CHECKING:
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.evidence.propagation import Observations


_ARRIVES = timedelta(hours=1)  # a change on its way to the servers


def cancelling(memory: Memory, state: LineageState, now: datetime) -> CancelledKey | None:
    """The entry for the key on its way; None where the key is unknown.

    Where its file can't be read, what was remembered of it counts.
    """
    key, awaiting = state.awaited_key, memory.awaiting
    until = now + _ARRIVES if memory.publishing.changed_at is not None else None
    if key is not None:
        return CancelledKey(key.digest, now, key.spki, until)
    if state.awaited is None or awaiting is None:
        return None
    return CancelledKey(awaiting.digest, now, awaiting.spki, until)


def cancelled(memory: Memory, key: CancelledKey | None) -> Memory:
    """The memory without the rollover, and with the key whose records are to go.

    So are those of keys that were lost.
    """
    lost = tuple(one._replace(at=key.at if key is not None else one.at) for one in memory.lost)
    gone = [*lost, *([] if key is None else [key])]
    digests = {one.digest for one in gone}
    known = [one for one in memory.cancelled if one.digest not in digests]
    return memory._replace(
        awaiting=None,
        promotion_failure=None,
        request=None,
        cancelled=(*known, *gone),
        lost=(),
    )


def taken_back(memory: Memory, digest: bytes) -> Memory:
    """The memory without a cancelled key that is to be used after all."""
    left = tuple(one for one in memory.cancelled if one.digest != digest)
    return memory._replace(cancelled=left)


def forget_cancelled(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    """Forget cancelled keys whose records nobody shows any more, once everybody was heard."""
    if not memory.cancelled or state.required is None:
        return memory
    if not everybody_heard(state, observations):
        return memory
    left = tuple(
        one
        for one in memory.cancelled
        if any(still_shown(one, state, observations)) or (one.until is not None and now < one.until)
    )
    return memory._replace(cancelled=left)


def still_shown(
    key: CancelledKey, state: LineageState, observations: Observations
) -> Iterator[OwnedRecord]:
    """Yield the records of a key that anybody shows."""
    for one in sorted(cancelled_records(state, [key])):
        if one.record in shown_at(one.owner, observations):
            yield one


def _still_there(key: CancelledKey, shown: list[OwnedRecord]) -> str:
    if not shown:
        return (
            f"a cancelled key's records may be published, as not all servers answer: "
            f"{key.digest.hex()}"
        )
    many = "a cancelled key's record is" if len(shown) == 1 else "a cancelled key's records are"
    return f"{many} still published: {', '.join(map(str, shown))}"


def to_be_gone(
    state: LineageState,
    memory: Memory,
    observations: Observations,
    found: Publication,
    *,
    policy: Policy,
    now: datetime,
) -> Iterator[Finding]:
    """Yield what is to be said of cancelled keys whose records are, or may be, there."""
    for key in memory.cancelled:
        shown = [*still_shown(key, state, observations)]
        removable = cancelled_records(state, [key]).intersection(one.bare for one in found.remove)
        late = now - key.at > policy.staged_warning
        remedy = "it is forgotten once every server is seen without"
        if removable:
            remedy = f"remove what this prints: danebot tlsa {quoted(state.name)}"
        yield Finding(
            Code.CANCELLING,
            Severity.WARNING if late and shown else Severity.NOTICE,
            state.name,
            _still_there(key, shown),
            remedy,
        )
