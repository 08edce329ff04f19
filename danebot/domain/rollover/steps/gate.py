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

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import OwnerObservation, Presence
from danebot.domain.dns.tlsa import Selector, Usage
from danebot.domain.lineage.state import Held
from danebot.domain.names import DnsName, service_at
from danebot.domain.rollover.evidence.caches import (
    alone_before,
    gone_at,
    in_force,
    past_known_at,
    seen_gone_at,
)
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory
from danebot.domain.rollover.evidence.senders import senders_to
from danebot.domain.rollover.evidence.unbroken import long_unheard
from danebot.domain.rollover.steps.judge import Judge
from danebot.domain.rollover.steps.refusals import (
    Refusal,
    is_early,
    led_astray,
    unheard_long,
    unknown_past,
    who_is_silent,
    worst,
)
from danebot.domain.rollover.steps.served import served_at
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.evidence.propagation import Observations


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
        judge = Judge(senders_to(name, live, self.now), served, self.new)
        early = is_early(live, self.policy, self.now)
        unseen = early and observation is not None and bool(observation.unseen_ends)
        if unseen or not _repaired(judge, observation):
            owner = self.memory.owners.get(name, OwnerMemory())
            relies = any(one.line.owner == name for one in self.state.anchored)
            quiet = long_unheard(owner, observation, self.now) if early else ()
            fading = any(line.owner == name for line in self.state.fading)
            led = owner.route is not None and owner.route.canonical != name
            yield from _refusals(
                judge,
                owner,
                observation,
                self.policy,
                relies_on_anchor=relies,
                quiet=quiet,
                bare=early and (led or fading),
                early=early,
            )
            if early and not judge.keeps_names:
                yield from led_astray(name, owner, observation, self.policy, self.now)


def _refusals(
    judge: Judge,
    owner: OwnerMemory,
    observation: OwnerObservation | None,
    policy: Policy,
    *,
    relies_on_anchor: bool,
    quiet: tuple[str, ...],
    bare: bool,
    early: bool,
) -> Iterator[Refusal]:
    """Each RRset of an owner that a cache may hold, if it is a reason."""
    now, name, served = judge.senders.now, judge.senders.owner, judge.served
    same = judge.keeps_names
    gone = gone_at if early or not same else seen_gone_at
    shown = {records for records, _ in in_force(observation)} if observation is not None else set()
    for sighting in owner.rrsets:
        until = gone(sighting, owner, policy)
        if (until is None or now < until) and judge.worse(sighting.records):
            silent = who_is_silent(observation) if sighting.records not in shown else ()
            yield judge.refusal(sighting.records, until, silent)._replace(since=sighting.until)
    # Of an owner that was never seen, a clock that is behind leaves nothing in the memory.
    for records in sorted(shown.difference(one.records for one in owner.rrsets)):
        if judge.worse(records):
            yield judge.refusal(records)
    known_at = past_known_at(owner, policy)
    if known_at is None:
        if not same and (served is None or served.chain.not_after > now):
            yield Refusal(name, "its TLSA records were never seen", unknown=True)
        return
    if (quiet or now < known_at) and (early or not same):
        # A record may name the certificate: that is new with the same key, too.
        other_key = relies_on_anchor and (served is None or judge.new.key != served.key)
        if other_key or _past_may_matter(judge, owner, policy, bare=bare):
            yield unheard_long(name, quiet) if quiet else unknown_past(name, known_at)


def _past_may_matter(judge: Judge, owner: OwnerMemory, policy: Policy, *, bare: bool) -> bool:
    """Whether a part of what is there, or was at the first look, alone would fail the new chain.

    Where it is ``bare``, anything may have been there before: an alias may have led to it, and may
    yet, or a line of ``dane-ee`` that is lost been there for it.

    Records that name a key (``3 1 x``) are left to the wait for that key's own records, which the
    live key never had where a service may serve a former one.
    """
    alone = alone_before(owner, policy, judge.senders.now)
    if bare and not alone:
        return not judge.keeps_names
    return any(
        judge.worse((record,))
        for record in alone
        if judge.served is None or (record.usage, record.selector) != (Usage.DANE_EE, Selector.SPKI)
    )


def _repaired(judge: Judge, observation: OwnerObservation | None) -> bool:
    """Whether everyone was heard, and all that is there fails the live chain and not the new."""
    if observation is None or not observation.heard_all or not observation.answer.secure:
        return False
    if observation.answer.presence is not Presence.PRESENT:
        return False
    return all(judge.repaired(records) for records, _ in in_force(observation))
