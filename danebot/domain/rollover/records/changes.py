"""Changes of TLSA RRsets: what a publisher is asked for, and what came of it.

Only records of a lineage's own keys are ever added or removed, and no removal is made that would
leave an RRset without a record of the key that is served.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import OwnerObservation, Presence, ServerAnswer
from danebot.domain.dns.tlsa import TlsaRecord, Usage
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.change_outcomes import ADVICE, ChangeOutcome, Part
from danebot.domain.rollover.records.advice import overruled_by, shown
from danebot.domain.rollover.records.retirement import forms
from danebot.domain.text import quoted

if TYPE_CHECKING:
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.domain.rollover.records.publication import Publication

DEFAULT_TTL = timedelta(hours=1)
"""Of an RRset that isn't there yet, where none is configured."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one TLSA RRset.

    ``owners`` are the names in ``dane-ee`` that lead to ``target``, the name that holds the RRset
    (CNAMEs followed); ``zone`` is where that was seen to be.  ``needs`` are the records of the
    key that is served: all must be there after a removal.  ``seen`` and ``seen_ttl`` are the RRset
    as any authoritative server has it, ``everywhere`` what all of them have, ``base`` what a
    program that replaces the RRset may begin with.  ``known`` are the DER SPKIs of keys in use that
    have a record there.  ``ttl`` is the configured one, None to keep what is there.
    """

    lineage: str
    owners: tuple[DnsName, ...]
    target: DnsName
    zone: DnsName | None = None
    ttl: timedelta | None = None
    add: tuple[TlsaRecord, ...] = ()
    remove: tuple[TlsaRecord, ...] = ()
    needs: tuple[TlsaRecord, ...] = ()
    seen: tuple[TlsaRecord, ...] = ()
    seen_ttl: timedelta | None = None
    everywhere: tuple[TlsaRecord, ...] = ()
    base: tuple[TlsaRecord, ...] = ()
    known: tuple[bytes, ...] = ()

    def against(self, present: Iterable[TlsaRecord]) -> Change:
        """The part that is left to do where ``present`` is the RRset."""
        there = set(present)
        return replace(
            self,
            add=tuple(record for record in self.add if record not in there),
            remove=tuple(record for record in self.remove if record in there),
        )

    def result(self, present: Iterable[TlsaRecord]) -> frozenset[TlsaRecord]:
        """The RRset afterwards."""
        return frozenset(present) - frozenset(self.remove) | frozenset(self.add)

    def overrules(self, present: Iterable[TlsaRecord]) -> tuple[TlsaRecord, ...]:
        """The records that the change would take the effect from (RFC 7671 section 9)."""
        before = frozenset(present)
        return overruled_by(before, self.result(before), self.known)

    def safe(self, present: Iterable[TlsaRecord]) -> bool:
        """Whether the RRset keeps a record of the served key: a removal demands that."""
        return not self.remove or (bool(self.needs) and self.result(present) >= set(self.needs))

    def new_ttl(self, present_ttl: timedelta | None) -> timedelta:
        """The TTL to give: the configured one, or the RRset's own."""
        return self.ttl or present_ttl or DEFAULT_TTL

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return not self.add and not self.remove


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """What came of one change; all words are printable, "" if there are none.

    ``said`` are a program's own: they may hold a secret.
    """

    change: Change
    outcome: ChangeOutcome
    server: str = ""
    detail: str = ""
    said: str = ""

    @property
    def failed(self) -> bool:
        """Whether something stands in the way that somebody must see to."""
        return self.outcome in ADVICE

    @property
    def text(self) -> str:
        """What is wrong, in words."""
        words = _filled(ADVICE[self.outcome][0], self.change)
        at = f" at {self.server}" if self.server else ""
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.change.target} TLSA{at}: {words}{detail}"

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return _filled(ADVICE[self.outcome][1], self.change)


