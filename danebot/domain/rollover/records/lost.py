"""Keys on their way whose file is gone though nobody took it: their records may be published.

They were removed, renamed or overwritten by hand.  Nothing waits for such a key, but it isn't
forgotten in silence: it is told until its file is back, until the operator cancels it, or until
nobody shows a record of it any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.rollover.evidence.memory import CancelledKey, Memory
from danebot.domain.rollover.records.cancel import still_shown
from danebot.domain.rollover.records.retirement import everybody_heard
from danebot.domain.text import quoted

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.rollover.evidence.propagation import Observations


def missed(memory: Memory, state: LineageState, now: datetime) -> tuple[CancelledKey, ...]:
    """Return the lost keys, that of the wait in ``memory`` among them if ``state`` lacks it."""
    if state.management is not Management.STAGED:
        return memory.lost
    there = set(_digests(memory, state))
    known = tuple(one for one in memory.lost if one.digest not in there)
    awaiting = memory.awaiting
    unreadable = state.awaited is not None and state.awaited_key is None
    if awaiting is None or unreadable or awaiting.digest in there:
        return known
    before = tuple(one for one in known if one.digest != awaiting.digest)
    return (*before, CancelledKey(awaiting.digest, now, awaiting.spki))


def _digests(memory: Memory, state: LineageState) -> Iterator[bytes]:
    """Yield the SPKI digests of all keys that the tree has, and of those that it let go itself."""
    for held in (state.live, state.combo, state.staged):
        if held is not None:
            yield held.chain.key.digest
            yield held.key.digest
    for file in (state.next, state.ready):
        if file is not None and file.key is not None:
            yield file.key.digest
    aside = (one.key for one in (*state.unknown, *state.cancelled))
    yield from (key.digest for key in aside if key is not None)
    yield from (one.digest for one in memory.cancelled)
    if memory.current is not None:
        yield memory.current.digest
    if memory.deployment is not None:
        yield memory.deployment.digest


def forget_lost(memory: Memory, state: LineageState, observations: Observations) -> Memory:
    """Forget lost keys whose records nobody shows any more, once everybody was heard."""
    if not memory.lost or state.required is None or not everybody_heard(state, observations):
        return memory
    left = tuple(one for one in memory.lost if any(still_shown(one, state, observations)))
    return memory._replace(lost=left)


def told_lost(state: LineageState, memory: Memory, observations: Observations) -> Iterator[Finding]:
    """Yield a finding for each lost key: only the operator knows whether it can be had again."""
    for key in memory.lost:
        shown = [*still_shown(key, state, observations)]
        where = f" is published: {shown[0]}" if shown else "s may be published"
        yield Finding(
            Code.FILES_BROKEN,
            Severity.WARNING,
            state.name,
            f"staging/{state.name} has lost the next key {key.digest.hex()}, whose record{where}",
            f"restore nextkey.pem, or give it up: danebot newkey --cancel {quoted(state.name)}",
        )
