"""The same histories for the gate: what waits is a renewal by another intermediate, not a key.

The operator publishes the CA's intermediate alone (``2 1 1``), and adds the new one where a history
adds the awaited key's record.  Whoever holds an RRset with the old one alone refuses the new chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta

from danebot.domain.rollover import Step
from danebot.domain.tlsa import TlsaRecord
from domain.builders import REAL, T0, Rules, line
from domain.gate_world import chain, renewal, tlsa
from sim.history import _MOST_LOOKS, _OWNERS, Feature, History, Outcome, begin
from sim.world import DAY, HORIZON, HOUR, Content

_NAMES = tuple(owner.text.removeprefix("_25._tcp.") for owner in _OWNERS)
_OLD, _NEW = tlsa("2 1 1", by="A"), tlsa("2 1 1", by="B")


def _records() -> dict[Content, tuple[TlsaRecord, ...]]:
    return {Content.NOTHING: (), Content.OLD: (_OLD,), Content.BOTH: (_OLD, _NEW)}


@dataclass(slots=True)
class GateHistory(History):
    """A history whose staged chain waits at the gate."""

    records: Mapping[Content, tuple[TlsaRecord, ...]] = field(default_factory=_records)

    def _take(self, step: Step, now: int) -> int:
        assert step is Step.DEPLOY
        self.deployed = now
        return now


def begin_at_gate(seed: int, rules: Rules = REAL) -> GateHistory:
    """The world of a history, with a renewal in place of a key."""
    history = begin(seed, rules)
    lines = tuple(line(owner) for owner in history.state.owners)
    live = chain(names=_NAMES, days=400)
    new = chain(by="B", version=2, names=_NAMES, days=400)
    history.state = replace(renewal(new, live), required=lines)
    values = {f.name: getattr(history, f.name) for f in fields(History) if f.name != "records"}
    return GateHistory(**values)


def simulate_gate(seed: int, rules: Rules = REAL) -> Outcome:
    """Play one history to its end: what any cache may hold then by which senders would refuse."""
    history = begin_at_gate(seed, rules)
    rng = history.rng
    pause = rng.choice((6 * HOUR, DAY, 2 * DAY))
    now = 0
    while history.deployed is None and history.looks < _MOST_LOOKS and now < 3 * HORIZON:
        following = now + 1 + int(rng.expovariate(1 / pause))
        now, plan = history.run(now)
        until = plan.refusal.until if plan is not None and plan.refusal is not None else None
        if until is not None and rng.random() < 0.8:
            soonest = int((until - T0) / timedelta(seconds=1)) + rng.choice((0, 1, 30))
            following = soonest if now < soonest < following else following
        now = max(following, now + 1)
    stale = []
    if history.deployed is not None:
        history.features.add(Feature.PROMOTED)
        stale = [
            found
            for owner in range(len(history.state.owners))
            for found in history.world.stale(owner, history.deployed)
            if found.answer.content is Content.OLD
        ]
    return Outcome(seed, history.deployed, tuple(stale), frozenset(history.features), history.looks)
