"""Findings, statuses and records as text for people; nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.finding import Severity, most_serious_first
from danebot.domain.lineage.state import Management
from danebot.domain.status.document import (
    MISSING,
    CertificateStatus,
    LineageStatus,
    Prospect,
    RecordStatus,
    RunStatus,
    finding_of,
)
from danebot.domain.status.way import share, way
from danebot.domain.text import distance, duration, quoted, times, when

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.findings.named_records import Names
    from danebot.domain.rollover.records.publication import OwnedRecord, Publication

_GAP = 8  # cells between two steps
_DEFAULT_TTL = 3600
_TOGETHER = "a part alone would take the effect from other records"
_LONG = timedelta(hours=1)  # what is shorter than that nobody need shorten


def zone_lines(records: Iterable[OwnedRecord]) -> Iterator[str]:
    """Records in zone-file form (RFC 1035 section 5)."""
    return (str(record) for record in records)


def addition_lines(records: Iterable[OwnedRecord], form: str) -> Iterator[str]:
    """Records to add; ``form`` is "zone" or "nsupdate"."""
    return zone_lines(records) if form == "zone" else nsupdate_lines(records)


def nsupdate_lines(add: Iterable[OwnedRecord], remove: Iterable[OwnedRecord] = ()) -> Iterator[str]:
    """The same as commands for ``nsupdate``, one message for each zone.

    A TTL that isn't known becomes an hour.  An alias is named in a comment: what is added beside a
    CNAME is passed over in silence by some servers (RFC 2136 section 3.4.2.2).
    """
    zones: dict[DnsName | None, list[str]] = {}
    for verb, items in (("add", add), ("delete", remove)):
        for item in items:
            lines = zones.setdefault(item.zone, [])
            if item.place != item.owner:
                lines.append(f"; {item.owner} is an alias of {item.place}")
            lines.append(_nsupdate_line(verb, item))
    for zone, lines in zones.items():
        if zone is not None:
            yield f"zone {zone}."
        yield from dict.fromkeys(lines)
        yield "send"


def _nsupdate_line(verb: str, item: OwnedRecord) -> str:
    ttl = int(item.ttl.total_seconds()) if item.ttl is not None else _DEFAULT_TTL
    lifetime = f"{ttl} " if verb == "add" else ""
    return f"update {verb} {item.place}. {lifetime}IN TLSA {item.record}"


def _addition_parts(
    publication: Publication, served: PublicKey | None, awaited: PublicKey | None
) -> tuple[tuple[str, Sequence[OwnedRecord]], ...]:
    """What to add under titles: first what senders miss already, then what can be waited for.

    Each part may be added by itself.  So where a name needs records for the sake of others, being
    restated (see `advice`) or on some servers only, all that is to be added there is one part.
    """
    from danebot.domain.rollover.records.retirement import forms

    add, repair = publication.add, publication.repair
    now, later = (set(forms(key.spki)) if key is not None else set() for key in (served, awaited))
    keys = now | later
    for_others = [one for one in add if one.record not in keys or one in publication.keep]
    joint = {one.place for one in (*for_others, *repair)} & {one.place for one in add}
    together = [one for one in (*add, *repair) if one.place in joint]
    urgent = any(one.record in now and one not in publication.keep for one in together)
    add, repair = (tuple(o for o in some if o.place not in joint) for some in (add, repair))
    return (
        (f"add{' now' if urgent else ''}, all in one change: {_TOGETHER}", together),
        ("add now: the key that is served", [one for one in add if one.record in now]),
        ("add: the key that is to follow", [one for one in add if one.record in later - now]),
        ("add where it is missing; some servers have it", repair),
    )


def publication_lines(
    publication: Publication,
    names: Names,
    served: PublicKey | None = None,
    awaited: PublicKey | None = None,
) -> Iterator[str]:
    """What ought to be published: what is right, what to add, what to remove."""
    parts: tuple[tuple[str, Sequence[OwnedRecord]], ...] = (
        ("published and right", publication.keep),
        *_addition_parts(publication, served, awaited),
        ("remove: no key in use needs these", publication.remove),
        ("not ours, left alone", publication.foreign),
    )
    for title, records in parts:
        if records:
            yield f"; {title}"
            for line, one in zip(zone_lines(records), records, strict=True):
                name = names.get(one.record)
                yield line if name is None else f"{line} ; {name.words}"


def status_lines(status: LineageStatus, now: datetime) -> Iterator[str]:
    """One lineage, for a terminal."""
    doing = status.doing
    if not doing and status.management == Management.PASS_THROUGH.value:
        doing = f"left to certbot; to have danebot keep its key: danebot init {quoted(status.name)}"
    yield f"{status.name}: {status.phase}" + (f" ({doing})" if doing else "")
    yield from _certificate_lines("live", status.live, now)
    if status.staged is not None and not _same(status.staged, status.live):
        yield from _certificate_lines("waiting", status.staged, now)
    for title, key in (("next key", status.next), ("ready key", status.ready)):
        if key is not None:
            yield f"  {title:<12} {key.digest.hex()} {key.type}"
    wrong = [finding for finding in status.findings if finding.severity != "info"]
    said = " ".join(f"{finding.text} {finding.remedy}" for finding in wrong)
    add = [line for line in status.publication.add if _data(line) not in said]
    said += " ".join(add)
    for record in status.records:
        if record.seen != MISSING or f"{record.owner}. " not in said or record.record not in said:
            yield from _record_lines(record)
    yield from timeline(status, now)
    yield from _deployment_lines(status)
    yield from _outlook_lines(status)
    for title, lines in (("add", add), ("remove", status.publication.remove)):
        for line in lines:
            yield f"  {title:<12} {line}"
    yield from _failure_lines(status, said)
    for finding in wrong:
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        yield f"  {finding.severity:<12} {finding.text}{remedy}"


def _failure_lines(status: LineageStatus, said: str) -> Iterator[str]:
    """What the last renewal found wrong, if none came to a good end since and nobody said it."""
    failure, success = status.last_failure, status.last_success
    if failure is None or (success is not None and success >= failure.at):
        return
    if failure.message not in said:
        yield f"  {'last failure':<12} {when(failure.at)}: {failure.message}"


def worst_first(statuses: Iterable[LineageStatus]) -> list[LineageStatus]:
    """The lineages by how serious their worst finding is, and by name."""
    return sorted(statuses, key=lambda status: (-_worst(status), status.name))


def overview(statuses: Sequence[LineageStatus], now: datetime) -> Iterator[str]:
    """A line for each lineage, in the order given: its worst finding, or when it expires."""
    width = max((len(status.name) for status in statuses), default=0)
    phases = max((len(status.phase) for status in statuses), default=0)
    for status in statuses:
        found = most_serious_first(map(finding_of, status.findings))
        over = status.expired(now) and _worst(status) < Severity.CRITICAL
        text = found[0].text if found and not over else _expiry(status, now)
        more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
        word = Severity.CRITICAL.word if over else _word(status)
        yield f"{word:<8}  {status.name:<{width}}  {status.phase:<{phases}}  {text}{more}"
    wrong = sum(_worst(one) >= Severity.WARNING or one.expired(now) for one in statuses)
    verb = "needs" if wrong == 1 else "need"
    yield (
        f"{wrong} of {len(statuses)} lineages {verb} attention; "
        "all of one: danebot status LINEAGE, of each: danebot -v status"
    )


def problem_lines(statuses: Iterable[LineageStatus]) -> Iterator[str]:
    """What is wrong, and what helps, alone."""
    for status in statuses:
        for finding in most_serious_first(map(finding_of, status.findings)):
            if finding.severity >= Severity.WARNING:
                yield f"{finding.severity.word:<8}  {finding}"


def _word(status: LineageStatus) -> str:
    """How a lineage is; "-" for one that is left to certbot, and so under nobody's care."""
    if (worst := _worst(status)) > Severity.INFO:
        return worst.word
    return "-" if status.management == Management.PASS_THROUGH.value else "ok"


