"""The gate before every deployment: no sender may be worse off for the new chain.

A sender judges a chain by the TLSA RRset that its resolver holds, whatever usages that carries.  So
a chain goes live only if every RRset that a cache may hold (see `rrsets`) authenticates it, as far
as it authenticates the chain that is live: an RRset that fails both is no reason to wait.

Where mail is failing already (everyone who has the RRset securely shows one that the live chain
fails and the new one satisfies) older RRsets in caches are no reason either: the new chain is the
repair.  What a usage demands is decided by `dane`, as Postfix and Exim do it; PKIX-TA(0) and
PKIX-EE(1) are judged without a trust store, by their data alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from danebot.domain.dns import OwnerObservation, Presence, ServerOutcome
from danebot.domain.lineage import Anchored
from danebot.domain.memory import Memory, OwnerMemory
from danebot.domain.names import DnsName, Hostname, Protocol, TlsaOwner, default_protocol
from danebot.domain.rrsets import Records, gone_at, in_force, open_rrsets, past_known_at
from danebot.domain.tlsa import (
    MatchingType,
    Selector,
    TlsaRecord,
    Usage,
    association,
    unusable_reason,
)
from danebot.errors import NameSyntaxError

if TYPE_CHECKING:
    from danebot.domain.dane import Profile, References, Verdict
    from danebot.domain.lineage import Held, LineageState
    from danebot.domain.policy import Policy
    from danebot.domain.sight import Observations

_MAIL = (Protocol.SMTP, Protocol.LMTP)
RESOLVER = "the validating resolver"
"""Who is named where it gave no answer."""


class Refusal(NamedTuple):
    """An RRset of ``owner`` by which senders would refuse the new chain; ``reason`` in words.

    ``publish`` is a record that would make it satisfied, if there is one.  ``until`` is set where
    nobody shows that RRset any more, and is when the last cache has dropped it.  ``unknown`` tells
    that nothing was seen of the owner yet.  ``silent`` names those who alone may still have that
    RRset, since they gave no answer: no record that is published mends that.
    """

    owner: DnsName
    reason: str
    publish: TlsaRecord | None = None
    until: datetime | None = None
    unknown: bool = False
    silent: tuple[str, ...] = ()

    def __str__(self) -> str:
        until = f", until {self.until:%Y-%m-%d %H:%M} UTC" if self.until is not None else ""
        return f"{self.owner}: {self.reason}{until}"


class Senders(NamedTuple):
    """Those who come to one owner: what they judge by, and when."""

    owner: DnsName
    references: References
    profile: Profile
    now: datetime

    def verdict(self, records: Records, held: Held) -> Verdict:
        """What they make of a chain."""
        from danebot.domain.dane import verify

        return verify(records, held.chain.ders, self.references, self.now, self.profile)

    def refuse(self, records: Records, held: Held) -> bool:
        """Whether they refuse a chain by an RRset."""
        from danebot.domain.dane import Outcome

        return self.verdict(records, held).outcome is Outcome.FAILED

    def accept(self, records: Records, held: Held) -> bool:
        """Whether they authenticate a chain by an RRset."""
        from danebot.domain.dane import Outcome

        return self.verdict(records, held).outcome is Outcome.AUTHENTICATED


def senders_to(owner: DnsName, live: Held, now: datetime) -> Senders:
    """Those who come to ``owner`` while ``live`` is served.

    Their reference identifier is the TLSA base domain (RFC 7672 section 3.2.2).  A live chain that
    doesn't name it can only serve those who know it by another name: then its own names count.
    """
    from danebot.domain.dane import Profile, References

    named = TlsaOwner.from_name(owner)
    names = tuple(_hostnames(live.chain.names))
    if named is None:  # the end of a CNAME: who comes there by which name isn't known
        return Senders(owner, References(Hostname(owner.text), names), Profile.SMTP, now)
    mail = default_protocol(named.port) in _MAIL
    others = () if live.chain.covers(named.base.dns_name) else names
    return Senders(
        owner, References(named.base, others), Profile.SMTP if mail else Profile.GENERIC, now
    )


def _hostnames(names: Iterable[DnsName]) -> Iterator[Hostname]:
    for name in sorted(names):
        try:
            yield Hostname.parse(name.text)
        except NameSyntaxError:  # a wildcard stands for no name in particular
            continue


def gate(
    state: LineageState,
    new: Held,
    observations: Observations,
    memory: Memory,
    *,
    policy: Policy,
    now: datetime,
) -> Refusal | None:
    """Why ``new`` must not replace what is live; None if it may.

    ``memory`` must already hold this look.  What must be published comes before what only has to be
    waited for.
    """
    live = state.serving
    if live is None or new.same_content(live):
        return None
    found: list[Refusal] = []
    # With dane-ee unreadable, all that were ever looked at count.
    others = () if state.required is not None else memory.owners
    fading = (line.owner for line in state.fading)
    for name in dict.fromkeys((*state.owners, *fading, *others)):
        owner = memory.owners.get(name, OwnerMemory())
        judge = _Judge(senders_to(name, live, now), live, new)
        observation = observations.get(name)
        if not _repaired(judge, observation):
            relies = any(one.line.owner == name for one in state.anchored)
            found += _refusals(judge, owner, observation, policy, relies_on_anchor=relies)
    return max(found, key=_urgency, default=None)


def _urgency(refusal: Refusal) -> tuple[bool, bool, bool, float]:
    until = refusal.until
    rests_on_silence = bool(refusal.silent)
    return (
        until is None,
        refusal.unknown,
        not rests_on_silence,
        until.timestamp() if until else 0.0,
    )


@dataclass(frozen=True, slots=True)
class _Judge:
    """Compares what senders make of the live and of the new chain."""

    senders: Senders
    live: Held
    new: Held
    known: dict[Records, bool] = field(default_factory=dict)

    def worse(self, records: Records) -> bool:
        """Whether the new chain fails an RRset that the live one satisfies."""
        if records not in self.known:
            self.known[records] = self.senders.refuse(
                records, self.new
            ) and not self.senders.refuse(records, self.live)
        return self.known[records]

    def refusal(
        self, records: Records, until: datetime | None = None, silent: tuple[str, ...] = ()
    ) -> Refusal:
        """That RRset as a reason to hold the new chain back."""
        if silent and until is None:
            reason = (
                f"no usable answer from {', '.join(silent)}, where the TLSA records may still "
                "be those by which senders would refuse it"
            )
            return Refusal(self.senders.owner, reason, silent=silent)
        verdict = self.senders.verdict(records, self.new)
        words = "; ".join(f"{one.record} {one}" for one in verdict.records if one.usable)
        publish = self._remedy(records) if until is None else None
        return Refusal(self.senders.owner, words, publish, until)

    def _remedy(self, records: Records) -> TlsaRecord | None:
        """The record of the new chain like the one that authenticates the live chain."""
        matched = self.senders.verdict(records, self.live).matched
        if matched is None:
            return None
        form, ders = matched.record, self.new.chain.ders
        depth = min(matched.depth or 0, len(ders) - 1)
        if form.usage in (Usage.DANE_EE, Usage.PKIX_EE):
            depth = 0
        der = ders[depth] if form.selector == Selector.CERT else _spki(ders[depth])
        record = form._replace(data=association(der, MatchingType(form.mtype)))
        after = (*records, record)
        if self.senders.refuse(after, self.new) or self.senders.refuse(after, self.live):
            return None
        return record


def _spki(der: bytes) -> bytes:
    from danebot.domain.presented import read

    certificate = read(der)
    return certificate.spki if certificate is not None else b""


def _refusals(
    judge: _Judge,
    owner: OwnerMemory,
    observation: OwnerObservation | None,
    policy: Policy,
    *,
    relies_on_anchor: bool,
) -> Iterator[Refusal]:
    """Each RRset of an owner that a cache may hold, if it is a reason."""
    now, name = judge.senders.now, judge.senders.owner
    shown = {records for records, _ in in_force(observation)} if observation is not None else set()
    for sighting in owner.rrsets:
        until = gone_at(sighting, owner, policy)
        if (until is None or now < until) and judge.worse(sighting.records):
            silent = _silent(observation) if sighting.records not in shown else ()
            yield judge.refusal(sighting.records, until, silent)
    # A look under a clock that is behind isn't remembered, but what it shows is there.
    for records in sorted(shown.difference(one.records for one in owner.rrsets)):
        if judge.worse(records):
            yield judge.refusal(records)
    known_at = past_known_at(owner, policy)
    same = _same_authorities(judge.live, judge.new)
    if known_at is None:
        if not same and judge.live.chain.not_after > now:
            yield Refusal(name, "its TLSA records were never seen", unknown=True)
    elif now < known_at and not same:
        other_key = relies_on_anchor and judge.new.key != judge.live.key
        if other_key or _past_may_matter(judge, owner):
            yield Refusal(name, "what was published before danebot first looked", until=known_at)


def _silent(observation: OwnerObservation | None) -> tuple[str, ...]:
    """Who gave no answer about an owner: servers with their addresses, or the resolver."""
    if observation is None:
        return ("anybody",)
    unheard = observation.unheard
    servers = [str(one.server) for one in observation.all_servers if one.server.name in unheard]
    known = {one.server.name for one in observation.all_servers}
    servers += [name.text for name in sorted(unheard - known)]
    if servers or observation.answer.presence is not Presence.UNKNOWN:
        return tuple(dict.fromkeys(servers))
    return (RESOLVER,)


def _same_authorities(live: Held, new: Held) -> bool:
    """Whether the new chain has the live one's key and issuers, so that no name of them is lost."""
    return new.key == live.key and set(live.chain.ders[1:]) <= set(new.chain.ders[1:])


