"""Whether the clock can be believed: what it shows is compared with what can't be later than now.

A host whose clock is behind takes what it sees now for old, once the clock is put right: the wait
would seem to have begun days ago.  Of an observation under such a clock is remembered what may be
cached of it, and what it finds lacking; it is no part of the wait.  A clock
that was put right since one in the same boot leaves times that are moved as far as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.rollover.evidence.dates import RECKONABLE, moved
from danebot.domain.rollover.evidence.memory import Failure, Memory, Reading
from danebot.domain.text import when
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.propagation import Observations

_JITTER = timedelta(seconds=1)  # between two clocks that are read one after the other
SKEW = timedelta(hours=1)
"""What is no evidence: the default margin covers it, and CAs and signers antedate by as much."""


class Evidence(NamedTuple):
    """Something that was made ``at`` a time, so that it can't be earlier now; ``what`` in words."""

    at: datetime
    what: str

    def __str__(self) -> str:
        return f"{self.what}, {when(self.at)}"


def evidences(state: LineageState, observations: Observations, end: datetime) -> Iterator[Evidence]:
    """What others dated after ``end``: certificates (RFC 5280), signatures (RFC 4034 3.1.5).

    What servers show is not validated; an answer that is forged can make danebot wait, and no more.
    """
    for held in (state.live, state.combo, state.staged):
        if held is not None and held.chain.not_before > end:
            yield Evidence(held.chain.not_before, f"the certificate of {state.name} begins later")
    for owner, observation in observations.items():
        signed = observation.answer.signed_since
        if observation.answer.secure and signed is not None and signed > end:
            yield Evidence(signed, f"the signature of {owner}'s records was made later")
        for server in observation.all_servers:  # a resolver's cache may show older ones
            if server.signed_since is not None and server.signed_since > end:
                words = f"{server.server} shows a later signature at {owner}"
                yield Evidence(server.signed_since, words)


def behind(state: LineageState, observations: Observations, now: datetime) -> Evidence | None:
    """The strongest evidence that it is later than the clock says; None if there is none."""
    return max(evidences(state, observations, now + SKEW), default=None)


def put_right(memory: Memory, reading: Reading | None) -> Memory:
    """The memory with its times moved as far as the clock was put forward since they were written.

    Small steps add up: the reading by which the clock was most behind stays for comparison, until
    it has been put forward by more than `SKEW`.  What was dated before the clock went wrong is
    moved, too: that costs waiting time.  Of a clock that was put back all that was dated too late
    costs no more than that, too, but for when servers were heard, which is moved back: else a gap
    would seem shorter.  Without a ``reading`` of the same boot nothing can be told.
    """
    old = memory.clock
    if reading is None:
        return memory
    if old is None or old.boot != reading.boot:
        return memory._replace(clock=reading)
    by = (reading.at - old.at) - (reading.uptime - old.uptime)
    if by > SKEW:
        return _moved(memory, by, reading.at)._replace(clock=reading)
    return _put_back(memory, -by)._replace(clock=reading) if by < -_JITTER else memory


def _put_back(memory: Memory, by: timedelta) -> Memory:
    """The memory with servers heard earlier by as much as the clock was put back."""

    def earlier(at: datetime) -> datetime:
        return max(at, RECKONABLE[0] + by) - by

    owners = {
        name: one._replace(
            heard={server: earlier(at) for server, at in one.heard.items()},
            answered_at=one.answered_at and earlier(one.answered_at),
        )
        for name, one in memory.owners.items()
    }
    return memory._replace(owners=owners)


def _moved(memory: Memory, by: timedelta, now: datetime) -> Memory:
    """The memory with all its times moved; those of what was tried are none of the future.

    Else an attempt from before the clock went wrong would count as none until then.  When servers
    were heard stays: moved from before the clock went wrong, it would make a gap shorter.
    """
    later = moved(memory, by)
    owners = {
        name: one._replace(
            heard=memory.owners[name].heard, answered_at=memory.owners[name].answered_at
        )
        for name, one in later.owners.items()
    }
    failed = later.publishing.failure
    return later._replace(
        owners=owners,
        contacts=tuple(one._replace(at=min(one.at, now)) for one in later.contacts),
        promotion_failure=_past(later.promotion_failure, now),
        renewal_failure=_past(later.renewal_failure, now),
        publishing=later.publishing._replace(failure=_past(failed, now)),
    )


def _past(failed: Failure | None, now: datetime) -> Failure | None:
    if failed is None:
        return None
    return failed._replace(first=min(failed.first, now), last=min(failed.last, now))
