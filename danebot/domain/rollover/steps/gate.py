"""The gate before every deployment: no sender may be worse off for the new chain.

A sender judges a chain by the TLSA RRset that its resolver holds, whatever usages that carries.  So
a chain goes live only if every RRset that a cache may hold (see `caches`) authenticates it, as far
as it authenticates the chain that services have: an RRset that fails both is no reason to wait.
That is the live one, unless it was only found and a service may have a former one yet; since a
service may have gone on without the tree (a backup), it is asked right before (`relied_upon`).
Both kinds of senders may come, those that are given a certificate and those that are given the raw
public key, and neither may be worse off.

Where mail is failing already (everyone who has the RRset securely shows one by which both kinds
refuse the served chain, and neither the new one) older RRsets in caches are no reason either: the
new chain is the repair.  What a usage demands is decided by `dane`, as Postfix and Exim do it;
PKIX-TA(0) and PKIX-EE(1) count but between mail servers (see `profiles`); they are judged without
a trust store, by their data alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.dane.certificate_types import ALL_TYPES, CertificateType
from danebot.domain.dns.answers import OwnerObservation, Presence
from danebot.domain.dns.tlsa import (
    MatchingType,
    Selector,
    TlsaRecord,
    Usage,
    association,
    key_record,
)
from danebot.domain.lineage.state import Held
from danebot.domain.names import DnsName, service_at
from danebot.domain.rollover.evidence.caches import (
    Records,
    astray_known_at,
    gone_at,
    in_force,
    open_rrsets,
    past_known_at,
)
from danebot.domain.rollover.evidence.memory import (
    Exposure,
    Memory,
    Occurrence,
    OwnerMemory,
)
from danebot.domain.rollover.evidence.policy import LONGEST_GAP
from danebot.domain.rollover.evidence.senders import Senders, senders_to
from danebot.domain.rollover.evidence.unbroken import long_unheard
from danebot.domain.text import duration
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.evidence.propagation import Observations

RESOLVER = "the validating resolver"
"""Who is named where it gave no answer."""

BEFORE_FIRST_LOOK = "what was published before danebot first looked"
"""The reason where only ``unseen_ttl`` ends the wait."""

LED_ASTRAY = "what a name server's alias led to, where nobody looked"
"""The reason where none leads there any more, but caches may."""

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


def gate(
    state: LineageState,
    new: Held,
    observations: Observations,
    memory: Memory,
    *,
    policy: Policy,
    now: datetime,
    unharmed: Collection[DnsName] = (),
) -> Refusal | None:
    """Why ``new`` must not replace what is live; None if it may.

    ``memory`` must already hold this observation.  At ``unharmed`` owners it was seen just now that
    the service has nothing better than what is live.  What must be published comes before what
    only has to be waited for.
    """
    live = state.serving
    if live is None:
        return None
    found: list[Refusal] = []
    at = _At(state, new, observations, memory, policy, now)
    for name in _owners(state, memory):
        served = live if name in unharmed else served_at(name, state, memory, new)
        found += at.refusals(name, served)
    return worst(found)


def relied_upon(
    state: LineageState,
    new: Held,
    observations: Observations,
    memory: Memory,
    *,
    policy: Policy,
    now: datetime,
) -> tuple[DnsName, ...]:
    """The owners where ``new`` may go live only because services have nothing better than live.

    None where it must not even so.
    """
    at, found = _At(state, new, observations, memory, policy, now), []
    for name in _owners(state, memory):
        if any(at.refusals(name, state.serving)):
            return ()
        if name in state.owners and service_at(name) and any(at.refusals(name, None)):
            found.append(name)
    return tuple(found)


def _owners(state: LineageState, memory: Memory) -> Iterable[DnsName]:
    """Those that count; with ``dane-ee`` unreadable, all that were ever looked at."""
    others = () if state.required is not None else memory.owners
    return dict.fromkeys((*state.owners, *(line.owner for line in state.fading), *others))


class _At(NamedTuple):
    """What the gate goes by at each owner."""

    state: LineageState
    new: Held
    observations: Observations
    memory: Memory
    policy: Policy
    now: datetime

    def refusals(self, name: DnsName, served: Held | None) -> Iterator[Refusal]:
        """The RRsets of an owner that are a reason, where its service has ``served``."""
        live, observation = self.state.serving, self.observations.get(name)
        if live is None:
            return
        judge = _Judge(senders_to(name, live, self.now), served, self.new)
        early = _early(live, self.policy, self.now)
        unseen = early and observation is not None and bool(observation.unseen_ends)
        if unseen or not _repaired(judge, observation):
            owner = self.memory.owners.get(name, OwnerMemory())
            relies = any(one.line.owner == name for one in self.state.anchored)
            quiet = long_unheard(owner, observation, self.now) if early else ()
            led = early and owner.route is not None and owner.route.canonical != name
            yield from _refusals(
                judge,
                owner,
                observation,
                self.policy,
                relies_on_anchor=relies,
                quiet=quiet,
                led=led,
                early=early,
            )
            same = served is not None and _same_authorities(served, self.new)
            if early and not same:
                yield from _astray(name, owner, observation, self.policy, self.now)


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
    ends = {one.records: gone_at(one, known, policy) for one in known.rrsets}
    ends |= {records: None for records, _ in in_force(seen)} if seen is not None else {}
    kept = isinstance(new, Held) and _keeps_names(presented, new)
    early = _presents_early(presented[0], policy, now)
    if not kept and early and any(_astray(owner, known, seen, policy, now)):
        return False
    senders, known_at = senders_to(owner, live, now), past_known_at(known, policy)
    cached = {records for records, until in ends.items() if until is None or now < until}
    past = known_at is None or (now < known_at and (early or not kept))
    if past or (
        early and long_unheard(known, seen, now)
    ):  # one of several may have been alone before
        cached |= {(record,) for records in cached for record in records}
    refused = {one: senders.refusing_presented(one, presented) for one in cached}
    lost = {
        one: senders.refusing(one, new) if isinstance(new, Held) else ALL_TYPES for one in cached
    }
    there = [records for records, until in ends.items() if until is None]
    if there and all(refused[one] == ALL_TYPES and not lost[one] for one in there):
        return True
    return bool(cached) and all(lost[one] <= refused[one] for one in cached)


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
        ends = {s.records: gone_at(s, owner, policy) for s in owner.rrsets}
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
        if unserved and _early(live, policy, now):
            yield from _astray(name, owner, seen, policy, now)
        quiet = long_unheard(owner, seen, now)
        if unserved and known_at is not None and (quiet or now < known_at):
            refused = (senders.refusing((record,), live) for record in there)
            if any(CertificateType.X509 in one for one in refused):
                yield _unheard(name, quiet) if quiet else _past(name, known_at)


def worst(refusals: Iterable[Refusal]) -> Refusal | None:
    """Return the one to be told: what must be published before what only has to be waited for."""
    return max(refusals, key=_urgency, default=None)


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
    """Compares what senders make of the served chain, None if it isn't known, and of the new."""

    def __init__(self, senders: Senders, served: Held | None, new: Held) -> None:
        self.senders, self.served, self.new = senders, served, new
        self.known: dict[Records, frozenset[CertificateType]] = {}

    def worse(self, records: Records) -> frozenset[CertificateType]:
        """Which senders refuse the new chain by an RRset, and may not refuse the served one."""
        if records not in self.known:
            new = self.senders.refusing(records, self.new)
            if new and self.served is not None:
                new -= self.senders.refusing(records, self.served)
            self.known[records] = new
        return self.known[records]

    def repaired(self, records: Records) -> bool:
        """Whether all senders refuse the served chain by an RRset, and none the new one."""
        if self.served is None or self.senders.refusing(records, self.served) != ALL_TYPES:
            return False
        return not self.senders.refuse(records, self.new)

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
        if self.served is None:
            words += ", and a service may have a former chain yet"
        publish = self._remedy(records) if until is None else None
        return Refusal(self.senders.owner, words, publish, until)

    def _remedy(self, records: Records) -> TlsaRecord | None:
        """The record of the new chain like the one that authenticates the served chain.

        Where that isn't known, the one of the new key: it counts beside any other.
        """
        from danebot.domain.dane.path import climbed

        if self.served is None:
            mtypes = (MatchingType.SHA2_256, MatchingType.SHA2_512)
            own = (key_record(self.new.key.spki, mtype) for mtype in mtypes)
            return next((one for one in own if self._satisfied((*records, one))), None)
        known = self.senders.known_by(records, self.served)
        if known is None:
            return None
        form, path = known[0], climbed(self.new.chain.ders, self.senders.now)
        if not path:
            return None
        named = path[min(known[1], len(path) - 1)]
        der = named.der if form.selector == Selector.CERT else named.spki
        record = form._replace(data=association(der, MatchingType(form.mtype)))
        return record if self._satisfied((*records, record)) else None

    def _satisfied(self, records: Records) -> bool:
        return not self.senders.refuse(records, self.new)


