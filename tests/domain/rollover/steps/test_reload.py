"""Whether services may begin to serve what is live."""

from __future__ import annotations

from datetime import datetime, timedelta

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.caches import past_known_at
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Memory,
    OwnerMemory,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.refusals import BEFORE_FIRST_LOOK, Refusal
from danebot.domain.rollover.steps.reload import live_refusals
from domain.builders import DAY, HOUR, MINUTE, MX, T0, seen
from domain.gate_world import LONG, Watch, cached, chain, found_live, renewal, shown, tlsa

POLICY = Policy(min_wait=timedelta(0), margin=HOUR)
LIVE = chain()
STATE = renewal(chain(version=2))
NONE_LIVE = STATE._replace(live=None, combo=None)
A, OURS = tlsa("2 1 1", by="A"), tlsa("3 1 1")
FORMER, THIRD = tlsa("3 1 1", key="former"), tlsa("3 1 1", key="third")
FRESH = OwnerMemory(watched_since=T0)
FOUND = found_live()


def refusals(
    *looks: OwnerObservation,
    known: OwnerMemory = LONG,
    deployment: Deployment | None = None,
    now: datetime = T0,
    state: LineageState = STATE,
) -> list[Refusal]:
    memory = Memory(owners={MX: known}, deployment=deployment)
    return list(live_refusals(state, seen(*looks), memory, policy=POLICY, now=now))


def test_what_was_never_seen_is_unknown() -> None:
    unknown = Refusal(MX, "its TLSA records were never seen", unknown=True)
    assert refusals(known=OwnerMemory()) == [unknown]
    assert refusals(shown(OURS), known=OwnerMemory()) == []
    assert refusals() == []
    assert refusals(known=OwnerMemory(), state=NONE_LIVE) == []


def test_what_is_there_must_satisfy_those_who_are_given_a_certificate() -> None:
    assert refusals(shown(FORMER)) == [Refusal(MX, f"{FORMER} doesn't match it")]
    stronger = tlsa("3 1 2", key="third")  # beside which our digest doesn't count
    assert [one.until for one in refusals(shown(OURS, stronger))] == [None]
    assert refusals(shown(A)) == []
    assert refusals(shown(A), known=FRESH, deployment=FOUND) == []


def test_so_must_what_caches_hold_of_it_as_long_as_they_do() -> None:
    known, now = cached(FORMER, THIRD), shown(THIRD, OURS)
    words = f"{'; '.join(map(str, sorted((FORMER, THIRD))))} doesn't match it"
    end = T0 + 2 * HOUR
    assert refusals(now, known=known, now=end - MINUTE) == [Refusal(MX, words, until=end)]
    assert refusals(now, known=known, now=end) == []
    assert refusals(shown(OURS), known=known) == []  # of which nothing is left


def test_one_record_of_several_may_have_been_alone_before_the_first_look() -> None:
    both, known_at = shown(FORMER, OURS), past_known_at(FRESH, POLICY)
    assert known_at is not None
    past = Refusal(MX, BEFORE_FIRST_LOOK, until=known_at)
    assert refusals(both, known=FRESH, deployment=FOUND, now=known_at - MINUTE) == [past]
    assert refusals(both, known=FRESH, deployment=FOUND, now=known_at) == []
    assert refusals(both, known=FRESH) == []  # they serve it
    assert refusals(both, known=OwnerMemory(), deployment=FOUND) == []


def test_records_under_a_ttl_that_was_lowered_are_in_caches_as_long_as_the_former_says() -> None:
    """As one lowers it before a change: five days, then an hour, then the live key's beside."""
    end = T0 + 5 * DAY + HOUR
    site = Watch(renewal(LIVE), memory=Memory(deployment=FOUND))
    site.look(T0 - 30 * DAY, shown(FORMER, ttl=5 * DAY))
    site.look(T0, shown(FORMER))
    both = shown(FORMER, OURS)
    site.look(T0 + HOUR, both)
    for now, ends in ((end - MINUTE, [end]), (end, [])):
        site.look(now, both)
        found = live_refusals(site.state, seen(both), site.memory, policy=POLICY, now=now)
        assert [one.until for one in found] == ends