def _past_may_matter(judge: _Judge, owner: OwnerMemory) -> bool:
    """Whether a part of what is there now, alone in a cache, would fail the new chain.

    Records that name a key (``3 1 x``) are left to the wait for that key's own records.
    """
    alone = {record for records in open_rrsets(owner) for record in records}
    return any(
        judge.worse((record,))
        for record in alone
        if (record.usage, record.selector) != (Usage.DANE_EE, Selector.SPKI)
    )


def _repaired(judge: _Judge, observation: OwnerObservation | None) -> bool:
    """Whether everyone was heard, and all that is there fails the live chain and not the new."""
    if observation is None or not observation.heard_all or not observation.answer.secure:
        return False
    if observation.answer.presence is not Presence.PRESENT:
        return False
    shown = [records for records, _ in in_force(observation)]
    return all(
        judge.senders.refuse(records, judge.live) and not judge.senders.refuse(records, judge.new)
        for records in shown
    )


# ---- owners that rely on DANE-TA ------------------------------------------------------------


def anchored(state: LineageState, observations: Observations, now: datetime) -> LineageState:
    """The lineage with the lines of ``dane-ee`` that demand no record of a key set apart.

    Those are of owners where the live chain is authenticated by DANE-TA(2), at the resolver and at
    every server that answers, and where no DANE-EE(3) record of the live key is.  What such an
    owner needs, the gate sees to.
    """
    live, lines = state.serving, state.lines
    if live is None or not lines or state.required is None:
        return state
    relying = {
        owner: _anchor(owner, live, observations[owner], now)
        for owner in state.owners
        if owner in observations
    }
    found = [(line, relying.get(line.owner)) for line in lines]
    return replace(
        state,
        required=tuple(line for line, record in found if record is None),
        anchored=tuple(Anchored(line, record) for line, record in found if record is not None),
    )