def _refusals(
    judge: _Judge,
    owner: OwnerMemory,
    observation: OwnerObservation | None,
    policy: Policy,
    *,
    relies_on_anchor: bool,
    quiet: tuple[str, ...],
    led: bool,
    early: bool,
) -> Iterator[Refusal]:
    """Each RRset of an owner that a cache may hold, if it is a reason."""
    now, name = judge.senders.now, judge.senders.owner
    shown = {records for records, _ in in_force(observation)} if observation is not None else set()
    for sighting in owner.rrsets:
        until = gone_at(sighting, owner, policy)
        if (until is None or now < until) and judge.worse(sighting.records):
            silent = _silent(observation) if sighting.records not in shown else ()
            yield judge.refusal(sighting.records, until, silent)._replace(since=sighting.until)
    # Of an owner that was never seen, a clock that is behind leaves nothing in the memory.
    for records in sorted(shown.difference(one.records for one in owner.rrsets)):
        if judge.worse(records):
            yield judge.refusal(records)
    known_at = past_known_at(owner, policy)
    served = judge.served
    same = served is not None and _same_authorities(served, judge.new)
    if known_at is None:
        if not same and (served is None or served.chain.not_after > now):
            yield Refusal(name, "its TLSA records were never seen", unknown=True)
        return
    if (quiet or now < known_at) and (early or not same):
        # A record may name the certificate: that is new with the same key, too.
        other_key = relies_on_anchor and (served is None or judge.new.key != served.key)
        if other_key or _past_may_matter(judge, owner, led=led):
            yield _unheard(name, quiet) if quiet else _past(name, known_at)


