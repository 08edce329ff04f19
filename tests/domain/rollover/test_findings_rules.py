"""Rules of what is said, one by one: each test fails where its clause is taken out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.findings import assess
from danebot.domain.rollover.memory import Memory
from danebot.domain.rollover.plan import Observation, plan
from danebot.domain.rollover.policy import Policy
from danebot.domain.rollover.remember import remember
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    T0,
    UNREACHABLE,
    Wait,
    key_file,
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
    bare = replace(state(next_key=key_file("new")), required=())
    found = said(bare, Memory(), look("old"), T0)[Code.NEXT_KEY_STUCK]
    assert found.severity is W
    assert "danebot init --no-dane mx.example.org" in found.remedy


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
