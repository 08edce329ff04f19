"""The same histories for the gate: what waits is a renewal by another intermediate, not a key.

The operator publishes the CA's intermediate alone (``2 1 1``), and adds the new one where a history
adds the awaited key's record.  Whoever holds an RRset with the old one alone refuses the new chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from danebot.domain.rollover.steps.phases import Plan, Step
from domain.builders import REAL, Rules
from domain.gate_world import chain, renewal, tlsa
from sim.dice import begin, past
from sim.eyes import OWNERS, Records
from sim.history import History, Runs
from sim.keeping import Keep
from sim.outcome import Outcome
from sim.play import Game, all_played, played
from sim.shared import Zone
from sim.story import Tell
from sim.world import Content, RRset

_NAMES = tuple(owner.text.removeprefix("_25._tcp.") for owner in OWNERS)
_OLD, _NEW = tlsa("2 1 1", by="A"), tlsa("2 1 1", by="B")


def _records() -> Records:
    both = (_OLD, _NEW)
    return {
        Content.NOTHING: (),
        Content.OLD: (_OLD,),
        Content.BOTH: both,
        Content.FOREIGN: (_OLD,),
        Content.ALTERED: (_OLD, tlsa("3 1 1", key="altered")),
    }


@dataclass(slots=True)
class GateHistory(History):
    """A history whose staged chain waits at the gate."""

    def take(self, step: Step, now: int) -> int:
        """Deploy: there is no other step."""
        assert step is Step.DEPLOY
        self.deployed = now
        return now

    def forget_lines(self) -> None:
        """A renewal with the same key goes live where no owner is known: nothing says otherwise."""
        self.told = self.listed()

    def lacks(self, answer: RRset) -> bool:
        """Whether a sender who has this refuses the new chain and not the old one."""
        records = self.zone.records[answer.content]
        return _OLD in records and _NEW not in records


def begin_at_gate(seed: int, rules: Rules = REAL, runs: Runs | None = None) -> GateHistory:
    """The world of a history, with a renewal in place of a key."""
    history = begin(seed, rules, runs)
    live = chain(names=_NAMES, days=400)
    new = chain(by="B", version=2, names=_NAMES, days=400)
    history.state = renewal(new, live)._replace(required=history.state.required)
    history.zone = Zone(history.zone.mtype, _records())
    history.eyes.records = history.zone.records
    return GateHistory(**{f.name: getattr(history, f.name) for f in fields(History)})


def _opening(history: History) -> None:
    history.watch(past(history))


def _open_at(plan: Plan) -> datetime | None:
    return plan.refusal.until if plan.refusal is not None else None


RENEWAL = Game(_opening, _open_at)


def simulate_gate(
    seed: int,
    rules: Rules = REAL,
    tell: Tell | None = None,
    *,
    branch: int = 0,
    without: Iterable[int] = (),
    keep: Keep = Keep.RESULTS,
    runs: Runs | None = None,
) -> Outcome:
    """Play one history to its end: what any cache may hold then by which senders would refuse."""
    history = begin_at_gate(seed, rules, runs)
    history.leave_out(without)
    return played(history, RENEWAL, tell, branch=branch, keep=keep)


def gate_branches(seed: int) -> Iterator[Outcome]:
    """Play all histories of one world."""
    return all_played(begin_at_gate(seed), RENEWAL)
