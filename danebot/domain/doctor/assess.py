"""What the facts of a host come to: a finding for each thing that stands in danebot's way.

What concerns one lineage alone is judged where the daily run judges it; here is what a run rests
on.  A healthy host gives no finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from danebot.domain.doctor.codes import HostCode
from danebot.domain.doctor.facts import (
    CRON,
    NO_SCHEDULER,
    Asked,
    FileStat,
    HostFacts,
    Job,
    LastRun,
    Refused,
    Role,
    Space,
    Unreached,
    Whose,
    comma_separated,
)
from danebot.domain.finding import Finding, Severity, most_serious_first
from danebot.domain.text import duration, quoted, when

CLOCK_TOLERANCE = timedelta(minutes=2)
"""Less than what TSIG forgives (RFC 8945 section 10: five minutes); a Date header is in seconds."""
RUN_TOLERANCE = timedelta(days=2.25)
"""As check_danebot's ``--max-age``: a daily run that failed to begin twice."""
LEAST_FREE = 64 * 1024 * 1024
LEAST_INODES = 500
OLDEST_OPENSSL = (3, 0)
_EVERYBODY_READS, _EVERYBODY_WRITES, _GROUP_WRITES = 0o004, 0o002, 0o020


def assess_host(facts: HostFacts, now: datetime) -> tuple[Finding, ...]:
    """All findings, the most serious first; () for a healthy host."""
    return most_serious_first(finding for judge in _JUDGES for finding in judge(facts, now))


def assess_files(facts: HostFacts) -> tuple[Finding, ...]:
    """What files and disks come to alone."""
    return most_serious_first(_files(facts))


def _warning(code: HostCode, where: str, text: str, remedy: str | None = None) -> Finding:
    return Finding(code, Severity.WARNING, where, text, remedy)


def _meant(code: HostCode) -> Finding:
    return _warning(code, "", code.meaning)


# ---- DNS and time ---------------------------------------------------------------------------


def _resolvers(facts: HostFacts, now: datetime) -> Iterator[Finding]:
    del now
    alone = len(facts.asked) == 1
    for one in facts.asked:
        found = _resolver(one)
        if found is not None:
            code, text = found
            yield _warning(code, "", text if alone else f"{text}, and others stand beside it")


def _resolver(one: Asked) -> tuple[HostCode, str] | None:
    """What is wrong with one name server: the first that has to be mended."""
    name = f"resolver {one.name}"
    if one.trouble:
        return HostCode.RESOLVER_SILENT, f"{name} {one.trouble}"
    if not one.loopback and not one.trusted:
        why = "its AD bit isn't believed: it is on another host, over a network that may be forged"
        return HostCode.RESOLVER_REMOTE, f"{name}: {why}"
    if not one.authentic and not one.signed:
        return HostCode.RESOLVER_STRIPS, f"{name} leaves DNSSEC out of its answers"
    if not one.authentic:
        return (
            HostCode.RESOLVER_UNVALIDATING,
            f"{name} gives signatures without AD: it doesn't validate, or AD is stripped",
        )
    if one.public:
        return (
            HostCode.RESOLVER_PUBLIC,
            f"{name} is trusted over the open net, where anybody on the way can forge its answers",
        )
    return None


def _clock(facts: HostFacts, now: datetime) -> Iterator[Finding]:
    del now
    ahead = facts.clock.ahead
    if ahead is not None and abs(ahead) > CLOCK_TOLERANCE:
        way = "ahead of" if ahead > timedelta(0) else "behind"
        text = f"this host's clock is {duration(abs(ahead))} {way} the CA's"
        yield _warning(HostCode.CLOCK_OFF, "", text)
    elif facts.clock.synchronised is False:
        yield _meant(HostCode.CLOCK_UNSYNCHRONISED)
    elif facts.clock.synchronised is None and ahead is None:
        yield _unseen("", "the clock", "neither the kernel nor the CA tells", None)


# ---- certbot and the CA ---------------------------------------------------------------------


def _certbot(facts: HostFacts, now: datetime) -> Iterator[Finding]:
    del now
    if facts.certbot:
        text, _, remedy = facts.certbot.partition("; ")
        yield Finding(HostCode.CERTBOT_UNUSABLE, Severity.CRITICAL, "", text, remedy or None)
    for directory in facts.directories:
        if directory.trouble:
            text = f"{directory.url} can't be reached ({directory.trouble})"
            yield _warning(HostCode.CA_UNREACHABLE, "", text)
    for account in facts.accounts:
        if account.there is False:
            text = f"its account is not in {account.path}, so the CA refuses renewals"
            remedy = (
                f"restore it from a backup; or register (certbot register) and name the new one "
                f"with account in renewal/{account.lineage}.conf"
            )
            yield _warning(HostCode.ACCOUNT_MISSING, account.lineage, text, remedy)


