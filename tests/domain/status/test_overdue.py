"""What time makes of a status document, concern by concern, to the moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import Concern, FindingKind
from danebot.domain.status.document import (
    FailureStatus,
    HookStatus,
    KeyStatus,
    LineageStatus,
    RunStatus,
    Snapshot,
    StatusFault,
    finding_status,
)
from danebot.domain.status.overdue import (
    MONITOR_SKEW,
    Allowed,
    StatusCode,
    absent,
    judged,
    no_document,
)
from danebot.domain.thresholds import AtLeast, Thresholds
from exporter import sample
from exporter.sample import DAY, HOUR, NOW

NAME = "mail.example.test"
SECOND = timedelta(seconds=1)
RUN = RunStatus("renew", "1", NOW - HOUR, NOW - HOUR, 0)
CODES = tuple[tuple[FindingKind, Severity], ...]


class AtMost:
    """Fine up to a number of days."""

    def __init__(self, days: float) -> None:
        self.days = days

    def match(self, value: float) -> bool:
        return value <= self.days


ALLOWED = Allowed(2 * DAY, Thresholds(AtMost(3), AtMost(7)))
FINE = sample.lineage(NAME)


def document(*lineages: LineageStatus, **changes: Any) -> Snapshot:  # noqa: ANN401 - any field
    """Written an hour ago by a run that found nothing."""
    base = sample.snapshot(lineages or (FINE,))
    fine = base._replace(run=RUN, last_renew=RUN, last_success=RUN.ended)
    return fine._replace(**changes)


def found(
    concern: Concern,
    one: Snapshot | LineageStatus = FINE,
    allowed: Allowed = ALLOWED,
    *,
    names: Sequence[str] = (),
    now: datetime = NOW,
) -> list[Finding]:
    whole = one if isinstance(one, Snapshot) else document(one)
    return judged(whole, names, concern, allowed, now)


def codes(findings: Sequence[Finding]) -> CODES:
    return tuple((one.code, one.severity) for one in findings)


def told(code: FindingKind, where: str = NAME) -> Any:  # noqa: ANN401 - as it is published
    return finding_status(Finding(code, Severity.WARNING, where, "told by the run"))


FOUR = (Concern.RENEWAL, Concern.TLSA, Concern.EXPIRY, Concern.ROLLOVER)


@pytest.mark.parametrize("concern", FOUR)
def test_of_a_healthy_lineage_nothing_is_told(concern: Concern) -> None:
    assert found(concern) == []


# ---- the document ------------------------------------------------------------------------------


@pytest.mark.parametrize("concern", FOUR)
@pytest.mark.parametrize(
    ("age", "code"),
    [
        (2 * DAY, None),
        (2 * DAY + SECOND, StatusCode.STATUS_OLD),
        (-MONITOR_SKEW, None),
        (-MONITOR_SKEW - SECOND, StatusCode.STATUS_AHEAD),
    ],
)
def test_a_document_of_another_time(
    concern: Concern, age: timedelta, code: FindingKind | None
) -> None:
    whole = document(run=RUN._replace(ended=NOW - age))
    findings = found(concern, whole)
    old = code is StatusCode.STATUS_OLD and concern is Concern.RENEWAL
    severity = Severity.CRITICAL if old else Severity.UNJUDGED
    assert codes(findings) == (((code, severity),) if code is not None else ())
    if code is not None:
        words = "2 d 1 s old" if age > 0 * HOUR else "5 min 1 s ahead of this clock"
        assert str(findings[0]).startswith(f"the status document is {words}; see ")


@pytest.mark.parametrize("reason", StatusFault)
def test_a_lost_document_is_critical_for_one_concern(reason: StatusFault) -> None:
    for concern in FOUR:
        lost = reason in (StatusFault.MISSING, StatusFault.DAMAGED) and concern is FOUR[0]
        finding = no_document(reason, "its words", concern)
        severity = Severity.CRITICAL if lost else Severity.UNJUDGED
        assert (finding.severity, finding.sentence) == (severity, "its words")
        assert finding.code is StatusCode.STATUS_UNREADABLE


def test_what_is_asked_for_and_not_there() -> None:
    assert list(absent([NAME], [FINE])) == list(absent([], [FINE])) == []
    (one,) = absent([NAME, "other"], [FINE])
    assert (one.where, one.severity) == ("other", Severity.UNJUDGED)
    assert "danebot status" in one.text
    (none,) = absent([], [])
    assert (none.where, none.severity) == ("", Severity.UNJUDGED)
    assert none.text == "no lineage is known to danebot; see: danebot doctor"
    assert [one.where for one in absent([NAME], [])] == [NAME]
    assert codes(found(Concern.EXPIRY, names=["other"])) == (
        (StatusCode.NO_LINEAGE, Severity.UNJUDGED),
    )


def test_what_the_run_found_is_told_to_its_concern() -> None:
    of_all, of_other = told(Code.RENEWAL_FAILED, ""), told(Code.RENEWAL_FAILED, "other")
    whole = document(
        FINE._replace(findings=(told(Code.RENEWAL_FAILED),)), findings=(of_all, of_other)
    )
    assert [one.where for one in found(Concern.RENEWAL, whole)] == ["", "other", NAME]
    assert [one.where for one in found(Concern.RENEWAL, whole, names=[NAME])] == ["", NAME]
    assert found(Concern.TLSA, whole) == []


def test_what_time_says_now_replaces_what_it_said_to_the_run() -> None:
    soon = FINE._replace(findings=(told(Code.EXPIRES_SOON),))
    assert [one.text for one in found(Concern.EXPIRY, soon)] == ["told by the run"]
    now = NOW + 75 * DAY
    whole = document(soon, run=RUN._replace(ended=now), last_success=now, last_renew=None)
    assert [one.text for one in found(Concern.EXPIRY, whole, now=now)] == [
        "live certificate expired 15 d ago"
    ]
    elsewhere = whole._replace(findings=(told(Code.EXPIRES_SOON, "other"),))
    assert len(found(Concern.EXPIRY, elsewhere, now=now)) == 2


@pytest.mark.parametrize(
    ("code", "concern", "allowed"),
    [
        (Code.EXPIRES_SOON, Concern.EXPIRY, ALLOWED._replace(left=Thresholds())),
        (Code.NEXT_KEY_STUCK, Concern.ROLLOVER, ALLOWED._replace(staged=AtMost(99))),
    ],
)
def test_an_own_range_replaces_danebots_settings(
    code: Code, concern: Concern, allowed: Allowed
) -> None:
    one = FINE._replace(findings=(told(code),))
    assert codes(found(concern, one)) == ((code, Severity.WARNING),)
    assert found(concern, one, allowed) == []
    for other in (Code.EXPIRED, Code.KEY_KEPT, Code.NEXT_KEY_STUCK, Code.EXPIRES_SOON):
        if other is not code and other.concern is concern:
            assert found(concern, FINE._replace(findings=(told(other),)), allowed)


def test_a_lineage_that_nobody_looks_at_any_more() -> None:
    whole = document(findings=(told(Code.NOT_RENEWED),))
    for concern in FOUR:
        unlooked = [one for one in found(concern, whole) if one.code is StatusCode.NOT_LOOKED_AT]
        assert len(unlooked) == (concern in (Concern.TLSA, Concern.ROLLOVER))


# ---- renewal -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ((), ((Code.NOT_RUN, Severity.WARNING),)),
        ((None,), ((Code.NOT_RUN, Severity.WARNING),)),
        ((2 * DAY,), ()),
        ((2 * DAY + SECOND,), ((Code.NOT_RUN, Severity.WARNING),)),
        ((DAY, 2 * DAY + SECOND), ((Code.NOT_RUN, Severity.WARNING),)),
        ((DAY, None), ()),
    ],
)
def test_renew_that_never_ran(since: Sequence[timedelta | None], expected: CODES) -> None:
    lineages = [FINE._replace(phase_since=NOW - ago if ago is not None else None) for ago in since]
    whole = document()._replace(lineages=tuple(lineages), last_renew=None, last_success=None)
    findings = [one for one in found(Concern.RENEWAL, whole) if one.code is Code.NOT_RUN]
    assert codes(findings) == expected
    assert all("timer" in one.remedy for one in findings)


@pytest.mark.parametrize(
    ("age", "expected"),
    [(2 * DAY, ()), (2 * DAY + SECOND, ((Code.NOT_RUN, Severity.CRITICAL),))],
)
def test_renew_that_runs_no_more(age: timedelta, expected: CODES) -> None:
    findings = found(Concern.RENEWAL, document(last_renew=RUN._replace(ended=NOW - age)))
    assert codes(findings) == expected
    assert all("ran 2 d 1 s ago; systemctl" in str(one) for one in findings)


FAILED = FailureStatus(NOW, "hook-failed", "the hook failed")


@pytest.mark.parametrize(
    ("age", "severity", "words"),
    [
        (3 * DAY, None, ""),
        (3 * DAY + SECOND, Severity.WARNING, "last succeeded 3 d 1 s ago"),
        (7 * DAY + SECOND, Severity.CRITICAL, "last succeeded 7 d 1 s ago"),
        (-MONITOR_SKEW, None, ""),
        (-MONITOR_SKEW - SECOND, Severity.WARNING, "is 5 min 1 s in the future"),
    ],
)
def test_the_last_success(age: timedelta, severity: Severity | None, words: str) -> None:
    failing = FINE._replace(last_failure=FAILED)
    other = failing._replace(name="other")
    findings = found(Concern.RENEWAL, document(FINE, failing, other, last_success=NOW - age))
    wanted = ((Code.RENEWAL_FAILED, severity),) if severity is not None else ()
    assert codes(findings) == wanted
    for one in findings:
        assert f"{words}; {NAME}: the hook failed; see: danebot" in str(one)
        assert "other" not in str(one)


def test_a_success_is_in_the_future_of_the_document_too() -> None:
    """A document of a host whose clock is ahead is told as that, not as a failing renewal."""
    ahead = NOW + HOUR
    for late, told_of in ((0 * HOUR, 0), (MONITOR_SKEW + SECOND, 1)):
        whole = document(run=RUN._replace(ended=ahead), last_success=ahead + late)
        failing = [x for x in found(Concern.RENEWAL, whole) if x.code is Code.RENEWAL_FAILED]
        assert len(failing) == told_of


def test_renew_that_never_came_to_a_good_end() -> None:
    assert found(Concern.RENEWAL, document(last_success=None)) == []
    bad = document(last_success=None, last_renew=RUN._replace(exit_status=1))
    (finding,) = found(Concern.RENEWAL, bad)
    assert (finding.code, finding.severity) == (Code.RENEWAL_FAILED, Severity.WARNING)
    assert "has not come to a good end here yet; see" in str(finding)


# ---- tlsa --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "seen", "of_run", "expected"),
    [
        ("current", "seen everywhere", (), ()),
        ("awaited", "missing", (), ()),
        ("current", "missing", (), ((Code.TLSA_MISSING, Severity.WARNING),)),
        ("anchor", "missing", (), ((Code.TLSA_MISSING, Severity.WARNING),)),
        ("current", "unknown", (), ((Code.DNS_UNREACHABLE, Severity.UNJUDGED),)),
        (
            "current",
            "unknown",
            (Code.TLSA_MISMATCH,),
            ((Code.TLSA_MISMATCH, Severity.WARNING), (Code.DNS_UNREACHABLE, Severity.UNJUDGED)),
        ),
        ("current", "missing", (Code.TLSA_MISMATCH,), ((Code.TLSA_MISMATCH, Severity.WARNING),)),
        ("current", "missing", (Code.HOOK_FAILED,), ((Code.TLSA_MISSING, Severity.WARNING),)),
    ],
)
def test_a_live_record_without_positive_evidence(
    role: str, seen: str, of_run: tuple[Code, ...], expected: CODES
) -> None:
    record = sample.record(NAME, role, NAME)._replace(
        seen=seen, missing_at=("ns1 (lacks it)",), unheard_at=("ns2 (no answer)",)
    )
    one = FINE._replace(records=(record,), findings=tuple(map(told, of_run)))
    findings = found(Concern.TLSA, one)
    assert codes(findings) == expected
    if expected and not of_run:
        assert "TLSA 3 1 1" in findings[0].text
        assert findings[0].text.endswith(": ns1 (lacks it), ns2 (no answer)")
        assert findings[0].remedy == f"danebot status {NAME}"
    bare = FINE._replace(records=(record._replace(missing_at=(), unheard_at=()),))
    assert all(one.text.endswith(f": {seen}") for one in found(Concern.TLSA, bare))


LIVE = FINE.current
STRANGE = KeyStatus(b"\x5a" * 32, "p256")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"staged": None}, ()),
        ({"live": None}, ()),
        ({"current": STRANGE, "next": LIVE}, ()),
        ({"current": STRANGE, "ready": LIVE}, ()),
        ({"current": STRANGE}, ((Code.KEY_UNKNOWN, Severity.WARNING),) * 2),
        ({"current": STRANGE, "staged": None}, ((Code.KEY_UNKNOWN, Severity.WARNING),)),
        (
            {"current": None, "live": None, "staged": None},
            ((Code.KEY_UNKNOWN, Severity.CRITICAL),),
        ),
        (
            {"current": None, "live": None, "staged": None, "management": "pass-through"},
            (),
        ),
    ],
)
def test_files_that_disagree_about_the_key(changes: dict[str, Any], expected: CODES) -> None:
    findings = found(Concern.TLSA, FINE._replace(**changes))
    assert codes(findings) == expected
    assert all(one.where == NAME for one in findings)


# ---- expiry ------------------------------------------------------------------------------------

OWN = ALLOWED._replace(left=Thresholds(AtLeast(20), AtLeast(10)))


def lasting(left: timedelta, whole: timedelta = 100 * DAY, **changes: Any) -> LineageStatus:  # noqa: ANN401
    live = FINE.live
    assert live is not None
    live = live._replace(not_before=NOW + left - whole, not_after=NOW + left)
    return FINE._replace(live=live, staged=live, **changes)


@pytest.mark.parametrize(
    ("left", "allowed", "code", "severity"),
    [
        (20 * DAY, ALLOWED, None, None),
        (20 * DAY - SECOND, ALLOWED, Code.EXPIRES_SOON, Severity.WARNING),
        (10 * DAY, ALLOWED, Code.EXPIRES_SOON, Severity.WARNING),
        (10 * DAY - SECOND, ALLOWED, Code.EXPIRES_SOON, Severity.CRITICAL),
        (SECOND, ALLOWED, Code.EXPIRES_SOON, Severity.CRITICAL),
        (0 * DAY, ALLOWED, Code.EXPIRED, Severity.CRITICAL),
        (20 * DAY, OWN, None, None),
        (20 * DAY - SECOND, OWN, Code.EXPIRES_SOON, Severity.WARNING),
        (10 * DAY - SECOND, OWN, Code.EXPIRES_SOON, Severity.CRITICAL),
        (-DAY, OWN._replace(left=Thresholds()), Code.EXPIRED, Severity.CRITICAL),
    ],
)
def test_what_is_left_of_a_certificate(
    left: timedelta, allowed: Allowed, code: Code | None, severity: Severity | None
) -> None:
    findings = found(Concern.EXPIRY, lasting(left), allowed)
    assert [(one.code, one.severity) for one in findings] == (
        [(code, severity)] if code is not None else []
    )
    assert all(one.text.startswith("live certificate expire") for one in findings)


@pytest.mark.parametrize(
    ("soon", "very_soon", "severity"),
    [
        (31 * DAY, 5 * DAY, Severity.WARNING),
        (40 * DAY, 31 * DAY, Severity.CRITICAL),
        (30 * DAY, 5 * DAY, None),
        (None, 31 * DAY, None),
        (31 * DAY, None, None),
    ],
)
def test_danebots_own_settings_count_where_the_document_has_them(
    soon: timedelta | None, very_soon: timedelta | None, severity: Severity | None
) -> None:
    one = lasting(30 * DAY, expiry_warning=soon, expiry_critical=very_soon)
    wanted = [severity] if severity is not None else []
    assert [x.severity for x in found(Concern.EXPIRY, one)] == wanted


def test_a_certificate_may_last_for_hours() -> None:
    settings = {"expiry_warning": 7 * HOUR, "expiry_critical": HOUR}
    assert found(Concern.EXPIRY, lasting(8 * HOUR, 12 * HOUR, **settings)) == []
    (finding,) = found(Concern.EXPIRY, lasting(6 * HOUR, 12 * HOUR, **settings))
    assert finding.severity is Severity.WARNING


def test_a_certificate_without_a_lifetime_is_near_its_end() -> None:
    one = lasting(30 * DAY, 0 * DAY, expiry_warning=DAY, expiry_critical=DAY)
    assert [x.severity for x in found(Concern.EXPIRY, one)] == [Severity.CRITICAL]
    one = lasting(30 * DAY, expiry_warning=31 * DAY, expiry_critical=5 * DAY)
    assert one.live is not None
    short = one.live._replace(not_before=NOW, fingerprint=b"other")
    assert found(Concern.EXPIRY, lasting(50 * DAY)._replace(staged=short)) == []


def test_a_staged_certificate_is_another_one() -> None:
    live = lasting(50 * DAY).live
    assert live is not None
    ending = live._replace(not_after=NOW + DAY, fingerprint=b"other")
    findings = found(Concern.EXPIRY, lasting(50 * DAY)._replace(staged=ending))
    assert [one.text for one in findings] == ["waiting certificate expires in 1 d"]
    assert found(Concern.EXPIRY, lasting(50 * DAY)._replace(staged=None)) == []
    settings = {"expiry_warning": 20 * DAY, "expiry_critical": 10 * DAY}
    short = ending._replace(not_before=NOW - 8.5 * DAY, not_after=NOW + 1.5 * DAY)
    parts = lasting(50 * DAY, **settings)._replace(staged=short)
    assert [one.severity for one in found(Concern.EXPIRY, parts)] == [Severity.WARNING]


def test_without_a_live_certificate_it_cannot_be_told() -> None:
    (finding,) = found(Concern.EXPIRY, FINE._replace(live=None))
    assert (finding.code, finding.severity) == (Code.FILES_BROKEN, Severity.UNJUDGED)
    assert str(finding) == f"{NAME}: no certificate is live; danebot status {NAME}"


# ---- rollover ----------------------------------------------------------------------------------

LATE = 3 * DAY + SECOND
TIGHT = ALLOWED._replace(
    staged=AtMost(3), due=AtMost(3), unconfirmed=AtMost(3), removal=AtMost(3), key_age=AtMost(3)
)


def old(ago: timedelta = LATE, **changes: Any) -> LineageStatus:  # noqa: ANN401 - any field
    """A lineage; the fields that are named "" are so old."""
    changes = {name: NOW - ago if value == "" else value for name, value in changes.items()}
    return FINE._replace(**changes)


REMOVE = FINE.publication._replace(remove=("one", "two"))
WAITING: dict[str, Any] = {"deployed_at": "", "confirmed_at": None}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"phase": "staged", "awaiting_since": ""}, Code.NEXT_KEY_STUCK),
        ({"phase": "cooling", "awaiting_since": ""}, None),
        ({"phase": "staged", "safe_at": "", "phase_since": ""}, None),
        ({"phase": "cooling", "safe_at": "", "phase_since": NOW}, Code.PROMOTION_DUE),
        ({"phase": "cooling", "safe_at": None, "phase_since": ""}, None),
        ({"phase": "due", "safe_at": NOW, "phase_since": ""}, Code.PROMOTION_DUE),
        ({"phase": "due", "safe_at": "", "phase_since": None}, None),
        ({"key_since": ""}, Code.KEY_KEPT),
        (WAITING, Code.NOT_CONFIRMED),
        (WAITING | {"confirmed_at": ""}, None),
        ({"deployed_at": None, "confirmed_at": None}, None),
    ],
)
def test_what_takes_too_long(changes: dict[str, Any], code: Code | None) -> None:
    (*findings,) = found(Concern.ROLLOVER, old(**changes), TIGHT)
    assert codes(findings) == (((code, Severity.WARNING),) if code is not None else ())
    assert all("3 d 1 s" in one.text and one.where == NAME for one in findings)
    assert all(one.remedy for one in findings)
    assert found(Concern.ROLLOVER, old(LATE - SECOND, **changes), TIGHT) == []
    assert found(Concern.ROLLOVER, old(**changes)) == []  # without bounds


def test_hooks_that_are_to_run_are_named() -> None:
    (plain,) = found(Concern.ROLLOVER, old(**WAITING), TIGHT)
    assert plain.text.endswith("not confirmed on the wire")
    hooks = tuple(HookStatus(name, 1, "") for name in ("10-a", "20-b"))
    (finding,) = found(Concern.ROLLOVER, old(**WAITING, pending_hooks=hooks), TIGHT)
    assert finding.text.endswith("on the wire; hooks to run: 10-a, 20-b")


@pytest.mark.parametrize(
    ("cleared", "confirmed", "severity"),
    [
        ("", NOW, Severity.WARNING),
        (NOW - DAY, NOW, Severity.NOTICE),
        (None, "", Severity.WARNING),
        (NOW, "", Severity.NOTICE),
        (None, NOW, Severity.NOTICE),
        (None, None, Severity.NOTICE),
    ],
)
def test_old_records_that_are_to_be_removed(
    cleared: object, confirmed: object, severity: Severity
) -> None:
    one = old(cleared_at=cleared, confirmed_at=confirmed, deployed_at=None, publication=REMOVE)
    (finding,) = found(Concern.ROLLOVER, one, TIGHT)
    assert (finding.code, finding.severity) == (Code.RECORDS_TO_REMOVE, severity)
    assert finding.text == "2 old records to remove: one"
    assert finding.remedy == f"danebot tlsa {NAME} lists them"
    told_of = REMOVE._replace(cancelled=("one",))
    (single,) = found(Concern.ROLLOVER, one._replace(publication=told_of), TIGHT)
    assert single.text == "1 old record to remove: two"
    all_told = told_of._replace(compromised=("two",))
    assert found(Concern.ROLLOVER, one._replace(publication=all_told), TIGHT) == []
