"""One history: danebot's own planning code against a world, from a new key to its deployment.

Looks come at random times and again right when the plan says it is safe; the resolver has a cache
of its own, servers fall silent, runs crash between any two steps, and the memory goes through its
JSON form or is lost.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from danebot.adapters.codec import decode, encode
from danebot.domain.dns import (
    Alias,
    Answer,
    OwnerObservation,
    Presence,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
    TlsaAnswer,
)
from danebot.domain.lineage import LineageState
from danebot.domain.memory import Failure, Memory, Request, Urgency
from danebot.domain.names import DnsName, Hostname
from danebot.domain.policy import Policy, next_attempt
from danebot.domain.rollover import Observation, Plan, Step
from danebot.domain.safetime import Baseline
from danebot.domain.sight import Observations
from danebot.domain.tlsa import TlsaRecord
from domain.builders import REAL, T0, Rules, held, key, key_file, line, record, state
from sim.world import (
    DAY,
    HORIZON,
    HOUR,
    MINUTE,
    MODEST,
    AliasSpan,
    Content,
    Ranges,
    RRset,
    Span,
    Stale,
    World,
    at,
    make_world,
)

_MOST_LOOKS = 60
_RECORDS = {
    Content.NOTHING: (),
    Content.OLD: (record("old"),),
    Content.BOTH: (record("old"), record("new")),
}
_OWNERS = tuple(DnsName(f"_25._tcp.mx{n}.example.org") for n in range(4))
_TARGETS = tuple(DnsName(f"tlsa{n}.example.org") for n in range(8))
_HOSTS = tuple(Hostname(f"ns{n}.example.org") for n in range(16))
_SERVERS = tuple(Server(host, f"192.0.2.{n}") for n, host in enumerate(_HOSTS))


class Feature(enum.Enum):
    """What a history contains; counted, so that nobody takes an idle simulation for a proof."""

    PROMOTED = "promoted"
    ALIASES = "aliases"
    NEW_SERVERS = "servers changed"
    BLIND = "no server reachable"
    ASSUMED = "TTL assumed"
    WITHDRAWN = "back to next"
    MEMORY_LOST = "memory lost"
    CRASHED = "crashed"
    LINE_ADDED = "line added to dane-ee"
    PUT_BACK = "staging put back"
    NO_MIN_WAIT = "no minimum wait"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a history ended: what any cache may still hold though the key is served."""

    seed: int
    deployed: int | None
    stale: tuple[Stale, ...]
    features: frozenset[Feature]
    looks: int


class CrashError(Exception):
    """The run ends here."""


@dataclass(slots=True)
class Resolver:
    """danebot's own validating resolver: it caches aliases and RRsets for their whole TTL."""

    world: World
    rng: Random
    aliases: dict[int, AliasSpan] = field(default_factory=dict)
    rrsets: dict[int, tuple[int, RRset]] = field(default_factory=dict)
    fetched: dict[int, int] = field(default_factory=dict)

    def alias(self, owner: int, now: int) -> AliasSpan:
        """Where the owner leads, from the cache while the TTL lasts."""
        cached = self.aliases.get(owner)
        if cached is None or self.fetched[owner] + cached.ttl <= now:
            self.aliases[owner] = cached = at(self.world.aliases[owner], now)
            self.fetched[owner] = now
        return cached

    def rrset(self, target: int, now: int) -> RRset:
        """An answer of any of the servers, from the cache while the TTL lasts."""
        until, cached = self.rrsets.get(target, (now, None))
        if cached is None or until <= now:
            server = self.rng.choice(at(self.world.delegations, now).servers)
            cached = at(self.world.rrsets[target, server], now)
            self.rrsets[target] = (now + cached.ttl, cached)
        return cached


