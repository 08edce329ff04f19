"""Where no record of the live key is left: what rests on services that have nothing better."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.lineage.state import KeyFile, LineageState
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import Deployment, Memory, Request, Urgency
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.phases import Hold, Observation, Phase, Plan, Repair, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.rollover.steps.unasked import disproved
from domain.builders import DAY, HOUR, MINUTE, MX, MX2, OTHER, T0, line, long_watched, seen
from domain.gate_world import chain, renewal, shown, tlsa, watch

POLICY = Policy(min_wait=timedelta(0), margin=timedelta(0))
LIVE, NEW = chain(), chain(key="new", version=2)
OLD_RECORD, NEW_RECORD = tlsa("3 1 1"), tlsa("3 1 1", key="new")
ONE, TWO = (shown(NEW_RECORD),), (shown(NEW_RECORD), shown(NEW_RECORD, owner=MX2))
EARLY, COOLED = T0 + HOUR + MINUTE, T0 + 2 * HOUR
ISSUED = renewal(NEW)._replace(ready=KeyFile(NEW.key, T0 + HOUR))
STRANGER = ISSUED._replace(staged=chain(key="stranger", version=2))
BOTH = ISSUED._replace(required=(line(), line(MX2)))
NOBODY: frozenset[DnsName] = frozenset()


def waited(*owners: DnsName) -> Memory:
    """The next key's records are everywhere since T0 + 1 h, and in every cache an hour later."""
    lineage = renewal(LIVE)._replace(next=KeyFile(NEW.key, T0), required=tuple(map(line, owners)))
    memory = long_watched()
    for records, at in (((OLD_RECORD,), T0), ((OLD_RECORD, NEW_RECORD), T0 + HOUR)):
        looks = seen(*(shown(*records, owner=name) for name in owners))
        memory = remember(memory, lineage, looks, at)
    return memory


def planned(
    lineage: LineageState,
    memory: Memory,
    looks: tuple[OwnerObservation, ...] = ONE,
    at: datetime = EARLY,
    *,
    distrust: str = "",
    unharmed: frozenset[DnsName] = NOBODY,
) -> Plan:
    observation = Observation(lineage, seen(*looks), distrust, unharmed=unharmed)
    return plan(observation, memory, POLICY, at)


def test_a_repair_rests_on_services_only_while_it_comes_before_the_safe_time() -> None:
    """From then on the new chain harms nobody whatever a service has."""
    for lineage, step in ((ISSUED, Step.DEPLOY), (ISSUED._replace(staged=LIVE), Step.PROMOTE)):
        for at, relies in ((EARLY, (MX,)), (COOLED, ())):
            found = planned(lineage, waited(MX), at=at)
            assert (found.step, found.repair, found.relies) == (step, Repair.AT_ONCE, relies)


def test_a_repair_waits_where_a_server_leads_to_what_nobody_looked_at() -> None:
    """Mail that is led there may find the live key's record yet: that mail isn't failing."""
    one = shown(NEW_RECORD)
    first, *others = one.servers
    astray = one._replace(servers=(first._replace(elsewhere=OTHER), *others))
    for lineage, step in ((ISSUED, Step.DEPLOY), (ISSUED._replace(staged=LIVE), Step.PROMOTE)):
        assert planned(lineage, waited(MX)).step is step
        found = planned(lineage, waited(MX), (astray,))
        assert (found.step is step, found.repair) == (False, Repair.NOT_NEEDED)


def test_a_repair_with_a_key_that_is_not_ready_rests_on_them_though_caches_are_empty() -> None:
    lineage = renewal(NEW)._replace(next=KeyFile(NEW.key, T0))
    memory = remember(waited(MX), lineage, seen(*ONE), T0 + 2 * HOUR)
    found = planned(lineage, memory, at=T0 + DAY)
    assert (found.step, found.repair, found.relies) == (Step.DEPLOY, Repair.AT_ONCE, (MX,))


def test_the_awaited_key_s_records_repair_nothing_for_a_stranger() -> None:
    found = planned(STRANGER, waited(MX))
    assert (found.step, found.hold) == (Step.PUT_BACK, Hold.UNKNOWN_KEY)
    assert (found.repair, found.relies) == (Repair.NOT_NEEDED, ())


def test_nobody_is_asked_for_a_repair_that_is_held_or_that_the_operator_insists_on() -> None:
    found = planned(ISSUED, waited(MX), distrust="its issuer is unknown")
    assert (found.hold, found.repair, found.relies) == (Hold.CHAIN_UNVERIFIED, Repair.AT_ONCE, ())
    accepted = Request(NEW.key.digest, T0, Urgency.MISMATCH_ACCEPTED)
    found = planned(ISSUED, waited(MX)._replace(request=accepted))
    assert (found.step, found.repair, found.relies) == (Step.DEPLOY, Repair.AT_ONCE, ())


def test_who_was_seen_to_lose_nothing_is_not_asked_again() -> None:
    unknown = disproved(waited(MX), LIVE, T0)
    found = planned(ISSUED, unknown, unharmed=frozenset({MX}))
    assert (found.step, found.repair, found.relies) == (Step.DEPLOY, Repair.AT_ONCE, ())


def test_each_service_must_be_known_to_have_nothing_better() -> None:
    own = Deployment(LIVE.chain.fingerprint, LIVE.key.digest, T0, confirmed_at=T0)
    for asked, repair in (((MX, MX2), Repair.AT_ONCE), ((MX,), Repair.NOT_NEEDED)):
        memory = waited(MX, MX2)._replace(deployment=own, asked=asked)
        assert planned(BOTH, memory, TWO).repair is repair


# ---- what gives way ----------------------------------------------------------------------------


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1)])
def test_what_waits_for_caches_may_take_until_the_expiry_warning(late: timedelta) -> None:
    """And not a second longer: then the live certificate is renewed with its own key instead."""
    warning = T0 + 60 * DAY - 18 * DAY  # a fifth of 90 days before the end
    a, b = tlsa("2 1 1", by="A"), tlsa("2 1 1", by="B")
    site = watch(chain(key="new", by="B", version=2), a)
    site.look(warning - 3 * HOUR, shown(a))
    found = site.look(warning - 2 * HOUR + late, shown(a, b))
    assert found.refusal is not None
    assert found.refusal.until == warning + late
    assert (found.phase, found.hold) == (Phase.ISSUED, Hold.CACHES)
    assert found.step is (Step.PUT_BACK if late else None)
