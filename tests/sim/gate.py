"""The same histories for the gate: what waits is a renewal by another intermediate, not a key.

The operator publishes the CA's intermediate alone (``2 1 1``), and adds the new one where a history
adds the awaited key's record.  Whoever holds an RRset with the old one alone refuses the new chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from danebot.domain.dns.tlsa import TlsaRecord
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

NAMES = tuple(owner.text.removeprefix("_25._tcp.") for owner in OWNERS)
_OLD, _NEW = tlsa("2 1 1", by="A"), tlsa("2 1 1", by="B")


def records_of(old: TlsaRecord, new: TlsaRecord) -> Records:
    """What an owner has when, where the operator adds ``new`` to ``old``."""
    return {
        Content.NOTHING: (),
        Content.OLD: (old,),
        Content.BOTH: tuple(dict.fromkeys((old, new))),
        Content.FOREIGN: (old,),
        Content.ALTERED: (old, tlsa("3 1 1", key="altered")),
    }


@dataclass(slots=True)
class GateHistory(History):
    """A history whose staged chain waits at the gate: ``old`` names the live one, ``new`` that."""

    old: TlsaRecord = _OLD
    new: TlsaRecord = _NEW

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
        return self.old in records and self.new not in records


def begin_at_gate(seed: int, rules: Rules = REAL, runs: Runs | None = None) -> GateHistory:
    """The world of a history, with a renewal in place of a key."""
    history = begin(seed, rules, runs)
    live = chain(names=NAMES, days=400)
    new = chain(by="B", version=2, names=NAMES, days=400)
    history.state = renewal(new, live)._replace(required=history.state.required)
    history.zone = Zone(history.zone.mtype, records_of(_OLD, _NEW))
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
