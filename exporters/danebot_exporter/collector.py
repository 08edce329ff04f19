"""The status document as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from danebot.adapters.status_file import StatusError, read_status
from danebot.domain.finding import RUN_SEVERITIES, Code
from danebot.domain.rollover.evidence.propagation import Seen
from danebot.domain.rollover.steps.phases import Phase
from danebot.domain.status.document import (
    CertificateStatus,
    FindingStatus,
    LineageStatus,
    RecordStatus,
    Serves,
    Snapshot,
    StatusFault,
)
from danebot_exporter import metrics as m
from danebot_exporter.exposition import Exposition

PHASES = tuple(phase.value for phase in Phase)
SEVERITIES = tuple(severity.word for severity in RUN_SEVERITIES)
CODES = tuple(code.value for code in Code)
SERVES = tuple(serves.value for serves in Serves)
_SECURE = {"secure": 1, "insecure": 0, "bogus": 0}
_SEEN = {Seen.EVERYWHERE.value: 1, Seen.MISSING.value: 0}
_PARAMETERS = 3  # usage, selector, matching type

Watcher = Callable[["LineageStatus"], None]


Totals = Counter[tuple[str, str]]
"""How many findings there are, by code and severity."""


@dataclass(frozen=True, slots=True)
class Collected:
    """A document's metrics in parts, but for the totals of its findings, to which others may come.

    ``fault`` says why it can't be read.
    """

    parts: tuple[bytes, ...]
    totals: Totals
    fault: StatusError | None = None


def collect(path: Path) -> tuple[tuple[bytes, ...], StatusError | None]:
    """All metrics of the status document at ``path``, in parts, and why it can't be read, if so."""
    found = read_document(path)
    return (*found.parts, totals_text(found.totals)), found.fault


def read_document(path: Path, watch: Watcher | None = None) -> Collected:
    """Read the status document at ``path``.

    ``watch`` is shown every lineage on the way; what it was shown counts only without a fault.
    """
    collector = Collector(watch)
    try:
        snapshot = read_status(path, collector.lineage)
    except StatusError as fault:
        broken = Exposition()
        _readable(broken, fault.reason)
        return Collected(broken.parts(), Counter(), fault)
    return Collected(collector.parts(snapshot), collector.totals)


def totals_text(totals: Totals) -> bytes:
    """The totals as a family of their own."""
    out = Exposition()
    for (code, severity), count in totals.items():
        out.add(m.FINDINGS, count, code, severity)
    return out.text()


def _readable(out: Exposition, reason: StatusFault | None) -> None:
    out.add(m.SNAPSHOT_READABLE, int(reason is None))
    for one in StatusFault:
        out.add(m.SNAPSHOT_ERROR, int(one is reason), one.value)


class Collector:
    """Takes lineages one by one, and the rest of the document last."""

    def __init__(self, watch: Watcher | None = None) -> None:
        self._out = Exposition()
        self._watch = watch
        self._names: set[str] = set()
        self._phases: Counter[str] = Counter()
        self.totals: Totals = Counter(
            {(code, severity): 0 for code in CODES for severity in SEVERITIES}
        )

    def lineage(self, status: LineageStatus) -> None:
        """Take one lineage; a name that came before is passed over."""
        if status.name in self._names:
            return
        self._names.add(status.name)
        self._out.subject()
        self._phases[status.phase] += 1
        _standing(self._out, status)
        _certificate(self._out, status.name, "live", status.live)
        _certificate(self._out, status.name, "staged", status.staged)
        self._out.at(m.RENEWS_AT, status.renews_at, status.name)
        _records(self._out, status)
        _rollover(self._out, status)
        _deployment(self._out, status)
        self._count(status.findings)
        _lineage_findings(self._out, status.name, status.findings)
        if self._watch is not None:
            self._watch(status)

    def parts(self, snapshot: Snapshot) -> tuple[bytes, ...]:
        """The exposition, but for ``totals``."""
        out = self._out
        out.subject()
        _readable(out, None)
        out.at(m.SNAPSHOT_TIMESTAMP, snapshot.run.ended)
        out.add(m.RUN_INFO, 1, snapshot.run.verb, snapshot.run.version)
        if snapshot.last_renew is not None:
            out.at(m.RENEW_START, snapshot.last_renew.started)
            out.at(m.RENEW_END, snapshot.last_renew.ended)
            out.add(m.RENEW_STATUS, snapshot.last_renew.exit_status)
        out.at(m.RENEW_SUCCESS, snapshot.last_success)
        for phase in dict.fromkeys((*PHASES, *self._phases)):
            out.add(m.LINEAGES, self._phases[phase], phase)
        self._count(snapshot.findings)
        self._of_the_run(snapshot.findings)
        return out.parts()

    def _count(self, findings: Iterable[FindingStatus]) -> None:
        for finding in findings:
            self.totals[finding.code, finding.severity] += 1

    def _of_the_run(self, findings: Iterable[FindingStatus]) -> None:
        """Findings that stand in no lineage: what happened, what was unreadable, the run's own."""
        counts = Counter((f.lineage, f.code, f.severity) for f in findings)
        for (lineage, code, severity), count in counts.items():
            self._out.add(m.EVENTS, count, lineage, code, severity)


