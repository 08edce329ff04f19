"""When a rollover is wanted: on request, by the calendar, or with each certificate.

A next key that stands by has its record published and in every cache, and waits for one of these.
Whether a rollover is *safe* is for `rollover`; here is only whether anybody wants it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.memory import CurrentKey, Memory, Request, Urgency, Witness
from danebot.domain.policy import Occasion, Policy

if TYPE_CHECKING:
    from danebot.domain.keys import PublicKey
    from danebot.domain.lineage import Held, LineageState

_JITTER = 0.1  # of the period: hosts that were set up together don't roll over together
_SHORT_LIVED = timedelta(days=10)
_LEFT, _LEFT_SHORT = 0.36, 0.55
"""What is left of a lifetime when a key for the next certificate is taken: a little before certbot
renews by itself, which is with a third left, or a half where the whole is less than ten days."""


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
        chain = serving.chain
        lifetime = chain.not_after - chain.not_before
        left = _LEFT_SHORT if lifetime < _SHORT_LIVED else _LEFT
        return chain.not_after - lifetime * left
    return None


def renewal_due(serving: Held) -> datetime:
    """When certbot would renew what is served, by its own rule for lifetimes.

    With a third of the lifetime left, or a half where the whole is less than ten days.
    """
    chain = serving.chain
    lifetime = chain.not_after - chain.not_before
    return chain.not_after - lifetime / (2 if lifetime < _SHORT_LIVED else 3)


def _served_since(serving: Held, memory: Memory) -> datetime:
    """Since when its key is the current one; since its certificate, where that was forgotten."""
    known = memory.current
    if known is not None and known.digest == serving.key.digest:
        return known.since
    return serving.chain.not_before


def remember_current(memory: Memory, state: LineageState, now: datetime) -> CurrentKey | None:
    """Since when the current key is the current one: now, if it has just changed."""
    serving, known = state.serving, memory.current
    if serving is None or (known is not None and known.digest == serving.key.digest):
        return known
    since = serving.chain.not_before if known is None else now
    return CurrentKey(serving.key.digest, min(since, now))


def wants_next_key(state: LineageState, memory: Memory, policy: Policy, now: datetime) -> bool:
    """Whether a next key is to be made, where none is on its way.

    Never without TLSA owners: nothing would keep it from being used too early.
    """
    if not state.lines or state.awaited is not None or state.current_key is None:
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
    """The request to use ``key``, if there is one."""
    request = memory.request
    return request if request is not None and request.digest == key.digest else None


def mismatch_accepted(memory: Memory, key: PublicKey) -> bool:
    """Whether the operator would rather have mail refused than go on without ``key``."""
    request = requested(memory, key)
    return request is not None and request.urgency is Urgency.MISMATCH_ACCEPTED


def in_force(policy: Policy, memory: Memory, key: PublicKey) -> Policy:
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
