"""Which TLSA records ought to be published for a lineage, beside what is.

Other hosts' keys may stand in the same RRset: only digests of this lineage's own past keys are
ever named for removal, never one that any lineage still uses, and only where the record of the key
that is served is seen everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, Usage
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import (
    CancelledKey,
    Exposure,
    Memory,
    OwnerMemory,
    Witness,
)
from danebot.domain.rollover.evidence.propagation import (
    Observations,
    Seen,
    propagations_of,
    taken_together,
)
from danebot.domain.rollover.records.advice import Advice, Objection, Obstruction, advise, shown
from danebot.domain.rollover.records.retirement import forms, leaving, out_of_use
from danebot.domain.text import quoted
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from datetime import timedelta

    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.records.in_use import KeysInUse


class OwnedRecord(NamedTuple):
    """A record at an owner name; ``ttl`` is the RRset's, None where there is none.

    ``target`` is where it belongs, which is another name where ``owner`` is an alias, and ``zone``
    the zone of that name; None where that isn't known.
    """

    owner: DnsName
    record: TlsaRecord
    ttl: timedelta | None = None
    target: DnsName | None = None
    zone: DnsName | None = None

    @property
    def bare(self) -> OwnedRecord:
        """The record at its owner, and nothing else."""
        return OwnedRecord(self.owner, self.record)

    @property
    def place(self) -> DnsName:
        """The name that holds the record, or is to."""
        return self.target or self.owner

    def __str__(self) -> str:
        ttl = f" {int(self.ttl.total_seconds())}" if self.ttl is not None else ""
        alias = f" ; {self.owner} is an alias of it" if self.place != self.owner else ""
        return f"{self.place}.{ttl} IN TLSA {self.record}{alias}"


class Publication(NamedTuple):
    """What DNS should hold for a lineage now: ``keep`` is right, ``add`` lacks, ``remove`` is old.

    ``keep`` has every form in which a key's record is there, required or not.  ``foreign`` is in
    the RRsets but of no key of this tree: somebody else's, left alone.  Those of another lineage's
    keys (RSA beside ECDSA, at one owner) are that lineage's business and in none of these, unless
    they must be restated beside what is to ``add`` (see `advice`).  ``repair`` is what some servers
    have and others lack, ``unseen`` what is wanted where nothing could be seen; ``objections`` say
    which lines can't be fulfilled, and why.
    """

    keep: tuple[OwnedRecord, ...]
    add: tuple[OwnedRecord, ...]
    remove: tuple[OwnedRecord, ...]
    foreign: tuple[OwnedRecord, ...]
    repair: tuple[OwnedRecord, ...] = ()
    unseen: tuple[OwnedRecord, ...] = ()
    objections: tuple[Objection, ...] = ()

    @property
    def unsettled(self) -> bool:
        """Whether a record that ought to be there lacks somewhere, or nobody can tell."""
        return any((self.add, self.repair, self.unseen, self.objections))


def publication(
    state: LineageState, memory: Memory, observations: Observations, in_use: KeysInUse
) -> Publication:
    """Compare what is published for a lineage with what ought to be.

    ``remove`` holds records of past keys, once these are out of use by the wire, and only where the
    record by which senders know the live key is seen everywhere; and those of cancelled keys.
    """
    advised = _advised(state, _published_keys(state), observations, in_use.keys)
    seen = {
        OwnedRecord(owner, record)
        for owner in state.owners
        for record in _records(owner, observations)
    }
    right = _at_all_owners(state, (key.spki for key in _published_keys(state)))
    past = [key for key in memory.past_keys if not in_use.may_hold(key.spki)]
    old = _at_all_owners(state, (key.spki for key in memory.past_keys))
    old |= cancelled_records(state, memory.cancelled)
    may_go = _at_all_owners(state, (key.spki for key in past if out_of_use(memory, key)))
    safe = {o for o in state.owners if may_go and _live_is_known(state, o, memory, observations)}
    never_used = cancelled_records(state, _never_used(memory, in_use))
    others = seen - right
    foreign = others - old
    if foreign:  # seldom, and there may be thousands of keys
        foreign -= _at_all_owners(state, in_use.keys)
    places = {one.owner: _place(one, observations) for one in advised}

    def dressed(records: set[OwnedRecord]) -> tuple[OwnedRecord, ...]:
        ordered = sorted(records)
        return tuple(places[r.owner]._replace(record=r.record) for r in ordered)

    # A wildcard's records are copied beside the first at a name, but for those that may go.
    wanted = {OwnedRecord(one.owner, record) for one in advised for record in one.add} - may_go
    partial = {OwnedRecord(one.owner, record) for one in advised for record in one.partial} - may_go
    return Publication(
        keep=dressed(right & seen),
        add=dressed(wanted - partial),
        repair=dressed(partial),
        unseen=dressed({OwnedRecord(one.owner, r) for one in advised for r in one.unseen}),
        objections=tuple(dict.fromkeys(said for one in advised for said in one.objections)),
        remove=dressed({one for one in others & may_go if one.owner in safe} | others & never_used),
        foreign=dressed(foreign),
    )


def _advised(
    state: LineageState,
    keys: Iterable[PublicKey],
    observations: Observations,
    known: Iterable[bytes],
) -> tuple[Advice, ...]:
    """How the records of ``keys`` take effect, for each owner in turn."""
    pairs = [(line, key.spki) for line in state.required or () for key in keys]
    everybody = {*known, *(key.spki for key in _published_keys(state))}
    return tuple(
        advise(owner, observations.get(owner), [p for p in pairs if p[0].owner == owner], everybody)
        for owner in state.owners
    )


def _place(one: Advice, observations: Observations) -> OwnedRecord:
    """Where records of an owner belong; the record in it is of no account."""
    nothing = TlsaRecord(0, 0, 0, b"")
    return OwnedRecord(one.owner, nothing, _ttl(one.owner, observations), one.target, one.zone)


def additions(
    state: LineageState, key: PublicKey, observations: Observations, known: Iterable[bytes]
) -> tuple[tuple[OwnedRecord, ...], tuple[Objection, ...]]:
    """What to add for one key so that it and every key in use have effect, and objections.

    ``known`` are the DER SPKIs of all keys in use.  What every server has already is left out.
    """
    advised = _advised(state, [key], observations, known)
    found = [
        _place(one, observations)._replace(record=record) for one in advised for record in one.add
    ]
    return tuple(found), tuple(said for one in advised for said in one.objections)


def _published_keys(state: LineageState) -> tuple[PublicKey, ...]:
    keys = (state.current_key, state.awaited_key)
    return tuple(key for key in keys if key is not None)


def _at_all_owners(state: LineageState, spkis: Iterable[bytes]) -> set[OwnedRecord]:
    """The records of keys in every form, at every owner."""
    records = [record for spki in spkis for record in forms(spki)]
    return {OwnedRecord(owner, record) for owner in state.owners for record in records}


def _never_used(memory: Memory, in_use: KeysInUse) -> list[CancelledKey]:
    """Cancelled keys that no service ever had: nobody misses a record that matches nothing."""
    served = {past.spki for past in memory.past_keys}
    return [k for k in memory.cancelled if not in_use.may_hold(k.spki) and k.spki not in served]


def cancelled_records(state: LineageState, keys: Iterable[CancelledKey]) -> set[OwnedRecord]:
    """The records that cancelled keys may have, at every owner."""
    found: set[OwnedRecord] = set()
    for key in keys:
        if key.spki:
            found |= _at_all_owners(state, [key.spki])
        else:
            sha256 = MatchingType.SHA2_256
            record = TlsaRecord(Usage.DANE_EE, Selector.SPKI, sha256, key.digest)
            found |= {OwnedRecord(owner, record) for owner in state.owners}
    return found


def _records(owner: DnsName, observations: Observations) -> set[TlsaRecord]:
    """Records at any server, or in the resolver's answer where no server could be asked."""
    observation = observations.get(owner)
    return set().union(*shown(observation)) if observation is not None else set()


