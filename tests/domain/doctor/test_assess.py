"""Facts of a host to findings: each bound from both sides, and nothing inferred from silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from danebot.domain.doctor.assess import CLOCK_TOLERANCE, RUN_TOLERANCE, assess_files, assess_host
from danebot.domain.doctor.codes import HostCode
from danebot.domain.doctor.facts import (
    Asked,
    ClockState,
    FileStat,
    HostFacts,
    Job,
    LastRun,
    Role,
    Space,
    Unlooked,
)
from danebot.domain.finding import Severity
from danebot.domain.kinds import FindingKind

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LOCAL = Asked("127.0.0.1", loopback=True, public=False, trusted=False, authentic=True, signed=True)
HEALTHY = HostFacts(
    asked=(LOCAL,),
    clock=ClockState(synchronised=True, ahead=SECOND),
    jobs=(Job("danebot.timer", "/usr/local/bin/danebot", runs=True),),
    last_run=LastRun(NOW - timedelta(days=1), 0),
    lineages=1,
    managed=1,
    openssl=(3, 0),
)
REMOTE = LOCAL._replace(name="192.0.2.1", loopback=False)


def codes(facts: HostFacts) -> list[FindingKind]:
    return [one.code for one in assess_host(facts, NOW)]


def test_a_healthy_host_has_no_finding() -> None:
    assert codes(HEALTHY) == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (LOCAL._replace(trouble="timed out", authentic=False), HostCode.RESOLVER_SILENT),
        (LOCAL._replace(authentic=False), HostCode.RESOLVER_UNVALIDATING),
        (LOCAL._replace(authentic=False, signed=False), HostCode.RESOLVER_STRIPS),
        (REMOTE, HostCode.RESOLVER_REMOTE),
        (REMOTE._replace(trusted=True), None),
        (REMOTE._replace(trusted=True, public=True), HostCode.RESOLVER_PUBLIC),
        (REMOTE._replace(trusted=True, authentic=False), HostCode.RESOLVER_UNVALIDATING),
    ],
)
def test_a_name_server(asked: Asked, code: HostCode | None) -> None:
    assert codes(HEALTHY._replace(asked=(asked,))) == ([code] if code else [])
    (*_, last) = assess_host(HEALTHY._replace(asked=(LOCAL, asked)), NOW) or (None,)
    assert (last is None) == (code is None)
    assert last is None or "others stand beside it" in last.text


@pytest.mark.parametrize(
    ("clock", "code"),
    [
        (ClockState(synchronised=True, ahead=CLOCK_TOLERANCE), None),
        (ClockState(synchronised=True, ahead=CLOCK_TOLERANCE + SECOND), HostCode.CLOCK_OFF),
        (ClockState(synchronised=True, ahead=-CLOCK_TOLERANCE - SECOND), HostCode.CLOCK_OFF),
        (ClockState(synchronised=False, ahead=SECOND), HostCode.CLOCK_UNSYNCHRONISED),
        (ClockState(synchronised=False), HostCode.CLOCK_UNSYNCHRONISED),
        (ClockState(synchronised=None, ahead=SECOND), None),
        (ClockState(synchronised=None), HostCode.UNSEEN),
    ],
)
def test_a_clock(clock: ClockState, code: HostCode | None) -> None:
    assert codes(HEALTHY._replace(clock=clock)) == ([code] if code else [])


def test_a_run_is_overdue_after_as_long_as_for_the_check() -> None:
    last = LastRun(NOW - RUN_TOLERANCE, 0)
    assert codes(HEALTHY._replace(last_run=last)) == []
    late = last._replace(ended=last.ended - SECOND)
    assert codes(HEALTHY._replace(last_run=late)) == [HostCode.RUN_OVERDUE]


def test_what_cannot_be_told_is_no_absence() -> None:
    untold = HEALTHY._replace(last_run=None, run_told=False, lineages=None, managed=None)
    assert codes(untold) == []
    assert codes(HEALTHY._replace(managed=None)) == []
    assert codes(HEALTHY._replace(jobs=(), me=1000)) == [HostCode.UNSEEN]
    assert codes(HEALTHY._replace(jobs=())) == [HostCode.NOT_SCHEDULED]
    assert codes(HEALTHY._replace(jobs=(), scheduler=False, me=1000)) == [HostCode.NOT_SCHEDULED]
    assert codes(HEALTHY._replace(openssl=None)) == []


def test_what_was_not_looked_at_is_told_after_what_is_wrong() -> None:
    facts = HEALTHY._replace(
        unlooked=(Unlooked("/x", "Permission denied", remedy="run danebot as root"),),
        certbot="certbot is absent; install it",
    )
    wrong, unseen = assess_host(facts, NOW)
    assert (wrong.severity, str(wrong)) == (Severity.CRITICAL, "certbot is absent; install it")
    assert unseen.severity is Severity.UNJUDGED
    assert str(unseen) == "/x could not be looked at: Permission denied; run danebot as root"


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (FileStat("/x", Role.HOOK, 0, 0o755), None),
        (FileStat("/x", Role.HOOK, 0, 0o775), None),  # root's own group
        (FileStat("/x", Role.HOOK, 0, 0o775, 50), HostCode.WRITABLE),
        (FileStat("/x", Role.HOOK, 0, 0o757), HostCode.WRITABLE),
        (FileStat("/x", Role.HOOK, 50, 0o755), HostCode.WRITABLE),
        (FileStat("/x", Role.HOOK, 1000, 0o755), None),  # who looks
        (FileStat("/x", Role.SETTINGS, 0, 0o644), None),
        (FileStat("/x", Role.SECRET, 0, 0o644), HostCode.KEY_EXPOSED),
        (FileStat("/x", Role.KEY, 0, 0o640, 50), None),  # a group that was given it
        (FileStat("/x", Role.KEY, 0, 0o604), HostCode.KEY_EXPOSED),
    ],
)
def test_a_file(entry: FileStat, code: HostCode | None) -> None:
    found = assess_files(HostFacts(me=1000, entries=(entry,)))
    assert [one.code for one in found] == ([code] if code else [])


@pytest.mark.parametrize(
    ("space", "severity"),
    [
        (Space("/x", 64 << 20, 500, read_only=False), None),
        (Space("/x", 64 << 20, None, read_only=False), None),
        (Space("/x", (64 << 20) - 1, 500, read_only=False), Severity.WARNING),
        (Space("/x", 64 << 20, 499, read_only=False), Severity.WARNING),
        (Space("/x", 64 << 20, 500, read_only=True), Severity.CRITICAL),
    ],
)
def test_a_disk(space: Space, severity: Severity | None) -> None:
    found = assess_files(HostFacts(spaces=(space,)))
    assert [one.severity for one in found] == ([severity] if severity else [])
