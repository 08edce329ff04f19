"""Reasons to hold a chain back: RRsets that caches may hold, and what nobody can see of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import OwnerObservation, Presence
from danebot.domain.rollover.evidence.caches import astray_known_at
from danebot.domain.rollover.evidence.policy import LONGEST_GAP
from danebot.domain.rollover.evidence.unbroken import RESOLVER
from danebot.domain.text import duration
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.dns.tlsa import TlsaRecord
    from danebot.domain.lineage.state import Held
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.memory import OwnerMemory
    from danebot.domain.rollover.evidence.policy import Policy

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


def is_early(live: Held, policy: Policy, now: datetime) -> bool:
    """Whether what nobody ever saw holds a step yet; it doesn't hold the certificate."""
    return now < live.chain.not_after - live.chain.lifetime * policy.expiry_warning


def unheard_long(owner: DnsName, quiet: tuple[str, ...]) -> Refusal:
    """The reason where these servers were not heard for too long, or never."""
    span = f"for {duration(LONGEST_GAP)} and more, or ever"
    words = f"no usable answer {span}, from {', '.join(quiet)}"
    reason = f"{words}: it may have had other TLSA records meanwhile"
    return Refusal(owner, reason, silent=quiet)


def unknown_past(owner: DnsName, known_at: datetime) -> Refusal:
    """The reason until nobody holds what was there before the first look any more."""
    return Refusal(owner, BEFORE_FIRST_LOOK, until=known_at)


def led_astray(
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
    leading = observation.astray if observation is not None else {}
    if not leading:
        yield Refusal(name, LED_ASTRAY, until=until)
        return
    words = ", ".join(f"{server} leads to {end}" for server, end in sorted(leading.items()))
    reason = f"{words}, where nobody looked: it may have other TLSA records"
    yield Refusal(name, reason, silent=tuple(sorted(leading)))


def who_is_silent(observation: OwnerObservation | None) -> tuple[str, ...]:
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