@dataclass(slots=True)
class History:
    """The state of one history as it unfolds."""

    seed: int
    rules: Rules
    rng: Random
    world: World
    policy: Policy
    blind: bool
    silence: float
    flaky: int | None
    jitter: int
    state: LineageState
    resolver: Resolver
    memory: Memory = field(default_factory=Memory)
    stored: Memory = field(default_factory=Memory)
    features: set[Feature] = field(default_factory=set)
    looks: int = 0
    noted: list[Span] = field(default_factory=list)
    lacking: set[int] = field(default_factory=set)
    added_line: int | None = None
    deployed: int | None = None
    records: Mapping[Content, tuple[TlsaRecord, ...]] = field(default_factory=lambda: _RECORDS)

    # ---- looking ----------------------------------------------------------------------------

    def clock(self, now: int) -> datetime:
        """The time that danebot reads; it wavers by no more than the margin allows for."""
        return T0 + timedelta(seconds=now + self.rng.randint(-self.jitter, self.jitter))

    def look(self, now: int) -> Observations:
        """Every owner of ``dane-ee``, as danebot sees it now."""
        self.looks += 1
        return {owner: self._look_at(_OWNERS.index(owner), now) for owner in self.state.owners}

    def _look_at(self, owner: int, now: int) -> OwnerObservation:
        security = Security.SECURE
        if self.rng.random() < max(self.silence, 0.03):
            security = self.rng.choice((Security.INDETERMINATE, Security.BOGUS))
        elif self.rng.random() < 0.005:
            security = Security.INSECURE
        delegation = at(self.world.delegations, now)
        self.noted.append(delegation)
        alias = at(self.world.aliases[owner], now)
        canonical = _OWNERS[owner]
        aliases: tuple[Alias, ...] = ()
        answer: TlsaAnswer = Answer(_OWNERS[owner], security, Presence.UNKNOWN, canonical)
        if security in (Security.SECURE, Security.INSECURE):
            alias = self.resolver.alias(owner, now)
            self.noted.append(alias)
            found = self.resolver.rrset(alias.target, now)
            if len(self.world.aliases[owner]) > 1 or alias.ttl:
                canonical = _TARGETS[alias.target]
                ttl = timedelta(seconds=alias.ttl)
                aliases = (Alias(_OWNERS[owner], canonical, ttl),)
            there = found.content is not Content.NOTHING
            answer = Answer(
                _OWNERS[owner],
                security,
                Presence.PRESENT if there else Presence.NODATA,
                canonical,
                aliases,
                self.records[found.content],
                timedelta(seconds=found.ttl) if there else None,
            )
        return OwnerObservation(
            _OWNERS[owner],
            answer,
            DnsName("example.org"),
            frozenset(_HOSTS[server] for server in delegation.servers),
            timedelta(seconds=delegation.ttl),
            tuple(self._ask(server, alias.target, now) for server in delegation.servers),
        )

    def _ask(self, server: int, target: int, now: int) -> ServerAnswer:
        silence = 0.5 if server == self.flaky else self.silence
        if self.blind or self.rng.random() < silence:
            return ServerAnswer(_SERVERS[server], ServerOutcome.UNREACHABLE)
        found = at(self.world.rrsets[target, server], now)
        self.noted.append(found)
        if found.lacking:
            self.lacking.add(target)
        there = found.content is not Content.NOTHING
        ttl = timedelta(seconds=found.ttl)
        return ServerAnswer(
            _SERVERS[server],
            ServerOutcome.ANSWERED,
            self.records[found.content],
            ttl if there else None,
            None if there else ttl,
        )

    # ---- running ----------------------------------------------------------------------------

    def consider(self, observations: Observations, now: int) -> Plan:
        """Remember and plan, as every run does."""
        moment = self.clock(now)
        self.memory = self.rules.remember(self.memory, self.state, observations, moment)
        observation = Observation(self.state, observations, distrust="")
        return self.rules.plan(observation, self.memory, self.policy, moment)

    def run(self, now: int) -> tuple[int, Plan | None]:
        """One run of ``danebot renew``: the time when it ended, and the plan it ended with."""
        plan = None
        try:
            self._load(now)
            observations, fresh = self.look(now), False
            for _ in range(12):
                plan = self.consider(observations, now)
                if plan.safe is not None and plan.safe.baseline is Baseline.ASSUMED:
                    self.features.add(Feature.ASSUMED)
                if plan.step is None or self.deployed is not None:
                    break
                changes_key = plan.step in (Step.PROMOTE, Step.DEPLOY, Step.PUT_BACK)
                if changes_key and not fresh:
                    now += self.rng.randrange(20)
                    observations, fresh = self.look(now), True
                    continue
                self._save()
                now = self._take(plan.step, now)
                fresh = fresh and plan.step is not Step.PROMOTE
            self._save()
        except CrashError:
            self.features.add(Feature.CRASHED)
        return now, plan

    def _load(self, now: int) -> None:
        if self.added_line is not None and now >= self.added_line:
            self.features.add(Feature.LINE_ADDED)
            extra = line(_OWNERS[len(self.state.required or ())])
            self.state = replace(self.state, required=(*(self.state.required or ()), extra))
            self.added_line = None
        if self.rng.random() < 0.02:
            self.features.add(Feature.MEMORY_LOST)
            self.world.seen_lacking.clear()
            self.stored = Memory()
        elif self.rng.random() < 0.05:
            self.stored = decode(Memory, json.loads(json.dumps(encode(self.stored))))
        self.memory = self.stored
        self._forget()

    def _save(self) -> None:
        self._crash()
        self.store()
        self._crash()

    def store(self) -> None:
        """Write the memory: what was seen counts from now on, whatever happens to the run."""
        self.stored = self.memory
        for span in self.noted:
            span.heard = True
        self.world.seen_lacking |= self.lacking
        self._forget()

    def _forget(self) -> None:
        self.noted, self.lacking = [], set()

    def _crash(self) -> None:
        if self.rng.random() < 0.01:
            raise CrashError

    def _take(self, step: Step, now: int) -> int:
        state, file = self.state, self.state.awaited
        assert file is not None
        match step:
            case Step.MARK_READY:
                assert self.memory.awaiting is not None
                since = self.memory.awaiting.seen_since
                assert since is not None
                self.state = replace(state, next=None, ready=file._replace(modified=since))
            case Step.BACK_TO_NEXT:
                self.features.add(Feature.WITHDRAWN)
                self.state = replace(state, next=file, ready=None)
            case Step.PROMOTE:
                return self._promote(now)
            case Step.PUT_BACK:
                self.features.add(Feature.PUT_BACK)
                self.state = replace(state, staged=state.live)
            case Step.DEPLOY:
                self.deployed = now
            case Step.FINISH:
                raise AssertionError("nothing is finished before it is deployed")
        return now

    def _promote(self, now: int) -> int:
        """Have certbot issue, which takes its time and fails now and then."""
        now += self.rng.choice((2, 10, MINUTE, HOUR))
        if self.rng.random() < 0.1:
            moment = self.clock(now)
            retry = next_attempt(self.policy, 1, moment)
            failure = Failure("refused", 1, moment, moment, retry)
            self.memory = replace(self.memory, promotion_failure=failure)
            return now
        self.state = replace(self.state, staged=held("new", 2))
        self.memory = replace(self.memory, promotion_failure=None)
        self._crash()
        return now


