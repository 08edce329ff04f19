"""What to add to a TLSA RRset, judged as senders judge it before anybody is told to.

Three things make a record that looks right do harm, or no good.  Digest agility (RFC 7671 section
9): of one usage and selector senders take the strongest digest alone, so that a ``3 1 2`` takes
the effect of every ``3 1 1`` beside it, and a ``3 1 1`` beside a ``3 1 2`` has none.  A wildcard:
the first record at the name itself hides the wildcard's (RFC 4592 section 2.2.1).  An alias: the
RRset is where that leads, and a CNAME has room for nothing beside it (RFC 2181 section 10.1).

So an addition names its place, restates what would lose its effect where that is ours to state,
and is objected to where it isn't.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from danebot.domain.dane.certificate_types import CertificateType
from danebot.domain.dns.answers import OwnerObservation, Presence
from danebot.domain.dns.tlsa import (
    MatchingType,
    Required,
    Selector,
    TlsaRecord,
    Usage,
    key_record,
    raw_key_suffices,
    unusable_reason,
)
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.names import DnsName

Records = tuple[TlsaRecord, ...]
_WEAK, _STRONG = MatchingType.SHA2_256, MatchingType.SHA2_512


class Obstruction(enum.Enum):
    """Why a line of ``dane-ee`` can't be fulfilled by adding records."""

    UNSEEN = "what is there could not be seen"
    OVERRULES = "it would take the effect from somebody else's records"
    DIFFERS = "name servers differ, and no record would count at all of them"


class Objection(NamedTuple):
    """What stands in the way at an owner, and ``remedy``: what to do instead."""

    why: Obstruction
    owner: DnsName
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.text}; {self.remedy}"


class Advice(NamedTuple):
    """What one owner needs: ``add`` goes to ``target``, in one change, beside what is there.

    ``target`` is the name that holds the RRset (CNAMEs followed), in ``zone`` (None if that isn't
    known).  Of ``add``, ``restated`` are there for the sake of records that would lose their
    effect, ``partial`` are on some servers and lack on others.  ``unseen`` are the records that
    would be wanted, where nothing can be advised.
    """

    owner: DnsName
    target: DnsName
    zone: DnsName | None = None
    add: Records = ()
    restated: Records = ()
    partial: Records = ()
    unseen: Records = ()
    objections: tuple[Objection, ...] = ()


def advise(
    owner: DnsName,
    observation: OwnerObservation | None,
    wanted: Iterable[tuple[Required, bytes]],
    known: Iterable[bytes],
) -> Advice:
    """Work out how the records of ``wanted`` (lines of ``dane-ee`` with DER SPKIs) take effect.

    ``known`` are the DER SPKIs of all keys in use, of this lineage and of others: their records may
    be restated.  All other records are somebody else's, and none of them may lose its effect.
    """
    pairs = list(wanted)
    if observation is None or observation.answer.presence is Presence.UNKNOWN:
        records = tuple(dict.fromkeys(line.record(spki) for line, spki in pairs))
        return Advice(owner, owner, unseen=records, objections=(_unseen(owner, observation),))
    answer = observation.answer
    rrsets = shown(observation)
    there = frozenset().union(*rrsets)
    everywhere = frozenset.intersection(*map(frozenset, rrsets)) if rrsets else frozenset()
    spkis = dict.fromkeys((*known, *(spki for _, spki in pairs)))
    ours = {key_record(spki, _WEAK): key_record(spki, _STRONG) for spki in spkis}
    strong = any(_is(record, _STRONG) for record in there)
    foreign = {r for rrset in rrsets for r in _effective_weak(rrset) if r not in ours}
    demanded: dict[TlsaRecord, None] = {}
    for line, spki in pairs:
        if line.mtype is _STRONG and foreign:
            continue
        demanded[line.record(spki)] = None
        if line.mtype is _WEAK and strong and not foreign:
            demanded[key_record(spki, _STRONG)] = None
    restated: dict[TlsaRecord, None] = {}
    if any(_is(record, _STRONG) for record in demanded):
        restated |= dict.fromkeys(ours[r] for r in sorted(there) if r in ours)
    partly = there - everywhere
    if made_by_wildcard(observation) and not everywhere.issuperset((*demanded, *restated)):
        restated |= dict.fromkeys(sorted(there))
        everywhere = partly = frozenset()
    restated = {record: None for record in restated if record not in demanded}
    add = tuple(r for r in (*demanded, *restated) if r not in everywhere)
    objections = dict.fromkeys(_objections(observation, pairs, add, foreign))
    return Advice(
        owner,
        answer.canonical,
        observation.zone,
        add=add,
        restated=tuple(record for record in restated if record not in everywhere),
        partial=tuple(r for r in (*demanded, *restated) if r in partly),
        objections=tuple(objections),
    )


