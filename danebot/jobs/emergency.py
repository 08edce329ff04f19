"""`danebot newkey --emergency`: the current key is compromised, so its successor is wanted soonest.

The request is remembered, and `renew` acts upon it: the successor is the key that is on its way, or
a new one; it is used when no cache that obeys TTLs lacks its records, or at once if the operator
accepts that mail is refused meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from danebot.adapters.tree.memory_file import recall, save_memory
from danebot.adapters.tree.recovery import recover
from danebot.domain.event import Event, EventKind
from danebot.domain.rollover.evidence.memory import Request, Revocation, Urgency
from danebot.domain.rollover.evidence.schedule import requested
from danebot.domain.rollover.findings.unprotected import ways_out
from danebot.domain.rollover.records.adoption import judged_beside
from danebot.domain.rollover.records.compromise import insist
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.rollover.steps.safe_time import emergency_wait
from danebot.errors import RolloverError
from danebot.jobs.next_key import add_key, managed
from danebot.jobs.observing import observe_dns, read_lineage, remembered

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.jobs.context import Context


@dataclass(frozen=True, slots=True)
class Successor:
    """The key that is to replace the compromised one; None where it has yet to be made.

    ``wait`` is how long caches may lack its records once every authoritative server has them, or
    the rest of it; None where nobody knows.
    """

    key: PublicKey | None
    wait: timedelta | None


def find_successor(context: Context, name: str, urgency: Urgency) -> Successor:
    """What `request_successor` would choose, or raise; nothing is changed."""
    managed(context, name)
    state, memory = read_lineage(context, name)
    seen = observe_dns(context, [state])
    _refuse_unwatched(state, urgency, seen, context.clock())
    memory = remember(memory, state, seen, context.clock())
    wait = emergency_wait(state, memory, context.settings.policy(name), context.clock())
    return Successor(state.awaited_key, wait)


def _refuse_unwatched(
    state: LineageState, urgency: Urgency, seen: Observations, now: datetime
) -> None:
    if urgency is not Urgency.MISMATCH_ACCEPTED and not state.lines and not state.exempt:
        there, remedy = ways_out(state.name, judged_beside(state, seen, now))
        raise RolloverError(
            f"{state.name} watches no TLSA owner, so nobody knows which records rely on the "
            f"current key{there}; {remedy}"
        )


def request_successor(
    context: Context, name: str, urgency: Urgency, revocation: Revocation
) -> Successor:
    """Choose or make the successor and remember that it is wanted; the caller holds the locks.

    Asked again, the more urgent request counts.  Raises `RolloverError` when the key on its way or
    the list of owners is unusable.
    """
    paths = managed(context, name)
    recover(context.tree, name)
    state, _ = read_lineage(context, name)
    if state.required is None or (state.awaited is not None and state.awaited_key is None):
        raise RolloverError(f"{'; '.join(state.faults)}; correct that first")
    seen = observe_dns(context, [state])
    _refuse_unwatched(state, urgency, seen, context.clock())
    key = state.awaited_key or add_key(context, state, seen)
    state, memory = read_lineage(context, name)
    memory = remember(memory, state, seen, context.clock())
    request = Request(key.digest, context.clock(), urgency, revocation)
    earlier = requested(memory, key)
    if earlier is not None:
        if earlier.urgency is Urgency.MISMATCH_ACCEPTED:
            request = request._replace(urgency=earlier.urgency)
        if earlier.revocation is Revocation.WANTED:
            request = request._replace(revocation=earlier.revocation)
        request = request._replace(protection=earlier.protection)
    wanted = memory._replace(request=request, promotion_failure=None)
    save_memory(paths, recall(paths)[0], wanted)
    text = f"the current key is compromised; {key.digest.hex()} is to replace it"
    context.record(Event(context.clock(), EventKind.EMERGENCY, name, text))
    wait = emergency_wait(state, memory, context.settings.policy(name), context.clock())
    return Successor(key, wait)


def insist_on(context: Context, name: str) -> None:
    """Remember that a compromised key's records may go, though not every service was reached.

    The caller holds the locks.  Raises `RolloverError` where no compromised key is on its way out.
    """
    paths = managed(context, name)
    old = remembered(context, name)
    new = insist(old, context.clock())
    if new == old:
        raise RolloverError(f"{name} has no compromised key that was replaced; nothing was changed")
    save_memory(paths, old, new)