def begin(seed: int, rules: Rules = REAL) -> History:
    """Roll the dice for the world, the policy and the weather."""
    rng = Random(seed)
    blind = rng.random() < 0.1
    darkness = blind or rng.random() < 0.2
    ranges: Ranges = MODEST if darkness else Ranges()
    owners = rng.choice((1, 1, 2))
    world = make_world(rng, ranges, owners)
    jitter = rng.choice((0, 0, 20 * MINUTE))
    min_wait = rng.choice(ranges.min_waits)
    margin = timedelta(hours=1) if jitter else timedelta(seconds=rng.choice((0, HOUR)))
    urgent = not jitter and seed % 8 == 0  # clocks that waver are what the margin is for
    if urgent:
        min_wait, margin = 2 * DAY, timedelta(hours=1)
    late_line = owners == 2 and rng.random() < 0.3
    known = owners - 1 if late_line else owners
    history = History(
        seed,
        rules,
        rng,
        world,
        Policy(min_wait=timedelta(seconds=min_wait), margin=margin),
        blind,
        rng.choice((0.1, 0.4)) if darkness else 0.0,
        1 if rng.random() < 0.2 else None,
        jitter,
        state(*(line(owner) for owner in _OWNERS[:known]), next_key=key_file("new", T0)),
        Resolver(world, rng),
        added_line=rng.randrange(5 * DAY) if late_line else None,
    )
    if urgent:
        request = Request(key("new").digest, T0, Urgency.EMERGENCY)
        history.memory = history.stored = Memory(request=request)
    for feature, there in (
        (Feature.BLIND, blind),
        (Feature.NO_MIN_WAIT, min_wait == 0),
        (Feature.EMERGENCY, urgent),
        (Feature.ALIASES, any(len(spans) > 1 for spans in world.aliases)),
        (Feature.NEW_SERVERS, len({d.servers for d in world.delegations}) > 1),
    ):
        if there:
            history.features.add(feature)
    return history


def simulate(seed: int, rules: Rules = REAL, tell: Callable[[str], None] | None = None) -> Outcome:
    """Play one history to its end; ``tell`` gets a line for each run."""
    history = begin(seed, rules)
    rng = history.rng
    pause = rng.choice((6 * HOUR, DAY, 2 * DAY))
    now = 0
    history.consider(history.look(now), now)  # as newkey does
    history.store()
    while history.deployed is None and history.looks < _MOST_LOOKS and now < 3 * HORIZON:
        following = now + 1 + int(rng.expovariate(1 / pause))
        now, plan = history.run(now)
        if tell is not None:
            tell(f"{now:>8} {plan}")
        safe = plan.safe if plan is not None else None
        if safe is not None and rng.random() < 0.8:
            soonest = int((safe.at - T0).total_seconds()) + rng.choice((0, 1, 30))
            if now < soonest and (soonest < following or rng.random() < 0.3):
                following = soonest
        now = max(following, now + 1)
    stale: tuple[Stale, ...] = ()
    if history.deployed is not None:
        history.features.add(Feature.PROMOTED)
        owners = range(len(history.state.owners))
        found = (s for o in owners for s in history.world.stale(o, history.deployed))
        stale = tuple(found)
    return Outcome(seed, history.deployed, stale, frozenset(history.features), history.looks)