# ---- the daily run --------------------------------------------------------------------------


def _daily_run(facts: HostFacts, now: datetime) -> Iterator[Finding]:
    if facts.no_tree:
        text, _, remedy = facts.no_tree.partition("; ")
        yield _warning(HostCode.NO_LINEAGES, "", text, remedy or None)
    elif facts.lineages == 0:
        yield _meant(HostCode.NO_LINEAGES)
    else:
        if facts.lineages and facts.managed == 0:
            yield _meant(HostCode.UNMANAGED)
        yield from _jobs(facts.jobs, facts.me) if facts.scheduler else (_nothing_daily(),)
        if facts.run_told:
            yield from _last_run(facts.last_run, now)


def _nothing_daily() -> Finding:
    remedy = f"run: {quoted(*CRON)}; then: danebot setup"
    return _warning(HostCode.NOT_SCHEDULED, "", f"{NO_SCHEDULER} to run danebot renew", remedy)


def _jobs(jobs: tuple[Job, ...], me: int) -> Iterator[Finding]:
    if not jobs and me:
        yield _unseen("", "whether a cron job runs danebot renew", "root alone may read all", None)
    elif not jobs:
        yield _meant(HostCode.NOT_SCHEDULED)
    for job in jobs:
        if not job.runs:
            text = f"{job.place} runs {job.program}, which isn't there or can't be run"
            remedy = f'run: ln -s "$(command -v danebot)" {job.program}'
            yield _warning(HostCode.PROGRAM_MISSING, "", text, remedy)


def _last_run(last: LastRun | None, now: datetime) -> Iterator[Finding]:
    if last is None:
        yield _meant(HostCode.NEVER_RUN)
    elif now - last.ended > RUN_TOLERANCE:
        text = f"danebot renew ran last at {when(last.ended)}, {duration(now - last.ended)} ago"
        yield _warning(HostCode.RUN_OVERDUE, "", text)
    elif last.exit_status:
        text = f"the last danebot renew, at {when(last.ended)}, found trouble"
        yield _warning(HostCode.RUN_FAILED, "", text)


# ---- files ----------------------------------------------------------------------------------


def _files(facts: HostFacts) -> Iterator[Finding]:
    for entry in facts.entries:
        found = exposure(entry, facts.me)
        if found is not None:
            yield found
    group = facts.combo_group
    barred = group.barred(facts.doors) if group is not None else ()
    if group is not None and barred:
        text = f"group {group.name} is to read combo.pem, and may not pass "
        text += comma_separated(one.path for one in barred)
        run = " && ".join(quoted(*words) for words in group.ways(barred))
        yield _warning(HostCode.COMBO_SHUT_IN, "", text, f"run: {run}")
    for one in facts.unusable:
        yield _warning(HostCode.HOOK_UNUSABLE, "", f"{one.path} {one.why}", one.remedy)
    if facts.trust_store:
        yield _warning(HostCode.TRUST_STORE_UNREADABLE, "", facts.trust_store)
    yield from filter(None, map(shortage, facts.spaces))


def exposure(entry: FileStat, me: int) -> Finding | None:
    """What others may do with it that they ought not to; ``me``, root and its group may write."""
    path = entry.path
    if entry.owner not in (0, me):
        text = f"{path} ({entry.role.value}) belongs to user {entry.owner}, who may change it"
        return _warning(HostCode.WRITABLE, "", text, _or_elsewhere(entry, "chown root:"))
    if entry.mode & _EVERYBODY_WRITES or (entry.group and entry.mode & _GROUP_WRITES):
        text = f"{path} ({entry.role.value}) may be written by others, mode {entry.mode:04o}"
        return _warning(HostCode.WRITABLE, "", text, _or_elsewhere(entry, "chmod go-w"))
    if entry.role.read_by_owner_alone and entry.mode & _EVERYBODY_READS:
        text = f"{path} ({entry.role.value}) may be read by everybody, mode {entry.mode:04o}"
        remedy = f"run: chmod o-rwx {quoted(path)}"
        if entry.role is Role.KEY:
            remedy += "; if others have accounts here, roll over to another key: danebot newkey"
        return _warning(HostCode.KEY_EXPOSED, "", text, remedy)
    return None


