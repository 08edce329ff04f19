"""The public status document: what checks, exporter and page read.  It holds no secret.

Times are aware UTC (ISO 8601 in JSON), durations seconds, digests lower-case hex SHA2-256.
"""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.codes import code_of
from danebot.domain.finding import Finding, severity_of
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.event import Event

DOCUMENT, SCHEMA = "danebot-status", 1
EVERYWHERE, MISSING = "seen everywhere", "missing"
"""What `RecordStatus.seen` may be: words of `Seen`, which takes 10 ms to import."""


class StatusFault(enum.Enum):
    """Why there is nothing to show.  Frozen: the values are public labels."""

    MISSING = "missing"
    FORBIDDEN = "forbidden"
    DAMAGED = "damaged"
    FOREIGN = "foreign"  # no danebot document, or of another schema
    UNREADABLE = "unreadable"  # the disk fails, or the reader lacks descriptors or memory


class KeyStatus(NamedTuple):
    """A key's public face: SPKI digest and type ("" for one that certbot doesn't issue with)."""

    digest: bytes
    type: str


class CertificateStatus(NamedTuple):
    """A certificate chain: archive version, leaf's validity and names, the chain's fingerprint."""

    version: int | None
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    fingerprint: bytes
    key: KeyStatus

    @property
    def lifetime(self) -> timedelta:
        """From the first moment of its validity to the last."""
        return self.not_after - self.not_before


class RecordParts(NamedTuple):
    """A TLSA record as every document has it, beside its text: ``data`` in lower-case hex."""

    usage: int
    selector: int
    matching_type: int
    data: str

    @classmethod
    def parse(cls, text: str) -> RecordParts | None:
        """Take ``3 1 1 HEX`` apart; None for what a later version may have written."""
        try:
            usage, selector, matching_type, data = text.split(" ", 3)
            return cls(int(usage), int(selector), int(matching_type), data)
        except ValueError:
            return None


def record_document(text: str) -> dict[str, object]:
    """A record as JSON has it everywhere: its text, ``3 1 1 HEX``, and its parts."""
    parts = RecordParts.parse(text)
    return {"record": text, **(parts._asdict() if parts is not None else {})}


class RecordStatus(NamedTuple):
    """One required record: whose (current or awaited), and where it is seen or missing.

    At an owner that relies on DANE-TA it is that record, its role ``anchor``.
    ``security`` is that of the validating resolver's answer (RFC 4033 section 5), "" if it was not
    asked; ``ttl`` the authoritative one of the RRset, None where there is none.  ``name`` is whom
    an anchor names, "" if that isn't known.
    """

    role: str
    owner: str
    record: str
    seen: str
    present_at: tuple[str, ...]
    missing_at: tuple[str, ...]
    security: str = ""
    ttl: timedelta | None = None
    unheard_at: tuple[str, ...] = ()
    name: str = ""

    @property
    def parts(self) -> RecordParts | None:
        """The record in its parts, which JSON has beside the fields."""
        return RecordParts.parse(self.record)


_OF_LIVE = ("current", "anchor")


class HookStatus(NamedTuple):
    """A pending deploy hook."""

    hook: str
    attempts: int
    error: str


class OwnedStatus(NamedTuple):
    """A record at its owner; ``target`` holds it, or is to, in ``zone`` (None: not known)."""

    owner: str
    record: str
    ttl: timedelta | None
    target: str
    zone: str | None

    @property
    def parts(self) -> RecordParts | None:
        """The record in its parts, which JSON has beside the fields."""
        return RecordParts.parse(self.record)


class PublicationStatus(NamedTuple):
    """Records in zone-file form: right, lacking, and to be removed.

    Of the latter, ``cancelled`` are of keys that were never used, ``compromised`` of stolen ones.
    ``to_add`` and ``to_remove`` are the same records as ``add`` and ``remove``, in their parts.
    """

    keep: tuple[str, ...]
    add: tuple[str, ...]
    remove: tuple[str, ...]
    cancelled: tuple[str, ...] = ()
    compromised: tuple[str, ...] = ()
    to_add: tuple[OwnedStatus, ...] = ()
    to_remove: tuple[OwnedStatus, ...] = ()

    @property
    def of_old_keys(self) -> tuple[str, ...]:
        """The records to be removed that no finding of their own tells of."""
        told = {*self.cancelled, *self.compromised}
        return tuple(record for record in self.remove if record not in told)


class FailureStatus(NamedTuple):
    """The worst that a run found wrong with a lineage, when it ended."""

    at: datetime
    code: str
    message: str


class Serves(enum.Enum):
    """What a service presented after a deployment."""

    DEPLOYED = "deployed"
    OTHER = "other"
    NOTHING = "nothing"


class ProbeStatus(NamedTuple):
    """One address asked after a deployment; ``outcome`` and ``detail`` are words for people."""

    at: datetime
    endpoint: str
    address: str
    serves: str
    outcome: str
    detail: str


class Prospect(enum.Enum):
    """What is known of an emergency's wait; the value is the document's word."""

    UNSAID = ""
    KNOWN = "known"
    UNKNOWN = "unknown"
    UNDER_WAY = "under way"


