"""Services that come under watch when nothing is deployed: a line was added, or probing turned on.

What was confirmed before says nothing of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from danebot.domain.lineage.state import Management
from danebot.domain.names import service_at
from danebot.domain.rollover.evidence.memory import Occurrence
from danebot.domain.rollover.records.retirement import deployment_of, found_instead

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.rollover.evidence.memory import Deployment, Memory
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.domain.rollover.steps.refusals import Refusal


def unasked(memory: Memory, state: LineageState) -> bool:
    """Whether a service is watched that was never found to serve anything, or not since it came.

    Or all of them, where what is live came there since by another way than danebot's.
    """
    new = (owner for owner in state.owners if owner not in memory.asked)
    if state.management is not Management.STAGED:
        return False
    return any(map(service_at, new)) or came_by_itself(memory, state)


def shown_already(memory: Memory, state: LineageState) -> bool:
    """Whether danebot deployed what is live, and every service was there to be shown it."""
    from danebot.domain.rollover.steps.served import passed_gate

    live = state.serving
    return live is not None and passed_gate(memory, live) and not unasked(memory, state)


def came_by_itself(memory: Memory, state: LineageState) -> bool:
    """Whether another chain is live than was deployed, and that one isn't on its way."""
    live, staged, last = state.serving, state.staged, memory.deployment
    chains = (one.chain.fingerprint for one in (live, staged) if one is not None)
    return last is not None and last.chain not in chains


def refused_reload(
    state: LineageState,
    observations: Observations,
    memory: Memory,
    *,
    policy: Policy,
    now: datetime,
) -> Refusal | None:
    """Why hooks must not have services serve what is live; None if they may.

    What danebot itself deployed has passed the gate for that, but not for a service that came
    since.  ``memory`` must already hold the observations.
    """
    if shown_already(memory, state):
        return None
    from danebot.domain.rollover.steps.reload import refused_live

    return refused_live(state, observations, memory, policy=policy, now=now)


def to_be_asked(
    memory: Memory,
    state: LineageState,
    observations: Observations,
    *,
    policy: Policy,
    now: datetime,
) -> Memory:
    """The memory with what is live unconfirmed, where a service is `unasked` whether it has it.

    It stays confirmed where its records refuse what danebot deployed: hooks would have it show
    that, and the mismatch is told; but no record is to go before that service was asked.
    ``memory`` must already hold the observations.
    """
    asked = tuple(owner for owner in memory.asked if owner in state.owners)
    if asked != memory.asked:
        memory = memory._replace(asked=asked)
    live = state.serving
    if live is None or not unasked(memory, state):
        return memory
    from danebot.domain.rollover.steps.reload import refused_live
    from danebot.domain.rollover.steps.served import passed_gate

    last = deployment_of(memory, live, now)._replace(clear_since=None, cleared_at=None)
    if came_by_itself(memory, state):
        last = found_instead(last, live)
    if passed_gate(memory, live):
        refused = refused_live(state, observations, memory, policy=policy, now=now)
        return (
            memory._replace(deployment=last) if refused is not None else _unconfirmed(memory, last)
        )
    return _unconfirmed(memory, last)


def disproved(memory: Memory, live: Held, now: datetime) -> Memory:
    """The memory once a service wasn't seen to serve what is ``live``, whoever deployed that.

    It is as if that had come by itself: a backup was put in its place, say.  No record is to go.
    """
    last = found_instead(deployment_of(memory, live, now), live)
    last = last._replace(origin=Occurrence.FOUND, clear_since=None, cleared_at=None)
    return _unconfirmed(memory, last)


def _unconfirmed(memory: Memory, last: Deployment) -> Memory:
    return memory._replace(deployment=last._replace(confirmed_at=None))
