"""One concern's findings by the clock of now: the document's, and what the time since makes of it.

What a run found is told as it was found; what goes by in time is judged anew, since the document
may be a day old.  check_danebot comes here every minute: nothing is imported that costs much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import Basis, Concern, FindingKind
from danebot.domain.status.document import (
    EVERYWHERE,
    MISSING,
    CertificateStatus,
    LineageStatus,
    Snapshot,
    StatusFault,
    finding_of,
)
from danebot.domain.status.unlooked import doubted
from danebot.domain.text import duration, quoted
from danebot.domain.thresholds import Range, Thresholds
from danebot.tuples import NamedTuple

EXPIRY_WARNING, EXPIRY_CRITICAL = 0.2, 0.1
"""Of a lifetime, for documents that don't say.

They are `Policy`'s, which takes 10 ms to import; a test compares them.
"""
MONITOR_SKEW = timedelta(minutes=5)
"""Between the clocks of two hosts, should the file be carried over."""
LEFT = "pass-through"
"""As `Management` and `Phase` call a lineage that certbot keeps; they take long to import, too."""
NOT_RUN_YET = "danebot renew has not run here yet"
_DAY = timedelta(days=1)
_WATCH = (
    "have it watched: danebot init {name}; or say that there is none: danebot init --no-dane {name}"
)
_LOST = (
    StatusFault.MISSING,
    StatusFault.DAMAGED,
)  # the job that writes the document doesn't do its work


class StatusCode(FindingKind):
    """What is wrong with the document as a whole, whatever it is asked for."""

    STATUS_UNREADABLE = (
        "status-unreadable",
        Concern.STATUS,
        "there is no status document, or it can't be used",
        "",
    )
    STATUS_OLD = (
        "status-old",
        Concern.STATUS,
        "the status document is too old to tell anything",
        "see why the job doesn't run: systemctl status danebot.timer",
        Basis.CLOCK,
    )
    STATUS_AHEAD = (
        "status-ahead",
        Concern.STATUS,
        "the status document is from the future",
        "see the clock, then run: danebot renew",
        Basis.CLOCK,
    )
    NO_LINEAGE = ("no-lineage", Concern.STATUS, "danebot keeps no such lineage", "")
    NOTHING_WATCHED = (
        "nothing-watched",
        Concern.STATUS,
        "certbot keeps every lineage, so no TLSA record is watched",
        _WATCH.format(name="LINEAGE"),
    )
    NOT_LOOKED_AT = (
        "not-looked-at",
        Concern.STATUS,
        "the last run could not look at a lineage",
        "",
    )


class Allowed(NamedTuple):
    """What may go by; ranges are of days, None is no bound.

    ``success`` is for the time since the last one, ``left`` for what is left of certificates; None
    means what the document has of danebot's settings, as for ``staged``.
    """

    max_age: timedelta
    success: Thresholds
    left: Thresholds | None = None
    staged: Range | None = None
    due: Range | None = None
    unconfirmed: Range | None = None
    removal: Range | None = None
    key_age: Range | None = None


def no_document(reason: StatusFault, text: str, concern: Concern) -> Finding:
    """Return the finding that there is no document: one concern wakes somebody, not all four."""
    lost = reason in _LOST and concern is Concern.RENEWAL
    severity = Severity.CRITICAL if lost else Severity.UNJUDGED
    return Finding(StatusCode.STATUS_UNREADABLE, severity, "", text)


def absent(names: Sequence[str], lineages: Sequence[LineageStatus]) -> Iterator[Finding]:
    """Yield what was asked for (all for no ``names``) and isn't there: that is never fine."""
    there = {status.name for status in lineages}
    for name in names:
        if name not in there:
            text = "no such lineage; see: danebot status"
            yield Finding(StatusCode.NO_LINEAGE, Severity.UNJUDGED, name, text)
    if not names and not lineages:
        text = "no lineage is known to danebot; see: danebot doctor"
        yield Finding(StatusCode.NO_LINEAGE, Severity.UNJUDGED, "", text)


