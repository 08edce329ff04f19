"""When a past key's records have served their time, and when the key is retired.

They go when two probes in a row, some time apart, found every service on the new key and no hook
was pending in between (`probed`).  Once they are gone from every server, the key is retired
(`retire`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, key_record
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Exposure,
    Memory,
    Occurrence,
    PastKey,
)
from danebot.domain.rollover.evidence.propagation import Observations

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.records.in_use import KeysInUse


def forms(spki: bytes) -> Iterator[TlsaRecord]:
    """Yield a key's ``3 1 x`` records, for every matching type; ``spki`` is DER."""
    for mtype in MatchingType:
        yield key_record(spki, mtype)


def shown_at(owner: DnsName, observations: Observations) -> frozenset[TlsaRecord]:
    """The records that anybody shows, the resolver included."""
    observed = observations.get(owner)
    if observed is None:
        return frozenset()
    return frozenset(observed.answer.records).union(*(one.records for one in observed.all_servers))


def everybody_heard(state: LineageState, observations: Observations) -> bool:
    """Whether all were heard at every owner: only then does absence prove anything."""
    found = [observations.get(owner) for owner in state.owners]
    return all(one is not None and one.heard_all for one in found)


def unsettled(memory: Memory) -> bool:
    """Whether the services are to be probed: the deployment isn't confirmed, or old keys linger."""
    deployment = memory.deployment
    if deployment is None:
        return False
    return deployment.confirmed_at is None or bool(leaving(memory))


def deployment_of(memory: Memory, live: Held, now: datetime) -> Deployment:
    """The last deployment, or what is ``live`` as if it were one where nothing was deployed yet."""
    found = Deployment(live.chain.fingerprint, live.key.digest, now, origin=Occurrence.FOUND)
    return memory.deployment or found


def found_instead(last: Deployment, live: Held) -> Deployment:
    """A deployment as far as it goes on, where ``live`` came there by another way since."""
    if last.chain == live.chain.fingerprint:
        return last
    found = last._replace(chain=live.chain.fingerprint, digest=live.key.digest, confirmed_at=None)
    return found._replace(origin=Occurrence.FOUND)


def proved(memory: Memory) -> Memory:
    """The memory without a deployment that was none, once every service was found to serve it.

    Certificates that are to be revoked wait for one that is confirmed.
    """
    last = memory.deployment
    if last is None or last.origin is Occurrence.DEPLOYED or last.pending or unsettled(memory):
        return memory
    if memory.revocations:
        return memory
    return memory._replace(deployment=None)


def leaving(memory: Memory) -> tuple[PastKey, ...]:
    """Past keys that are not retired."""
    return tuple(past for past in memory.past_keys if past.retired_at is None)


def out_of_use(memory: Memory, past: PastKey) -> bool:
    """Whether the wire shows that no service needs a past key's records any more.

    Those of a compromised key are a danger while they are there: of it, one probe will do, or the
    operator's word.
    """
    deployment = memory.deployment
    if deployment is None:
        return False
    if past.exposure is Exposure.NONE:
        return deployment.cleared_at is not None
    return (deployment.clear_since or deployment.insisted_at) is not None


def put_away(memory: Memory, in_use: KeysInUse) -> Iterator[bytes]:
    """Yield the DER SPKIs of past keys that nobody needs a record of any more, as far as is known.

    One that a service may still have, of this lineage or of another, is none.
    """
    for past in memory.past_keys:
        done = past.retired_at is not None or out_of_use(memory, past)
        if done and not in_use.may_hold(past.spki):
            yield past.spki


def probed(deployment: Deployment, *, clean: bool, policy: Policy, now: datetime) -> Deployment:
    """Fold one probe into a deployment.

    It was ``clean`` if every service was asked and serves nothing that the deployment replaced, and
    no hook is pending.  Any other probe begins the count anew, also where records may go already.
    """
    if not clean:
        return deployment._replace(clear_since=None, cleared_at=None)
    since = min(deployment.clear_since or now, now)  # the clock may have been ahead at that probe
    cleared = deployment.cleared_at
    if cleared is None and now - since >= policy.retire_after:
        cleared = now
    return deployment._replace(clear_since=since, cleared_at=cleared)


def retire_at(memory: Memory, policy: Policy) -> datetime | None:
    """When the probe may be made that lets old records go; None where nothing is to go, or may."""
    deployment = memory.deployment
    if deployment is None or all(out_of_use(memory, past) for past in leaving(memory)):
        return None
    since = deployment.clear_since
    return since + policy.retire_after if since is not None else None


def retire(
    memory: Memory, state: LineageState, observations: Observations, now: datetime
) -> Memory:
    """Let go of past keys whose records nobody shows any more, with everybody heard.

    A key that is live is no past one: the deployment of another went no further than `Memory`, or
    a rollover went back.
    """
    live = state.current_key
    past_keys = tuple(
        past
        for past in memory.past_keys
        if live is None or past.spki != live.spki or past.exposure is not Exposure.NONE
    )
    if past_keys != memory.past_keys:
        memory = memory._replace(past_keys=past_keys)
    if not memory.past_keys or not state.owners or not everybody_heard(state, observations):
        return memory
    shown = frozenset[TlsaRecord]().union(*(shown_at(one, observations) for one in state.owners))
    left = []
    for known in memory.past_keys:
        gone = out_of_use(memory, known) and not shown & set(forms(known.spki))
        past = known._replace(retired_at=now) if gone and known.retired_at is None else known
        if past.retired_at is None or past.exposure is not Exposure.NONE:
            left.append(past)
    return memory._replace(past_keys=tuple(left))