def _objections(
    observation: OwnerObservation,
    pairs: Iterable[tuple[Required, bytes]],
    add: Records,
    foreign: AbstractSet[TlsaRecord],
) -> Iterator[Objection]:
    """Yield what stands in the way of lines though ``add`` was added at every server.

    Where the servers differ, what counts at one may not at another, and what would count there may
    take the effect of ``foreign`` records at the first.
    """
    for line, spki in pairs:
        overruling = line.mtype is _STRONG and bool(foreign)
        added = {*add, key_record(spki, _WEAK)} if overruling else {*add}
        deaf = [
            str(server.server)
            for server in observation.answering
            if effective({*server.records, *added}).isdisjoint(_forms(spki))
        ]
        if deaf:
            yield _differs(line, deaf, foreign)
        elif overruling:
            yield _overrules(line, foreign)


def shown(observation: OwnerObservation) -> tuple[Records, ...]:
    """The RRset as each authoritative server has it; the resolver's where none could be asked."""
    heard = tuple(server.records for server in observation.answering)
    return heard or (observation.answer.records,)


def made_by_wildcard(observation: OwnerObservation) -> bool:
    """Whether the RRset is a wildcard's, so that a record at the name itself would hide it."""
    return any(server.wildcard for server in observation.answering)


def effective(
    records: Iterable[TlsaRecord], given: CertificateType = CertificateType.X509
) -> frozenset[TlsaRecord]:
    """The records of an RRset that count: of each usage and selector Full, and the best digest.

    With senders that are given the raw public key all of them do.
    """
    usable = [record for record in records if unusable_reason(record) is None]
    if given is CertificateType.RAW_PUBLIC_KEY and raw_key_suffices(usable):
        return frozenset(usable)
    best: dict[tuple[int, int], int] = {}
    for record in usable:
        group = record.usage, record.selector
        best[group] = max(best.get(group, 0), record.mtype)
    return frozenset(r for r in usable if not r.mtype or r.mtype == best[r.usage, r.selector])


def overruled_by(
    before: Iterable[TlsaRecord], after: Iterable[TlsaRecord], known: Iterable[bytes]
) -> tuple[TlsaRecord, ...]:
    """The records that a change of an RRset leaves in place and takes the effect from.

    One of a key in ``known`` (DER SPKIs) is none if another record of that key has effect then.
    Senders of each kind count, whatever they are given of the server.
    """
    there, left = frozenset(before), frozenset(after)
    forms = [_forms(spki) for spki in known]
    lost: set[TlsaRecord] = set()
    for given in CertificateType:
        counting = effective(left, given)
        safe = set().union(*(mine for mine in forms if mine & counting))
        lost |= (effective(there, given) & left) - counting - safe
    return tuple(sorted(lost))


def _forms(spki: bytes) -> set[TlsaRecord]:
    return {key_record(spki, mtype) for mtype in MatchingType}


def _is(record: TlsaRecord, mtype: MatchingType) -> bool:
    """Whether it is a usable ``3 1 x`` record of that matching type."""
    form = record.usage, record.selector, record.mtype
    return form == (Usage.DANE_EE, Selector.SPKI, mtype) and unusable_reason(record) is None


def _effective_weak(rrset: Records) -> Records:
    """The ``3 1 1`` records that count in an RRset: none beside a ``3 1 2``."""
    strong = any(_is(record, _STRONG) for record in rrset)
    return () if strong else tuple(record for record in rrset if _is(record, _WEAK))


def _brief(records: Iterable[TlsaRecord]) -> str:
    return ", ".join(f"{str(record)[:22]}..." for record in sorted(records))


def _differs(line: Required, deaf: Iterable[str], foreign: Iterable[TlsaRecord]) -> Objection:
    return Objection(
        Obstruction.DIFFERS,
        line.owner,
        f"the name servers of {line.owner} differ: at {', '.join(deaf)} senders pass over a 3 1 1 "
        f"record, and at others a 3 1 2 would have them pass over somebody else's "
        f"({_brief(foreign)})",
        "see why these servers don't have the same records; no record counts at all of them",
    )


def _overrules(line: Required, foreign: Iterable[TlsaRecord]) -> Objection:
    others = _brief(foreign)
    return Objection(
        Obstruction.OVERRULES,
        line.owner,
        f"dane-ee wants 3 1 2 records at {line.owner}, beside which senders would pass over "
        f"somebody else's there ({others})",
        f"write '1 {line.owner}' in dane-ee instead of '{line}'",
    )


def _unseen(owner: DnsName, observation: OwnerObservation | None) -> Objection:
    detail = observation.answer.detail if observation is not None else ""
    words = f" ({detail})" if detail else ""
    return Objection(
        Obstruction.UNSEEN,
        owner,
        f"what is at {owner} could not be seen{words}, so nothing can be advised there",
        "try again when the resolver answers",
    )