def _or_elsewhere(entry: FileStat, command: str) -> str:
    """What helps: of a program's files the one that was found may be but the first."""
    if entry.role is Role.PROGRAM:
        return "install danebot where root alone may write"
    return f"run: {command} {quoted(entry.path)}"


def shortage(space: Space) -> Finding | None:
    """What keeps danebot from writing there."""
    if space.read_only:
        text = f"{space.path} is mounted read-only"
        remedy = (
            f"run: mount -o remount,rw {quoted(space.path)}; if it became so by itself, see dmesg"
        )
        return Finding(HostCode.DISK_LOW, Severity.CRITICAL, "", text, remedy)
    if space.free < LEAST_FREE:
        text = f"the disk of {space.path} has {space.free // 2**20} MiB left"
        return _warning(HostCode.DISK_LOW, "", text, f"make room; see: df -h {quoted(space.path)}")
    if space.inodes is not None and space.inodes < LEAST_INODES:
        text = f"the disk of {space.path} has {space.inodes} inodes left"
        return _warning(
            HostCode.DISK_LOW, "", text, f"remove files; see: df -i {quoted(space.path)}"
        )
    return None


# ---- services and records -------------------------------------------------------------------


def _services(facts: HostFacts, now: datetime) -> Iterator[Finding]:
    del now
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in facts.references:
        found.setdefault((one.lineage, one.service, one.combo), []).append(
            f"{one.file} ({one.place})"
        )
    for (lineage, service, combo), places in found.items():
        text = f"{service} reads {comma_separated(places)}, which change apart from each other"
        remedy = f"have it read {combo} for both the key and the chain"
        yield _warning(HostCode.READS_CERTBOTS, lineage, text, remedy)
    yield from map(unreached, facts.unreached)


def unreached(lost: Unreached) -> Finding:
    """The finding of a service that can't be asked."""
    text = f"{lost.place} can't be asked from here what it serves ({lost.trouble})"
    return _warning(HostCode.ENDPOINT_UNREACHABLE, lost.lineage, text)


def _records(facts: HostFacts, now: datetime) -> Iterator[Finding]:
    del now
    for one in facts.unwatched:
        if one.whose is Whose.OWN:
            text = f"TLSA records of its key are published and not watched: {one.owners}"
            yield _warning(HostCode.OWNER_UNWATCHED, one.lineage, text)
        elif one.whose is Whose.REFUSING:
            text = f"senders refuse its key by TLSA records that are not watched: {one.owners}"
            remedy = (
                f"have them watched: danebot init {quoted(one.lineage)}; then this prints the "
                f"record to add beside them: danebot tlsa {quoted(one.lineage)}"
            )
            yield _warning(HostCode.OWNER_UNWATCHED, one.lineage, text, remedy)
        else:
            text = f"TLSA records of a key that nobody knows are not watched: {one.owners}"
            remedy = (
                f"if they are this host's: danebot watch {quoted(one.lineage, one.first)}; "
                f"if not: danebot watch --remove {quoted(one.lineage, one.first)}"
            )
            yield _warning(HostCode.OWNER_UNWATCHED, one.lineage, text, remedy)
    yield from map(refusal, facts.refused)


def refusal(refused: Refused) -> Finding:
    """The finding of a publisher that was tried out in vain."""
    return _warning(HostCode.PUBLISHER_REFUSED, refused.lineage, refused.text, refused.remedy)


# ---- the rest -------------------------------------------------------------------------------


def _versions(facts: HostFacts, now: datetime) -> Iterator[Finding]:
    del now
    if facts.openssl is not None and facts.openssl < OLDEST_OPENSSL:
        major, minor = facts.openssl
        text = f"OpenSSL {major}.{minor} gets no security updates any more"
        yield _warning(HostCode.VERSION_OLD, "", text)


def _unlooked(facts: HostFacts, now: datetime) -> Iterator[Finding]:
    del now
    for one in facts.unlooked:
        yield _unseen(one.where, one.what, one.why, one.remedy)


def _unseen(where: str, what: str, why: str, remedy: str | None) -> Finding:
    text = f"{what} could not be looked at: {why}"
    return Finding(HostCode.UNSEEN, Severity.UNJUDGED, where, text, remedy)


_JUDGES: tuple[Callable[[HostFacts, datetime], Iterator[Finding]], ...] = (
    *(_certbot, _daily_run, _resolvers, _clock),
    lambda facts, _: _files(facts),
    *(_services, _records, _versions, _unlooked),
)