def _standing(out: Exposition, status: LineageStatus) -> None:
    name = status.name
    current = status.current
    version = status.live.version if status.live is not None else None
    out.add(
        m.LINEAGE_INFO,
        1,
        name,
        status.management,
        "" if version is None else str(version),
        "" if current is None else current.type,
        *("" if key is None else key.digest.hex() for key in (current, status.next, status.ready)),
    )
    out.states(m.LINEAGE_PHASE, status.phase, PHASES, name)
    out.at(m.PHASE_SINCE, status.phase_since, name)
    out.at(m.LINEAGE_SUCCESS, status.last_success, name)
    if status.last_failure is not None:
        out.at(m.LINEAGE_FAILURE, status.last_failure.at, name)


def _certificate(
    out: Exposition, name: str, place: str, certificate: CertificateStatus | None
) -> None:
    if certificate is not None:
        out.at(m.NOT_BEFORE, certificate.not_before, name, place)
        out.at(m.NOT_AFTER, certificate.not_after, name, place)


def _records(out: Exposition, status: LineageStatus) -> None:
    for record in status.records:
        _record(out, status.name, record)
    for action, lines in (("add", status.publication.add), ("remove", status.publication.remove)):
        out.add(m.RECORDS_TO_CHANGE, len(lines), status.name, action)


def _record(out: Exposition, name: str, record: RecordStatus) -> None:
    kind = " ".join(record.record.split()[:_PARAMETERS])
    where = (name, record.role, record.owner, kind)
    if record.seen in _SEEN:
        out.add(m.RECORD_SEEN, _SEEN[record.seen], *where)
    if record.security in _SECURE:
        out.add(m.RECORD_SECURE, _SECURE[record.security], name, record.owner)
    out.add(m.RECORD_SERVERS, len(record.present_at), *where, "present")
    out.add(m.RECORD_SERVERS, len(record.missing_at), *where, "missing")
    if record.ttl is not None:
        out.add(m.RECORD_TTL, record.ttl.total_seconds(), name, record.owner)


def _rollover(out: Exposition, status: LineageStatus) -> None:
    name = status.name
    out.at(m.AWAITING_SINCE, status.awaiting_since, name)
    out.at(m.SEEN_SINCE, status.seen_since, name)
    out.at(m.SAFE_AT, status.safe_at, name)
    out.add(m.PROMOTION_FAILURES, status.promotion_failures, name)
    out.at(m.PROMOTION_RETRY, status.promotion_retry_at, name)


def _deployment(out: Exposition, status: LineageStatus) -> None:
    name = status.name
    out.at(m.DEPLOYED_AT, status.deployed_at, name)
    out.at(m.CONFIRMED_AT, status.confirmed_at, name)
    out.add(m.PENDING_HOOKS, len(status.pending_hooks), name)
    if status.probes:
        counts = Counter(probe.serves for probe in status.probes)
        for serves in SERVES:
            out.add(m.DEPLOYMENT_PROBE, counts[serves], name, serves)


def _lineage_findings(out: Exposition, name: str, findings: Iterable[FindingStatus]) -> None:
    codes: Counter[tuple[str, str]] = Counter()
    severities: Counter[str] = Counter()
    for finding in findings:
        codes[finding.code, finding.severity] += 1
        severities[finding.severity] += 1
    for severity in SEVERITIES:
        out.add(m.LINEAGE_FINDINGS, severities[severity], name, severity)
    for (code, severity), count in codes.items():
        out.add(m.LINEAGE_FINDING, count, name, code, severity)
