"""Several hosts, one of which can't be looked up: senders pass over it (RFC 7672 section 2.2)."""

from __future__ import annotations

from typing import Any

import pytest

from danebot.domain.delivery.codes import DeliveryCode as Code
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.report import Criteria, HostObservation
from danebot.domain.delivery.routes import Dane
from danebot.domain.finding import Severity
from domain.delivery_world import (
    BOGUS,
    LOST,
    MATCHING,
    MUTE,
    OPTIONAL,
    OTHER,
    STRANGER,
    answer,
    codes,
    host,
    report,
    served,
    visit,
)

FINE = host(MATCHING)
LATER = "senders pass over this host, and use the others"


def unseen(how: dict[str, Any]) -> list[HostObservation]:
    """A second host of which TLSA records, addresses, or an alias can't be looked up."""
    lost = answer("lost.example", **how)
    addresses = host(of=OTHER, dane=Dane.ADDRESS_FAILED, ipv4=lost)
    return [
        visit(host(of=OTHER, dane=Dane.DEFERRED, tlsa=lost)),
        visit(addresses),
        visit(host(of=OTHER, dane=Dane.ADDRESS_FAILED)._replace(alias=lost)),
    ]


@pytest.mark.parametrize(("how", "code"), [(BOGUS, Code.BOGUS), (LOST, Code.LOOKUP_FAILED)])
def test_senders_use_the_others(how: dict[str, Any], code: Code) -> None:
    for bad in unseen(how):
        found = report(visit(FINE), bad)
        assert codes(found) == {code: Severity.WARNING}
        assert LATER in found.findings[0].text


@pytest.mark.parametrize(
    "other",
    [
        visit(host(STRANGER)),
        visit(FINE, served(FINE, outcome=ProbeOutcome.TIMEOUT)),
        visit(FINE, served(FINE, outcome=ProbeOutcome.NO_ROUTE)),
        visit(host(dane=Dane.ABSENT)),
    ],
)
@pytest.mark.parametrize("criteria", [OPTIONAL, Criteria()])
def test_only_where_one_of_them_is_known_to_work(
    other: HostObservation, criteria: Criteria
) -> None:
    for bad in unseen(BOGUS):
        found = report(other, bad, criteria=criteria)
        assert codes(found)[Code.BOGUS] is Severity.CRITICAL
        told = next(one for one in found.findings if one.code is Code.BOGUS)
        assert "so senders defer" in told.text


def test_none_of_several_can_be_looked_up() -> None:
    bad = unseen(BOGUS)
    assert codes(report(bad[0], bad[1]))[Code.BOGUS] is Severity.CRITICAL


def test_what_this_host_could_not_ask_stays_unjudged() -> None:
    for bad in unseen(MUTE):
        assert codes(report(visit(FINE), bad)) == {Code.RESOLVER_FAILED: Severity.UNJUDGED}