def after(change: Change, earlier: Iterable[Change]) -> Change:
    """The change as it stands once ``earlier`` ones, made since the observation, are taken in."""
    for one in earlier:
        if one.target == change.target:
            change = replace(
                change,
                seen=tuple(sorted(one.result(change.seen))),
                base=tuple(sorted(one.result(change.base))),
                everywhere=tuple(sorted(one.result(change.everywhere))),
            )
    return change


def _filled(words: str, change: Change) -> str:
    return words.format(
        lineage=quoted(change.lineage),
        owner=", ".join(map(str, change.owners)),
        target=change.target,
    )


def changes(
    state: LineageState,
    publication: Publication,
    observations: Observations,
    part: Part,
    ttl: timedelta | None,
    *,
    known: Iterable[bytes] = (),
    past: Iterable[bytes] = (),
) -> tuple[Change, ...]:
    """What is to be changed for a lineage, one change for each RRset; ``ttl`` as in `Change`.

    Owners that are aliases of one name share its RRset.  ``known`` are the DER SPKIs of keys in
    use, ``past`` those of keys that nobody needs any more.
    """
    wanted = publication.remove
    if part is Part.ADD:
        wanted = (*publication.add, *publication.repair, *publication.unseen)
    left_behind = frozenset(record for spki in past for record in forms(spki))
    found: dict[DnsName, Change] = {}
    for owner in dict.fromkeys(item.owner for item in wanted):
        observation = observations.get(owner)
        target = observation.answer.canonical if observation is not None else owner
        change = found.get(target) or _nothing(state, target, observation, ttl)
        mine = tuple(item.record for item in wanted if item.owner == owner)
        found[target] = replace(
            change,
            owners=(*change.owners, owner),
            add=_union(change.add, mine) if part is Part.ADD else (),
            remove=_union(change.remove, mine) if part is Part.REMOVE else (),
            needs=_union(change.needs, _served(state, owner)),
        )
    everybody = tuple(known)
    return tuple(_informed(change, everybody, left_behind) for change in found.values())


def _informed(change: Change, known: Sequence[bytes], past: frozenset[TlsaRecord]) -> Change:
    """The change with the keys whose records it might harm, and what a program may begin with.

    A past key's record that isn't at every server is on its way out, and isn't said again.
    """
    concerned = {*change.seen, *change.add}
    here = tuple(spki for spki in known if not concerned.isdisjoint(forms(spki)))
    on_its_way_out = past - set(change.everywhere)
    base = tuple(record for record in change.seen if record not in on_its_way_out)
    return replace(change, known=here, base=base)


def _nothing(
    state: LineageState,
    target: DnsName,
    observation: OwnerObservation | None,
    ttl: timedelta | None,
) -> Change:
    if observation is None:
        return Change(state.name, (), target, ttl=ttl)
    heard = observation.answering
    ttls = [server.ttl for server in heard if server.ttl is not None]
    rrsets = [frozenset(records) for records in shown(observation)]
    return Change(
        state.name,
        (),
        target,
        observation.zone,
        ttl,
        seen=tuple(sorted(frozenset().union(*rrsets))),
        everywhere=tuple(sorted(frozenset.intersection(*rrsets))),
        seen_ttl=max(ttls, default=observation.answer.ttl),
    )


