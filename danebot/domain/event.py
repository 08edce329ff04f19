"""One change that was made: when, what kind, to which lineage, in words.  It holds no secret."""

from __future__ import annotations

import enum
from datetime import datetime

from danebot.domain.finding import Code, Finding
from danebot.domain.kinds import FindingKind
from danebot.tuples import NamedTuple


class EventKind(enum.Enum):
    """What changed.  Frozen: the values are public labels."""

    INITIALISED = "initialised"
    GIVEN_BACK = "given-back"
    KEY_MADE = "key-made"
    KEY_WANTED = "key-wanted"
    KEY_CANCELLED = "key-cancelled"
    KEY_FORGOTTEN = "key-forgotten"
    EMERGENCY = "emergency"
    RENEWED = "renewed"
    RENAMED = "renamed"
    PROMOTED = "promoted"
    PUT_BACK = "put-back"
    DEPLOYED = "deployed"
    CONFIRMED = "confirmed"
    PUBLISHED = "published"
    RETIRED = "retired"
    REMOVED = "records-removed"
    REVOKED = "revoked"


class Event(NamedTuple):
    """A change; ``text`` is printable."""

    at: datetime
    kind: EventKind
    lineage: str
    text: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.lineage}: {self.text}"


_TOLD: dict[FindingKind, EventKind] = {
    Code.CANCELLED: EventKind.KEY_FORGOTTEN,
    Code.KEY_UNKNOWN: EventKind.PUT_BACK,
    Code.DEPLOYMENT_HELD: EventKind.PUT_BACK,
    Code.PUBLISHED: EventKind.PUBLISHED,
    Code.RETIRED: EventKind.RETIRED,
    Code.RECORDS_REMOVED: EventKind.REMOVED,
    Code.REVOKED: EventKind.REVOKED,
}


def event_of(finding: Finding, at: datetime) -> Event | None:
    """Return the change that a finding made while a step was taken tells of; None if of none."""
    kind = _TOLD.get(finding.code)
    return Event(at, kind, finding.where, finding.text) if kind is not None else None
