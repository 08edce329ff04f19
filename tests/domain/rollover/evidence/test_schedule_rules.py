"""The schedule's rules one by one: each test fails where its clause is taken out."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.lineage.key_types import KeyType
from danebot.domain.lineage.keys import PublicKey
from danebot.domain.lineage.renewal import Autorenew, RenewalRule
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import (
    Awaiting,
    CurrentKey,
    Memory,
    Request,
    Urgency,
    Witness,
)
from danebot.domain.rollover.evidence.policy import Occasion, Policy
from danebot.domain.rollover.evidence.schedule import (
    effective_policy,
    hurried,
    lacks_key_type,
    remember_current,
    renewals_with_one_key,
    requested,
    rollover_at,
    wants_next_key,
    wants_rollover,
)
from domain.builders import DAY, HOUR, T0, held, key, key_file, line, state

EACH = Policy(rollover_every=Occasion.RENEWAL)
YEARLY = Policy(rollover_every=365 * DAY)
OLD = key("old").digest
NOBODY = state()._replace(live=None, combo=None, staged=None)


def lasting(days: float, current: str = "old", rule: RenewalRule | None = None) -> LineageState:
    """A lineage whose certificate begins at T0 and lasts so long."""
    one = held(current)
    live = one._replace(
        chain=one.chain._replace(not_before=T0, not_after=T0 + timedelta(days=days))
    )
    found = state()._replace(live=live, combo=live._replace(version=None), staged=live)
    return found._replace(rule=rule) if rule is not None else found


def current(name: str, since: datetime, *certificates: datetime) -> Memory:
    return Memory(current=CurrentKey(key(name).digest, since, certificates))


# ---- when ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "renewed", "part"),
    [(6, 3, 0.05), (9.99, 4.995, 0.05), (10, 10 * 2 / 3, 0.027), (90, 60, 0.027)],
)
def test_a_key_for_each_certificate_is_taken_a_part_of_its_life_before_the_renewal(
    days: float, renewed: float, part: float
) -> None:
    """Certificates of less than ten days have fewer daily runs, so more time is left for these."""
    due = rollover_at(lasting(days), Memory(), EACH)
    assert due is not None
    assert abs(due - (T0 + timedelta(days=renewed - days * part))) < timedelta(seconds=1)


def test_earlier_renewals_of_the_same_key_bring_it_forward() -> None:
    after_30_days = T0 + (30 - 90 * 0.027) * DAY
    early = current("old", T0, T0 - 80 * DAY, T0 - 50 * DAY)
    assert rollover_at(lasting(90), early, EACH) == after_30_days
    of_another = current("x", T0, T0 - 80 * DAY, T0 - 50 * DAY)
    assert rollover_at(lasting(90), of_another, EACH) == rollover_at(lasting(90), Memory(), EACH)


def test_where_certbot_renews_nothing_only_earlier_renewals_tell() -> None:
    never = lasting(90, rule=RenewalRule(autorenew=Autorenew.OFF))
    assert rollover_at(never, Memory(), EACH) is None
    early = current("old", T0, T0 - 80 * DAY, T0 - 50 * DAY)
    assert rollover_at(never, early, EACH) == T0 + (30 - 90 * 0.027) * DAY


def test_periods_are_cut_by_anything_up_to_a_tenth() -> None:
    """Hosts that were set up together don't roll over together."""
    cuts = []
    for number in range(200):
        due = rollover_at(lasting(90, current=f"key {number}"), Memory(), YEARLY)
        assert due is not None
        cuts.append((T0 + 365 * DAY - due) / (365 * DAY))
    assert 0 <= min(cuts) < 0.01
    assert 0.09 < max(cuts) <= 0.1


def test_a_period_begins_with_the_key_that_is_served() -> None:
    begun = rollover_at(lasting(90), current("old", T0 - 300 * DAY), YEARLY)
    other = rollover_at(lasting(90), current("x", T0 - 300 * DAY), YEARLY)
    assert begun is not None
    assert other == begun + 300 * DAY


def test_where_nothing_is_served_nothing_is_due() -> None:
    assert rollover_at(NOBODY, Memory(), YEARLY) is None
    assert rollover_at(NOBODY, Memory(), EACH) is None
    assert not wants_next_key(NOBODY, Memory(), Policy(prepublish=True), T0)


