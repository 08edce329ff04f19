"""Findings: what is wrong or worth knowing, each with its code, its severity and its remedy.

A finding is made once, in `assess`; command line, plugins, exporter and page only render it.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Severity(enum.IntEnum):
    """How much a finding matters, in rising order."""

    INFO = 0  # the normal course of things, waiting included
    NOTICE = 1  # worth knowing; nothing stops
    WARNING = 2  # something stops, or will
    CRITICAL = 3  # mail fails, or is about to


class Code(enum.Enum):
    """What was found.  Frozen: the values are public labels of metrics and of ``--json``."""

    FILES_BROKEN = "files-broken"
    HEALED = "healed"
    UNPROTECTED = "unprotected"
    WATCH_LOST = "watch-lost"
    KEY_UNKNOWN = "key-unknown"
    KEY_SET_ASIDE = "key-set-aside"
    TLSA_MISMATCH = "tlsa-mismatch"
    TLSA_MISSING = "tlsa-missing"
    TLSA_INSECURE = "tlsa-insecure"
    TLSA_BOGUS = "tlsa-bogus"
    DNS_UNREACHABLE = "dns-unreachable"
    SERVER_LACKS_RECORD = "server-lacks-record"
    DIGEST_CONFLICT = "digest-conflict"
    SERVERS_UNREACHABLE = "servers-unreachable"
    NEXT_KEY_MADE = "next-key-made"
    NEXT_KEY_WAITS = "next-key-waits"
    NEXT_KEY_STUCK = "next-key-stuck"
    NEXT_KEY_WITHDRAWN = "next-key-withdrawn"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    ROLLOVER_STUCK = "rollover-stuck"
    SCHEDULE_STUCK = "schedule-stuck"
    CLOCK_BEHIND = "clock-behind"
    COOLING = "cooling"
    STANDING_BY = "standing-by"
    KEY_COMPROMISED = "key-compromised"
    COMPROMISED_PUBLISHED = "compromised-published"
    REVOCATION_WAITS = "revocation-waits"
    REVOKED = "revoked"
    REVOCATION_FAILED = "revocation-failed"
    PROMOTION_DUE = "promotion-due"
    PROMOTION_FAILED = "promotion-failed"
    PROMOTED = "promoted"
    DEPLOYMENT_HELD = "deployment-held"
    RENEWAL_FAILED = "renewal-failed"
    RENEWAL_WAITS = "renewal-waits"
    KEY_KEPT = "key-kept"
    BREAKS_AT_RENEWAL = "breaks-at-renewal"
    NOT_RENEWED = "not-renewed"
    NOT_RUN = "not-run"
    HOOK_FAILED = "hook-failed"
    NOT_SERVED = "not-served"
    NOT_CONFIRMED = "not-confirmed"
    CONFIRMED = "confirmed"
    RETIRED = "retired"
    RECORDS_TO_REMOVE = "records-to-remove"
    RECORDS_KEPT = "records-kept"
    PUBLISHED = "published"
    RECORDS_REMOVED = "records-removed"
    PUBLISH_FAILED = "publish-failed"
    PUBLISH_ALTERED = "publish-altered"
    PUBLISH_LAGS = "publish-lags"
    EXPIRES_SOON = "expires-soon"
    EXPIRED = "expired"
    INTERNAL = "internal"


class Finding(NamedTuple):
    """``text`` says what is, ``remedy`` what to do ("" if nothing); both are printable.

    ``lineage`` is "" for what concerns the whole run.
    """

    code: Code
    severity: Severity
    lineage: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        subject = f"{self.lineage}: " if self.lineage else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{subject}{self.text}{remedy}"


def worst(findings: tuple[Finding, ...]) -> Severity:
    """The highest severity, INFO for none."""
    return max((finding.severity for finding in findings), default=Severity.INFO)