def _anchor(
    owner: DnsName, live: Held, observation: OwnerObservation, now: datetime
) -> TlsaRecord | None:
    """The DANE-TA record that an owner relies on, by the resolver's answer; None if it doesn't."""
    answer = observation.answer
    if not answer.secure or answer.presence is not Presence.PRESENT:
        return None
    heard = [
        server.records
        for server in observation.all_servers
        if server.outcome is ServerOutcome.ANSWERED
    ]
    rrsets = {answer.records, *heard}
    if not all(any(record.usage == Usage.DANE_TA for record in rrset) for rrset in rrsets):
        return None
    if any(_names_leaf(record, live) for rrset in rrsets for record in rrset):
        return None
    senders = senders_to(owner, live, now)
    anchors = {rrset: matched_anchor(senders, rrset, live) for rrset in rrsets}
    return anchors[answer.records] if None not in anchors.values() else None


def matched_anchor(senders: Senders, records: Records, live: Held) -> TlsaRecord | None:
    """The DANE-TA record by which those senders authenticate the live chain, if they do."""
    matched = senders.verdict(records, live).matched
    if matched is None or matched.record.usage != Usage.DANE_TA:
        return None
    return matched.record


def _names_leaf(record: TlsaRecord, live: Held) -> bool:
    if record.usage != Usage.DANE_EE or unusable_reason(record) is not None:
        return False
    named = live.key.spki if record.selector == Selector.SPKI else live.chain.ders[0]
    return association(named, MatchingType(record.mtype)) == record.data
