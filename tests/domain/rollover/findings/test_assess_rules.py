"""Rules of what is said, one by one: each test fails where its clause is taken out."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import STAGING_GONE, LineageState, Management
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.evidence.memory import Failure, Memory, Publishing
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    OTHER,
    T0,
    UNREACHABLE,
    Wait,
    key_file,
    line,
    look,
    record,
    seen,
    silent,
    state,
)

N, W = Severity.NOTICE, Severity.WARNING
LACKS = look("old", resolver=[])


def told(
    *looks: tuple[datetime, OwnerObservation], lineage: LineageState | None = None
) -> dict[object, Finding]:
    """What is said after the last of these looks."""
    lineage = lineage or state()
    memory = Memory()
    for at, one in looks:
        memory = remember(memory, lineage, seen(one), at)
    at, one = looks[-1]
    return said(lineage, memory, one, at)


def said(
    lineage: LineageState,
    memory: Memory,
    one: OwnerObservation,
    at: datetime,
    policy: Policy | None = None,
) -> dict[object, Finding]:
    observation = Observation(lineage, seen(one), "")
    planned = plan(observation, memory, policy or Policy(), at)
    findings = assess(observation, planned, memory, policy or Policy(), at)
    return {finding.code: finding for finding in findings}


# ---- a resolver that remembers an absence ------------------------------------------------------


def test_only_a_resolver_behind_servers_that_all_have_it_remembers_an_absence() -> None:
    before = (T0, look())
    at = T0 + MINUTE
    assert told(before, (at, LACKS))[Code.TLSA_MISSING].severity is N
    for one in (
        look("old", resolver=[], at={"ns1": None, "ns2": []}),
        look("old", resolver=[], at={"ns1": None, "ns2": UNREACHABLE}),
        look("old", resolver=[], at={"ns1": UNREACHABLE, "ns2": UNREACHABLE}),
    ):
        assert told(before, (at, one))[Code.TLSA_MISSING].severity is W


def test_what_is_not_remembered_explains_nothing() -> None:
    """So it is under a clock that is behind."""
    assert said(state(), Memory(), LACKS, T0)[Code.TLSA_MISSING].severity is W


def test_an_rrset_of_former_times_does_not_end_the_absence_before_it_began() -> None:
    looks = ((T0 - 30 * DAY, look("x")), (T0 - DAY, look()), (T0, LACKS))
    assert told(*looks)[Code.TLSA_MISSING].severity is N


def test_the_absence_ends_by_when_all_servers_first_had_the_record() -> None:
    """Another record that comes beside it later makes nobody forget anew."""
    beside = look("old", resolver=[], at={"ns1": None, "ns2": ["old", "x"]})
    looks = ((T0, look()), (T0 + 10 * MINUTE, LACKS), (T0 + 50 * MINUTE, beside))
    assert told(*looks)[Code.TLSA_MISSING].severity is N
    assert told(*looks, (T0 + 75 * MINUTE, beside))[Code.TLSA_MISSING].severity is W


def test_the_absence_lasts_as_long_as_the_longest_ttl_that_was_seen() -> None:
    one, two = look(ttl=DAY, negative=DAY), look("old", resolver=[], ttl=HOUR)
    looks = ((T0, one), (T0 + HOUR, two))
    assert told(*looks, (T0 + 20 * HOUR, two))[Code.TLSA_MISSING].severity is N
    assert told(*looks, (T0 + 26 * HOUR, two))[Code.TLSA_MISSING].severity is W


# ---- the rollover ----------------------------------------------------------------------------


def test_a_key_that_is_held_since_nothing_is_watched_is_a_warning_at_once() -> None:
    bare = state(next_key=key_file("new"))._replace(required=())
    found = said(bare, Memory(), look("old"), T0)[Code.NEXT_KEY_STUCK]
    assert found.severity is W
    assert found.remedy == "have the owners found: danebot init mx.example.org"


@pytest.mark.parametrize(
    ("policy", "turn"),
    [
        (Policy(timedelta(0), timedelta(0), prepublish=True), ""),
        (Policy(timedelta(0), timedelta(0), rollover_every=3650 * DAY), "; its turn comes 20"),
    ],
)
def test_a_key_that_stands_by_says_when_its_turn_comes_if_it_has_one(
    policy: Policy, turn: str
) -> None:
    wait = Wait(policy=policy)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    both = look("old", "new")
    wait.look(T0 + 3 * HOUR, both)
    found = said(wait.state, wait.memory, both, T0 + 3 * HOUR, policy)[Code.STANDING_BY]
    text = "a next key stands by, its records in every cache"
    assert found.text.startswith(text + turn)
    assert (found.text == text) is (not turn)


def test_an_owner_that_nobody_answers_for_is_told_with_its_record_s_name() -> None:
    found = told((T0, silent()))
    assert str(MX) in found[Code.DNS_UNREACHABLE].text
    assert str(record("old")) not in found[Code.DNS_UNREACHABLE].text


# ---- what to add -----------------------------------------------------------------------------


def test_where_every_server_has_it_there_is_nothing_to_add() -> None:
    remedy = said(state(), Memory(), LACKS, T0)[Code.TLSA_MISSING].remedy
    assert remedy == "see that every server has the same zone"


def test_at_an_alias_the_target_is_named_and_what_leads_there() -> None:
    one = look("x", aliases=[(OTHER, HOUR)])
    remedy = told((T0, one))[Code.TLSA_MISMATCH].remedy
    assert remedy == f"add now: {OTHER}. IN TLSA {record('old')} ({MX} is an alias of it)"


def test_what_is_added_for_the_live_key_takes_no_effect_from_the_awaited_one() -> None:
    """``3 1 2`` of the live key alone would overrule the next key's ``3 1 1`` (digest agility)."""
    strong = state(line(mtype=2), next_key=key_file("new"))
    remedy = told((T0, look("new")), lineage=strong)[Code.TLSA_MISMATCH].remedy
    assert str(record("old", 2)) in remedy
    assert str(record("new", 2)) in remedy
    alone = told((T0, look("new")), lineage=state(line(mtype=2)))[Code.TLSA_MISMATCH].remedy
    assert str(record("new", 2)) not in alone


