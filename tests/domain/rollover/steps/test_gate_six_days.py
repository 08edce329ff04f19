"""A certificate of six days, while what a name server had that was never heard is in doubt.

It is taken out when the certificate is half over; for ``unseen_ttl`` and the margin, seven days
and an hour, caches may have what it had: longer than the certificate lasts.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, Usage, association
from danebot.domain.finding import Code, Severity
from danebot.domain.lineage.state import Held, KeyFile
from danebot.domain.rollover.evidence.memory import Deployment, Memory, Occurrence
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.steps.phases import Hold, Observation, Step
from danebot.domain.rollover.steps.served import loses_nothing
from domain.builders import DAY, HOUR, MINUTE, MX, T0, UNREACHABLE, seen
from domain.gate_world import Watch, chain, renewal, shown, tlsa

LIVE = chain(age=3, days=3)
END = T0 + 3 * DAY
NEAR = END - LIVE.chain.lifetime * Policy().expiry_warning  # with 1.2 days left
KNOWN = T0 + Policy().unseen_ttl + HOUR
A, B, OURS = tlsa("2 1 1"), tlsa("2 1 1", by="B"), tlsa("3 1 1")
FORMER, NEXT = tlsa("3 1 1", key="former"), tlsa("3 1 1", key="new")


def whole(of: Held) -> TlsaRecord:
    """The record of its certificate as a whole."""
    data = association(of.chain.ders[0], MatchingType.SHA2_256)
    return TlsaRecord(Usage.DANE_EE, Selector.CERT, MatchingType.SHA2_256, data)


WHOLE = whole(LIVE)


def renewed(key: str = "old", by: str = "A", *, age: int = 0, root: bool = False) -> Held:
    return chain(key, by, version=2, age=age, days=6 - age, root=root)


def taken_out(
    new: Held, *there: TlsaRecord, memory: Memory | None = None, ready: KeyFile | None = None
) -> Watch:
    """One that has seen the records for a month, but for ns2, which is none any more at T0."""
    site = Watch(renewal(new, LIVE)._replace(ready=ready), memory=memory or Memory())
    site.look(T0 - 30 * DAY, shown(*there, at={"ns1": None, "ns2": UNREACHABLE}))
    return site


def deployed_at(site: Watch, *there: TlsaRecord) -> datetime | None:
    """When it is deployed, of looks every few hours until after the doubt is over."""
    for hours in range(0, 8 * 24, 3):
        at = T0 + timedelta(hours=hours)
        if site.look(at, shown(*there, at={"ns1": None})).step is Step.DEPLOY:
            return at
    return None


def begins_unharmed(
    site: Watch, new: Held, look: OwnerObservation, at: datetime, had: Held = LIVE
) -> bool:
    """Whether a service that has ``had`` yet loses nothing by ``new``."""
    return loses_nothing(
        MX,
        had.chain.ders,
        new,
        site.state,
        seen(look),
        memory=site.memory,
        policy=site.policy,
        now=at,
    )


def test_the_last_part_of_so_short_a_certificate_begins_a_day_before_its_end() -> None:
    assert (END - NEAR) / DAY == 1.2
    assert KNOWN > END


@pytest.mark.parametrize(
    "there",
    [(A,), (OURS,), (A, B), (A, OURS), (OURS, NEXT), (FORMER, OURS), (A, FORMER), (FORMER,), ()],
)
def test_a_renewal_with_the_same_key_and_issuer_waits_for_nothing(
    there: tuple[TlsaRecord, ...],
) -> None:
    assert deployed_at(taken_out(renewed(), *there), *there) == T0


@pytest.mark.parametrize("there", [(WHOLE, OURS), (WHOLE, A)])
def test_one_that_the_record_of_the_whole_certificate_may_hold_is_made_before_the_end(
    there: tuple[TlsaRecord, ...],
) -> None:
    """That record alone would refuse it; but nobody was heard to have it alone."""
    at = deployed_at(taken_out(renewed(), *there), *there)
    assert at is not None
    assert NEAR <= at < NEAR + 3 * HOUR


def test_so_it_is_for_a_service_that_missed_the_reload() -> None:
    new = renewed(age=1)
    site = taken_out(new, WHOLE, OURS)
    look = shown(WHOLE, OURS, at={"ns1": None})
    site.look(T0, look)
    site.state = renewal(new, new)
    for at, safe in ((NEAR - MINUTE, False), (NEAR, True), (END + HOUR, True)):
        assert safe is begins_unharmed(site, new, look, at)


def test_records_that_were_heard_hold_it_however_near_the_end_is() -> None:
    """The record of the whole certificate alone: it would be refused for certain."""
    site = taken_out(renewed(age=1), WHOLE)
    plan = site.look(END - MINUTE, shown(WHOLE, at={"ns1": None}))
    assert plan.hold is Hold.GATE


@pytest.mark.parametrize("root", [False, True], ids=["as before", "with the root, too"])
@pytest.mark.parametrize("beside", [WHOLE, OURS])
def test_ttls_that_nobody_saw_do_not_hold_it_beyond_the_end(
    beside: TlsaRecord, *, root: bool
) -> None:
    """That record was alone at the first look, the new one is there now, and TTLs are over."""
    new = renewed(root=root)
    site = Watch(renewal(LIVE, LIVE))
    site.look(T0 - DAY, shown(WHOLE))
    site.state = renewal(new, LIVE)
    at = deployed_at(site, beside, whole(new))
    assert at is not None
    assert NEAR <= at < NEAR + 3 * HOUR


LOST = [
    pytest.param(LIVE, A, "B", id="another issuer"),
    pytest.param(chain(age=3, days=3, root=True), tlsa("2 1 1", by="root"), "A", id="no root"),
]


@pytest.mark.parametrize(("live", "former", "by"), LOST)
def test_they_do_hold_one_that_lacks_an_issuer_as_long_as_the_live_chain_is_good(
    live: Held, former: TlsaRecord, by: str
) -> None:
    """That issuer's record was alone at the first look, and nothing there now refuses the new."""
    site = Watch(renewal(live, live))
    site.look(T0 - DAY, shown(former))
    site.state = renewal(renewed(by=by), live)
    at = deployed_at(site, tlsa("2 1 1", by=by), OURS)
    assert at is not None
    assert END <= at <= END + 3 * HOUR