def unwatched(names: Sequence[str], lineages: Sequence[LineageStatus]) -> Iterator[Finding]:
    """Yield what was asked for and is left to certbot, so that nothing is known of its records.

    Of all (no ``names``) only where that goes for every one.
    """
    left = [one.name for one in lineages if one.management == LEFT and not one.live_records]
    if names or len(left) == len(lineages) == 1:
        yield from (_left(name) for name in left)
    elif left and len(left) == len(lineages):
        yield all_left(len(left))


def all_left(count: int) -> Finding:
    """Return the finding that all of so many lineages are left to certbot."""
    text = f"all {count} lineages are left to certbot, so no TLSA record is watched"
    return Finding(StatusCode.NOTHING_WATCHED, Severity.UNJUDGED, "", text)


def _left(name: str) -> Finding:
    text = "left to certbot, so no TLSA record is watched"
    remedy = _WATCH.format(name=quoted(name))
    return Finding(StatusCode.NOTHING_WATCHED, Severity.UNJUDGED, name, text, remedy)


def judged(
    document: Snapshot, names: Sequence[str], concern: Concern, allowed: Allowed, now: datetime
) -> list[Finding]:
    """Return one concern's findings about the document's lineages, those of ``names`` if any."""
    lineages = document.lineages
    match concern:
        case Concern.RENEWAL:
            anew = [*_renewal(document, allowed, now)]
        case Concern.TLSA:
            anew = [*unwatched(names, lineages), *(f for one in lineages for f in _records(one))]
        case Concern.EXPIRY:
            anew = [one for status in lineages for one in _expiry(status, allowed, now)]
        case _:
            anew = [
                one
                for status in lineages
                for late in (_waits, _afterwards)
                for one in late(status, allowed, now)
            ]
    timed = {finding.where for finding in anew}
    told = [
        finding
        for finding in _told(document, names)
        if finding.code.concern is concern
        and not (finding.code.basis is Basis.CLOCK and finding.where in timed)
        and not _replaced(finding.code, allowed)
    ]
    found = doubted([*told, *anew], document, concern, StatusCode.NOT_LOOKED_AT)
    return [*absent(names, lineages), *fresh(document, concern, allowed.max_age, now), *found]


def _told(document: Snapshot, names: Sequence[str]) -> Iterator[Finding]:
    """Yield what runs found: of all, of what can't be read, and each lineage's own."""
    for found in document.findings:
        if not names or found.lineage in ("", *names):
            yield finding_of(found)
    for status in document.lineages:
        yield from map(finding_of, status.findings)


def _replaced(code: FindingKind, allowed: Allowed) -> bool:
    """Whether there is a range that stands in for danebot's settings."""
    if code is Code.EXPIRES_SOON:
        return allowed.left is not None
    return code is Code.NEXT_KEY_STUCK and allowed.staged is not None


def fresh(
    document: Snapshot, concern: Concern, max_age: timedelta, now: datetime
) -> Iterator[Finding]:
    """Yield what is wrong with the document's age: it is to be of now, more or less."""
    written = document.run.ended
    if written - now > MONITOR_SKEW:
        text = f"the status document is {duration(written - now)} ahead of this clock"
        yield Finding(StatusCode.STATUS_AHEAD, Severity.UNJUDGED, "", text)
    elif now - written > max_age:
        severity = Severity.CRITICAL if concern is Concern.RENEWAL else Severity.UNJUDGED
        text = f"the status document is {duration(now - written)} old"
        yield Finding(StatusCode.STATUS_OLD, severity, "", text)


# ---- renewal --------------------------------------------------------------------------------


