"""What is true of the gate whatever was seen and whenever, in other words than its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amounts import amount
from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.phases import Hold, Step
from domain.builders import DAY, HOUR, MINUTE, T0, UNREACHABLE
from domain.gate_world import Watch, chain, renewal, shown, tlsa

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

OLD_CA, NEW_CA = tlsa("2 1 1", by="A"), tlsa("2 1 1", by="B")
KEY, OTHER = tlsa("3 1 1"), tlsa("3 1 1", key="somebody")
LIVE, NEW = {OLD_CA, KEY}, {NEW_CA, KEY}
"""The records that each chain satisfies; both have the same key."""

rrsets = st.sets(st.sampled_from((OLD_CA, NEW_CA, KEY, OTHER))).map(sorted)
usual = st.sampled_from(([OLD_CA], [OLD_CA], [OLD_CA, NEW_CA], [OLD_CA, NEW_CA], [NEW_CA]))
pauses = st.sampled_from((MINUTE, HOUR, 2 * HOUR, DAY, 3 * DAY))


@dataclass(frozen=True)
class Sight:
    """One look: what each of two servers has (None: silent), the resolver's answer, the TTL."""

    at: datetime
    first: list[TlsaRecord] | None
    second: list[TlsaRecord] | None
    resolver: list[TlsaRecord]
    ttl: timedelta

    @property
    def heard_all(self) -> bool:
        return self.first is not None and self.second is not None

    @property
    def shown(self) -> list[list[TlsaRecord]]:
        return [one for one in (self.first, self.second, self.resolver) if one]

    @property
    def look(self) -> OwnerObservation:
        at = {
            name: UNREACHABLE if there is None else there
            for name, there in (("ns1", self.first), ("ns2", self.second))
        }
        return shown(at=at, resolver=self.resolver, ttl=self.ttl)


@st.composite
def histories(draw: st.DrawFn) -> list[Sight]:
    """Looks, beginning with one at a time when the past is long known."""
    found, now = [], T0 - 20 * DAY
    for _ in range(draw(st.integers(1, 5))):
        there = draw(usual | rrsets)
        lagging = draw(st.just(there) | st.just(there) | st.none() | rrsets)
        resolver = draw(st.just(there) | st.just(there) | rrsets)
        ttl = draw(st.sampled_from((5 * MINUTE, HOUR, DAY)))
        found.append(Sight(now, there, lagging, resolver, ttl))
        now += draw(pauses) if len(found) > 1 else 12 * DAY
    return found


def satisfied(rrset: list[TlsaRecord], mine: set[TlsaRecord]) -> bool:
    return bool(mine & set(rrset))


def held_by_caches(looks: list[Sight]) -> list[list[TlsaRecord]]:
    """Every RRset that anybody may hold who asked a server, by the TTL alone; and the resolver's.

    What the resolver showed before that, it had from a server; or from one that can't be seen.
    """
    now = looks[-1].at
    found = looks[-1].shown
    for index, one in enumerate(looks):
        for form in by_servers(one):
            later = (x.at for x in looks[index + 1 :] if x.heard_all and form not in by_servers(x))
            until = next(later, None)
            if until is None or now < until + one.ttl:
                found.append(form[0])
    return found


def by_servers(one: Sight) -> list[tuple[list[TlsaRecord], timedelta]]:
    return [(sorted(rrset), one.ttl) for rrset in (one.first, one.second) if rrset]


def failing_and_mended(one: Sight) -> bool:
    """Whether everybody shows an RRset that fails the live chain, and not the new one."""
    return (
        one.heard_all
        and bool(one.resolver)
        and all(not satisfied(r, LIVE) and satisfied(r, NEW) for r in one.shown)
    )


def play(looks: list[Sight], policy: Policy) -> tuple[Step | None, Hold | None]:
    watch = Watch(renewal(chain(by="B", version=2)), policy)
    plans = [watch.look(one.at, one.look) for one in looks]
    return plans[-1].step, plans[-1].hold


@given(histories(), st.sampled_from((timedelta(0), HOUR)))
@settings(max_examples=amount(100, 1000))
def test_what_goes_live_is_refused_by_nobody_who_accepts_what_is_live(
    looks: list[Sight], margin: timedelta
) -> None:
    step, _ = play(looks, Policy(min_wait=timedelta(0), margin=margin))
    if step is Step.DEPLOY and not failing_and_mended(looks[-1]):
        for rrset in held_by_caches(looks):
            assert satisfied(rrset, NEW) or not satisfied(rrset, LIVE)


@given(histories())
@settings(max_examples=amount(100, 1000))
def test_it_waits_for_nothing_else(looks: list[Sight]) -> None:
    """Where nobody would be worse off, the renewal goes live; and nothing but the gate holds it."""
    step, hold = play(looks, Policy(min_wait=timedelta(0), margin=timedelta(0)))
    seen = [rrset for one in looks for rrset in one.shown]
    harmless = all(satisfied(rrset, NEW) or not satisfied(rrset, LIVE) for rrset in seen)
    past_is_known = len(looks) > 1 and all(one.heard_all for one in looks)
    if harmless and past_is_known:
        assert step is Step.DEPLOY
    assert (step is Step.DEPLOY) == (hold is None)
    blamed = {None, Hold.GATE, Hold.CACHES} | (set() if looks[-1].heard_all else {Hold.CANNOT_SEE})
    assert hold in blamed
