"""The gate before every deployment: no sender may be worse off for the new chain.

A sender judges a chain by the TLSA RRset that its resolver holds, whatever usages that carries.  So
a chain goes live only if every RRset that a cache may hold (see `caches`) authenticates it, as far
as it authenticates the chain that is live: an RRset that fails both is no reason to wait.  Both
kinds of senders may come, those that are given a certificate and those that are given the raw
public key, and neither may be worse off.

Where mail is failing already (everyone who has the RRset securely shows one by which both kinds
refuse the live chain, and neither the new one) older RRsets in caches are no reason either: the
new chain is the repair.  What a usage demands is decided by `dane`, as Postfix and Exim do it;
PKIX-TA(0) and PKIX-EE(1) count but between mail servers (see `profiles`); they are judged without
a trust store, by their data alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.dane.certificate_types import ALL_TYPES, CertificateType
from danebot.domain.dns.answers import OwnerObservation, Presence
from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, Usage, association
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.caches import (
    Records,
    gone_at,
    in_force,
    open_rrsets,
    past_known_at,
)
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory
from danebot.domain.rollover.evidence.senders import Senders, senders_to
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.evidence.propagation import Observations

RESOLVER = "the validating resolver"
"""Who is named where it gave no answer."""

UNVALIDATED = f"{RESOLVER} (nothing shows that it validates)"
"""The same where its answer is insecure, and nobody shows whether the zone is signed."""


class Refusal(NamedTuple):
    """An RRset of ``owner`` by which senders would refuse the new chain; ``reason`` in words.

    ``publish`` is a record that would make it satisfied, if there is one.  ``until`` is set where
    nobody shows that RRset any more, and is when the last cache has dropped it.  ``unknown`` tells
    that nothing was seen of the owner yet.  ``silent`` names those who alone may still have that
    RRset, since they gave no answer: no record that is published mends that.  ``since`` is when
    everybody had left that RRset, which ``until`` follows, later by what moved on the way to it.
    """

    owner: DnsName
    reason: str
    publish: TlsaRecord | None = None
    until: datetime | None = None
    unknown: bool = False
    silent: tuple[str, ...] = ()
    since: datetime | None = None

    def __str__(self) -> str:
        until = f", until {self.until:%Y-%m-%d %H:%M} UTC" if self.until is not None else ""
        return f"{self.owner}: {self.reason}{until}"


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

    ``memory`` must already hold this observation.  What must be published comes before what only
    has to be waited for.
    """
    live = state.serving
    if live is None:
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
    reason: nobody else is served by it.
    """
    live = state.serving
    if live is None:
        return None
    found: list[Refusal] = []
    for name in state.owners:
        owner, seen = memory.owners.get(name, OwnerMemory()), observations.get(name)
        shown = [records for records, _ in in_force(seen)] if seen is not None else []
        there = frozenset(record for rrset in (*shown, *open_rrsets(owner)) for record in rrset)
        ends = {s.records: gone_at(s, owner, policy) for s in owner.rrsets}
        ends |= dict.fromkeys(shown)
        if owner.watched_since is None and not shown:
            found.append(Refusal(name, "its TLSA records were never seen", unknown=True))
        senders = senders_to(name, live, now)
        for records, until in ends.items():
            counts = (until is None or now < until) and not there.isdisjoint(records)
            if counts and CertificateType.X509 in senders.refusing(records, live):
                reason = f"{'; '.join(map(str, records))} doesn't match it"
                found.append(Refusal(name, reason, until=until))
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


class _Judge:
    """Compares what senders make of the live and of the new chain."""

    def __init__(self, senders: Senders, live: Held, new: Held) -> None:
        self.senders, self.live, self.new = senders, live, new
        self.known: dict[Records, frozenset[CertificateType]] = {}

    def worse(self, records: Records) -> frozenset[CertificateType]:
        """Which senders refuse the new chain by an RRset, and not the live one."""
        if records not in self.known:
            new = self.senders.refusing(records, self.new)
            self.known[records] = new and new - self.senders.refusing(records, self.live)
        return self.known[records]

    def repaired(self, records: Records) -> bool:
        """Whether all senders refuse the live chain by an RRset, and none the new one."""
        refused = self.senders.refusing(records, self.live) == ALL_TYPES
        return refused and not self.senders.refuse(records, self.new)

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
        worse = self.worse(records)
        if worse != ALL_TYPES:
            words = f"for {', '.join(one.value for one in worse)}: {words}"
        publish = self._remedy(records) if until is None else None
        return Refusal(self.senders.owner, words, publish, until)

    def _remedy(self, records: Records) -> TlsaRecord | None:
        """The record of the new chain like the one that authenticates the live chain."""
        from danebot.domain.dane.path import climbed

        known = self.senders.known_by(records, self.live)
        if known is None:
            return None
        form, path = known[0], climbed(self.new.chain.ders, self.senders.now)
        if not path:
            return None
        named = path[min(known[1], len(path) - 1)]
        der = named.der if form.selector == Selector.CERT else named.spki
        record = form._replace(data=association(der, MatchingType(form.mtype)))
        return None if self.senders.refuse((*records, record), self.new) else record


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
            yield judge.refusal(sighting.records, until, silent)._replace(since=sighting.until)
    # An observation under a clock that is behind isn't remembered, but what it shows is there.
    for records in sorted(shown.difference(one.records for one in owner.rrsets)):
        if judge.worse(records):
            yield judge.refusal(records)
    known_at = past_known_at(owner, policy)
    same = _same_authorities(judge.live, judge.new)
    if known_at is None:
        if not same and judge.live.chain.not_after > now:
            yield Refusal(name, "its TLSA records were never seen", unknown=True)
    elif now < known_at:  # a record may name the certificate: that is new with the same key, too
        other_key = relies_on_anchor and judge.new.key != judge.live.key
        if (other_key and not same) or _past_may_matter(judge, owner):
            yield Refusal(name, "what was published before danebot first looked", until=known_at)


def _silent(observation: OwnerObservation | None) -> tuple[str, ...]:
    """Who gave no answer about an owner: servers with their addresses, or the resolver."""
    if observation is None:
        return ("anybody",)
    unheard = observation.unheard
    servers = [str(one.server) for one in observation.all_servers if one.server.name in unheard]
    known = {one.server.name for one in observation.all_servers}
    servers += [name.text for name in sorted(unheard - known)]
    if observation.unproven:
        servers.append(UNVALIDATED)
    elif not servers and observation.answer.presence is Presence.UNKNOWN:
        return (RESOLVER,)
    return tuple(dict.fromkeys(servers))


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
    return all(judge.repaired(records) for records, _ in in_force(observation))


# ---- owners that rely on DANE-TA ------------------------------------------------------------