def _renewal(document: Snapshot, allowed: Allowed, now: datetime) -> Iterator[Finding]:
    """The age of the last run and of the last success, with the last error."""
    last, success = document.last_renew, document.last_success
    if last is None:
        if overdue(document, allowed.max_age, now):
            remedy = "run it, or enable its timer"
            yield Finding(Code.NOT_RUN, Severity.WARNING, "", NOT_RUN_YET, remedy)
        return
    yield from renewals_stopped(document, allowed.max_age, now)
    if success is None:
        if last.exit_status:
            words = "danebot renew has not come to a good end here yet"
            yield _failing(words, document, Severity.WARNING)
    elif success - max(now, document.run.ended) > MONITOR_SKEW:
        words = f"the last success of danebot renew is {duration(success - now)} in the future"
        yield _failing(words, document, Severity.WARNING)
    else:
        severity = allowed.success.severity((now - success) / _DAY)
        if severity is not Severity.NOTICE:
            words = f"danebot renew last succeeded {duration(now - success)} ago"
            yield _failing(words, document, severity)


def renewals_stopped(document: Snapshot, max_age: timedelta, now: datetime) -> Iterator[Finding]:
    """Yield that renewals don't run any more, if the last one is older than ``max_age``."""
    last = document.last_renew
    if last is not None and now - last.ended > max_age:
        words = f"danebot renew ran {duration(now - last.ended)} ago"
        remedy = "systemctl status danebot.timer"
        yield Finding(Code.NOT_RUN, Severity.CRITICAL, "", words, remedy)


def overdue(document: Snapshot, allowed: timedelta, now: datetime) -> bool:
    """Return whether lineages are known for so long that a daily job has had its turn."""
    known = [one.phase_since for one in document.lineages if one.phase_since is not None]
    return not known or now - min(known) > allowed


def _failing(words: str, document: Snapshot, severity: Severity) -> Finding:
    """With the last error, if one is known."""
    for status in document.lineages:
        if status.last_failure is not None:
            words = f"{words}; {status.name}: {status.last_failure.message}"
            break
    return Finding(Code.RENEWAL_FAILED, severity, "", words, "see: danebot -v renew")


# ---- tlsa -----------------------------------------------------------------------------------


def _records(status: LineageStatus) -> Iterator[Finding]:
    """No positive evidence for a current record; files that disagree about the key."""
    yield from _keys(status)
    found = {finding_of(one).code.basis for one in status.findings}
    for record in status.live_records:
        missing = record.seen == MISSING
        if record.seen == EVERYWHERE or (missing and Basis.DNS in found):
            continue  # the finding says it better
        where = ", ".join((*record.missing_at, *record.unheard_at)) or record.seen
        yield Finding(
            Code.TLSA_MISSING if missing else Code.DNS_UNREACHABLE,
            Severity.WARNING if missing else Severity.UNJUDGED,
            status.name,
            f"{record.owner} TLSA {record.record}: {where}",
            f"danebot status {quoted(status.name)}",
        )


def _keys(status: LineageStatus) -> Iterator[Finding]:
    """Staging holds the live key, or the one on its way."""
    known = {key.digest for key in (status.current, status.next, status.ready) if key is not None}
    for role, chain in (("live", status.live), ("the waiting certificate", status.staged)):
        if chain is not None and chain.key.digest not in known:
            digest = chain.key.digest.hex()
            words = f"{role} holds the key {digest}, which nobody serves or awaits"
            yield Finding(Code.KEY_UNKNOWN, Severity.WARNING, status.name, words)
    if status.management == "staged" and status.current is None:
        words, remedy = "no usable key is live", f"see: danebot status {quoted(status.name)}"
        yield Finding(Code.KEY_UNKNOWN, Severity.CRITICAL, status.name, words, remedy)


# ---- expiry ---------------------------------------------------------------------------------


def _expiry(status: LineageStatus, allowed: Allowed, now: datetime) -> Iterator[Finding]:
    """The time left of the live certificate and of another staged one."""
    live, staged = status.live, status.staged
    if live is None:
        remedy = f"danebot status {quoted(status.name)}"
        words = "no certificate is live"
        yield Finding(Code.FILES_BROKEN, Severity.UNJUDGED, status.name, words, remedy)
        return
    yield from _ends(status, "live", live, allowed, now)
    if staged is not None and staged.fingerprint != live.fingerprint:
        yield from _ends(status, "waiting", staged, allowed, now)


