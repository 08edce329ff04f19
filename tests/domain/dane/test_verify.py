"""The DANE case table, judged here and by OpenSSL."""

from __future__ import annotations

import pytest

from danebot.domain.dane.certificate import read
from danebot.domain.dane.path import Fault
from danebot.domain.dane.profiles import Profile
from danebot.domain.dane.references import References
from danebot.domain.dane.verdicts import Outcome, Reason, Verdict
from danebot.domain.dane.verify import verify_chain
from danebot.domain.dns.tlsa import Unusable
from danebot.domain.names import Hostname
from domain import oracle
from domain.dane_cases import CASES, Case
from domain.dane_world import MX, der, record

ALL = [pytest.param(case, id=f"{number:03d} {case}") for number, case in enumerate(CASES)]
COMPARED = [
    pytest.param(case, id=f"{number:03d} {case}")
    for number, case in enumerate(CASES)
    if not case.apart
]

# OpenSSL stops at the first error; it must be one of those that we report.
FAULTS = {
    "certificate has expired": "EXPIRED",
    "certificate is not yet valid": "NOT_YET_VALID",
    "hostname mismatch": "NAME_MISMATCH",
    "invalid CA certificate": "NOT_A_CA KEY_USAGE",
    "path length constraint exceeded": "PATH_LENGTH",
    "unsuitable certificate purpose": "PURPOSE KEY_USAGE",
    "unhandled critical extension": "CRITICAL_EXTENSION",
    "certificate signature failure": "BAD_SIGNATURE",
    "permitted subtree violation": "NAME_CONSTRAINTS",
    "excluded subtree violation": "NAME_CONSTRAINTS",
}


def judged(case: Case) -> Verdict:
    names = [Hostname.parse(name) for name in case.names]
    return verify_chain(
        [record(text) for text in case.records],
        [der(label) for label in case.chain.split()],
        References(names[0], tuple(names[1:])),
        case.now,
        case.profile,
        trust_anchors=None if case.store is None else [der(one) for one in case.store.split()],
    )


def shown(code: str, depth: int | None) -> str:
    return code if depth is None else f"{code}@{depth}"


@pytest.mark.parametrize("case", ALL)
def test_verdict(case: Case) -> None:
    verdict = judged(case)
    assert verdict.outcome is Outcome[case.outcome]
    assert tuple(one.reason.name for one in verdict.records) == case.reasons
    assert verdict.depth == case.depth
    found = {shown(flaw.fault.name, flaw.depth) for one in verdict.records for flaw in one.flaws}
    assert found == case.flaws
    assert {shown(one.code.name, one.depth) for one in verdict.cautions} == case.cautions
    if case.presented is not None:
        assert tuple(name.text for name in verdict.names) == case.presented


def test_an_anchor_that_is_the_leaf_is_found_at_its_place() -> None:
    case = next(one for one in CASES if one.reasons == ("ANCHOR_IS_LEAF",))
    (one,) = judged(case).records
    assert (one.depth, one.certificate) == (0, read(der("leaf")))


@pytest.mark.parametrize("case", COMPARED)
def test_openssl_decides_the_same(case: Case) -> None:
    records = [record(text) for text in case.records]
    if case.profile is Profile.SMTP:
        # Postfix and Exim leave PKIX usages out before they ask OpenSSL.
        records = [one for one in records if one.usage not in {0, 1}]
    decision = oracle.decide(
        records,
        [der(label) for label in case.chain.split()],
        case.names,
        case.now,
        store=[der(one) for one in (case.store or "").split()],
    )
    outcomes = {True: "AUTHENTICATED", False: "FAILED", None: "UNAUTHENTICATED_TLS"}
    assert outcomes[decision.authenticated] == case.outcome
    verdict = judged(case)
    unusable = sum(isinstance(one.reason, Unusable) for one in verdict.records)
    pkix = len(case.records) - len(records)
    assert decision.usable == len(case.records) - unusable - pkix
    if decision.authenticated:
        assert decision.depth == case.depth
    elif decision.error in FAULTS:
        assert {flaw.partition("@")[0] for flaw in case.flaws} & {*FAULTS[decision.error].split()}
    elif decision.authenticated is False:
        # OpenSSL found no path: signatures that can't be checked are no reason there.
        assert case.flaws <= {"UNSUPPORTED_SIGNATURE@0"}, decision


def test_the_table_is_large_and_names_a_section_in_every_row() -> None:
    assert len(CASES) >= 120
    assert all(case.section.startswith("RFC ") for case in CASES)
    assert len({str(case) for case in CASES}) == len(CASES)


def test_every_outcome_and_reason_occurs_in_the_table() -> None:
    """A code that no row can bring about would be a word without meaning."""
    assert {case.outcome for case in CASES} == {outcome.name for outcome in Outcome}
    seen = {reason for case in CASES for reason in case.reasons}
    assert seen == {reason.name for reason in [*Reason, *Unusable]}
    flaws = {flaw.partition("@")[0] for case in CASES for flaw in case.flaws}
    assert flaws == {fault.name for fault in Fault}


@pytest.mark.parametrize("label", ["leaf-weak", "sha1"])
def test_security_level_2_refuses_what_the_caution_says(label: str) -> None:
    chain = [der(label), der("bad-rsa" if label == "sha1" else "inter")]
    anchor = record("2 1 1 bad-rsa" if label == "sha1" else "2 1 1 inter")
    case = next(one for one in CASES if one.chain.startswith(label))
    for level, good in ((0, True), (2, False)):
        decision = oracle.decide([anchor], chain, [MX], case.now, level=level)
        assert decision.authenticated is good
