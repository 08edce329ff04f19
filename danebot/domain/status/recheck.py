"""Another look at DNS for a document's live keys, judged as a run judges them.

What a run knows of the files is not known here, save for the keys' digests: where other records
than ``3 1 1`` stand that the document doesn't name, whether they fit the live chain, or overrule
the live key's record, can't be told.  Nothing is called a mismatch then, and what the last run
found of the lineage stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from danebot.domain.dns.answers import Cause, OwnerObservation, Presence, Security, ServerOutcome
from danebot.domain.dns.tlsa import (
    MatchingType,
    Required,
    Selector,
    TlsaRecord,
    Usage,
    unusable_reason,
)
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.propagation import (
    Gap,
    Observations,
    Obstacle,
    Propagation,
    Seen,
    propagation_of_record,
)
from danebot.domain.rollover.findings.record_findings import (
    Fit,
    Scene,
    record_findings,
    silent_gaps,
    silent_servers,
)
from danebot.domain.status.document import LineageStatus
from danebot.tuples import NamedTuple

_PLAIN = (Usage.DANE_EE, Selector.SPKI, MatchingType.SHA2_256)
_OUT_OF_REACH = (ServerOutcome.UNREACHABLE, ServerOutcome.NO_ROUTE)
_RESOLVER = "see that it runs, or name another with --resolver"


class Rechecked(NamedTuple):
    """What DNS says now; ``settled`` are the lineages of which the document has no more to say.

    ``seen`` is how many of ``records`` are seen everywhere.
    """

    findings: tuple[Finding, ...]
    settled: frozenset[str]
    records: int
    seen: int


class LiveOwner(NamedTuple):
    """Where senders find a live chain: each of ``current``, and one of ``anchors`` or ``live``.

    ``live`` is the key's ``3 1 1`` record, None if there is no key.
    """

    lineage: str
    owner: DnsName
    live: TlsaRecord | None
    current: tuple[TlsaRecord, ...]
    anchors: tuple[TlsaRecord, ...]

    def fit(self, record: TlsaRecord) -> Fit:
        """Return whether the live chain satisfies ``record``, as far as the document tells."""
        if record in (*self.current, *self.anchors, self.live):
            return Fit.YES
        plain = (record.usage, record.selector, record.mtype) == _PLAIN
        return Fit.NO if plain or unusable_reason(record) is not None else Fit.UNTOLD

    def wanted(self, there: Sequence[TlsaRecord]) -> Iterator[TlsaRecord]:
        """Yield the records to look for, where the resolver has ``there``."""
        yield from self.current
        if self.anchors:
            found = [one for one in (*self.anchors, self.live) if one in there]
            yield next((one for one in found if one is not None), self.live or self.anchors[0])


def live_owners(lineages: Iterable[LineageStatus]) -> tuple[LiveOwner, ...]:
    """Return what the document names; `DanebotError` for a name or record that can't be read."""
    return tuple(one for status in lineages for one in _owners(status))


def _owners(status: LineageStatus) -> Iterator[LiveOwner]:
    key = status.current
    live = TlsaRecord.parse(f"3 1 1 {key.digest.hex()}") if key is not None else None
    found: dict[DnsName, list[tuple[str, TlsaRecord]]] = {}
    for record in status.live_records:
        entry = record.role, TlsaRecord.parse(record.record)
        found.setdefault(DnsName.parse(record.owner), []).append(entry)
    for owner, records in found.items():
        current = tuple(record for role, record in records if role == "current")
        anchors = tuple(record for role, record in records if role != "current")
        yield LiveOwner(status.name, owner, live, current, anchors)


def rechecked(owners: Iterable[LiveOwner], seen: Observations, now: datetime) -> Rechecked:
    """Judge what DNS says now; ``seen`` has every owner that is watched."""
    findings: list[Finding] = []
    names: set[str] = set()
    doubtful: set[str] = set()
    records = everywhere = 0
    for here in owners:
        observation = seen[here.owner]
        wanted = here.wanted(observation.answer.records)
        propagations = [_propagation(here.owner, record, seen) for record in wanted]
        records += len(propagations)
        everywhere += sum(one.seen is Seen.EVERYWHERE for one in propagations)
        findings += _judged(here, propagations, seen, now)
        names.add(here.lineage)
        if _doubtful(here, observation):
            doubtful.add(here.lineage)
    return Rechecked(tuple(findings), frozenset(names - doubtful), records, everywhere)


def _propagation(owner: DnsName, record: TlsaRecord, seen: Observations) -> Propagation:
    """The document has no SPKI, so that the key's stronger digest isn't known."""
    return propagation_of_record(Required(MatchingType.SHA2_256, owner), record, None, seen)


def _judged(
    here: LiveOwner, propagations: Sequence[Propagation], seen: Observations, now: datetime
) -> Iterator[Finding]:
    observation = seen[here.owner]
    scene = Scene(here.lineage, seen, lambda _, record: here.fit(record), _addition, now)
    for finding in record_findings(scene, propagations):
        yield _as_judged_here(finding, observation)
    gaps = silent_gaps(propagations) or _unheard(observation)
    if gaps:
        yield silent_servers(here.lineage, gaps, Severity.UNJUDGED)


def _addition(propagation: Propagation, soon: str) -> str:
    return f"add{soon}: {propagation.required.owner}. IN TLSA {propagation.record}"


def _as_judged_here(finding: Finding, observation: OwnerObservation) -> Finding:
    """A plugin has a word of its own for what can't be told."""
    untrusted = observation.answer.cause is Cause.UNTRUSTED
    if finding.code is Code.DNS_UNREACHABLE or (finding.code is Code.TLSA_INSECURE and untrusted):
        return finding._replace(severity=Severity.UNJUDGED, own_remedy=_RESOLVER)
    return finding


def _unheard(observation: OwnerObservation) -> tuple[Gap, ...]:
    """Servers that answered nothing usable; those out of reach don't count.

    A host that reaches no authoritative server has its resolver's word, as a run has.
    """
    reached = any(one.outcome not in _OUT_OF_REACH for one in observation.all_servers)
    silent = sorted(observation.unheard) if reached else ()
    return tuple(Gap(Obstacle.SERVER_SILENT, str(name)) for name in silent)


def _doubtful(here: LiveOwner, observation: OwnerObservation) -> bool:
    """Whether the last run knew better: by its own look, or by the files."""
    answer = observation.answer
    if answer.presence is Presence.UNKNOWN:
        return answer.security is not Security.BOGUS
    untold = any(here.fit(record) is Fit.UNTOLD for record in answer.records)
    return answer.cause is Cause.UNTRUSTED or untold
