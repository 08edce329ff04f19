"""A plugin that looks again says what a run would say of the same answers."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from danebot.domain.dns.answers import Cause, OwnerObservation, Security, ServerOutcome
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import Basis
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.findings.record_findings import Fit
from danebot.domain.rollover.records.publication import Publication
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.status.document import LineageStatus
from danebot.domain.status.recheck import LiveOwner, Rechecked, live_owners, rechecked
from danebot.domain.status.summary import lineage_status
from domain.builders import DAY, MX, MX2, T0, UNREACHABLE, blind, kept_up, look, record, seen, state

AT = T0 + 10 * DAY


def run(one: OwnerObservation) -> tuple[LineageStatus, tuple[Finding, ...]]:
    """What a run publishes of a look, and finds."""
    lineage = state()
    observation = Observation(lineage, seen(one), "")
    memory = remember(kept_up(Memory(), AT), lineage, observation.owners, AT)
    planned = plan(observation, memory, Policy(), AT)
    findings = assess(observation, planned, memory, Policy(), AT)
    nobody = Publication((), (), (), ())
    status = lineage_status(observation, memory, planned, nobody, findings, policy=Policy(), at=AT)
    return status, findings


def again(one: OwnerObservation, status: LineageStatus | None = None) -> Rechecked:
    """What is found when the plugin looks, after a run to which all was well."""
    before = status if status is not None else run(look("old"))[0]
    return rechecked(live_owners([before]), seen(one), AT)


def said(findings: Iterable[Finding]) -> set[tuple[str, Severity, str]]:
    return {(f.code.value, f.severity, f.text) for f in findings if f.code.basis is Basis.DNS}


@pytest.mark.parametrize(
    "one",
    [
        look("old"),
        look("x"),
        look(),
        look("old", at={"ns1": None, "ns2": ["x"]}),
        look("old", security=Security.INSECURE),
        look("old", security=Security.BOGUS),
        blind("old"),
    ],
    ids=["sound", "mismatch", "none", "one server lacks it", "insecure", "bogus", "cut off"],
)
def test_it_says_what_a_run_says(one: OwnerObservation) -> None:
    found = again(one)
    assert said(found.findings) == said(run(one)[1])
    assert found.settled == {state().name}


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (look("old", at={"ns1": None, "ns2": UNREACHABLE}), Code.SERVERS_UNREACHABLE),
        (look("old", security=Security.INDETERMINATE), Code.DNS_UNREACHABLE),
    ],
    ids=["one server is silent", "resolver silent"],
)
def test_what_cannot_be_told_is_said_as_such_in_the_same_words(
    one: OwnerObservation, code: Code
) -> None:
    (found,) = again(one).findings
    (same,) = [finding for finding in run(one)[1] if finding.code is code]
    assert (found.code, found.severity) == (code, Severity.UNJUDGED)
    assert found.text == same.text


def test_a_resolver_that_is_not_trusted_tells_nothing() -> None:
    one = look("x", security=Security.INSECURE)
    doubted = one._replace(answer=one.answer._replace(cause=Cause.UNTRUSTED))
    found = again(doubted)
    others = [f.severity for f in found.findings if f.code is not Code.TLSA_INSECURE]
    assert Severity.UNJUDGED not in others
    assert [(f.code, f.severity) for f in found.findings if f.code is Code.TLSA_INSECURE] == [
        (Code.TLSA_INSECURE, Severity.UNJUDGED)
    ]
    assert found.settled == frozenset()


def test_a_record_that_the_document_does_not_name_may_fit() -> None:
    """``3 1 2`` of the live key: the document has the key's SHA2-256 alone."""
    found = again(look("old", mtypes=[2]))
    assert {(f.code, f.severity) for f in found.findings} == {(Code.TLSA_MISSING, Severity.WARNING)}
    assert f"no TLSA record at {MX} is the live key's own" in {f.text for f in found.findings}
    assert found.settled == frozenset()


def test_beside_a_stronger_digest_nothing_is_settled() -> None:
    found = again(look("old", "x", mtypes=[1, 2]))
    assert found.findings == ()
    assert found.settled == frozenset()


def test_what_is_missing_is_named_with_its_record() -> None:
    assert f"add now: {MX}. IN TLSA {record('old')}" in {
        f.remedy for f in again(look("x")).findings
    }


def test_an_anchor_is_as_good_as_the_key() -> None:
    anchor = TlsaRecord(2, 1, 1, b"\x5a" * 32)
    status = run(look("old"))[0]
    relying = status._replace(
        records=(status.records[0]._replace(role="anchor", record=str(anchor)),)
    )
    assert again(look("old"), relying).findings == ()
    lost = again(look("x"), relying)
    assert (Code.TLSA_MISMATCH, Severity.CRITICAL) in {(f.code, f.severity) for f in lost.findings}
    assert (lost.records, lost.seen) == (1, 0)