def _unheard(owner: DnsName, quiet: tuple[str, ...]) -> Refusal:
    span = f"for {duration(LONGEST_GAP)} and more, or ever"
    words = f"no usable answer {span}, from {', '.join(quiet)}"
    reason = f"{words}: it may have had other TLSA records meanwhile"
    return Refusal(owner, reason, silent=quiet)


def _past(owner: DnsName, known_at: datetime) -> Refusal:
    return Refusal(owner, BEFORE_FIRST_LOOK, until=known_at)


def _early(live: Held, policy: Policy, now: datetime) -> bool:
    """Whether what nobody ever saw holds a step yet; it doesn't hold the certificate."""
    return now < live.chain.not_after - live.chain.lifetime * policy.expiry_warning


def _presents_early(leaf: bytes, policy: Policy, now: datetime) -> bool:
    """The same for who presents a certificate (DER), and always for what can't be read."""
    from danebot.domain.dane.certificate import read

    certificate = read(leaf)
    facts = certificate.facts if certificate is not None else None
    if facts is None:
        return True
    lifetime = facts.not_after - facts.not_before
    return now < facts.not_after - lifetime * policy.expiry_warning


def _astray(
    name: DnsName,
    owner: OwnerMemory,
    observation: OwnerObservation | None,
    policy: Policy,
    now: datetime,
) -> Iterator[Refusal]:
    """What a server's alias leads to that nobody looked at, as long as caches may have it."""
    until = astray_known_at(owner, policy)
    if until is None or now >= until:
        return
    shown = observation.all_servers if observation is not None else ()
    leading = {str(one.server): one.elsewhere for one in shown if one.elsewhere is not None}
    if not leading:
        yield Refusal(name, LED_ASTRAY, until=until)
        return
    words = ", ".join(f"{server} leads to {end}" for server, end in sorted(leading.items()))
    reason = f"{words}, where nobody looked: it may have other TLSA records"
    yield Refusal(name, reason, silent=tuple(sorted(leading)))


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


def _same_authorities(served: Held, new: Held) -> bool:
    """Whether the new chain has the served one's key and issuers: no name of them is lost."""
    return new.key == served.key and set(served.chain.ders[1:]) <= set(new.chain.ders[1:])


def _keeps_names(presented: Sequence[bytes], new: Held) -> bool:
    """The same of a chain that a service was seen to present (DER, leaf first)."""
    from danebot.domain.lineage.pem import leaf_spki

    issuers = set(presented[1:]) <= set(new.chain.ders[1:])
    return issuers and leaf_spki(presented[0]) == new.key.spki


def _past_may_matter(judge: _Judge, owner: OwnerMemory, *, led: bool) -> bool:
    """Whether a part of what is there now, alone in a cache, would fail the new chain.

    Where an alias ``led`` to nothing, it may have led to anything before, and may yet.

    Records that name a key (``3 1 x``) are left to the wait for that key's own records, which the
    live key never had where a service may serve a former one.
    """
    alone = {record for records in open_rrsets(owner) for record in records}
    if led and not alone:
        return judge.served is None or not _same_authorities(judge.served, judge.new)
    return any(
        judge.worse((record,))
        for record in alone
        if judge.served is None or (record.usage, record.selector) != (Usage.DANE_EE, Selector.SPKI)
    )


def _repaired(judge: _Judge, observation: OwnerObservation | None) -> bool:
    """Whether everyone was heard, and all that is there fails the live chain and not the new."""
    if observation is None or not observation.heard_all or not observation.answer.secure:
        return False
    if observation.answer.presence is not Presence.PRESENT:
        return False
    return all(judge.repaired(records) for records, _ in in_force(observation))


# ---- owners that rely on DANE-TA ------------------------------------------------------------
