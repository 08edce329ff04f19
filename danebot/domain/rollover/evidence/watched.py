"""The owners that protect: those of ``dane-ee``, and those that it has lost.

A file that is empty, lost, torn or edited says nothing of what it lacks.  A line that was watched
protects on, until its owner is seen without records by everybody and in no cache any more, or until
the operator's word lets it go: ``- OWNER`` or ``- *`` in the file, or a verb.  The owner is what
counts: one that the file still lists, in whatever form, isn't lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import OwnerObservation, Presence
from danebot.domain.dns.tlsa import Declared, Required
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.rollover.evidence.caches import gone_at, past_known_at
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory, Protection

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.evidence.propagation import Observations


def protecting(state: LineageState, memory: Memory) -> LineageState:
    """The lineage with all lines that protect it, as read from the files and remembered.

    Where a line of ``dane-ee`` can't be read, ``required`` stays None, and what can be read or is
    remembered is watched.
    """
    if state.management is Management.PASS_THROUGH:
        return state
    required = state.required
    if required is None:
        lost = tuple(dict.fromkeys((*state.remembered, *_lost(state.remembered, state, memory))))
    else:
        listed = tuple(line for line in required if line not in state.remembered)
        lost = _lost(listed, state, memory)
        required = (*listed, *lost)
    declared = state.declared
    if declared is Declared.NOTHING and _waived(state, memory):
        declared = Declared.WAIVED
    if (required, lost, declared) == (state.required, state.remembered, state.declared):
        return state
    return state._replace(required=required, remembered=lost, declared=declared)


def _lost(listed: Iterable[Required], state: LineageState, memory: Memory) -> tuple[Required, ...]:
    """What is remembered of owners that are neither listed nor let go."""
    if state.declared is Declared.NO_RECORDS:
        return ()
    before = memory.awaiting.lines if memory.awaiting is not None else ()
    told = state.let_go.union(line.owner for line in listed)
    return tuple(dict.fromkeys(x for x in (*memory.watched, *before) if x.owner not in told))


def _waived(state: LineageState, memory: Memory) -> bool:
    key, request = state.awaited_key, memory.request
    return (
        key is not None
        and request is not None
        and request.digest == key.digest
        and request.protection is Protection.WAIVED
    )


def remember_watched(memory: Memory, state: LineageState) -> Memory:
    """The memory with all lines of a readable ``dane-ee``, and those that it has lost."""
    if state.required is None or state.management is Management.PASS_THROUGH:
        return memory
    lost = _lost(state.lines, state, memory)
    watched = tuple(dict.fromkeys((*state.lines, *lost)))
    return memory if watched == memory.watched else memory._replace(watched=watched)


def let_go(memory: Memory, owners: Iterable[DnsName]) -> Memory:
    """The memory without ``owners``: by the operator's word, or since nothing is left there."""
    gone = frozenset(owners)
    awaiting = memory.awaiting
    if awaiting is not None:
        awaiting = awaiting._replace(lines=tuple(x for x in awaiting.lines if x.owner not in gone))
    return memory._replace(
        owners={name: one for name, one in memory.owners.items() if name not in gone},
        awaiting=awaiting,
        watched=tuple(line for line in memory.watched if line.owner not in gone),
        asked=tuple(owner for owner in memory.asked if owner not in gone),
    )


def fade(state: LineageState, observations: Observations) -> LineageState:
    """The lineage with those lines set apart that the file has lost and where no record is left.

    They demand none there, or a record that somebody has removed would be asked for again; what
    caches may still hold of it, the gate sees to.
    """
    fading = tuple(
        line
        for line in state.remembered
        if line.owner in observations and without_records(observations[line.owner])
    )
    if not fading or state.required is None:
        return state
    return state._replace(
        required=tuple(line for line in state.required if line not in fading),
        remembered=tuple(line for line in state.remembered if line not in fading),
        fading=fading,
    )


def let_go_of_gone(
    memory: Memory, state: LineageState, policy: Policy, now: datetime
) -> tuple[Memory, LineageState]:
    """Let go of fading owners of which no cache can hold a record any more.

    ``memory`` must already hold this observation.
    """
    gone = {
        line.owner
        for line in state.fading
        if _out_of_caches(memory.owners.get(line.owner, OwnerMemory()), policy, now)
    }
    if not gone:
        return memory, state
    left = tuple(line for line in state.fading if line.owner not in gone)
    return let_go(memory, gone), state._replace(fading=left)


def without_records(observation: OwnerObservation) -> bool:
    """Whether a secure answer and every authoritative server say that there is no record."""
    absent = observation.answer.presence not in (Presence.PRESENT, Presence.UNKNOWN)
    if not observation.answer.secure or not absent or not observation.heard_all:
        return False
    return not any(server.records for server in observation.all_answering)


def _out_of_caches(owner: OwnerMemory, policy: Policy, now: datetime) -> bool:
    """Whether no cache has a record of an owner, from before it was first looked at neither."""
    ends = [gone_at(sighting, owner, policy) for sighting in owner.rrsets]
    return all(end is not None and end <= now for end in (*ends, past_known_at(owner, policy)))
