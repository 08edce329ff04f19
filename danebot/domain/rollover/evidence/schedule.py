"""When a rollover is wanted: on request, by the calendar, or with each certificate.

A next key that stands by has its record published and in every cache, and waits for one of these.
Whether a rollover is *safe* is for `rollover`; here is only whether anybody wants it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from danebot.domain.lineage.renewal import SHORT_LIVED, renews_at
from danebot.domain.rollover.evidence.memory import CurrentKey, Memory, Request, Urgency, Witness
from danebot.domain.rollover.evidence.policy import Occasion, Policy

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.lineage.state import Held, LineageState

_JITTER = 0.1  # of the period: hosts that were set up together don't roll over together
_BEFORE, _BEFORE_SHORT = 0.027, 0.05
"""The part of a lifetime by which a key for the next certificate is taken before certbot would
renew by itself; certificates of less than ten days have fewer daily runs."""
_CERTIFICATES = 4  # of the current key, that are remembered


def standing(policy: Policy) -> bool:
    """Whether there is to be a next key at all times, ready for use."""
    return policy.prepublish or policy.rollover_every is Occasion.RENEWAL


def scheduled(policy: Policy) -> bool:
    """Whether rollovers come by themselves."""
    return policy.rollover_every is not Occasion.REQUEST


def rollover_at(state: LineageState, memory: Memory, policy: Policy) -> datetime | None:
    """When the schedule wants another key to be served; None if only a request does."""
    serving = state.serving
    if serving is None:
        return None
    if isinstance(policy.rollover_every, timedelta):
        since = _served_since(serving, memory)
        spread = int.from_bytes(serving.key.digest[:4]) / 2**32  # as good as a die, and it stays
        return since + policy.rollover_every * (1 - _JITTER * spread)
    if policy.rollover_every is Occasion.RENEWAL:
        return _before_certbot(state, serving, memory)
    return None


def _before_certbot(state: LineageState, serving: Held, memory: Memory) -> datetime | None:
    """A little before certbot would renew by its rule, or sooner where it did so before.

    The CA may have it renew earlier than any file says (ARI, RFC 9773).
    """
    chain = serving.chain
    before = _BEFORE_SHORT if chain.lifetime < SHORT_LIVED else _BEFORE
    times = [renews_at(chain, state.rule)]
    known = memory.current
    if known is not None and known.digest == serving.key.digest:
        ages = [later - earlier for earlier, later in pairwise(known.certificates)]
        times += [chain.not_before + age for age in ages]
    due = min((time for time in times if time is not None), default=None)
    if due is None:
        return None
    return max(due - chain.lifetime * before, chain.not_before)


def renewals_with_one_key(memory: Memory) -> int:
    """How often the certificate was renewed in a row, as far as is remembered, with its key."""
    return max(len(memory.current.certificates) - 1, 0) if memory.current is not None else 0


def _served_since(serving: Held, memory: Memory) -> datetime:
    """Since when its key is the current one; since its certificate, where that was forgotten."""
    known = memory.current
    if known is not None and known.digest == serving.key.digest:
        return known.since
    return serving.chain.not_before


def remember_current(memory: Memory, state: LineageState, now: datetime) -> CurrentKey | None:
    """Since when the current key is the current one, and its certificates: now, if it changed."""
    serving, known = state.serving, memory.current
    if serving is None:
        return known
    begins = serving.chain.not_before
    if known is not None and known.digest == serving.key.digest:
        if known.certificates and begins <= known.certificates[-1]:
            return known
        return known._replace(certificates=(*known.certificates, begins)[-_CERTIFICATES:])
    since = begins if known is None else now
    return CurrentKey(serving.key.digest, min(since, now), (begins,))


def wants_next_key(state: LineageState, memory: Memory, policy: Policy, now: datetime) -> bool:
    """Whether a next key is to be made, where none is on its way.

    Never without TLSA owners: nothing would keep it from being used too early.
    """
    if state.required is None or not state.lines:
        return False
    if state.awaited is not None or state.current_key is None:
        return False
    if lacks_key_type(state, policy):
        return False
    if standing(policy):
        return True
    due = rollover_at(state, memory, policy)
    return due is not None and now >= due


def lacks_key_type(state: LineageState, policy: Policy) -> bool:
    """Whether no next key can be made, since certbot doesn't issue with the like of the current."""
    key = state.current_key
    return policy.key_type is None and key is not None and key.key_type is None


def wants_rollover(state: LineageState, memory: Memory, policy: Policy, now: datetime) -> bool:
    """Whether the key on its way is to be used as soon as it is safe."""
    key = state.awaited_key
    if key is None:
        return False
    if requested(memory, key) is not None:
        return True
    if not standing(policy) and not scheduled(policy):
        return True  # `newkey` has no other purpose
    due = rollover_at(state, memory, policy)
    return due is not None and now >= due


def requested(memory: Memory, key: PublicKey) -> Request | None:
    """The request to use ``key``, if there is one.

    That the live key is compromised goes for any successor: the one that was made for it may be
    lost.  That mail may be refused was said of one key.
    """
    request = memory.request
    if request is None or request.digest == key.digest:
        return request
    if request.urgency is Urgency.ORDINARY:
        return None
    return request._replace(digest=key.digest, urgency=Urgency.EMERGENCY)


def mismatch_accepted(memory: Memory, key: PublicKey) -> bool:
    """Whether the operator would rather have mail refused than go on without ``key``."""
    request = requested(memory, key)
    return request is not None and request.urgency is Urgency.MISMATCH_ACCEPTED


def effective_policy(policy: Policy, memory: Memory, key: PublicKey) -> Policy:
    """The policy for the wait of ``key``: in an emergency the TTLs alone count."""
    request = requested(memory, key)
    urgent = request is not None and request.urgency is not Urgency.ORDINARY
    return hurried(policy, memory) if urgent else policy


def hurried(policy: Policy, memory: Memory) -> Policy:
    """The policy with nothing in it that a resolver obeying TTLs doesn't need.

    Where no authoritative server can be asked, nobody knows the TTLs: the minimum wait stays.
    """
    awaiting = memory.awaiting
    if awaiting is not None and awaiting.lines and awaiting.witness is Witness.RESOLVER:
        return policy
    return policy._replace(min_wait=timedelta(0), margin=timedelta(0))
