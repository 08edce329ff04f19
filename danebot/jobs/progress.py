"""How far a run has come with one lineage, as values: what was done makes another of the former."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.records.in_use import KeysInUse
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.dns.tlsa import TlsaRecord
    from danebot.domain.event import Event
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.domain.rollover.records.publication import Publication
    from danebot.domain.status.document import ProbeStatus
    from danebot.jobs.view import LineageView


class Done(NamedTuple):
    """One thing that was done for a lineage.

    ``memory`` is what is to be remembered from now on, None for what was before; the driver writes
    it to disk before anything else is done.  ``written`` is what the file holds already, where that
    was written by the way.  ``probes`` are the latest, None if none were made.  ``issued`` says
    that there is a new certificate.  ``changes`` are what no finding among ``events`` tells of.
    """

    memory: Memory | None = None
    events: tuple[Finding, ...] = ()
    probes: tuple[ProbeStatus, ...] | None = None
    written: Memory | None = None
    issued: bool = False
    changes: tuple[Event, ...] = ()


class Freshness(enum.Enum):
    """When DNS was observed."""

    COMMON = "in common with all lineages of the run, or before something was done"
    OWN = "just now, for the next step alone"


class Sources(NamedTuple):
    """What the next plan rests on, beside what is remembered.

    ``state`` are the files; None where they may have moved since, and are to be read again.
    Services at ``asked`` owners were asked just now; at ``unharmed`` ones they can't lose.
    """

    state: LineageState | None = None
    seen: Observations = MappingProxyType({})
    in_use: KeysInUse = KeysInUse()
    freshness: Freshness = Freshness.COMMON
    asked: frozenset[DnsName] = frozenset()
    unharmed: frozenset[DnsName] = frozenset()


class Progress(NamedTuple):
    """How far a run has come with one lineage.

    ``stored`` is what ``rollover.json`` says of ``memory``.  ``view`` is the last plan.  ``asked``
    are the records that were to be added when it was last published, None if it wasn't.  ``rest``
    is the memory and certbot's links where the plan came to its end: it holds until they move.
    """

    memory: Memory = Memory()
    stored: Memory = Memory()
    sources: Sources = Sources()
    view: LineageView | None = None
    events: tuple[Finding, ...] = ()
    probes: tuple[ProbeStatus, ...] = ()
    rest: tuple[Memory, tuple[str, ...]] | None = None
    asked: frozenset[tuple[DnsName, TlsaRecord]] | None = None
    issued: bool = False
    failed: bool = False

    def observed(self, sources: Sources) -> Progress:
        """Return what it is after an observation: whatever was planned before may not hold."""
        return self._replace(sources=sources, rest=None)

    def planned(self, view: LineageView) -> Progress:
        """Return what it is after a plan, with word of the cancelled keys that are forgotten."""
        gone = {*self.memory.cancelled} - {*view.memory.cancelled}
        told = tuple(
            Finding(
                Code.CANCELLED,
                Severity.NOTICE,
                view.state.name,
                f"no server has a record of the cancelled key {key.digest.hex()} any more",
                "",
            )
            for key in gone
        )
        return self._replace(memory=view.memory, view=view, events=self.events + told)

    def moved(self) -> Progress:
        """Return what it is when files or DNS may have moved since they were observed."""
        sources = self.sources
        return self._replace(sources=Sources(seen=sources.seen, in_use=sources.in_use))

    def did(self, done: Done) -> Progress:
        """Return what it is after something was done."""
        return self._replace(
            memory=self.memory if done.memory is None else done.memory,
            stored=self.stored if done.written is None else done.written,
            events=self.events + done.events,
            probes=self.probes if done.probes is None else done.probes,
            issued=self.issued or done.issued,
        )

    def rested(self, links: tuple[str, ...]) -> Progress:
        """Return what it is when no step is left; ``links`` are certbot's."""
        return self.moved()._replace(rest=(self.memory, links))

    def saved(self) -> Progress:
        """Return what it is with all that is remembered on disk."""
        return self._replace(stored=self.memory)

    def asking(self, publication: Publication) -> Progress:
        """Return what it is once what is lacking was asked for."""
        return self._replace(asked=_lacking(publication) | (self.asked or frozenset()))

    def lacks_more(self, publication: Publication) -> bool:
        """Whether there is something to add that was not asked for in this run."""
        return self.asked is None or not _lacking(publication) <= self.asked

    def ended(self, finding: Finding) -> Progress:
        """Return what it is after a failure: the lineage is left alone for the rest of the run."""
        return self._replace(failed=True, events=(*self.events, finding))


def _lacking(publication: Publication) -> frozenset[tuple[DnsName, TlsaRecord]]:
    return frozenset((item.owner, item.record) for item in publication.add)
