"""One host of several alone, and hosts that are known to be down."""

from __future__ import annotations

import pytest

from danebot.domain.delivery.codes import DeliveryCode as Code
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.report import Criteria, HostObservation
from danebot.domain.delivery.routes import Dane, Discovery
from danebot.domain.finding import Severity
from danebot.domain.names import Hostname
from domain.delivery_world import (
    BOGUS,
    HOST,
    MATCHING,
    OTHER,
    STRANGER,
    answer,
    codes,
    host,
    mail,
    report,
    served,
    visit,
)

DOWN = Criteria(down=(OTHER,))
FIRST, SECOND = host(MATCHING), host(MATCHING, of=OTHER)
SILENT = [
    ProbeOutcome.UNREACHABLE,
    ProbeOutcome.TIMEOUT,
    ProbeOutcome.REFUSED,
    ProbeOutcome.CUT_SHORT,
]


@pytest.mark.parametrize("outcome", SILENT)
def test_a_host_that_is_known_to_be_down(outcome: ProbeOutcome) -> None:
    silent = visit(SECOND, served(SECOND, outcome=outcome))
    assert report(visit(FIRST), silent).severity >= Severity.UNJUDGED
    found = report(visit(FIRST), silent, criteria=DOWN)
    assert codes(found) == {Code.KNOWN_DOWN: Severity.NOTICE}
    (told,) = found.findings
    assert told.sentence == "mx2.example.org:25: gives no answer, and is known to be down"


@pytest.mark.parametrize("outcome", SILENT)
def test_no_other_may_be_silent(outcome: ProbeOutcome) -> None:
    silent = [visit(one, served(one, outcome=outcome)) for one in (FIRST, SECOND)]
    found = report(*silent, criteria=DOWN)
    assert found.severity is report(*silent).severity
    assert {one.where for one in found.findings if one.code is Code.UNREACHABLE} == {
        "example.org",
        "mx.example.org:25 [192.0.2.1]",
    }


def test_all_of_them_down_is_not_fine() -> None:
    silent = visit(SECOND, served(SECOND, outcome=ProbeOutcome.TIMEOUT))
    assert report(silent, criteria=DOWN).severity is Severity.UNJUDGED


@pytest.mark.parametrize(
    "outcome", [ProbeOutcome.NO_STARTTLS, ProbeOutcome.TLS_FAILED, ProbeOutcome.INJECTED]
)
def test_one_that_answers_is_judged(outcome: ProbeOutcome) -> None:
    bad = visit(SECOND, served(SECOND, outcome=outcome))
    assert report(visit(FIRST), bad, criteria=DOWN).severity is Severity.CRITICAL


def test_a_mismatch_is_one_there_too() -> None:
    wrong = host(STRANGER, of=OTHER)
    found = report(visit(FIRST), visit(wrong), criteria=DOWN)
    assert codes(found) == {Code.MISMATCH: Severity.CRITICAL, Code.KNOWN_DOWN: Severity.NOTICE}


def test_one_that_is_up_again_is_said() -> None:
    found = report(visit(FIRST), visit(SECOND), criteria=DOWN)
    (told,) = found.findings
    assert (told.severity, told.text) == (
        Severity.NOTICE,
        "answers, though it is said to be down",
    )
    assert "--down" in told.remedy


def test_one_address_of_several_is_down() -> None:
    route = host(MATCHING, of=OTHER, addresses=("192.0.2.1", "192.0.2.2"))
    lost = served(route, outcome=ProbeOutcome.TIMEOUT, address="192.0.2.2")
    found = report(visit(FIRST), visit(route, served(route), lost), criteria=DOWN)
    assert codes(found) == {Code.KNOWN_DOWN: Severity.NOTICE}
    assert found.findings[0].text == "answers, though it is said to be down"


@pytest.mark.parametrize(
    "unasked",
    [
        visit(host(of=OTHER, dane=Dane.ABSENT)),
        visit(SECOND, served(SECOND, outcome=ProbeOutcome.NO_ROUTE)),
        visit(SECOND, served(SECOND, outcome=ProbeOutcome.SHORTAGE)),
        visit(host(of=OTHER, dane=Dane.NO_ADDRESS, addresses=())),
    ],
)
def test_of_one_that_was_not_asked_no_silence_is_told(unasked: HostObservation) -> None:
    found = report(visit(FIRST), unasked, criteria=DOWN)
    (told,) = [one for one in found.findings if one.code is Code.KNOWN_DOWN]
    assert told.text == "is known to be down, and was not asked"


def test_a_host_that_is_none_of_the_domains() -> None:
    """Whoever asks for one host leaves the others out of what was observed."""
    route = mail(visit(FIRST), visit(SECOND))
    found = report(route=route, criteria=Criteria(only=Hostname("mx3.example.org")))
    assert codes(found) == {Code.NO_SUCH_HOST: Severity.UNJUDGED}
    assert found.findings[0].sentence == (
        "example.org: mx3.example.org is none of its hosts: mx.example.org, mx2.example.org"
    )
    alone = report(visit(FIRST), route=route, criteria=Criteria(only=HOST))
    assert alone.findings == ()


def test_where_no_host_is_known_none_is_wrong() -> None:
    route = mail(discovery=Discovery.FAILED, mx=answer("example.org", **BOGUS))
    assert codes(report(route=route, criteria=Criteria(only=HOST))) == {
        Code.BOGUS: Severity.CRITICAL
    }


def test_a_stand_in_for_no_host_of_the_domain() -> None:
    """Whoever says where to connect for a host that isn't there thinks that it was asked."""
    stranger = Hostname("mx3.example.org")
    found = report(visit(FIRST), visit(SECOND), criteria=Criteria(placed=(OTHER, stranger)))
    assert codes(found) == {Code.NO_SUCH_HOST: Severity.UNJUDGED}
    assert found.findings[0].sentence == (
        "example.org: mx3.example.org is none of its hosts: mx.example.org, mx2.example.org"
    )
    lost = mail(discovery=Discovery.FAILED, mx=answer("example.org", **BOGUS))
    unseen = report(route=lost, criteria=Criteria(placed=(stranger,)))
    assert codes(unseen) == {Code.BOGUS: Severity.CRITICAL}
