"""When certbot renews by itself, and what is said of renewals."""

from __future__ import annotations

from datetime import timedelta

import pytest

from danebot.domain.finding import Code, Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.lineage import renewal
from danebot.domain.lineage.keys import Chain
from danebot.domain.lineage.renewal import (
    CERTBOTS_OWN,
    OLD_DEFAULT,
    Autorenew,
    RenewalRule,
    beyond_reckoning,
    interval,
    renews_at,
)
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import Call, CallResult, Contact, CurrentKey, Memory
from danebot.domain.rollover.evidence.policy import Occasion, Policy
from danebot.domain.rollover.evidence.schedule import remember_current, rollover_at
from danebot.domain.rollover.steps.patience import renewal_failed
from danebot.domain.rollover.steps.renewing import renewing
from domain.builders import DAY, HOUR, T0, chain, held, key, state

EACH = Policy(rollover_every=Occasion.RENEWAL)


def lasting(days: float) -> Chain:
    return chain("old")._replace(not_before=T0, not_after=T0 + days * DAY)


def serving(days: float, rule: RenewalRule = CERTBOTS_OWN, *, begins: float = 0) -> LineageState:
    live = held("old")._replace(
        chain=chain("old")._replace(
            not_before=T0 + begins * DAY, not_after=T0 + (begins + days) * DAY
        )
    )
    return state()._replace(live=live, combo=live._replace(version=None), staged=live, rule=rule)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30 days", 30 * DAY),
        ("30", 30 * DAY),
        (" 3 weeks 2 days ", 23 * DAY),
        ("12 hours", 12 * HOUR),
        ("90 minutes", 90 * timedelta(minutes=1)),
        ("1 month", 30 * DAY),
        ("6 months 1 week", 187 * DAY),
        ("", None),
        (" , ", None),
        ("soon", None),
        ("3 fortnights", None),
        ("3 days or so", None),
    ],
)
def test_intervals_as_certbot_reads_them(text: str, length: timedelta | None) -> None:
    assert interval(text) == length


@pytest.mark.parametrize(
    ("days", "rule", "after"),
    [
        (90, RenewalRule(), 60),
        (45, RenewalRule(), 30),
        (6, RenewalRule(), 3),
        (90, RenewalRule(OLD_DEFAULT), 60),
        (45, RenewalRule(OLD_DEFAULT), 15),
        (90, RenewalRule(45 * DAY), 45),
        (6, RenewalRule(10 * DAY), -4),
    ],
)
def test_certbots_own_rule(days: float, rule: RenewalRule, after: float) -> None:
    assert renews_at(lasting(days), rule) == T0 + after * DAY


def test_certbot_before_4_renews_thirty_days_before_the_end() -> None:
    assert renews_at(lasting(90), RenewalRule(renewal.OLD_DEFAULT)) == T0 + 60 * DAY


def test_what_is_switched_off_is_never_renewed() -> None:
    assert renews_at(lasting(90), RenewalRule(autorenew=Autorenew.OFF)) is None


# ---- a key for each certificate -------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "rule"),
    [
        (90, RenewalRule()),
        (45, RenewalRule()),
        (6, RenewalRule()),
        (45, RenewalRule(OLD_DEFAULT)),
        (90, RenewalRule(45 * DAY)),
        (64, RenewalRule(50 * DAY)),
    ],
)
def test_the_next_key_is_taken_before_certbot_renews_by_its_rule(
    days: float, rule: RenewalRule
) -> None:
    due = rollover_at(serving(days, rule), Memory(), EACH)
    certbots = renews_at(lasting(days), rule)
    assert due is not None
    assert certbots is not None
    assert certbots - 0.06 * days * DAY < due < certbots


def test_a_ca_that_wants_it_earlier_is_followed_the_second_time() -> None:
    """ARI: the certificate was renewed after 20 days, with the key; next time the key is new."""
    memory = Memory(current=remember_current(Memory(), serving(90), T0))
    renewed = serving(90, begins=20)
    memory = Memory(current=remember_current(memory, renewed, T0 + 20 * DAY))
    due = rollover_at(renewed, memory, EACH)
    assert due is not None
    assert T0 + 37 * DAY < due < T0 + 40 * DAY


def test_the_certificates_of_a_key_are_remembered_as_long_as_it_is_current() -> None:
    memory = Memory()
    for day in (0, 20, 20, 40, 60, 80):
        memory = Memory(current=remember_current(memory, serving(90, begins=day), T0 + day * DAY))
    assert memory.current is not None
    assert memory.current.certificates == tuple(T0 + day * DAY for day in (20, 40, 60, 80))
    memory = Memory(current=remember_current(memory, state(current="new"), T0 + 81 * DAY))
    assert memory.current is not None
    assert memory.current.digest == key("new").digest
    assert len(memory.current.certificates) == 1


def codes(memory: Memory, policy: Policy = EACH) -> list[tuple[FindingKind, Severity]]:
    found = renewing(serving(90, begins=40), memory, policy, T0 + 41 * DAY)
    return [(finding.code, finding.severity) for finding in found]


def test_two_renewals_in_a_row_with_the_same_key_are_told() -> None:
    once = Memory(current=CurrentKey(key("old").digest, T0, (T0, T0 + 20 * DAY)))
    twice = Memory(current=CurrentKey(key("old").digest, T0, (T0, T0 + 20 * DAY, T0 + 40 * DAY)))
    assert codes(once) == []
    assert codes(twice) == [(Code.KEY_KEPT, Severity.WARNING)]
    assert codes(twice, Policy()) == []


def test_a_renewal_that_failed_is_told_until_one_succeeds() -> None:
    memory = renewal_failed(Memory(), "refused by the CA", Policy(), T0, 90 * DAY)
    (finding,) = renewing(serving(90), memory, Policy(), T0 + HOUR)
    assert finding.code is Code.RENEWAL_FAILED
    assert "refused by the CA" in finding.text
    assert finding.remedy.endswith("danebot renew mx.example.org")


@pytest.mark.parametrize(
    ("rule", "issued", "told"),
    [
        (RenewalRule(60 * DAY), 3, True),
        (RenewalRule(60 * DAY), 2, False),  # there is room for another
        (RenewalRule(), 3, False),  # certbot wouldn't renew yet
        (RenewalRule(autorenew=Autorenew.OFF), 3, False),
    ],
)
def test_a_renewal_that_the_weeks_certificates_hold_back_is_told(
    rule: RenewalRule, issued: int, *, told: bool
) -> None:
    now = T0 + 41 * DAY
    contacts = (Contact(now - DAY, Call.RENEWAL, CallResult.DONE),) * issued
    found = renewing(serving(90, rule), Memory(contacts=contacts), Policy(), now)
    waits = [(finding.code, finding.severity) for finding in found]
    assert waits == [(Code.RENEWAL_WAITS, Severity.WARNING)] * told


@pytest.mark.parametrize(
    "text",
    [
        "99999999999",
        "9" * 5000,
        "²",
        "800000 days",
        "3000 years",
        "99999999 min 99999999 y",
        "40000",
    ],
)
def test_what_no_date_can_be_reckoned_with_is_no_interval(text: str) -> None:
    assert interval(text) is None
    assert beyond_reckoning(text)


@pytest.mark.parametrize("text", ["", "30 days", "soon", "3 fortnights"])
def test_other_words_are_not_beyond_reckoning(text: str) -> None:
    assert not beyond_reckoning(text)