# ---- what is remembered of the current key ----------------------------------------------------


@pytest.mark.parametrize(("certificates", "renewals"), [(0, 0), (1, 0), (2, 1), (4, 3)])
def test_the_first_certificate_of_a_key_is_no_renewal(certificates: int, renewals: int) -> None:
    assert renewals_with_one_key(current("old", T0, *[T0] * certificates)) == renewals
    assert renewals_with_one_key(Memory()) == 0


def test_what_was_known_stays_while_nothing_is_served() -> None:
    known = current("old", T0, T0)
    assert remember_current(known, NOBODY, T0) == known.current


def test_a_memory_without_certificates_gets_the_one_that_is_served() -> None:
    assert remember_current(current("old", T0), lasting(90), T0) == CurrentKey(OLD, T0, (T0,))


def test_a_clock_that_is_behind_the_certificate_dates_nothing_in_the_future() -> None:
    found = remember_current(Memory(), lasting(90), T0 - HOUR)
    assert found is not None
    assert found.since == T0 - HOUR


# ---- whether ---------------------------------------------------------------------------------


def test_a_next_key_is_wanted_from_the_very_time_on() -> None:
    due = rollover_at(lasting(900), Memory(), YEARLY)
    assert due is not None
    assert wants_next_key(lasting(900), Memory(), YEARLY, due)
    assert not wants_next_key(lasting(900), Memory(), YEARLY, due - HOUR)
    ready = lasting(900)._replace(ready=key_file("new"))
    assert wants_rollover(ready, Memory(), YEARLY, due)
    assert not wants_rollover(ready, Memory(), YEARLY, due - HOUR)


def test_where_no_key_is_on_its_way_none_is_to_be_used() -> None:
    assert not wants_rollover(state(), Memory(), Policy(), T0)


def test_a_key_of_a_type_that_certbot_does_not_issue_has_no_like() -> None:
    odd = PublicKey(b"spki of another kind", None)
    live = held("old")._replace(key=odd)
    lineage = state()._replace(live=live, combo=live, staged=live)
    assert not wants_next_key(lineage, Memory(), Policy(prepublish=True), T0)
    assert not lacks_key_type(NOBODY, Policy())
    named = Policy(prepublish=True, key_type=KeyType.P256)
    assert wants_next_key(lineage, Memory(), named, T0)


# ---- how long it waits -----------------------------------------------------------------------


@pytest.mark.parametrize("urgency", list(Urgency))
def test_only_an_emergency_cuts_the_wait_whichever_the_successor(urgency: Urgency) -> None:
    memory = Memory(request=Request(key("new").digest, T0, urgency))
    cut = Policy(min_wait=timedelta(0), margin=timedelta(0))
    asked = Policy() if urgency is Urgency.ORDINARY else cut
    assert effective_policy(Policy(), memory, key("new")) == asked
    assert effective_policy(Policy(), memory, key("other")) == asked


def test_the_minimum_wait_stays_where_records_are_awaited_that_the_resolver_alone_shows() -> None:
    cut = Policy(min_wait=timedelta(0), margin=timedelta(0))
    blind = Awaiting(OLD, T0, lines=(line(),), witness=Witness.RESOLVER)
    assert hurried(Policy(), Memory(awaiting=blind)) == Policy()
    assert hurried(Policy(), Memory(awaiting=blind._replace(witness=Witness.SERVERS))) == cut
    assert hurried(Policy(), Memory(awaiting=blind._replace(lines=()))) == cut
    assert hurried(Policy(), Memory()) == cut


def test_that_a_key_is_compromised_goes_for_any_successor_and_nothing_else_does() -> None:
    asked = Request(key("new").digest, T0)
    for urgency, other in (
        (Urgency.ORDINARY, None),
        (Urgency.EMERGENCY, asked._replace(digest=OLD, urgency=Urgency.EMERGENCY)),
        (Urgency.MISMATCH_ACCEPTED, asked._replace(digest=OLD, urgency=Urgency.EMERGENCY)),
    ):
        memory = Memory(request=asked._replace(urgency=urgency))
        assert requested(memory, key("new")) == memory.request
        assert requested(memory, key("old")) == other
