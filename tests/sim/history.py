"""One history: danebot's own planning code against a world, from a new key to its deployment.

Looks come at random times and again right when the plan says it is safe; the resolver has a cache
of its own, servers fall silent, runs crash between any two steps, and the memory goes through its
JSON form or is lost.  What else may happen is a `Trouble`.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Self

from danebot.adapters.codec import decode, encode
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import Failure, Memory, Reading, Request, Urgency
from danebot.domain.rollover.evidence.policy import LONGEST_GAP, Policy, backoff
from danebot.domain.rollover.evidence.propagation import Observations
from danebot.domain.rollover.evidence.watched import fade, let_go_of_gone
from danebot.domain.rollover.steps.phases import Observation, Plan, Step
from danebot.domain.rollover.steps.safe_time import Baseline
from domain.builders import T0, Rules, held, key, key_file, line
from sim.eyes import OWNERS, Eyes, routes
from sim.judge import Judge, Looks, Stale
from sim.operator import Trouble
from sim.outcome import Feature
from sim.shared import Zone
from sim.story import when
from sim.world import HORIZON, HOUR, MINUTE, RRset, World, copied

_GAP = int(LONGEST_GAP / timedelta(seconds=1))


class CrashError(Exception):
    """The run ends here."""


class Runs(enum.Enum):
    """When runs come.

    Pauses are exponential: from a change to the next run it takes as long by either.
    """

    ANY_TIME = "at random times"
    AFTER_CHANGES = "at random times after something changed"


@dataclass(frozen=True, slots=True)
class Saved:
    """The tree as a backup has it."""

    state: LineageState
    stored: Memory
    looks: Looks


@dataclass(slots=True)
class History:
    """The state of one history as it unfolds."""

    seed: int
    rules: Rules
    rng: Random
    world: World
    troubles: frozenset[Trouble]
    policy: Policy
    jitter: int
    state: LineageState
    zone: Zone
    eyes: Eyes
    memory: Memory = field(default_factory=Memory)
    stored: Memory = field(default_factory=Memory)
    features: set[Feature] = field(default_factory=set)
    looks: int = 0
    known: Looks = field(default_factory=Looks)
    told: list[int] = field(default_factory=list)
    urgency: Urgency = Urgency.ORDINARY
    added_line: int | None = None
    lines_lost: int | None = None
    behind: tuple[int, int, int] = (0, 0, 0)
    boots: bool = False
    window: tuple[int, int] = (0, 0)
    stops: tuple[int, ...] = ()
    outage: tuple[int, int] = (0, 0)
    saved: Saved | None = None
    runs: Runs = Runs.ANY_TIME
    deployed: int | None = None
    lines: int = 0
    tell: Callable[[str], None] | None = None

    def leave_out(self, changes: Iterable[int]) -> int:
        """Take changes out of its world before it begins; how many there are to take out."""
        count = self.world.unchanged(changes)
        self.eyes.routes = routes(self.world)
        return count

    def fork(self, rng: Random) -> Self:
        """The same so far, with those dice from here on."""
        other = copied(self)
        other.rng, other.eyes, other.tell = rng, self.eyes.fork(rng), None
        other.features, other.known = self.features.copy(), self.known.copy()
        other.told = self.told.copy()
        return other

    # ---- looking ----------------------------------------------------------------------------

    def clock(self, now: int) -> datetime:
        """The time that danebot reads.

        It wavers by no more than the margin allows for, but for the days in which it is behind.
        """
        start, end, by = self.behind
        if start <= now < end:
            self.features.add(Feature.CLOCK)
            now -= by
        return T0 + timedelta(seconds=now + self.rng.randint(-self.jitter, self.jitter))

    def _reading(self, now: int) -> Reading:
        """The clock, and how long the host has been up; it may boot as its clock is put right."""
        booted = self.behind[1] if self.boots and now >= self.behind[1] else -HORIZON
        return Reading(f"{booted}", timedelta(seconds=now - booted), self.clock(now))

    def look(self, now: int) -> Observations:
        """Every owner of ``dane-ee``, as danebot sees it now."""
        self.looks += 1
        return {owner: self.eyes.observe(OWNERS.index(owner), now) for owner in self.state.owners}

    def watch(self, past: tuple[int, ...]) -> None:
        """Look at those times as runs do while no key waits."""
        for now in past:
            self.memory = self.rules.put_right(self.memory, self._reading(now))
            self.consider(self.look(now), now)
            self.store()

    def make_key(self, urgency: Urgency) -> None:
        """Make the next key, look, and remember, as `newkey` does."""
        now = self.clock(0)
        self.state = self.state._replace(next=key_file("new", now))
        if urgency is not Urgency.ORDINARY:
            self.memory = self.memory._replace(request=Request(key("new").digest, now, urgency))
        self.consider(self.look(0), 0)
        self.store()

    # ---- running ----------------------------------------------------------------------------

    def consider(self, observations: Observations, now: int) -> Plan:
        """Remember and plan, as every run does."""
        moment = self.clock(now)
        state = fade(self.state, observations)
        memory = self.rules.remember(self.memory, state, observations, moment)
        self.memory, left = let_go_of_gone(memory, state, self.policy, moment)
        if left.fading != state.fading:  # nobody has a record there, nor can find one
            gone = {OWNERS.index(one.owner) for one in state.fading if one not in left.fading}
            self.told = [owner for owner in self.told if owner not in gone]
        observation = Observation(left, observations, distrust=self.distrust(moment))
        return self.rules.plan(observation, self.memory, self.policy, moment)

    def distrust(self, moment: datetime) -> str:
        """What OpenSSL has against the staged chain by the clock."""
        del moment
        return ""

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
                if plan.step is None:
                    break
                changes_key = plan.step in (Step.PROMOTE, Step.DEPLOY, Step.PUT_BACK)
                if changes_key and not fresh:
                    now += self.rng.randrange(20)
                    observations, fresh = self.look(now), True
                    continue
                self._save()
                now = self.take(plan.step, now)
                if self.deployed is not None:  # what a look shows from then on doesn't matter
                    break
                fresh = fresh and plan.step is not Step.PROMOTE
            self._save()
            if Trouble.BACKUP in self.troubles and now <= self.window[0]:
                self.saved = Saved(self.state, self.stored, self.known.copy())
        except CrashError:
            self.say(now, "crashed")
            self.features.add(Feature.CRASHED)
        return now, plan

    def say(self, now: int, words: str) -> None:
        """Tell what happened, if anybody listens."""
        if self.tell is not None:
            self.lines += 1
            self.tell(f"{when(now)}  {words}")

    def _load(self, now: int) -> None:
        if self.added_line is not None and now >= self.added_line:
            self.happens(now, Feature.LINE_ADDED)
            extra = line(OWNERS[1], self.zone.mtype)
            self.told = [0, 1]
            self.state = self.state._replace(required=(*(self.state.required or ()), extra))
            self.added_line = None
        if self.lines_lost is not None and now >= self.lines_lost:
            self.happens(now, Feature.LINES_LOST)
            left = (self.state.required or ())[: self.rng.choice((0, 1))]
            self.state = self.state._replace(required=left, remembered=())
            self.lines_lost = None
            if not self.stored.watched:  # it was lost before, and no run has written it since
                self.forget_lines()
        if self.rng.random() < 0.02:
            self.happens(now, Feature.MEMORY_LOST)
            self.stored, self.known = Memory(), Looks()
            self.forget_lines()
        elif self.rng.random() < 0.01:
            self.stored = decode(Memory, json.loads(json.dumps(encode(self.stored))))
        self._restore(now)
        self.memory = self.rules.put_right(self.stored, self._reading(now))
        self.eyes.looks = Looks()
        self.state = self.rules.protect(self.state, self.memory)

    def forget_lines(self) -> None:
        """Nobody can know of an owner that both ``dane-ee`` and the memory have lost.

        Where they have lost them all, that nothing is known is enough to hold.
        """
        self.told = self.listed() or self.told

    def listed(self) -> list[int]:
        """The owners that ``dane-ee`` has."""
        required = self.state.required or ()
        left = [one.owner for one in required if one not in self.state.remembered]
        return [OWNERS.index(owner) for owner in left]

    def _restore(self, now: int) -> None:
        """The tree as the backup has it, at the first run after the window."""
        if self.saved is not None and now >= self.window[1]:
            self.happens(now, Feature.RESTORED)
            self.state, self.stored = self.saved.state, self.saved.stored
            self.known, self.saved = self.saved.looks.copy(), None

    def happens(self, now: int, feature: Feature) -> None:
        """Count it, and tell it."""
        self.features.add(feature)
        self.say(now, feature.value)

    def _save(self) -> None:
        self._crash()
        self.store()
        self._crash()

    def store(self) -> None:
        """Write the memory: what was seen counts from now on, whatever happens to the run."""
        self.stored = self.memory
        self.known.add(self.eyes.looks)
        self.eyes.looks = Looks()

    def _crash(self) -> None:
        if self.rng.random() < 0.01:
            raise CrashError

    def take(self, step: Step, now: int) -> int:
        """Do what the plan says; the time when it is done."""
        self.say(now, f"step: {step.value}")
        state, file = self.state, self.state.awaited
        assert file is not None
        match step:
            case Step.MARK_READY:
                assert self.memory.awaiting is not None
                since = self.memory.awaiting.seen_since
                assert since is not None
                self.state = state._replace(next=None, ready=file._replace(modified=since))
            case Step.BACK_TO_NEXT:
                self.features.add(Feature.WITHDRAWN)
                self.state = state._replace(next=file, ready=None)
            case Step.PROMOTE:
                return self._promote(now)
            case Step.PUT_BACK:
                self.features.add(Feature.PUT_BACK)
                self.state = state._replace(staged=state.live)
            case Step.DEPLOY:
                self.deployed = now
            case _:
                raise AssertionError(f"{step} before it is deployed")
        return now

    def _promote(self, now: int) -> int:
        """Have certbot issue, which takes its time and fails now and then."""
        now += self.rng.choice((2, 10, MINUTE, HOUR))
        out = self.outage[0] <= now < self.outage[1]
        if self.rng.random() < 0.1 or out:
            if out:
                self.happens(now, Feature.OUTAGE)
            moment, before = self.clock(now), self.memory.promotion_failure
            count = before.count + 1 if before is not None else 1
            retry = moment + backoff(self.policy, count)
            first = before.first if before is not None else moment
            failure = Failure("refused", count, first, moment, retry)
            self.memory = self.memory._replace(promotion_failure=failure)
            return now
        self.state = self.state._replace(staged=held("new", 2))
        self.memory = self.memory._replace(promotion_failure=None)
        self._crash()
        return now

    # ---- the verdict ------------------------------------------------------------------------

    @property
    def kept_back(self) -> bool:
        """Whether what waits was kept back too long; a key has no end."""
        return False

    def lacks(self, answer: RRset) -> bool:
        """Whether a sender who has this can't verify the awaited key."""
        return answer.content in self.zone.lacking

    def stale(self) -> tuple[Stale, ...]:
        """What any cache may hold of any owner that has records, by the time of the deployment."""
        if self.deployed is None:
            return ()
        self.features.add(Feature.PROMOTED)
        for trouble, feature in _SURVIVED.items():
            if trouble in self.troubles:
                self.features.add(feature)
        judge = Judge(self.world, self.known, self.lacks, self.eyes.blind, _GAP)
        return tuple(found for owner in self.told for found in judge.held(owner, self.deployed))


_SURVIVED = {Trouble.MOVES: Feature.MOVED, Trouble.LOWERED: Feature.LOWERED}
