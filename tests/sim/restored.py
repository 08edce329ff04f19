"""Histories of a tree out of a backup, while DNS and the service have gone on without it.

The backup has the key ``old`` live, as danebot had deployed and confirmed it; a renewal of it is
due.  The service keeps what it has (``late``, say) until something makes it read the tree anew.
The operator publishes what the service has, what the tree has, or both, and mends one or the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.anchors import anchored
from danebot.domain.rollover.evidence.memory import Deployment, Memory
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.propagation import Observations
from danebot.domain.rollover.steps.phases import Observation, Plan, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.rollover.steps.served import loses_nothing
from danebot.domain.rollover.steps.unasked import disproved, to_be_asked
from domain.builders import DAY, HOUR, MX, T0, seen
from domain.gate_world import chain, renewal, shown, tlsa
from sim.keeping import Keep, Seen, kept

_LIVE, _NEW = chain("old", days=200), chain("old", version=2, days=200)
_BEFORE, _STAGED = renewal(_LIVE, _LIVE), renewal(_NEW, _LIVE)
_KEYS = ("late", "late", "late", "old", "third")
_RRSETS = (("late",), ("late",), ("late", "old"), ("old",), ("third",), ())
_TTLS = (HOUR, 6 * HOUR, DAY)
_LASTS = 3 * DAY  # so that no version comes and goes between two runs
Asks = Callable[[Plan], bool]


class Version(NamedTuple):
    """An RRset that every server has from ``start`` until the next: the keys that it names."""

    start: datetime
    keys: tuple[str, ...]
    ttl: timedelta

    @property
    def records(self) -> tuple[TlsaRecord, ...]:
        """The RRset."""
        return tuple(map(_record, self.keys))


@functools.cache
def _record(key: str) -> TlsaRecord:
    return tlsa("3 1 1", key=key)


@functools.cache
def _presented(key: str) -> tuple[bytes, ...]:
    return chain(key, days=200).chain.ders


class End(NamedTuple):
    """How a history ended: when the renewal was deployed, whether it was held, whom that harmed."""

    deployed: datetime | None
    held: bool
    harmed: tuple[Version, ...]
    looks: int


@dataclass
class Restored:
    """One history; ``service`` is the key that it has, None while it answers nobody."""

    rng: Random
    asks: Asks
    versions: list[Version] = field(default_factory=list)
    services: list[tuple[datetime, str]] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    policy: Policy = field(default_factory=lambda: Policy(min_wait=timedelta(0), margin=HOUR))
    keep: Keep = Keep.RESULTS
    shown: dict[Version, Observations] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Roll the dice: the RRset's versions, and what the service has."""
        rng, now = self.rng, T0 - 40 * DAY
        self.versions = [Version(now, ("old",), rng.choice(_TTLS))]
        self.versions.append(Version(now + 3 * DAY, rng.choice(_RRSETS), rng.choice(_TTLS)))
        now = T0 - rng.choice((HOUR, DAY, 20 * DAY))  # the backup is older
        for _ in range(rng.randrange(1, 5)):
            self.versions.append(Version(now, rng.choice(_RRSETS), rng.choice(_TTLS)))
            now = max(now, T0) + _LASTS + rng.random() * 5 * DAY
        self.services = [(T0 - 30 * DAY, rng.choice(_KEYS))]
        for _ in range(rng.randrange(3)):
            now = self.services[-1][0] + rng.random() * 30 * DAY
            self.services.append((max(now, T0), rng.choice(_KEYS)))
        last = Deployment(
            _LIVE.chain.fingerprint, _LIVE.key.digest, T0 - 39 * DAY, confirmed_at=T0 - 39 * DAY
        )
        self.memory = rng.choice((Memory(deployment=last, asked=(MX,)), Memory(asked=(MX,))))

    def at(self, now: datetime) -> Version:
        """What every server has at a time."""
        return [one for one in self.versions if one.start <= now][-1]

    def service(self, now: datetime) -> str:
        """The key that the service has."""
        return [key for start, key in self.services if start <= now][-1]

    def see(self, now: datetime) -> Observations:
        """What a look at that time shows: the same, while nothing changes."""
        version = self.at(now)
        if version not in self.shown:
            one = shown(*version.records, ttl=version.ttl)
            self.shown[version] = seen(Seen(*one) if self.keep is Keep.RESULTS else one)
        return self.shown[version]

    def look(self, now: datetime) -> None:
        """A look of which the backup knows."""
        self.memory = remember(self.memory, _BEFORE, self.see(now), now)

    def run(self, now: datetime) -> Plan:
        """One run, as `LineageRun` makes it, up to the step that it takes."""
        state, look = _STAGED, self.see(now)
        unharmed: frozenset[DnsName] = frozenset()
        asked = False
        while True:
            state = anchored(state, self.memory, look, now)
            self.memory = remember(self.memory, state, look, now)
            self.memory = to_be_asked(self.memory, state, look, policy=self.policy, now=now)
            observation = Observation(state, look, distrust="", unharmed=unharmed)
            found = plan(observation, self.memory, self.policy, now)
            if asked or not self.asks(found):
                return found
            asked, silent = True, self.rng.random() < 0.2
            presented = _presented(self.service(now))
            if not silent and loses_nothing(
                MX, presented, _NEW, state, look, memory=self.memory, policy=self.policy, now=now
            ):
                unharmed = frozenset({MX})
            else:
                self.memory = disproved(self.memory, _LIVE, now)

    def harmed(self, now: datetime) -> tuple[Version, ...]:
        """The RRsets that a cache may hold by which mail flowed, and doesn't by the key `old`.

        Where nobody who looks now knows what the service has, excused are the repair, by which all
        know the key `old`, and what was replaced before the first look since the backup.
        """
        there = self.at(now).keys
        ends = [*(one.start for one in self.versions[1:]), datetime.max.replace(tzinfo=T0.tzinfo)]
        key = self.service(now)
        return tuple(
            one
            for one, end in zip(self.versions, ends, strict=True)
            if one.start <= now and (end > now or end + one.ttl > now)
            if key in one.keys and "old" not in one.keys
            if key in there or ("old" not in there and end > T0)
        )


def relied_upon(found: Plan) -> bool:
    """Whether a run asks: danebot's own rule."""
    return bool(found.relies)


def simulate_restored(seed: int, asks: Asks = relied_upon, keep: Keep = Keep.RESULTS) -> End:
    """Play one history, a run each day, until the renewal is deployed or the time is over."""
    with kept(keep):
        return _played(Restored(Random(seed), asks, keep=keep))


def _played(history: Restored) -> End:
    for day in range(3):
        history.look(T0 - (38 - day) * DAY)
    now, looks = T0 + history.rng.random() * DAY, 3
    while now < T0 + 60 * DAY:
        looks += 1
        if history.run(now).step is Step.DEPLOY:
            return End(now, looks > 4, history.harmed(now), looks)
        now += DAY * (0.5 + history.rng.random())
    return End(None, looks > 4, (), looks)
