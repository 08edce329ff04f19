"""The gate while the certificate runs out: of 6, 45 or 90 days, renewed when certbot does.

The operator publishes the CA's intermediate, which changes, the certificate as a whole, which
every renewal changes, or the key, which stays.  Once the live certificate nears its end, only what
danebot saw counts against the new one, and nothing else may keep it back until that end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from random import Random

from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, Usage, association
from danebot.domain.lineage.state import Held
from danebot.domain.rollover.steps.phases import Plan
from domain.builders import REAL, Rules
from domain.gate_world import chain, renewal, tlsa
from sim.dice import begin, past
from sim.eyes import OWNERS
from sim.gate import NAMES, RENEWAL, GateHistory, records_of
from sim.history import History
from sim.judge import Stale
from sim.keeping import Keep
from sim.operator import Trouble
from sim.outcome import Outcome
from sim.play import Game, all_played, played
from sim.shared import Zone
from sim.story import Tell
from sim.world import DAY

_SPANS = ((3, 3), (30, 15), (60, 30))
"""Age and what is left, in days, when certbot renews."""


@dataclass(slots=True)
class EndingHistory(GateHistory):
    """A history whose live certificate ``ends``, and nears that end from ``late`` on.

    ``held`` are the runs that were that late, and held for nothing that was seen.
    """

    issued: Held = field(default_factory=chain)
    late: int = 0
    ends: int = 0
    held: list[int] = field(default_factory=list)

    def fork(self, rng: Random) -> EndingHistory:
        """The same so far, with those dice from here on."""
        other = GateHistory.fork(self, rng)
        other.held = self.held.copy()
        return other

    def run(self, now: int) -> tuple[int, Plan | None]:
        """One run; whether it came late, and was held though nothing is remembered that refuses."""
        ended, plan = GateHistory.run(self, now)
        late = self.late + self.jitter <= now <= ended < self.ends - self.jitter
        if late and plan is not None and plan.refusal is not None and not self._remembers_any():
            self.held.append(now)
        return ended, plan

    def distrust(self, moment: datetime) -> str:
        """What OpenSSL has against the staged chain by the clock."""
        return "it isn't valid yet" if moment < self.issued.chain.not_before else ""

    def _remembers_any(self) -> bool:
        found = [rrset for owner in self.memory.owners.values() for rrset in owner.rrsets]
        return any(self.old in one.records and self.new not in one.records for one in found)

    def stale(self) -> tuple[Stale, ...]:
        """Late, what danebot saw counts alone; past its end the old chain has no issuer's word."""
        found = GateHistory.stale(self)
        if not self._other_issuer:  # then it goes live where nothing was ever seen
            found = tuple(one for one in found if self._watched(one.owner))
        if self.deployed is None or self.deployed < self.late - self.jitter:
            return found
        if self.deployed >= self.ends and self._other_issuer:
            return ()
        return tuple(one for one in found if self._saw(one))

    @property
    def _other_issuer(self) -> bool:
        return self.old.usage == Usage.DANE_TA

    def _watched(self, owner: int) -> bool:
        there = self.memory.owners.get(OWNERS[owner])
        return there is not None and there.watched_since is not None

    def _saw(self, one: Stale) -> bool:
        place = one.target, one.address
        return self.eyes.blind or any(
            shown.get(place) is one.answer for _, shown in self.known.heard
        )

    @property
    def kept_back(self) -> bool:
        """Whether a run was late and in vain for what nobody saw.

        Another issuer's chain may have to wait for that: it is told.
        """
        return bool(self.held) and Trouble.CLOCK not in self.troubles and not self._other_issuer


def _issued(history: History) -> None:
    """Certbot renews after the looks before."""
    assert isinstance(history, EndingHistory)
    history.watch(past(history))
    history.state = history.state._replace(staged=history.issued)


_ENDING = Game(_issued, RENEWAL.until)


def begin_near_end(seed: int, rules: Rules = REAL) -> EndingHistory:
    """The world of a history, with a certificate that runs out."""
    history, rng = begin(seed, rules), Random(f"{seed} ending")
    age, left = rng.choice(_SPANS)
    issuer, named = rng.choice((("A", "3 0 1"), ("A", "3 1 1"), ("B", "2 1 1")))
    live = chain(names=NAMES, age=age, days=left)
    new = chain(by=issuer, version=2, names=NAMES, age=1, days=age + left - 1)
    old_record, new_record = tlsa(named, by="A"), tlsa(named, by=issuer)
    if named == "3 0 1":
        old_record, new_record = _whole(live), _whole(new)
    history.state = renewal(live, live)._replace(required=history.state.required)
    history.zone = Zone(history.zone.mtype, records_of(old_record, new_record))
    history.eyes.records = history.zone.records
    return EndingHistory(
        **{f.name: getattr(history, f.name) for f in fields(History)},
        old=old_record,
        new=new_record,
        issued=new,
        late=int((left - (age + left) * history.policy.expiry_warning) * DAY),
        ends=left * DAY,
    )


def _whole(of: Held) -> TlsaRecord:
    return TlsaRecord(3, 0, 1, association(of.chain.ders[0], MatchingType.SHA2_256))


def simulate_ending(
    seed: int,
    rules: Rules = REAL,
    tell: Tell | None = None,
    *,
    branch: int = 0,
    without: Iterable[int] = (),
    keep: Keep = Keep.RESULTS,
) -> Outcome:
    """Play one history to its end."""
    history = begin_near_end(seed, rules)
    history.leave_out(without)
    return played(history, _ENDING, tell, branch=branch, keep=keep)


def ending_branches(seed: int) -> Iterator[Outcome]:
    """Play all histories of one world."""
    return all_played(begin_near_end(seed), _ENDING)
