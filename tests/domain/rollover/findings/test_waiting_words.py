"""What is said of a key on its way, whole: the words, how loudly, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.keys import PublicKey
from danebot.domain.lineage.state import LineageState
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import (
    Awaiting,
    Memory,
    OwnerMemory,
    Request,
    Urgency,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.propagation import Gap, Obstacle, Propagation, Seen
from danebot.domain.rollover.findings.waiting_findings import (
    emergency_findings,
    rollover_findings,
    unheard_findings,
)
from danebot.domain.rollover.steps.phases import Hold, Phase, Plan, Step
from danebot.domain.rollover.steps.safe_time import Baseline, SafeTime
from domain.builders import DAY, HOUR, MINUTE, MX, MX2, T0, held, key, key_file, line, record, state

INFO, N, W = Severity.INFO, Severity.NOTICE, Severity.WARNING
NAME = "mx.example.org"
NEXT, READY = state(next_key=key_file("new")), state(ready=key_file("new"))
NS1, NS2 = "ns1.example.org [192.0.2.1]", "ns2.example.org [192.0.2.1]"
PUBLISH = f"publish what this prints: danebot tlsa {NAME}"
MEND = Code.SERVERS_UNREACHABLE.remedy
SINCE = "2026-06-01 12:00 UTC"
BEGUN = Awaiting(key("new").digest, T0)
URGENT = Request(key("new").digest, T0, Urgency.EMERGENCY)
NOTHING, WAITED, USUAL = Memory(), Memory(awaiting=BEGUN), Policy()
LACKS, LAGS = Gap(Obstacle.RESOLVER_LACKS), Gap(Obstacle.SERVER_LACKS, NS1)
DUMB = Gap(Obstacle.SERVER_SILENT, NS1, "timed out")


def at(
    *gaps: Gap,
    owner: DnsName = MX,
    present: Sequence[str] = (),
    asked: int = 2,
    found: Seen = Seen.MISSING,
) -> Propagation:
    """The next key's record at an owner, and where it isn't seen."""
    return Propagation(line(owner), record("new"), found, gaps, tuple(present), asked)


def said(
    plan: Plan,
    lineage: LineageState = NEXT,
    memory: Memory = NOTHING,
    policy: Policy = USUAL,
    now: datetime = T0 + HOUR,
) -> list[Finding]:
    return list(rollover_findings(lineage, plan, memory, policy, now))


def waits(
    *awaited: Propagation,
    hold: Hold = Hold.NOT_EVERYWHERE,
    memory: Memory = WAITED,
    now: datetime = T0 + HOUR,
) -> Finding:
    """The one finding about a next key that waits for its records."""
    (one,) = said(Plan(Phase.STAGED, hold=hold, awaited=awaited), memory=memory, now=now)
    return one


# ---- records that are awaited ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("awaited", "hold", "severity", "where", "remedy"),
    [
        ((), Hold.NOT_EVERYWHERE, INFO, "", PUBLISH),
        ((), Hold.CANNOT_SEE, INFO, "", "allow DNS to the internet from this host"),
        ((at(LACKS),), Hold.NOT_EVERYWHERE, N, f": {MX} ({LACKS.obstacle.value})", PUBLISH),
        (
            (at(LAGS),),
            Hold.NOT_EVERYWHERE,
            N,
            f": {MX} (server doesn't have it at {NS1})",
            f"{PUBLISH}, or see why that server lags",
        ),
        (
            (at(LACKS, present=[NS2]),),
            Hold.NOT_EVERYWHERE,
            N,
            f": {MX} ({LACKS.obstacle.value})",
            PUBLISH,
        ),
        (
            (at(LACKS, LAGS, present=[NS2]), at(LAGS, owner=MX2)),
            Hold.NOT_EVERYWHERE,
            N,
            f": {MX} ({LACKS.obstacle.value}), {MX2} (server doesn't have it at {NS1})",
            f"{PUBLISH}, or see why that server lags",
        ),
        (
            (at(Gap(Obstacle.OVERRULED)),),
            Hold.NOT_EVERYWHERE,
            N,
            f": {MX} ({Obstacle.OVERRULED.value})",
            PUBLISH,
        ),
        (
            (at(DUMB),),
            Hold.CANNOT_SEE,
            INFO,
            f": {MX} (server gives no usable answer at {NS1}: timed out)",
            MEND,
        ),
        (
            (at(DUMB),),
            Hold.NOT_EVERYWHERE,
            INFO,
            f": {MX} (server gives no usable answer at {NS1}: timed out)",
            PUBLISH,
        ),
        (
            (at(Gap(Obstacle.NOT_OBSERVED)),),
            Hold.CANNOT_SEE,
            INFO,
            f": {MX} (not looked up)",
            PUBLISH,
        ),
    ],
)
def test_a_wait_for_records_says_where_they_lack_and_what_ends_it(
    awaited: tuple[Propagation, ...], hold: Hold, severity: Severity, where: str, remedy: str
) -> None:
    text = f"the next key waits since {SINCE} for its TLSA records{where}"
    assert waits(*awaited, hold=hold) == Finding(Code.NEXT_KEY_WAITS, severity, NAME, text, remedy)


def test_a_next_key_whose_records_are_there_needs_no_publishing() -> None:
    """Whoever has published them looks by `danebot status`, before the next run goes on."""
    plan = Plan(Phase.STAGED, Step.MARK_READY, awaited=(at(found=Seen.EVERYWHERE),))
    for after, code, severity in (
        (DAY, Code.NEXT_KEY_WAITS, INFO),
        (20 * DAY, Code.NEXT_KEY_STUCK, W),
    ):
        text = "the next key's TLSA records are seen everywhere"
        expected = Finding(code, severity, NAME, text, "run: danebot renew")
        assert said(plan, memory=WAITED, now=T0 + after) == [expected]


def test_a_ready_key_that_waits_anew_is_called_so() -> None:
    (one,) = said(Plan(Phase.STAGED, hold=Hold.CANNOT_SEE), READY, WAITED)
    assert one.text == f"the ready key waits since {SINCE} for its TLSA records"


def test_a_wait_is_stuck_after_two_weeks_or_where_it_begins_anew_too_often() -> None:
    """Three times are too often; in an emergency, two."""
    often = Memory(awaiting=BEGUN._replace(begun_anew=2))
    urgent = often._replace(request=URGENT)
    once = urgent._replace(awaiting=BEGUN._replace(begun_anew=1))
    thrice = Memory(awaiting=BEGUN._replace(begun_anew=3))
    for memory, after, code in (
        (WAITED, 14 * DAY, Code.NEXT_KEY_WAITS),
        (WAITED, 14 * DAY + MINUTE, Code.NEXT_KEY_STUCK),
        (often, DAY, Code.NEXT_KEY_WAITS),
        (thrice, DAY, Code.NEXT_KEY_STUCK),
        (once, DAY, Code.NEXT_KEY_WAITS),
        (urgent, DAY, Code.NEXT_KEY_STUCK),
    ):
        one = waits(at(LACKS), memory=memory, now=T0 + after)
        assert (one.code, one.severity) == (code, N if code is Code.NEXT_KEY_WAITS else W), after


# ---- caches that are to be empty of its absence --------------------------------------------------


def cools(memory: Memory, after: timedelta) -> Finding:
    """What is said of a ready key that cools for two days from T0 + 1 h on."""
    safe = SafeTime(T0 + 2 * DAY + HOUR, T0 + HOUR, HOUR, T0, T0, Baseline.OBSERVED)
    plan = Plan(Phase.COOLING, hold=Hold.NOT_COOLED, safe=safe)
    (one,) = said(plan, READY, memory, now=T0 + after)
    return one


def test_a_key_cools_for_as_long_as_records_and_caches_may_take() -> None:
    usual = 14 * DAY + 2 * DAY
    text = "the ready key cools until 2026-06-03 13:00 UTC"
    assert cools(WAITED, HOUR) == Finding(Code.COOLING, INFO, NAME, f"{text} (2 d)")
    assert cools(WAITED, usual) == Finding(Code.COOLING, INFO, NAME, f"{text} (0 s)")
    assert cools(WAITED, usual + MINUTE) == Finding(
        Code.ROLLOVER_STUCK,
        W,
        NAME,
        f"{text} (0 s); under way since {SINCE}, it begins anew again and again",
        Code.ROLLOVER_STUCK.remedy.replace("LINEAGE", NAME),
    )


def test_a_key_that_stands_by_is_there_for_whoever_wants_it() -> None:
    (one,) = said(Plan(Phase.STANDBY, hold=Hold.STANDS_BY), READY, WAITED)
    text, remedy = "a next key stands by, its records in every cache", "to roll over now: danebot"
    assert one == Finding(Code.STANDING_BY, INFO, NAME, text, f"{remedy} newkey {NAME}")


# ---- no server to ask ----------------------------------------------------------------------------


def unreachable(
    *awaited: Propagation,
    hold: Hold | None = None,
    current: tuple[Propagation, ...] = (),
    memory: Memory = WAITED,
    now: datetime = T0 + 10 * DAY,
) -> list[tuple[Severity, str]]:
    plan = Plan(Phase.DUE, hold=hold, awaited=awaited, current=current)
    found = said(plan, READY, memory, now=now)
    return [(f.severity, f.text) for f in found if f.code is Code.SERVERS_UNREACHABLE]


def test_where_no_server_can_be_asked_it_is_said_what_that_comes_to() -> None:
    text = "no authoritative server can be reached; "
    blind = at(asked=0, found=Seen.EVERYWHERE)
    alone = [(N, f"{text}the minimum wait alone protects the rollover")]
    stops = f"{text}the rollover waits"
    assert unreachable(blind) == alone
    assert unreachable(blind, at(owner=MX2, found=Seen.EVERYWHERE)) == alone
    assert unreachable(blind, hold=Hold.CANNOT_SEE) == [(W, stops)]
    assert unreachable(blind, hold=Hold.CANNOT_SEE, memory=NOTHING) == [(N, stops)]


def test_a_record_that_is_missing_or_a_server_that_is_named_tells_more_than_that() -> None:
    assert unreachable(at(LACKS, asked=0)) == []
    blind = at(asked=0, found=Seen.EVERYWHERE)
    assert unreachable(blind, current=(at(DUMB, found=Seen.UNKNOWN),)) == []


def unheard(
    *gaps: Gap, heard: dict[str, datetime], awaiting: bool = True, now: datetime = T0 + 3 * DAY
) -> Finding:
    lineage = READY if awaiting else state()
    memory = Memory({MX: OwnerMemory(heard=heard)}, BEGUN if awaiting else None)
    (one,) = unheard_findings(lineage, Plan(Phase.STABLE, current=(at(*gaps),)), memory, now)
    return one


def test_silence_matters_to_a_rollover_once_one_server_has_been_silent_for_a_day() -> None:
    other = Gap(Obstacle.SERVER_SILENT, NS2)
    text = f"authoritative servers give no usable answer: {NS1} (timed out)"
    today, then = T0 + 3 * DAY - HOUR, T0 + DAY
    assert unheard(DUMB, heard={NS1: today}) == Finding(Code.SERVERS_UNREACHABLE, N, NAME, text)
    assert unheard(DUMB, heard={NS1: then}).severity is W
    assert unheard(DUMB, heard={NS1: then}, awaiting=False).severity is N
    both = unheard(DUMB, other, heard={NS1: today, NS2: then})
    assert both == Finding(Code.SERVERS_UNREACHABLE, W, NAME, f"{text}; {NS2}")


def test_a_server_that_was_never_heard_is_silent_since_the_rollover_began() -> None:
    assert unheard(DUMB, heard={}).severity is W
    assert unheard(DUMB, heard={}, now=T0 + DAY).severity is N
    plan = Plan(Phase.COOLING, current=(at(DUMB),))
    (forgotten,) = unheard_findings(READY, plan, NOTHING, T0 + 3 * DAY)
    assert forgotten.severity is N


# ---- a next key that can't come ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (Policy(), False),
        (Policy(prepublish=True), True),
        (Policy(rollover_every=90 * DAY), True),
    ],
)
def test_a_key_of_a_type_that_certbot_lacks_matters_where_rollovers_come_by_themselves(
    policy: Policy,
    told: bool,  # noqa: FBT001 - a column
) -> None:
    odd = held("old")._replace(key=PublicKey(b"odd", None))
    lineage = state()._replace(live=odd, combo=odd, staged=odd)
    found = said(Plan(Phase.STABLE), lineage, policy=policy)
    assert [(one.code, one.severity) for one in found] == [(Code.SCHEDULE_STUCK, W)] * told
    assert said(Plan(Phase.STABLE), state(), policy=policy) == []


# ---- emergencies ---------------------------------------------------------------------------------


def test_a_compromised_key_is_served_only_where_something_is() -> None:
    """Nobody has its successor's record yet, and nobody was asked."""
    memory = Memory(awaiting=BEGUN, request=URGENT)
    (one,) = emergency_findings(NEXT, Plan(Phase.STAGED), memory)
    assert (one.code, one.severity) == (Code.KEY_COMPROMISED, W)
    assert one.text.endswith("safe: once its record is published, at every server")
    bare = NEXT._replace(live=None, combo=None)
    assert list(emergency_findings(bare, Plan(Phase.BROKEN), memory)) == []