class LineageStatus(NamedTuple):
    """One lineage.  ``awaiting_since``, ``seen_since`` and ``safe_at`` belong to a rollover.

    ``phase_since`` is the end of the run that first found it in its phase.  ``last_success`` is
    the end of the last `renew` that found nothing wrong with it (findings below WARNING are not
    wrong), ``last_failure`` what the last other one found.  ``probes`` are those made since the
    last deployment.  ``key_since`` is when the first certificate that was seen with the current
    key begins.  ``rollover_at`` is when the schedule wants another key, None without one;
    ``emergency_wait`` how long a compromised key would still have to be served once its successor's
    records are at every server, by the rules that decide it; ``emergency`` says what that is (see
    `Prospect`).  ``clear_since``
    and ``cleared_at`` are probes (see `memory.Deployment`), ``retire_at`` the earliest time for the
    one by which old records may go.  ``renews_at`` is from when on certbot renews what is live, by
    its own rule.  ``old_keys`` are the SPKI digests of former keys that a service may still serve.
    """

    name: str
    management: str
    phase: str
    doing: str
    live: CertificateStatus | None
    staged: CertificateStatus | None
    current: KeyStatus | None
    next: KeyStatus | None
    ready: KeyStatus | None
    records: tuple[RecordStatus, ...]
    publication: PublicationStatus
    awaiting_since: datetime | None
    seen_since: datetime | None
    safe_at: datetime | None
    longest_ttl: timedelta | None
    deployed_at: datetime | None
    confirmed_at: datetime | None
    pending_hooks: tuple[HookStatus, ...]
    promotion_failures: int
    promotion_retry_at: datetime | None
    findings: tuple[FindingStatus, ...]
    phase_since: datetime | None = None
    last_success: datetime | None = None
    last_failure: FailureStatus | None = None
    probes: tuple[ProbeStatus, ...] = ()
    key_since: datetime | None = None
    clear_since: datetime | None = None
    cleared_at: datetime | None = None
    retire_at: datetime | None = None
    rollover_at: datetime | None = None
    emergency_wait: timedelta | None = None
    expiry_warning: timedelta | None = None
    expiry_critical: timedelta | None = None
    emergency: str = Prospect.UNSAID.value
    renews_at: datetime | None = None
    old_keys: tuple[bytes, ...] = ()

    @property
    def live_records(self) -> tuple[RecordStatus, ...]:
        """The records by which senders find the live chain."""
        return tuple(record for record in self.records if record.role in _OF_LIVE)

    def expired(self, now: datetime) -> bool:
        """Whether what is live has expired, perhaps since the run whose findings these are."""
        return self.live is not None and self.live.not_after <= now


class Former(NamedTuple):
    """What the next document takes from a lineage of this one (see `summary.carry`)."""

    name: str
    phase: str
    current: KeyStatus | None
    deployed_at: datetime | None
    phase_since: datetime | None = None
    last_success: datetime | None = None
    last_failure: FailureStatus | None = None
    probes: tuple[ProbeStatus, ...] = ()
    key_since: datetime | None = None


class FindingStatus(NamedTuple):
    """A finding: severity in lower-case words."""

    code: str
    severity: str
    lineage: str
    text: str
    remedy: str


class RunStatus(NamedTuple):
    """The run that wrote the document."""

    verb: str
    version: str
    started: datetime
    ended: datetime
    exit_status: int


class EventStatus(NamedTuple):
    """A change that was made to a lineage, and when: its kind (see `EventKind`), and words."""

    at: datetime
    kind: str
    lineage: str
    text: str


LAST_EVENTS = 200
"""How many changes the document keeps: the last ones of all lineages together."""


class Snapshot(NamedTuple):
    """The whole document.  ``findings`` are those of the run; a lineage's own stand with it.

    ``last_success`` is the end of the last `renew` of all lineages that had exit status 0.
    ``witnesses`` are the addresses, with ports perhaps, of those who were asked beside the servers.
    ``tree`` is certbot's directory that it is about, "" where that isn't known.
    ``events`` are the last changes, in their order, at most `LAST_EVENTS`.  ``document`` is the
    schema's name, and ``schema`` its version.
    """

    schema: int
    run: RunStatus
    last_renew: RunStatus | None
    last_success: datetime | None
    lineages: tuple[LineageStatus, ...]
    findings: tuple[FindingStatus, ...]
    witnesses: tuple[str, ...] = ()
    tree: str = ""
    events: tuple[EventStatus, ...] = ()
    document: str = DOCUMENT


def finding_status(finding: Finding) -> FindingStatus:
    """A finding as it is published."""
    return FindingStatus(
        finding.code.value,
        finding.severity.word,
        finding.where,
        finding.text,
        finding.remedy,
    )


def event_status(event: Event) -> EventStatus:
    """A change as it is published."""
    return EventStatus(event.at, event.kind.value, event.lineage, event.text)


def finding_of(status: FindingStatus) -> Finding:
    """Return a finding that was published; what a later version named counts as `code_of` says."""
    return Finding(
        code_of(status.code),
        severity_of(status.severity),
        status.lineage,
        status.text,
        status.remedy,
    )
