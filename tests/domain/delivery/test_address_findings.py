"""Which records are of no use at any address of a host."""

from __future__ import annotations

import pytest

from danebot.domain.dane.verdicts import Outcome, Reason, RecordVerdict, Verdict
from danebot.domain.delivery.address_findings import unmatched
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.delivery.report import AddressReport
from danebot.domain.delivery.routes import Dane, HostRoute
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association
from danebot.domain.names import Endpoint, Hostname, Protocol
from domain.builders import record
from domain.delivery_world import (
    CA,
    LEAF,
    MATCHING,
    STRANGER,
    Code,
    host,
    report,
    served,
    spki,
    visit,
)
from domain.pki import DAY, NOW, issue

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


# ---- the chain of one address --------------------------------------------------------------------


UNREAD = issue("mx.example.org", names=["mx.example.org"], serial=1).der
ODD = UNREAD.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x55")  # version 86


def reported(route: HostRoute, result: ProbeResult | None = None) -> AddressReport:
    (one,) = report(visit(route, result or served(route))).addresses
    return one


def test_where_dane_binds_nobody_no_chain_is_judged() -> None:
    free = reported(host(dane=Dane.ABSENT))
    assert (free.verdict, free.leaf) == (None, None)
    silent = reported(host(MATCHING), served(host(MATCHING), outcome=ProbeOutcome.TIMEOUT))
    assert (silent.verdict, silent.leaf) == (None, None)


@pytest.mark.parametrize(
    ("protocol", "outcome"),
    [
        (Protocol.SMTP, Outcome.UNAUTHENTICATED_TLS),
        (Protocol.LMTP, Outcome.UNAUTHENTICATED_TLS),
        (Protocol.IMAP, Outcome.NOT_JUDGED),
    ],
)
def test_pkix_records_are_for_services_other_than_mail(
    protocol: Protocol, outcome: Outcome
) -> None:
    route = host(TlsaRecord(1, 1, 1, spki(LEAF)))
    (one,) = report(visit(route)._replace(protocol=protocol)).addresses
    assert one.verdict is not None
    assert one.verdict.outcome is outcome


def test_a_chain_without_a_leaf_that_can_be_read() -> None:
    route = host(MATCHING)
    for chain in ((), (b"junk",), (ODD,)):
        one = reported(route, served(route)._replace(chain=chain))
        assert one.verdict is not None
        assert one.leaf is None
    assert reported(route).leaf is not None


def test_of_a_certificate_that_cannot_be_read_no_record_is_advised() -> None:
    route = host(TlsaRecord(3, 0, 1, association(ODD, MatchingType.SHA2_256)))
    found = report(visit(route, served(route)._replace(chain=(ODD,))))
    (finding,) = [one for one in found.findings if one.code is Code.ONLY_CERTIFICATE_RECORDS]
    assert finding.remedy.endswith(" records, which stay right as long as the key does")


def test_what_a_verdict_does_not_rest_on_ends_no_certificate() -> None:
    middle = issue("Soon", CA, ca=True, valid=(NOW - DAY, NOW + DAY))
    leaf = issue("mx.example.org", middle, names=["mx.example.org"])
    for there in (STRANGER, TlsaRecord(3, 1, 1, spki(leaf))):
        route = host(there)
        one = reported(route, served(route, leaf=leaf, rest=(middle, CA)))
        assert one.leaf is not None
        assert one.leaf.expires == NOW + 60 * DAY
    anchored = host(TlsaRecord(2, 1, 1, spki(CA)))
    for extra in (b"junk", ODD):
        result = served(anchored)._replace(chain=(LEAF.der, extra, CA.der))
        one = reported(anchored, result)
        assert one.leaf is not None
        assert one.leaf.expires == NOW + 60 * DAY


def test_names_are_short_and_can_be_printed() -> None:
    long = f"{'a' * 63}.{'b' * 30}.example"
    one = reported(host(MATCHING), served(host(MATCHING), leaf=issue("x", CA, names=[long])))
    assert one.leaf is not None
    assert one.leaf.names == (long[:77] + "...",)
    one = reported(host(MATCHING), served(host(MATCHING), leaf=issue("bell\x07", CA)))
    assert one.leaf is not None
    assert one.leaf.names == (r"bell\x07",)
