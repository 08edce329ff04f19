"""What is said of ordinary renewals, clause by clause."""

from __future__ import annotations

from datetime import datetime, timedelta

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.rollover.evidence.memory import (
    Call,
    CallResult,
    Contact,
    CurrentKey,
    Failure,
    Memory,
)
from danebot.domain.rollover.evidence.policy import Occasion, Policy
from danebot.domain.rollover.steps.renewing import renewing
from domain.builders import DAY, HOUR, T0, held, key, state

DUE = T0 + 50 * DAY  # the builders' certificate: 90 days, 80 of them after T0
EACH = Policy(rollover_every=Occasion.RENEWAL)
TWICE = Memory(current=CurrentKey(key("old").digest, T0, (T0, T0 + DAY, T0 + 2 * DAY)))


def said(
    lineage: LineageState, memory: Memory, now: datetime, policy: Policy | None = None
) -> dict[object, Finding]:
    found = renewing(lineage, memory, policy or Policy(), now)
    return {finding.code: finding for finding in found}


def issued(*days: int, until: datetime) -> Memory:
    """Three certificates within the week before: all that ordinary renewals may have of five."""
    return Memory(
        contacts=tuple(Contact(until - d * DAY, Call.RENEWAL, CallResult.DONE) for d in days)
    )


def test_a_failed_renewal_is_a_warning() -> None:
    memory = Memory(renewal_failure=Failure("refused", 2, T0, T0, T0 + DAY))
    found = said(state(), memory, T0)[Code.RENEWAL_FAILED]
    assert found.severity is Severity.WARNING
    assert "failed 2 times" in found.text


def test_a_renewal_waits_while_the_week_is_full_and_it_is_due() -> None:
    memory = issued(5, 4, 3, until=DUE)
    assert said(state(), memory, DUE)[Code.RENEWAL_WAITS].severity is Severity.WARNING
    assert said(state(), memory, DUE - timedelta(seconds=1)) == {}
    assert said(state(), memory, DUE + 2 * DAY - HOUR) != {}
    assert said(state(), memory, DUE + 2 * DAY) == {}


def test_what_certbot_would_renew_is_what_is_staged_and_what_is_live_elsewhere() -> None:
    later = held("old", 2)
    later = later._replace(chain=later.chain._replace(not_after=T0 + 800 * DAY))
    newer = state()._replace(staged=later)
    memory = issued(5, 4, 3, until=DUE)
    assert said(newer, memory, DUE) == {}
    through = newer._replace(management=Management.PASS_THROUGH)
    assert list(said(through, memory, DUE)) == [Code.RENEWAL_WAITS]
    assert said(state()._replace(staged=None), memory, DUE) == {}


def test_a_key_that_stays_is_told_where_danebot_is_to_replace_it() -> None:
    assert list(said(state(), TWICE, T0, EACH)) == [Code.KEY_KEPT]
    assert said(state(), TWICE, T0) == {}
    assert said(state()._replace(required=()), TWICE, T0, EACH) == {}
    assert said(state()._replace(management=Management.PASS_THROUGH), TWICE, T0, EACH) == {}
