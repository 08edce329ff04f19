"""Whether the clock can be believed: what it shows is compared with what can't be later than now.

A host whose clock is behind takes what it sees now for old, once the clock is put right: the wait
would seem to have begun days ago.  An observation under such a clock is not remembered.  A clock
that was put right since the last observation, in the same boot, leaves times that are moved as far
as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from danebot.domain.rollover.memory import Awaiting, Deployment, Memory, OwnerMemory, Reading
from danebot.domain.text import when

if TYPE_CHECKING:
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.propagation import Observations

SKEW = timedelta(hours=1)
"""What is no evidence: the default margin covers it, and CAs and signers antedate by as much."""


class Evidence(NamedTuple):
    """Something that was made ``at`` a time, so that it can't be earlier now; ``what`` in words."""

    at: datetime
    what: str

    def __str__(self) -> str:
        return f"{self.what}, {when(self.at)}"


def evidences(state: LineageState, observations: Observations) -> Iterator[Evidence]:
    """What others dated: certificates (RFC 5280) and signatures in DNS (RFC 4034 section 3.1.5).

    What servers show is not validated; whoever forges it can make danebot wait, and no more.
    """
    for held in (state.live, state.combo, state.staged):
        if held is not None:
            yield Evidence(held.chain.not_before, f"the certificate of {state.name} begins later")
    for owner, observation in observations.items():
        signed = observation.answer.signed_since
        if observation.answer.secure and signed is not None:
            yield Evidence(signed, f"the signature of {owner}'s records was made later")
        for server in observation.all_servers:  # a resolver's cache may show older ones
            if server.signed_since is not None:
                words = f"{server.server} shows a later signature at {owner}"
                yield Evidence(server.signed_since, words)


def behind(state: LineageState, observations: Observations, now: datetime) -> Evidence | None:
    """The strongest evidence that it is later than the clock says; None if there is none."""
    found = [one for one in evidences(state, observations) if one.at > now + SKEW]
    return max(found, default=None)


def put_right(memory: Memory, reading: Reading | None) -> Memory:
    """The memory with its times moved as far as the clock was put forward since it was written.

    A clock that was put back needs nothing here: times in the future count as now.  Without a
    ``reading`` of the same boot nothing can be told.
    """
    old = memory.clock
    if reading is None:
        return memory
    memory = replace(memory, clock=reading)
    if old is None or old.boot != reading.boot:
        return memory
    by = (reading.at - old.at) - (reading.uptime - old.uptime)
    return _moved(memory, by) if by > SKEW else memory


def _moved(memory: Memory, by: timedelta) -> Memory:
    awaiting = _moved_wait(memory.awaiting, by) if memory.awaiting is not None else None
    owners = {name: _moved_owner(owner, by) for name, owner in memory.owners.items()}
    deployed = memory.deployment
    deployed = _moved_probes(deployed, by) if deployed is not None else None
    return replace(memory, owners=owners, awaiting=awaiting, deployment=deployed)


def _moved_wait(awaiting: Awaiting, by: timedelta) -> Awaiting:
    return awaiting._replace(
        since=awaiting.since + by,
        unseen_at=_later(awaiting.unseen_at, by),
        served_since=_later(awaiting.served_since, by),
        lagged_at=_later(awaiting.lagged_at, by),
        seen_since=_later(awaiting.seen_since, by),
        forgotten_at=_later(awaiting.forgotten_at, by),
        belied_at=_later(awaiting.belied_at, by),
        stood_by_at=_later(awaiting.stood_by_at, by),
    )


def _moved_probes(deployment: Deployment, by: timedelta) -> Deployment:
    return deployment._replace(
        confirmed_at=_later(deployment.confirmed_at, by),
        clear_since=_later(deployment.clear_since, by),
    )


def _moved_owner(owner: OwnerMemory, by: timedelta) -> OwnerMemory:
    return owner._replace(
        sightings=tuple(
            one._replace(first=one.first + by, until=_later(one.until, by))
            for one in owner.sightings
        ),
        old_route_until=_later(owner.old_route_until, by),
        rrsets=tuple(
            one._replace(
                first=one.first + by,
                until=_later(one.until, by),
                left_at=_later(one.left_at, by),
                lagged_at=_later(one.lagged_at, by),
            )
            for one in owner.rrsets
        ),
        watched_since=_later(owner.watched_since, by),
        heard={server: at + by for server, at in owner.heard.items()},
        answered_at=_later(owner.answered_at, by),
    )


def _later(moment: datetime | None, by: timedelta) -> datetime | None:
    return moment + by if moment is not None else None