# ---- files and clocks ------------------------------------------------------------------------


def test_a_clock_that_is_behind_is_told_where_danebot_waits_by_it() -> None:
    one = look("old")
    ahead = one._replace(answer=one.answer._replace(signed_since=T0 + 10 * DAY))
    assert said(state(), Memory(), ahead, T0)[Code.CLOCK_BEHIND].severity is W
    through = state()._replace(management=Management.PASS_THROUGH)
    assert Code.CLOCK_BEHIND not in said(through, Memory(), ahead, T0)


def test_a_lineage_whose_staging_is_gone_is_put_right_by_init() -> None:
    gone = state()._replace(faults=(f"staging/mx.example.org {STAGING_GONE}",))
    remedy = said(gone, Memory(), look("old"), T0)[Code.FILES_BROKEN].remedy
    assert remedy == "run: danebot init mx.example.org"


def test_a_file_that_cannot_be_read_has_lost_no_line() -> None:
    lost = state()._replace(remembered=(line(),))
    assert said(lost, Memory(), look("old"), T0)[Code.WATCH_LOST].severity is W
    unread = lost._replace(required=None)
    assert Code.WATCH_LOST not in said(unread, Memory(), look("old"), T0)


def test_a_fifth_and_a_tenth_of_a_lifetime_are_left_before_anything_is_said() -> None:
    end = T0 + 80 * DAY  # of the builders' certificate of ninety days
    moment = timedelta(seconds=1)
    for left, severity in (
        (18 * DAY, None),
        (18 * DAY - moment, W),
        (9 * DAY, W),
        (9 * DAY - moment, Severity.CRITICAL),
    ):
        found = said(state(), Memory(), look("old"), end - left).get(Code.EXPIRES_SOON)
        assert (found.severity if found is not None else None) is severity


def test_what_came_of_publishing_is_told_by_its_kind() -> None:
    stopped = Publishing(failure=Failure("refused", 2, T0, T0, T0 + DAY), remedy="ask the zone's")
    for outcome, code in (
        (ChangeOutcome.ALTERED, Code.PUBLISH_ALTERED),
        (ChangeOutcome.LATER, Code.PUBLISH_FAILED),
        (None, Code.PUBLISH_FAILED),
    ):
        memory = Memory(publishing=stopped._replace(outcome=outcome))
        (found,) = said(state(), memory, look("old"), T0).values()
        assert (found.code, found.severity) == (code, W)
        assert "publishing failed 2 times" in found.text
        assert found.remedy == "ask the zone's"
    assert said(state(), Memory(), look("old"), T0) == {}