def _ends(
    status: LineageStatus, role: str, chain: CertificateStatus, allowed: Allowed, now: datetime
) -> Iterator[Finding]:
    left = chain.not_after - now
    if left <= timedelta(0):
        words = f"{role} certificate expired {duration(-left)} ago"
        yield Finding(Code.EXPIRED, Severity.CRITICAL, status.name, words)
        return
    if allowed.left is not None:
        severity = allowed.left.severity(left / _DAY)
    else:
        severity = _nearness(status, chain, left)
    if severity is not Severity.NOTICE:
        words = f"{role} certificate expires in {duration(left)}"
        yield Finding(Code.EXPIRES_SOON, severity, status.name, words)


def _nearness(status: LineageStatus, chain: CertificateStatus, left: timedelta) -> Severity:
    """How near the end is by danebot's settings, which are parts of the live lifetime."""
    warning, critical = EXPIRY_WARNING, EXPIRY_CRITICAL
    live = (status.live or chain).lifetime
    soon, very_soon = status.expiry_warning, status.expiry_critical
    if live > timedelta(0) and soon is not None and very_soon is not None:
        warning, critical = soon / live, very_soon / live
    part = left / chain.lifetime if chain.lifetime > timedelta(0) else 0.0
    if part < critical:
        return Severity.CRITICAL
    return Severity.WARNING if part < warning else Severity.NOTICE


# ---- rollover -------------------------------------------------------------------------------


def _waits(status: LineageStatus, allowed: Allowed, now: datetime) -> Iterator[Finding]:
    name, phase = status.name, status.phase
    since = status.awaiting_since
    if phase == "staged" and since is not None and _late(now - since, allowed.staged):
        words = f"the next key waits for its TLSA records since {duration(now - since)}"
        remedy = f"danebot tlsa {quoted(name)} prints them"
        yield Finding(Code.NEXT_KEY_STUCK, Severity.WARNING, name, words, remedy)
    safe = status.safe_at if phase == "cooling" else None
    due = status.phase_since if phase == "due" else safe
    if due is not None and _late(now - due, allowed.due):
        words = f"the ready key is due for promotion since {duration(now - due)}"
        yield Finding(Code.PROMOTION_DUE, Severity.WARNING, name, words, "see: danebot -v renew")
    since = status.key_since
    if since is not None and _late(now - since, allowed.key_age):
        words = f"the current key is {duration(now - since)} old"
        remedy = f"danebot newkey {quoted(name)} begins a rollover"
        yield Finding(Code.KEY_KEPT, Severity.WARNING, name, words, remedy)


def _afterwards(status: LineageStatus, allowed: Allowed, now: datetime) -> Iterator[Finding]:
    name, deployed, confirmed = status.name, status.deployed_at, status.confirmed_at
    if deployed is not None and confirmed is None and _late(now - deployed, allowed.unconfirmed):
        hooks = ", ".join(hook.hook for hook in status.pending_hooks)
        why = f"; hooks to run: {hooks}" if hooks else ""
        waits = duration(now - deployed)
        words = f"since {waits}, what is live is not confirmed on the wire{why}"
        yield Finding(Code.NOT_CONFIRMED, Severity.WARNING, name, words)
    remove = status.publication.of_old_keys
    if remove:
        since = status.cleared_at or confirmed
        late = since is not None and _late(now - since, allowed.removal)
        records = "1 old record" if len(remove) == 1 else f"{len(remove)} old records"
        yield Finding(
            Code.RECORDS_TO_REMOVE,
            Severity.WARNING if late else Severity.NOTICE,
            name,
            f"{records} to remove: {remove[0]}",
            f"danebot tlsa {quoted(name)} lists them",
        )


def _late(age: timedelta, limit: Range | None) -> bool:
    return limit is not None and not limit.match(age / _DAY)
