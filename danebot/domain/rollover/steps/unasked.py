"""Services that come under watch when nothing is deployed: a line was added, or probing turned on.

What was confirmed before says nothing of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from danebot.domain.lineage.state import Management
from danebot.domain.names import service_at
from danebot.domain.rollover.records.retirement import deployment_of
from danebot.domain.rollover.steps.gate import passed_gate, refused_live

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.memory import Memory
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.evidence.propagation import Observations


def unasked(memory: Memory, state: LineageState) -> bool:
    """Whether a service is watched that was never found to serve anything, or not since it came."""
    new = (owner for owner in state.owners if owner not in memory.asked)
    return state.management is Management.STAGED and any(map(service_at, new))


def to_be_asked(
    memory: Memory,
    state: LineageState,
    observations: Observations,
    *,
    policy: Policy,
    now: datetime,
) -> Memory:
    """The memory with what is live unconfirmed, where a service is `unasked` whether it has it.

    The same memory where its records refuse what danebot deployed: hooks would have it show that,
    and the mismatch is told.  ``memory`` must already hold the observations.
    """
    live = state.serving
    if live is None or not unasked(memory, state):
        return memory
    refused = refused_live(state, observations, memory, policy=policy, now=now) is not None
    if refused and passed_gate(memory, live):
        return memory
    last = deployment_of(memory, live, now)
    last = last._replace(confirmed_at=None, clear_since=None, cleared_at=None)
    return replace(memory, deployment=last)
