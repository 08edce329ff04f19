"""Owners that rely on DANE-TA(2): which record authenticates the live chain."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.dns.tlsa import TlsaRecord, Usage
from danebot.domain.lineage.state import Anchored, Held, LineageState
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.caches import Records
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.propagation import matches_chain
from danebot.domain.rollover.evidence.senders import Senders, senders_to

if TYPE_CHECKING:
    from danebot.domain.rollover.evidence.propagation import Observations


def anchored(
    state: LineageState, memory: Memory, observations: Observations, now: datetime
) -> LineageState:
    """The lineage with the lines of ``dane-ee`` that demand no record of a key set apart.

    Those are of owners where the live chain is authenticated by DANE-TA(2), at the resolver and at
    every server that answers, and where no DANE-EE(3) record of the live key is.  What such an
    owner needs, the gate sees to.  An answer that isn't secure tells nothing: then an owner relies
    on what it did before, as far as no server shows otherwise.
    """
    live, lines = state.serving, state.lines
    if live is None or not lines or state.required is None:
        return state
    relying = {
        owner: _anchor(owner, live, observations.get(owner), memory.anchors.get(owner), now)
        for owner in state.owners
    }
    if not state.anchored and not any(relying.values()):
        return state
    found = [(line, relying.get(line.owner)) for line in lines]
    return state._replace(
        required=tuple(line for line, record in found if record is None),
        anchored=tuple(Anchored(line, record) for line, record in found if record is not None),
    )


def _anchor(
    owner: DnsName,
    live: Held,
    observation: OwnerObservation | None,
    known: TlsaRecord | None,
    now: datetime,
) -> TlsaRecord | None:
    """The DANE-TA record that an owner relies on; None if it doesn't."""
    if observation is not None and observation.answer.secure:
        decides = observation.answer.records
    elif known is not None:
        decides = (known,)
    else:
        return None
    heard = observation.all_answering if observation is not None else ()
    rrsets = {decides, *(server.records for server in heard)}
    if not all(map(_has_anchor, rrsets)):
        return None
    leaf = (record for rrset in rrsets for record in rrset if record.usage == Usage.DANE_EE)
    if any(matches_chain(record, live) for record in leaf):
        return None
    senders = senders_to(owner, live, now)
    anchors = {rrset: matched_anchor(senders, rrset, live) for rrset in rrsets}
    return anchors[decides] if None not in anchors.values() else None


def _has_anchor(rrset: Records) -> bool:
    return any(record.usage == Usage.DANE_TA for record in rrset)


def matched_anchor(senders: Senders, records: Records, live: Held) -> TlsaRecord | None:
    """The DANE-TA record by which those senders authenticate the live chain, if they do."""
    matched = senders.verdict(records, live).matched
    if matched is None or matched.record.usage != Usage.DANE_TA:
        return None
    return matched.record