@pytest.mark.parametrize("root", [False, True], ids=["as before", "with the root, too"])
@pytest.mark.parametrize("beside", [WHOLE, OURS])
def test_nor_do_they_for_a_service_that_missed_the_reload(
    beside: TlsaRecord, *, root: bool
) -> None:
    new = renewed(age=1, root=root)
    site = Watch(renewal(new, LIVE))
    site.look(T0 - DAY, shown(WHOLE))
    there = shown(beside, whole(new))
    site.look(T0, there)
    site.state = renewal(new, new)
    for at, safe in ((T0 + HOUR, False), (NEAR - MINUTE, False), (NEAR, True)):
        assert safe is begins_unharmed(site, new, there, at)


@pytest.mark.parametrize(("had", "former", "by"), LOST)
def test_they_do_for_a_service_that_has_an_issuer_which_the_new_one_lacks(
    had: Held, former: TlsaRecord, by: str
) -> None:
    new = renewed(by=by, age=1)
    site = Watch(renewal(new, had))
    site.look(T0 - DAY, shown(former))
    there = shown(tlsa("2 1 1", by=by), OURS)
    site.look(T0, there)
    site.state = renewal(new, new)
    for at, safe in ((NEAR, False), (END - MINUTE, False), (KNOWN, True)):
        assert safe is begins_unharmed(site, new, there, at, had)


def test_where_a_service_may_have_a_former_key_its_record_alone_holds_all() -> None:
    """Nobody was seen to serve what is live, and the record is not of its key."""
    found = Deployment(LIVE.chain.fingerprint, LIVE.key.digest, T0 - DAY, origin=Occurrence.FOUND)
    site = taken_out(renewed(), FORMER, OURS, memory=Memory(deployment=found))
    assert deployed_at(site, FORMER, OURS) == KNOWN.replace(hour=15)  # the next look


def test_another_key_goes_back_and_leaves_the_way_to_the_daily_renewal() -> None:
    """Its record was seen for long, and has to cool anew; staging goes back on the live key."""
    new = renewed("new")
    site = taken_out(new, OURS, NEXT, ready=KeyFile(new.key, T0 - 60 * DAY))
    plan = site.look(T0, shown(OURS, NEXT, at={"ns1": None}))
    assert (plan.step, plan.hold) == (Step.PUT_BACK, Hold.NOT_COOLED)
    assert plan.safe is not None
    assert plan.safe.at == KNOWN + HOUR  # the TTL of the RRset is added for a key


def test_another_issuer_waits_beyond_the_end_and_that_is_told_with_what_ends_it() -> None:
    """A renewal by the former issuer would not; nor does it where the TTLs are known."""
    site = taken_out(renewed(by="B"), A, B)
    look = shown(A, B, at={"ns1": None})
    plan = site.look(T0, look)
    assert plan.refusal is not None
    assert (plan.hold, plan.refusal.until) == (Hold.CACHES, KNOWN)
    observation = Observation(site.state, seen(look), "")
    found = assess(observation, plan, site.memory, site.policy, T0)
    (said,) = (one for one in found if one.code is Code.DEPLOYMENT_HELD)
    assert said.severity is Severity.WARNING
    assert 'unseen_ttl = "1d"' in said.remedy
    assert site.look(END - MINUTE, look).hold is Hold.CACHES
    known = taken_out(renewed(by="B"), A, B)
    known.policy = known.policy._replace(unseen_ttl=DAY)
    assert deployed_at(known, A, B) == T0 + DAY + 3 * HOUR