def _worst(status: LineageStatus) -> Severity:
    return max((finding_of(one).severity for one in status.findings), default=Severity.INFO)


def _expiry(status: LineageStatus, now: datetime) -> str:
    if status.live is None:
        return "nothing usable is live"
    end = status.live.not_after
    return f"{'expires' if end > now else 'expired'} {distance(end, now)}"


def _data(line: str) -> str:
    """A record without owner and TTL."""
    return line.rpartition(" IN TLSA ")[2]


def run_lines(last: RunStatus | None, now: datetime) -> Iterator[str]:
    """The last renewal."""
    if last is None:
        yield "danebot renew has not run here yet: start it daily from a timer or cron"
        return
    ended, status = f"{when(last.ended)} ({distance(last.ended, now)})", last.exit_status
    yield f"danebot renew ran last at {ended}, exit status {status}"


def _same(one: CertificateStatus, other: CertificateStatus | None) -> bool:
    return other is not None and one.fingerprint == other.fingerprint


def _deployment_lines(status: LineageStatus) -> Iterator[str]:
    if status.deployed_at is not None and status.confirmed_at is not None:
        confirmed = when(status.confirmed_at)
        yield f"  {'deployed':<12} {when(status.deployed_at)}, confirmed {confirmed}"
    elif status.deployed_at is not None:  # or found live, which no run deployed
        since = f"since {when(status.deployed_at)}"
        yield f"  {'unconfirmed':<12} {since}: not every service was seen to serve what is live"
    if status.retire_at is not None:
        probe = f"a probe from {when(status.retire_at)} on"
        yield f"  {'retirement':<12} old records may go after {probe}"
    for hook in status.pending_hooks:
        tried = f", failed {times(hook.attempts)}: {hook.error}" if hook.attempts else ""
        yield f"  {'hook':<12} {hook.hook} pending{tried}"


