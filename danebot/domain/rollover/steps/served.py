"""What services have, as far as danebot knows or has seen, and what they lose by another chain.

They need not have what is live: it may only have been found, they may have come since, or have
missed a reload, and the tree may come from a backup under services that went on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.dane.certificate_types import ALL_TYPES
from danebot.domain.lineage.state import Held
from danebot.domain.names import DnsName, service_at
from danebot.domain.rollover.evidence.caches import (
    gone_at,
    held_until,
    in_force,
    past_known_at,
    seen_gone_at,
)
from danebot.domain.rollover.evidence.memory import Exposure, Memory, Occurrence, OwnerMemory
from danebot.domain.rollover.evidence.senders import senders_to
from danebot.domain.rollover.evidence.unbroken import long_unheard
from danebot.domain.rollover.steps.refusals import led_astray

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.evidence.propagation import Observations


def passed_gate(memory: Memory, live: Held) -> bool:
    """Whether danebot itself deployed a chain, the live one, which the gate let pass for that."""
    last = memory.deployment
    return (
        last is not None
        and last.origin is Occurrence.DEPLOYED
        and last.chain == live.chain.fingerprint
    )


def served_at(owner: DnsName, state: LineageState, memory: Memory, new: Held | None) -> Held | None:
    """What the service at ``owner`` has, as far as danebot knows; None where that isn't known.

    That is what is live, where danebot deployed it.  What was only found live is asked of services:
    while one doesn't serve it, or gave no answer, the records may be those of what it has; so are
    those of a service that came since the others were asked.  A deployment of ``new`` that went no
    further than `Memory` changed nothing.
    """
    live, last = state.serving, memory.deployment
    if live is None or (memory.asked and owner not in memory.asked and service_at(owner)):
        return None
    if last is None or passed_gate(memory, live) or (new is not None and passed_gate(memory, new)):
        return live
    confirmed = last.confirmed_at is not None and last.chain == live.chain.fingerprint
    return live if confirmed else None


def loses_nothing(
    owner: DnsName,
    presented: Sequence[bytes],
    new: Held | PublicKey,
    state: LineageState,
    observations: Observations,
    *,
    memory: Memory,
    policy: Policy,
    now: datetime,
) -> bool:
    """Whether a service that was seen to present a chain (DER, leaf first) can't lose by ``new``.

    That is so where it serves what is live, which the gate judges, or a key that was replaced as
    compromised; where that fails by all that is there now, and ``new`` doesn't; and where each
    RRset that a cache may hold refuses ``new`` to none but those to whom it refuses that chain.
    What a server has that is silent, or nobody looked at, counts until that chain nears its end.
    A key without a chain is taken to be refused by all; it harms nobody where it is served already.
    """
    from danebot.domain.lineage.pem import leaf_spki

    live = state.serving
    if live is None or presented[:1] == live.chain.ders[:1]:
        return live is not None
    spki = leaf_spki(presented[0])
    exposed = {past.spki for past in memory.past_keys if past.exposure is not Exposure.NONE}
    if spki in exposed:
        return True
    if not isinstance(new, Held) and spki == new.spki:
        return True
    seen, known = observations.get(owner), memory.owners.get(owner, OwnerMemory())
    kept = isinstance(new, Held) and _keeps_names(presented, new, now)
    early = _presents_early(presented[0], policy, now)
    gone = gone_at if early or not kept else seen_gone_at
    ends = held_until(known, policy, gone)
    ends |= {records: None for records, _ in in_force(seen)} if seen is not None else {}
    if not kept and early and any(led_astray(owner, known, seen, policy, now)):
        return False
    senders, known_at = senders_to(owner, live, now), past_known_at(known, policy)
    cached = {records for records, until in ends.items() if until is None or now < until}
    past = known_at is None or (now < known_at and (early or not kept))
    if past or (early and long_unheard(known, seen, now)):  # one of them may have been alone
        cached |= {(record,) for records in cached for record in records}
    refused = {one: senders.refusing_presented(one, presented) for one in cached}
    lost = {
        one: senders.refusing(one, new) if isinstance(new, Held) else ALL_TYPES for one in cached
    }
    there = [records for records, until in ends.items() if until is None]
    if there and all(refused[one] == ALL_TYPES and not lost[one] for one in there):
        return True
    return bool(cached) and all(lost[one] <= refused[one] for one in cached)


def _presents_early(leaf: bytes, policy: Policy, now: datetime) -> bool:
    """Whether a presented certificate (DER) is far from its end; so is what can't be read."""
    from danebot.domain.dane.certificate import read

    certificate = read(leaf)
    facts = certificate.facts if certificate is not None else None
    if facts is None:
        return True
    lifetime = facts.not_after - facts.not_before
    return now < facts.not_after - lifetime * policy.expiry_warning


def _keeps_names(presented: Sequence[bytes], new: Held, now: datetime) -> bool:
    """Whether ``new`` has the key and issuers of a chain (DER, leaf first) that is presented."""
    from danebot.domain.dane.path import keeps_issuers
    from danebot.domain.lineage.pem import leaf_spki

    same_key = leaf_spki(presented[0]) == new.key.spki
    return same_key and keeps_issuers(presented, new.chain.ders, now)
