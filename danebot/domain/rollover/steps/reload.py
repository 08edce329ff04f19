"""Whether services may begin to serve what is live: a hook has them read it anew."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.dane.certificate_types import CertificateType
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.caches import (
    held_until,
    in_force,
    open_rrsets,
    past_known_at,
)
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory
from danebot.domain.rollover.evidence.senders import senders_to
from danebot.domain.rollover.evidence.unbroken import long_unheard
from danebot.domain.rollover.steps.refusals import (
    Refusal,
    is_early,
    led_astray,
    unheard_long,
    unknown_past,
    worst,
)
from danebot.domain.rollover.steps.served import served_at

if TYPE_CHECKING:
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.evidence.propagation import Observations


def refused_live(
    state: LineageState,
    observations: Observations,
    memory: Memory,
    *,
    policy: Policy,
    now: datetime,
) -> Refusal | None:
    """Why services must not begin to serve what is live; None if they may.

    They may have a former key yet, which other records authenticate (RFC 7671 section 8.1).
    ``memory`` must already hold this observation.  A cached RRset of which no record is left is no
    reason: nobody else is served by it.  One record of several may have been alone before the first
    look; that is a reason where no service was seen to serve what is live.
    """
    return worst(live_refusals(state, observations, memory, policy=policy, now=now))


def live_refusals(
    state: LineageState,
    observations: Observations,
    memory: Memory,
    *,
    policy: Policy,
    now: datetime,
    doubted: Collection[DnsName] = (),
) -> Iterator[Refusal]:
    """Yield the reasons of `refused_live`, of every owner.

    At ``doubted`` owners the service may have another chain, whoever deployed what is live.
    """
    live = state.serving
    if live is None:
        return
    for name in state.owners:
        owner, seen = memory.owners.get(name, OwnerMemory()), observations.get(name)
        shown = [records for records, _ in in_force(seen)] if seen is not None else []
        there = frozenset(record for rrset in (*shown, *open_rrsets(owner)) for record in rrset)
        ends = held_until(owner, policy)
        ends |= dict.fromkeys(shown)
        if owner.watched_since is None and not shown:
            yield Refusal(name, "its TLSA records were never seen", unknown=True)
        senders = senders_to(name, live, now)
        for records, until in ends.items():
            counts = (until is None or now < until) and not there.isdisjoint(records)
            if counts and CertificateType.X509 in senders.refusing(records, live):
                reason = f"{'; '.join(map(str, records))} doesn't match it"
                yield Refusal(name, reason, until=until)
        known_at = past_known_at(owner, policy)
        unserved = name in doubted or served_at(name, state, memory, None) is None
        if unserved and is_early(live, policy, now):
            yield from led_astray(name, owner, seen, policy, now)
        quiet = long_unheard(owner, seen, now)
        if unserved and known_at is not None and (quiet or now < known_at):
            refused = (senders.refusing((record,), live) for record in there)
            if any(CertificateType.X509 in one for one in refused):
                yield unheard_long(name, quiet) if quiet else unknown_past(name, known_at)