def _union(one: Sequence[TlsaRecord], other: Sequence[TlsaRecord]) -> tuple[TlsaRecord, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _served(state: LineageState, owner: DnsName) -> tuple[TlsaRecord, ...]:
    """The records by which senders know the key in service at ``owner``."""
    key = state.current_key
    if key is None:
        return ()
    own = tuple(r.record(key.spki) for r in state.required or () if r.owner == owner)
    return own + tuple(one.record for one in state.anchored if one.line.owner == owner)


def stopped(change: Change, observations: Observations) -> ChangeResult | None:
    """Why a change isn't even asked for, by what was seen: too little, or too much would be lost.

    None if nothing speaks against it.
    """
    why = blind(change, observations)
    if why:
        return ChangeResult(change, ChangeOutcome.UNSEEN, detail=why)
    if from_wildcard(change, observations):
        return ChangeResult(change, ChangeOutcome.WILDCARD)
    harmed = overruling(change, observations)
    if harmed:
        return ChangeResult(change, ChangeOutcome.OVERRULES, detail=harmed)
    where = lost(change, observations)
    return ChangeResult(change, ChangeOutcome.UNSAFE, detail=where) if where else None


def blind(change: Change, observations: Observations) -> str:
    """Why too little was seen to change anything, in words; "" if it was enough.

    Silence proves nothing; and where an unsigned alias leads, anybody may have led it.
    """
    for owner in change.owners:
        observation = observations.get(owner)
        if observation is None:
            return f"{owner} was not looked up"
        answer = observation.answer
        if answer.presence is Presence.UNKNOWN:
            return answer.detail or answer.security.value
        anchors = any(r.usage == Usage.DANE_TA for rrset in shown(observation) for r in rrset)
        if anchors and not answer.secure:
            return f"the answer is {answer.security.value}, and the owner may rest on an anchor"
        if answer.aliases and not observation.surely_led:
            return f"{owner} is an alias, and the answer is {answer.security.value}"
    return ""


def from_wildcard(change: Change, observations: Observations) -> bool:
    """Whether the RRset isn't at the name itself: the first record there would stand alone.

    RFC 4592 section 2.2.1; RFC 4035 section 5.3.4.
    """
    return any(server.wildcard for server in _answering(change, observations))


def _answering(change: Change, observations: Observations) -> Iterator[ServerAnswer]:
    """What each server has that was asked at any of the owners: who asks it gets that."""
    for owner in change.owners:
        if owner in observations:
            yield from observations[owner].answering


def lost(change: Change, observations: Observations) -> str:
    """Where a removal would leave no record of the served key, in words; "" if nowhere.

    A server that lags counts, too.
    """
    for server in _answering(change, observations):
        if not change.safe(server.records):
            return f"not at {server.server}"
    return ""


def overruling(change: Change, observations: Observations) -> str:
    """Which records an addition would take the effect from at a server, in words; "" if none."""
    for server in _answering(change, observations):
        harmed = change.overrules(server.records)
        if harmed:
            return ", ".join(map(str, harmed))
    return ""


# ---- what is seen afterwards ----------------------------------------------------------------


def lagging(change: Change, observations: Observations) -> tuple[str, ...]:
    """The authoritative servers that don't show the change; "" for all, if none gives an answer."""
    late: dict[str, None] = {}
    for owner in change.owners:
        observation = observations.get(owner)
        heard = observation.answering if observation is not None else ()
        if not heard:
            late[""] = None
        for server in heard:
            if not change.against(server.records).empty:
                late[str(server.server)] = None
    return tuple(late)


def altered(change: Change, observations: Observations) -> str:
    """What a server shows in place of an added record, in words; "" if there is no sign of it.

    Spelling is no alteration: records are compared as values, so upper-case hex and white space
    don't matter.  What looks like a record of somebody else isn't taken for ours.
    """
    for server in _answering(change, observations):
        missing = [record for record in change.add if record not in server.records]
        fresh = [record for record in server.records if record not in (*change.seen, *change.add)]
        for wanted in missing:
            like = [str(one) for one in fresh if _akin(one, wanted)]
            if like:
                return f"{server.server} shows {', '.join(like)} in place of {wanted}"
    return ""


_ENOUGH = 8  # octets that two digests don't have in common by chance


def _akin(one: TlsaRecord, other: TlsaRecord) -> bool:
    """Whether one is a piece or another dressing of the other."""
    shorter, longer = sorted((one.data, other.data), key=len)
    if len(shorter) >= _ENOUGH and shorter in longer:
        return True
    as_text = other.hex.encode()  # hex taken for data, in either case
    return one.data.lower() in {as_text, as_text[: len(one.data)]} and bool(one.data)
