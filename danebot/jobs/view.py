"""What one lineage is at one time: what was observed of it, and what follows from that."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.finding import Finding
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.findings.named_records import NAMELESS, Names
from danebot.domain.rollover.records.in_use import KeysInUse
from danebot.domain.rollover.records.publication import Publication
from danebot.domain.rollover.steps.phases import Observation, Plan
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.policy import Policy
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.domain.status.document import ProbeStatus


class Observed(NamedTuple):
    """What was observed of one lineage, and what is remembered of it: all that a plan rests on.

    ``state`` are the files, ``seen`` is what DNS said by ``at``, ``in_use`` the keys that any
    lineage uses.  At ``unharmed`` owners it was seen that services have nothing to lose.
    """

    state: LineageState
    memory: Memory
    seen: Observations
    in_use: KeysInUse
    at: datetime
    unharmed: frozenset[DnsName] = frozenset()


class LineageView(NamedTuple):
    """All that is known of one lineage at one time; ``names`` are those of records."""

    observation: Observation
    memory: Memory
    plan: Plan
    findings: tuple[Finding, ...]
    publication: Publication
    policy: Policy
    at: datetime
    probes: tuple[ProbeStatus, ...] = ()
    in_use: KeysInUse = KeysInUse()
    names: Names = NAMELESS

    @property
    def state(self) -> LineageState:
        """The files' side of the observation."""
        return self.observation.state