def _ttl(owner: DnsName, observations: Observations) -> timedelta | None:
    observation = observations.get(owner)
    if observation is None:
        return None
    ttls = [s.ttl for s in observation.servers if s.ttl is not None]
    return max(ttls, default=observation.answer.ttl)


def _live_is_known(
    state: LineageState, owner: DnsName, memory: Memory, observations: Observations
) -> bool:
    """Whether senders know the live key at ``owner`` by a record that everybody is seen to have.

    Where servers were heard before, the resolver's word alone won't do; nor does silence of some,
    unless the operator insists that a compromised key's records go.
    """
    observation, key = observations.get(owner), state.current_key
    if observation is None or key is None or not observation.answer.secure:
        return False
    remembered = memory.owners.get(owner, OwnerMemory())
    heard_before = any(one.witness is Witness.SERVERS for one in remembered.rrsets)
    insisted = memory.deployment is not None and memory.deployment.insisted_at is not None
    passed_over = insisted and observation.heard_any
    if not observation.heard_all and (observation.heard_any or heard_before) and not passed_over:
        return False
    if any(one.line.owner == owner for one in state.anchored):
        return True
    lines = [line for line in state.required or () if line.owner == owner]
    seen = taken_together(propagations_of(lines, key, observations))
    return seen is Seen.EVERYWHERE or (passed_over and seen is Seen.UNKNOWN)


