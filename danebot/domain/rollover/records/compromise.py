"""A compromised key that was replaced, until nobody can do harm with it any more.

A thief of the key passes for the service while a record of it is published (RFC 7671 section 8.4)
or, where senders ask a CA, while its certificates are valid.  So what keeps these there is said at
every observation, and the operator may insist on an end though not every service could be asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.memory import Exposure, Memory, PastKey
from danebot.domain.rollover.records.publication import Publication
from danebot.domain.rollover.records.retirement import (
    everybody_heard,
    forms,
    leaving,
    out_of_use,
    shown_at,
)
from danebot.domain.text import quoted

if TYPE_CHECKING:
    from danebot.domain.dns.tlsa import TlsaRecord
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.propagation import Observations

ACCEPTED = "mail may be refused"
"""What an operator must say who would rather have a mismatch than go on with a compromised key."""


def insist(memory: Memory, now: datetime) -> Memory:
    """Return the memory with the operator's word that a compromised key's records may go.

    Unchanged where no compromised key is on its way out.
    """
    deployment = memory.deployment
    if deployment is None or not (exposed(memory) or memory.revocations):
        return memory
    return memory._replace(deployment=deployment._replace(insisted_at=now))


def exposed(memory: Memory) -> tuple[PastKey, ...]:
    """The compromised keys whose records aren't known to be gone from every server."""
    return tuple(key for key in leaving(memory) if key.exposure is not Exposure.NONE)


def at_large(
    state: LineageState, memory: Memory, observations: Observations, found: Publication
) -> Iterator[Finding]:
    """Yield a finding for each compromised key that is published, or not revoked, and why."""
    for past in exposed(memory):
        where = tuple(_shown(state, past, observations))
        if where:
            yield _published(state, memory, past, where, found, observations=observations)
    waiting = [pending for pending in memory.revocations if not pending.attempts]
    if waiting and memory.deployment is not None:
        reasons = _reasons(memory)
        yield Finding(
            Code.REVOCATION_WAITS,
            Severity.WARNING,
            state.name,
            "the compromised key's certificates are not revoked yet: "
            + ("; ".join(reasons) or "that is tried at the next danebot renew"),
            _insistence(state.name) if reasons else f"run: danebot renew {quoted(state.name)}",
        )


def _shown(
    state: LineageState, past: PastKey, observations: Observations
) -> Iterator[tuple[str, TlsaRecord]]:
    """Where a record of the key is, by anybody's answer."""
    mine = set(forms(past.spki))
    for owner in state.owners:
        for record in sorted(shown_at(owner, observations) & mine):
            yield str(owner), record


def _cached_alone(state: LineageState, past: PastKey, observations: Observations) -> bool:
    """Whether every server was heard without the key's records, so that only caches have some."""
    mine = frozenset(forms(past.spki))
    servers = (one for owner in state.owners for one in observations[owner].all_servers)
    return everybody_heard(state, observations) and all(
        mine.isdisjoint(one.records) for one in servers
    )


def _published(
    state: LineageState,
    memory: Memory,
    past: PastKey,
    where: tuple[tuple[str, TlsaRecord], ...],
    found: Publication,
    *,
    observations: Observations,
) -> Finding:
    owner, record = where[0]
    more = f" and {len(where) - 1} more" if len(where) > 1 else ""
    may_go = any(item.record == record for item in found.remove)
    reasons = _reasons(memory) if not out_of_use(memory, past) else ()
    if _cached_alone(state, past, observations):
        remedy = f"nothing but to wait for its TTL; then run: danebot renew {quoted(state.name)}"
        why = "it is gone from every server, and caches have it for a while yet"
    elif may_go:
        remedy = f"remove what this prints: danebot tlsa {quoted(state.name)}"
        why = "it may be removed"
    elif reasons:
        remedy, why = _insistence(state.name), "; ".join(reasons)
    else:
        remedy = f"see where the live key's record is missing: danebot status {quoted(state.name)}"
        why = "it stays until the live key's record is seen at every server"
    return Finding(
        Code.COMPROMISED_PUBLISHED,
        Severity.WARNING,
        state.name,
        f"the compromised key's record is still published: {owner}. IN TLSA {record}{more}: {why}",
        remedy,
    )


def _reasons(memory: Memory) -> tuple[str, ...]:
    """Why it isn't known that the services are done with the compromised key."""
    deployment = memory.deployment
    if deployment is None or deployment.insisted_at is not None:
        return ()
    hooks = tuple(f"the hook {hook.program} has not succeeded" for hook in deployment.pending)
    if hooks or deployment.behind:
        return (*hooks, *deployment.behind)
    if deployment.confirmed_at is None or deployment.clear_since is None:
        return ("the services were not asked yet",)
    return ()


def _insistence(name: str) -> str:
    return (
        "mend that, take an owner that is no service out (danebot watch --remove), or insist, "
        "whatever that does to mail: "
        f'danebot renew --although-unconfirmed "{ACCEPTED}" {quoted(name)}'
    )
