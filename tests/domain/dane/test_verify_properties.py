"""What holds for DANE verdicts whatever the records and the chain."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amounts import amount
from danebot.domain.dane.profiles import Profile
from danebot.domain.dane.references import References
from danebot.domain.dane.verdicts import Outcome, Reason, Verdict
from danebot.domain.dane.verify import verify_chain
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import Hostname
from domain import oracle
from domain.dane_world import MX, der, record, world
from domain.pki import DAY, NOW

LEAVES = sorted(label for label in world() if label.startswith("leaf") or label == "next")
ABOVE = sorted(label for label in world() if label not in LEAVES)
ISSUERS = {
    "leaf": ("inter", "root"),
    "leaf-root": ("root",),
    "leaf-deep": ("deep", "inter", "root"),
    "leaf-expired": ("inter", "root"),
    "leaf-of-expired": ("bad-expired", "root"),
}
TWINS = ("inter-x", "inter-expired", "inter-future", "root-x", "other")
REFERENCES = References(Hostname.parse(MX))

quick = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
leaves = st.sampled_from(LEAVES)
labels = st.sampled_from([*LEAVES, *ABOVE])
above = st.lists(st.sampled_from(ABOVE), max_size=6)
numbers = st.sampled_from([f"{u} {s} {m}" for u in (2, 3) for s in (0, 1) for m in (0, 1, 2)])
usable = st.builds(lambda start, label: record(f"{start} {label}"), numbers, labels)
unusable = st.one_of(
    st.builds(lambda label: record(f"3 1 1 {label} -1"), labels),
    st.builds(lambda label: record(f"1 1 1 {label}"), labels),
    st.builds(lambda label: record(f"3 1 9 {label}"), labels),
    st.builds(lambda label: record(f"2 0 0 {label} 1"), labels),
)
octets = st.integers(0, 255)
arbitrary = st.builds(TlsaRecord, octets, octets, octets, st.binary(max_size=80))


def judge(records: list[TlsaRecord], chain: list[bytes]) -> Verdict:
    return verify_chain(records, chain, REFERENCES, NOW)


def chain_of(leaf: str, rest: list[str]) -> list[bytes]:
    return [der(label) for label in [leaf, *rest]]


@st.composite
def aimed(draw: st.DrawFn) -> tuple[list[TlsaRecord], list[bytes]]:
    """Records that aim at the chain more often than not: otherwise nothing ever matches."""
    leaf, rest = draw(leaves), draw(above)
    issuers = [label for label in ("inter", "root") if draw(st.booleans())]
    chain = [leaf, *draw(st.permutations([*rest, *issuers]))]
    records = draw(
        st.lists(
            st.builds(
                lambda start, label: record(f"{start} {label}"), numbers, st.sampled_from(chain)
            )
            | usable,
            min_size=1,
            max_size=4,
        )
    )
    return records, chain_of(chain[0], chain[1:])


@quick
@given(aimed(), unusable, st.integers(0, 4))
def test_an_unusable_record_changes_nothing(
    scene: tuple[list[TlsaRecord], list[bytes]], extra: TlsaRecord, position: int
) -> None:
    records, chain = scene
    before = judge(records, chain)
    after = judge([*records[:position], extra, *records[position:]], chain)
    assert (before.outcome, before.matched) == (after.outcome, after.matched)


@quick
@given(aimed(), st.randoms(use_true_random=False))
def test_the_order_of_records_is_irrelevant(
    scene: tuple[list[TlsaRecord], list[bytes]], random: Random
) -> None:
    records, chain = scene
    shuffled = random.sample(records, len(records))
    one, other = judge(records, chain), judge(shuffled, chain)
    assert (one.outcome, one.matched, set(one.cautions)) == (
        other.outcome,
        other.matched,
        set(other.cautions),
    )
    assert {str(each.record): str(each) for each in one.records} == {
        str(each.record): str(each) for each in other.records
    }


@quick
@given(aimed())
def test_authenticated_if_and_only_if_a_record_matches(
    scene: tuple[list[TlsaRecord], list[bytes]],
) -> None:
    verdict = judge(*scene)
    reasons = [one.reason for one in verdict.records]
    assert (verdict.outcome is Outcome.AUTHENTICATED) == (Reason.MATCHED in reasons)
    assert (verdict.matched is not None) == (Reason.MATCHED in reasons)
    assert all(one.flaws == () for one in verdict.records if one.reason is Reason.MATCHED)
    assert all(one.flaws for one in verdict.records if one.reason is Reason.INVALID_PATH)


@settings(quick, max_examples=amount(80, 2000))
@given(aimed())
def test_openssl_decides_the_same(scene: tuple[list[TlsaRecord], list[bytes]]) -> None:
    records, chain = scene
    decision = oracle.decide(records, chain, [MX], NOW)
    verdict = judge(records, chain)
    assert (verdict.outcome is Outcome.AUTHENTICATED) == bool(decision.authenticated)
    if decision.authenticated:
        assert verdict.depth == decision.depth


@st.composite
def messy(draw: st.DrawFn) -> tuple[list[TlsaRecord], list[bytes]]:
    """Chains as careless servers send them, and records that aim at what is above the leaf.

    Roots included, in any order, twice, with twins (expired, cross-signed) and strangers between.
    """
    leaf, issuers = draw(st.sampled_from(sorted(ISSUERS.items())))
    twins = [one for one in TWINS if draw(st.booleans())]
    strangers = draw(st.lists(st.sampled_from(["stranger", "bad-expired", leaf, *issuers])))
    above = draw(st.permutations([*issuers, *twins, *strangers]))
    aims = st.sampled_from([*above, "root", "other"])
    start = st.sampled_from([f"2 {s} {m}" for s in (0, 1) for m in (0, 1)])
    aimed_at = st.builds(lambda numbers, label: record(f"{numbers} {label}"), start, aims)
    return draw(st.lists(aimed_at, min_size=1, max_size=2)), chain_of(leaf, above[:15])


@pytest.mark.timeout(amount(300, 1800))
@settings(quick, max_examples=amount(100, 3000))
@given(messy())
def test_openssl_climbs_the_same_path(scene: tuple[list[TlsaRecord], list[bytes]]) -> None:
    records, chain = scene
    # Of two records that hold certificates OpenSSL tries the first first; here the order is one.
    decision = oracle.decide(sorted(records), chain, [MX], NOW)
    verdict = judge(records, chain)
    assert (verdict.outcome is Outcome.AUTHENTICATED) == bool(decision.authenticated)
    if verdict.matched is not None:
        assert verdict.depth == decision.depth
        assert tuple(one.der for one in verdict.path) == decision.path


@quick
@given(
    st.lists(arbitrary | usable, max_size=4),
    st.lists(st.binary(max_size=60) | labels.map(der), max_size=4),
    st.sampled_from(Profile),
    st.none() | st.lists(st.binary(max_size=40) | labels.map(der), max_size=3),
)
def test_arbitrary_octets_never_raise(
    records: list[TlsaRecord],
    chain: list[bytes],
    profile: Profile,
    anchors: list[bytes] | None,
) -> None:
    verdict = verify_chain(records, chain, REFERENCES, NOW, profile, trust_anchors=anchors)
    assert [one.record for one in verdict.records] == records
    assert all(str(one) for one in [*verdict.records, *verdict.cautions])


@settings(quick, max_examples=amount(80, 2000))
@given(labels, labels, st.integers(0, 10_000), octets, st.integers(-99, 99))
def test_damaged_certificates_never_raise(
    leaf: str, issuer: str, position: int, octet: int, days: int
) -> None:
    damaged = bytearray(der(leaf))
    damaged[position % len(damaged)] = octet
    chain = [bytes(damaged), der(issuer), der("root")]
    anchors = [record(f"2 0 1 {issuer}"), record("2 1 0 root"), TlsaRecord(2, 0, 0, bytes(damaged))]
    verdict = verify_chain(anchors, chain, REFERENCES, NOW + days * DAY)
    assert len(verdict.records) == len(anchors)