def cancelled_removals(
    state: LineageState, memory: Memory, found: Publication
) -> tuple[OwnedRecord, ...]:
    """Return what is to be removed of keys that were cancelled: another finding tells of these."""
    theirs = cancelled_records(state, memory.cancelled)
    return tuple(one for one in found.remove if one.bare in theirs)


def exposed_removals(
    state: LineageState, memory: Memory, found: Publication
) -> tuple[OwnedRecord, ...]:
    """Return what is to be removed of compromised keys: a warning tells of these."""
    stolen = [past.spki for past in leaving(memory) if past.exposure is not Exposure.NONE]
    theirs = _at_all_owners(state, stolen)
    return tuple(one for one in found.remove if one.bare in theirs)


def conflicts(state: LineageState, found: Publication) -> Iterator[Finding]:
    """Yield what stands in the way of records for ever: lines that nobody can fulfil."""
    for said in found.objections:
        if said.why is not Obstruction.UNSEEN:
            yield Finding(
                Code.DIGEST_CONFLICT, Severity.WARNING, state.name, said.text, said.remedy
            )


def lingering(
    state: LineageState, memory: Memory, found: Publication, in_use: KeysInUse
) -> tuple[Finding, ...]:
    """What is to be said of records that are still there and may go, or might if more was known."""
    if in_use.unread and any(out_of_use(memory, past) for past in leaving(memory)):
        return (_kept(state.name, in_use.unread),)
    told = {*cancelled_removals(state, memory, found), *exposed_removals(state, memory, found)}
    remove = [one for one in found.remove if one not in told]
    if not remove:
        return ()
    count = len(remove)
    many = "an old key's record" if count == 1 else f"{count} records of old keys"
    text = f"{many} may be removed: {remove[0]}"
    remedy = f"remove what this prints: danebot tlsa {quoted(state.name)}"
    return (Finding(Code.RECORDS_TO_REMOVE, Severity.NOTICE, state.name, text, remedy),)


def _kept(name: str, unread: tuple[str, ...]) -> Finding:
    """Old records stay while it can't be told whether somebody needs them."""
    others = ", ".join(unread)
    return Finding(
        Code.RECORDS_KEPT,
        Severity.NOTICE,
        name,
        f"old keys' records stay: the keys of {others} can't be read, and may be among them",
        f"mend what danebot renew says of {others}, or run: certbot delete --cert-name NAME, if "
        "that lineage is out of service",
    )