def test_records_that_are_seen_are_counted() -> None:
    assert (again(look("old")).records, again(look("old")).seen) == (1, 1)
    assert again(look("x")).seen == 0


OTHER_TYPE, FOREIGN = TlsaRecord(3, 1, 2, b"\x5a" * 64), TlsaRecord(3, 1, 1, b"\x5a" * 32)
ANCHOR = TlsaRecord(2, 1, 1, b"\x5a" * 32)
LIVE = LiveOwner("mx", MX, record("old"), (record("old"),), ())
RELYING = LiveOwner("mx", MX, record("old"), (), (ANCHOR, OTHER_TYPE))


@pytest.mark.parametrize(
    ("one", "fit"),
    [
        (record("old"), Fit.YES),
        (ANCHOR, Fit.YES),
        (FOREIGN, Fit.NO),
        (TlsaRecord(3, 1, 2, b"short"), Fit.NO),
        (TlsaRecord(3, 1, 2, bytes(64)), Fit.UNTOLD),
        (TlsaRecord(2, 1, 1, bytes(32)), Fit.UNTOLD),
    ],
)
def test_which_records_the_live_chain_satisfies(one: TlsaRecord, fit: Fit) -> None:
    assert RELYING.fit(one) is fit
    assert LIVE.fit(record("old")) is Fit.YES
    assert LiveOwner("mx", MX, None, (ANCHOR,), ()).fit(ANCHOR) is Fit.YES


@pytest.mark.parametrize(
    ("here", "there", "wanted"),
    [
        (LIVE, (), (record("old"),)),
        (LIVE, (FOREIGN,), (record("old"),)),
        (RELYING, (), (record("old"),)),
        (RELYING, (OTHER_TYPE,), (OTHER_TYPE,)),
        (RELYING, (record("old"), ANCHOR), (ANCHOR,)),
        (RELYING._replace(live=None), (), (ANCHOR,)),
        (RELYING._replace(current=(FOREIGN,)), (), (FOREIGN, record("old"))),
    ],
)
def test_which_records_are_looked_for(
    here: LiveOwner, there: tuple[TlsaRecord, ...], wanted: tuple[TlsaRecord, ...]
) -> None:
    assert tuple(here.wanted(there)) == wanted


def test_the_owners_that_a_document_names() -> None:
    status = run(look("old"))[0]
    (one,) = live_owners([status])
    assert one == LiveOwner(status.name, MX, record("old"), (record("old"),), ())
    first = status.records[0]
    also = first._replace(role="anchor", record=str(ANCHOR))
    other = also._replace(owner=str(MX2))
    awaited = first._replace(role="awaited", record=str(FOREIGN))
    found = live_owners([status._replace(records=(first, also, other, awaited), current=None)])
    assert found == (
        LiveOwner(status.name, MX, None, (record("old"),), (ANCHOR,)),
        LiveOwner(status.name, MX2, None, (), (ANCHOR,)),
    )


@pytest.mark.parametrize(
    ("silent", "told"),
    [
        ((UNREACHABLE, UNREACHABLE), False),
        ((ServerOutcome.NO_ROUTE, UNREACHABLE), False),
        ((ServerOutcome.LAME, UNREACHABLE), True),
        ((ServerOutcome.LAME, ServerOutcome.LAME), True),
    ],
)
def test_servers_that_give_nothing_usable_are_told_unless_out_of_reach(
    silent: tuple[ServerOutcome, ServerOutcome], *, told: bool
) -> None:
    found = again(look("old", at=dict(zip(("ns1", "ns2"), silent, strict=True))))
    servers = [one for one in found.findings if one.code is Code.SERVERS_UNREACHABLE]
    assert bool(servers) is told
    for one in servers:
        assert one.severity is Severity.UNJUDGED
        assert "ns1.example.org" in one.text
        assert "ns2.example.org" in one.text


def test_what_cannot_be_looked_up_is_mended_at_the_resolver() -> None:
    (finding,) = again(look("old", security=Security.INDETERMINATE)).findings
    assert finding.remedy == "see that it runs, or name another with --resolver"


@pytest.mark.parametrize(
    ("security", "settled"),
    [(Security.BOGUS, True), (Security.INDETERMINATE, False), (Security.INSECURE, True)],
)
def test_what_the_last_run_knew_better(security: Security, *, settled: bool) -> None:
    assert bool(again(look("old", security=security)).settled) is settled


def test_one_doubtful_owner_keeps_what_was_found_of_its_lineage() -> None:
    status = run(look("old"))[0]
    both = status._replace(records=(status.records[0], status.records[0]._replace(owner=str(MX2))))
    doubtful = look("old", owner=MX2, security=Security.INDETERMINATE)
    found = rechecked(live_owners([both]), seen(look("old"), doubtful), AT)
    assert (found.settled, found.records, found.seen) == (frozenset(), 2, 1)