def _outlook_lines(status: LineageStatus) -> Iterator[str]:
    """What is to come: the next rollover of the schedule, and what an emergency would take."""
    if status.renews_at is not None:
        yield f"  {'renewal':<12} by certbot, from {when(status.renews_at)} on"
    if status.rollover_at is not None:
        yield f"  {'rollover':<12} scheduled for {when(status.rollover_at)}"
    words = _emergency_words(status)
    if words:
        yield f"  {'emergency':<12} {words}"


def _emergency_words(status: LineageStatus) -> str:
    wait = status.emergency_wait
    match status.emergency:
        case Prospect.UNDER_WAY.value:
            if status.safe_at is not None:
                return f"under way: its successor is safe from {when(status.safe_at)} on"
            after = "once every authoritative server has its successor's records"
            return f"under way: {_span(wait)} {after}"
        case Prospect.UNKNOWN.value:
            return (
                "nobody knows how long a compromised key would be served: "
                "its TLSA records were never seen"
            )
        case Prospect.KNOWN.value if wait == timedelta(0):
            return "a compromised key could be replaced at once"
        case Prospect.KNOWN.value:
            advice = (
                "; prepublish = true spares that the next time" if wait and wait >= _LONG else ""
            )
            return f"a compromised key would be served for {_span(wait)}{advice}"
        case _:
            return ""


def _span(wait: timedelta | None) -> str:
    return duration(wait) if wait is not None else "nobody knows how long"


def _certificate_lines(
    title: str, certificate: CertificateStatus | None, now: datetime
) -> Iterator[str]:
    if certificate is None:
        yield f"  {title:<12} nothing usable"
        return
    version = f"version {certificate.version}, " if certificate.version is not None else ""
    end = certificate.not_after
    yield f"  {title:<12} {version}expires {when(end)} ({distance(end, now)})"
    yield f"  {'':<12} {' '.join(certificate.names)}"
    yield f"  {title + ' key':<12} {certificate.key.digest.hex()} {certificate.key.type}"


def _record_lines(record: RecordStatus) -> Iterator[str]:
    name = f" ({record.name})" if record.name else ""
    yield f"  {record.role:<12} {record.owner} TLSA {record.record}: {record.seen}{name}"
    if record.present_at and (record.missing_at or record.unheard_at):
        yield f"  {'':<12}   present at {', '.join(record.present_at)}"
    for missing in record.missing_at:
        yield f"  {'':<12}   missing at {missing}"
    for unheard in record.unheard_at:
        yield f"  {'':<12}   not heard: {unheard}"


def timeline(status: LineageStatus, now: datetime) -> Iterator[str]:
    """A rollover as a picture: its steps, where it is between them, when each was or will be."""
    stages = way(status, now)
    if not stages:
        return
    numbers = [str(number) for number in range(1, len(stages) + 1)]
    reached = sum(stage.reached for stage in stages)
    here = min(int(share(stages, now) * _GAP), _GAP - 1)
    arrow = "=" * here + ">" + "." * (_GAP - here - 1)
    done, ahead = ("=" * _GAP).join(numbers[:reached]), ("." * _GAP).join(numbers[reached:])
    yield f"  {'rollover':<12} {done}{arrow}{ahead}"
    unknown = []
    for number, stage in zip(numbers, stages, strict=True):
        if stage.at is not None:
            moment = f"{when(stage.at)} ({distance(stage.at, now)})"
            yield f"  {'':<12}   {number} {stage.title}: {moment}"
        elif not stage.reached:
            unknown.append(f"{number} {stage.title}")
    if unknown:
        yield f"  {'':<12}   to come: {', '.join(unknown)}"
