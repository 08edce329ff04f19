"""Which records are of no use at any address of a host."""

from __future__ import annotations

from danebot.domain.dane.verdicts import Outcome, Reason, RecordVerdict, Verdict
from danebot.domain.delivery.address_findings import unmatched
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.delivery.report import AddressReport
from danebot.domain.names import Endpoint, Hostname, Protocol
from domain.builders import record

ONE, TWO = record("one"), record("two")
RESULT = ProbeResult(
    Endpoint(Hostname("mx.example.org"), 25, Protocol.SMTP), "192.0.2.1", ProbeOutcome.SERVED
)


def judged(one: Reason, two: Reason) -> AddressReport:
    verdicts = (RecordVerdict(ONE, one), RecordVerdict(TWO, two))
    return AddressReport(RESULT, Verdict(Outcome.FAILED, verdicts))


def test_a_record_without_a_match_or_a_chain_to_match_is_of_no_use() -> None:
    assert unmatched([judged(Reason.NO_MATCH, Reason.MATCHED)]) == (ONE,)
    assert unmatched([judged(Reason.NO_CHAIN, Reason.NO_CHAIN)]) == (ONE, TWO)
    assert unmatched([judged(Reason.NO_CHAIN, Reason.NO_MATCH)]) == (ONE, TWO)


def test_one_that_is_used_at_another_address_is() -> None:
    first, second = judged(Reason.MATCHED, Reason.NO_MATCH), judged(Reason.NO_MATCH, Reason.MATCHED)
    assert unmatched([first, second]) == ()
    assert unmatched([first, judged(Reason.NO_MATCH, Reason.NO_MATCH)]) == (TWO,)


def test_an_address_without_a_verdict_tells_nothing() -> None:
    assert unmatched([AddressReport(RESULT)]) == ()
    assert unmatched([AddressReport(RESULT), judged(Reason.NO_MATCH, Reason.MATCHED)]) == (ONE,)
