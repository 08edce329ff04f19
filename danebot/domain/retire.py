"""Which TLSA records ought to be published, and which have served their time.

Other hosts' keys may stand in the same RRset: only digests of this lineage's own past keys are
ever named for removal, and never one that any lineage still uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from danebot.domain.dns import ServerOutcome
from danebot.domain.names import DnsName
from danebot.domain.sight import Observations
from danebot.domain.tlsa import MatchingType, Selector, TlsaRecord, Usage, association

if TYPE_CHECKING:
    from datetime import timedelta

    from danebot.domain.keys import PublicKey
    from danebot.domain.lineage import LineageState
    from danebot.domain.memory import Memory


@dataclass(frozen=True, slots=True, order=True)
class OwnedRecord:
    """A record at an owner name; ``ttl`` is the RRset's, None where there is none."""

    owner: DnsName
    record: TlsaRecord
    ttl: timedelta | None = None

    def __str__(self) -> str:
        ttl = f" {int(self.ttl.total_seconds())}" if self.ttl is not None else ""
        return f"{self.owner}.{ttl} IN TLSA {self.record}"


@dataclass(frozen=True, slots=True)
class Publication:
    """What DNS should hold for a lineage now: ``keep`` is right, ``add`` lacks, ``remove`` is old.

    ``keep`` has every form in which a key's record is there, required or not.  ``foreign`` is in
    the RRsets but of no key of this tree: somebody else's, left alone.  Those of another lineage's
    keys (RSA beside ECDSA, at one owner) are that lineage's business and in none of these.
    """

    keep: tuple[OwnedRecord, ...]
    add: tuple[OwnedRecord, ...]
    remove: tuple[OwnedRecord, ...]
    foreign: tuple[OwnedRecord, ...]


def keys_in_use(states: Iterable[LineageState]) -> frozenset[bytes]:
    """DER SPKIs of all keys that any lineage serves, has staged, or awaits."""
    keys: set[bytes] = set()
    for state in states:
        held = (state.live, state.combo, state.staged)
        keys.update(h.key.spki for h in held if h is not None)
        files = (state.next, state.ready)
        keys.update(f.key.spki for f in files if f is not None and f.key is not None)
    return frozenset(keys)


def publication(
    state: LineageState, memory: Memory, observations: Observations, in_use: frozenset[bytes]
) -> Publication:
    """Compare what is published for a lineage with what ought to be.

    ``remove`` holds records of past keys only, and only once the deployment that replaced them is
    confirmed on the wire.
    """
    wanted = {
        OwnedRecord(required.owner, required.record(key.spki))
        for required in state.required or ()
        for key in _published_keys(state)
    }
    seen = {
        OwnedRecord(owner, record)
        for owner in state.owners
        for record in _records(owner, observations)
    }
    right = _at_all_owners(state, (key.spki for key in _published_keys(state)))
    past = (key.spki for key in memory.past_keys if key.spki not in in_use)
    old = _at_all_owners(state, past)
    confirmed = memory.deployment is None or memory.deployment.confirmed_at is not None
    others = seen - right
    foreign = others - old
    if foreign:  # seldom, and there may be thousands of keys
        foreign -= _at_all_owners(state, in_use)
    ttls = {owner: _ttl(owner, observations) for owner in state.owners}

    def dressed(records: set[OwnedRecord]) -> tuple[OwnedRecord, ...]:
        ordered = sorted(records, key=str)
        return tuple(OwnedRecord(r.owner, r.record, ttls[r.owner]) for r in ordered)

    return Publication(
        keep=dressed(right & seen),
        add=dressed(wanted - seen),
        remove=dressed(others & old if confirmed else set()),
        foreign=dressed(foreign),
    )


def _published_keys(state: LineageState) -> tuple[PublicKey, ...]:
    keys = (state.current_key, state.awaited_key)
    return tuple(key for key in keys if key is not None)


def _at_all_owners(state: LineageState, spkis: Iterable[bytes]) -> set[OwnedRecord]:
    """The records of keys in every form, at every owner."""
    records = [
        TlsaRecord(Usage.DANE_EE, Selector.SPKI, mtype, association(spki, mtype))
        for spki in spkis
        for mtype in MatchingType
    ]
    return {OwnedRecord(owner, record) for owner in state.owners for record in records}


def _records(owner: DnsName, observations: Observations) -> set[TlsaRecord]:
    """Records at any server, or in the resolver's answer where no server could be asked."""
    observation = observations.get(owner)
    if observation is None:
        return set()
    heard = [s for s in observation.servers if s.outcome is ServerOutcome.ANSWERED]
    if not heard:
        return set(observation.answer.records)
    return set().union(*(set(server.records) for server in heard))


def _ttl(owner: DnsName, observations: Observations) -> timedelta | None:
    observation = observations.get(owner)
    if observation is None:
        return None
    ttls = [s.ttl for s in observation.servers if s.ttl is not None]
    return max(ttls, default=observation.answer.ttl)
