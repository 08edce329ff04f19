"""What becomes of TLSA records at the next renewal of a lineage that danebot doesn't manage."""

from __future__ import annotations

import pytest

from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, Usage
from danebot.domain.finding import Code, Severity
from danebot.domain.lineage.renewal import Autorenew, RenewalRule
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.names import DnsName
from danebot.domain.rollover.records.unmanaged import (
    KeyReuse,
    SecureRecords,
    breaks_at_renewal,
    known_by,
    unmatched_records,
)
from domain import gate_world
from domain.builders import DAY, MX, MX2, T0
from domain.gate_world import tlsa

LIVE = gate_world.chain()
LIVE = LIVE._replace(chain=LIVE.chain._replace(not_before=T0 - 10 * DAY, not_after=T0 + 80 * DAY))
"""certbot renews it from T0 + 50 d on."""
RENEWED = gate_world.chain(key="fresh", version=2)


def passed(rule: RenewalRule | None = None) -> LineageState:
    return LineageState(
        "mx.example.org",
        Management.PASS_THROUGH,
        LIVE,
        None,
        rule=rule or RenewalRule(),
    )


KEY, CERTIFICATE, FOREIGN = tlsa("3 1 1"), tlsa("3 0 1"), tlsa("3 1 1", key="somebody's")
ISSUER, OTHER_ISSUER = tlsa("2 0 1"), tlsa("2 1 1", by="B")


@pytest.mark.parametrize(
    ("records", "reuse", "breaks"),
    [
        ((KEY,), KeyReuse.NEW, True),
        ((KEY,), KeyReuse.KEPT, False),
        ((CERTIFICATE,), KeyReuse.NEW, True),
        ((CERTIFICATE,), KeyReuse.KEPT, True),
        ((KEY, CERTIFICATE), KeyReuse.KEPT, False),
        ((KEY, FOREIGN), KeyReuse.NEW, True),
        ((KEY, ISSUER), KeyReuse.NEW, False),  # the authority stays
        ((KEY, tlsa("2 1 1")), KeyReuse.NEW, False),
        ((CERTIFICATE, tlsa("2 1 1")), KeyReuse.KEPT, False),
        ((KEY, OTHER_ISSUER), KeyReuse.NEW, True),
        ((KEY, tlsa("2 1 1"), tlsa("2 1 2", by="B")), KeyReuse.NEW, True),  # digest agility
        ((tlsa("1 1 1"),), KeyReuse.NEW, False),  # unusable in mail: nobody refuses
        ((FOREIGN,), KeyReuse.NEW, False),
        ((), KeyReuse.NEW, False),
    ],
)
def test_what_breaks(records: tuple[TlsaRecord, ...], reuse: KeyReuse, breaks: bool) -> None:  # noqa: FBT001 - a table
    found = breaks_at_renewal(passed(), reuse, [SecureRecords(MX, records)], T0)
    assert [finding.code for finding in found] == [Code.BREAKS_AT_RENEWAL] * breaks


def test_it_says_when_and_what_to_do() -> None:
    (found,) = breaks_at_renewal(passed(), KeyReuse.NEW, [SecureRecords(MX, (KEY,))], T0)
    assert found.severity is Severity.WARNING
    assert "from 2026-07-21 12:00 UTC on" in found.text
    assert str(MX) in found.text
    assert "danebot init mx.example.org" in found.remedy


def test_a_record_of_the_certificate_needs_one_of_the_key_beside_it() -> None:
    (found,) = breaks_at_renewal(passed(), KeyReuse.KEPT, [SecureRecords(MX, (CERTIFICATE,))], T0)
    assert "match this certificate alone" in found.text
    assert "danebot tlsa mx.example.org" in found.remedy


def test_what_has_a_record_of_the_key_needs_none_more() -> None:
    def remedy(*published: SecureRecords) -> str:
        (found,) = breaks_at_renewal(passed(), KeyReuse.NEW, published, T0)
        return found.remedy

    both, foreign = SecureRecords(MX, (KEY, CERTIFICATE)), SecureRecords(MX2, (FOREIGN,))
    assert "danebot tlsa" not in remedy(both, foreign)
    assert "danebot tlsa" in remedy(both, SecureRecords(MX2, (CERTIFICATE,)))


@pytest.mark.parametrize(
    ("rule", "severity", "words"),
    [
        (RenewalRule(79 * DAY), Severity.CRITICAL, "from 2026-06-02 12:00 UTC on"),
        (RenewalRule(85 * DAY), Severity.CRITICAL, "at any time now"),
        (RenewalRule(autorenew=Autorenew.OFF), Severity.WARNING, "whenever somebody renews it"),
    ],
)
def test_the_date_is_certbots(rule: RenewalRule, severity: Severity, words: str) -> None:
    (found,) = breaks_at_renewal(passed(rule), KeyReuse.NEW, [SecureRecords(MX, (KEY,))], T0)
    assert (found.severity, words in found.text) == (severity, True)


def test_after_the_renewal_it_is_broken() -> None:
    published = [SecureRecords(MX, (KEY,))]
    assert known_by(passed(), published) == (MX,)
    renewed = passed()._replace(live=RENEWED)
    assert known_by(renewed, published) == ()
    assert breaks_at_renewal(renewed, KeyReuse.NEW, published, T0) == ()
    (found,) = unmatched_records(renewed, published, [MX], T0)
    assert (found.code, found.severity) == (Code.TLSA_MISMATCH, Severity.CRITICAL)
    assert str(tlsa("3 1 1", key="fresh", version=2)) in found.remedy
    assert unmatched_records(passed(), published, [MX], T0) == ()
    assert unmatched_records(renewed, published, [], T0) == ()  # a foreign owner was never ours


@pytest.mark.parametrize(
    "beside",
    [
        (KEY, OTHER_ISSUER),
        (KEY, tlsa("2 0 1", by="B")),
        (KEY, tlsa("0 1 1", by="B")),
        (tlsa("3 1 1", key="fresh", version=2), tlsa("3 1 2")),  # digest agility
    ],
)
def test_what_senders_refuse_is_told_whatever_stands_beside(beside: tuple[TlsaRecord, ...]) -> None:
    """A record that can't be told from the chain's own by its data alone is no excuse."""
    renewed = passed()._replace(live=RENEWED)
    (found,) = unmatched_records(renewed, [SecureRecords(MX, beside)], [MX], T0)
    assert (found.code, found.severity) == (Code.TLSA_MISMATCH, Severity.CRITICAL)
    digest = 2 if beside[1].mtype == MatchingType.SHA2_512 else 1
    added = tlsa(f"3 1 {digest}", key="fresh", version=2)
    assert str(added) in found.remedy
    assert unmatched_records(renewed, [SecureRecords(MX, (*beside, added))], [MX], T0) == ()


# ---- clause by clause: each fails where its own is taken out ----------------------------------

STRANGE_ANCHOR = TlsaRecord(Usage.DANE_TA, Selector.SPKI, MatchingType.SHA2_256, b"a" * 32)
STRANGE_LEAF = CERTIFICATE._replace(data=b"b" * 32)
MORE = tuple(DnsName(f"_25._tcp.{name}.example.org") for name in "abcd")


def test_anchors_are_no_records_of_the_leaf() -> None:
    """By its data alone, a ``2 1 1`` can't be told from the chain's own."""
    anchor = [SecureRecords(MX, (STRANGE_ANCHOR,))]
    assert breaks_at_renewal(passed(), KeyReuse.NEW, anchor, T0) == ()
    assert known_by(passed(), anchor) == ()
    beside = [SecureRecords(MX, (CERTIFICATE, STRANGE_ANCHOR))]
    assert breaks_at_renewal(passed(), KeyReuse.KEPT, beside, T0)


def test_one_record_that_matches_is_enough() -> None:
    both = [SecureRecords(MX, (FOREIGN, KEY))]
    assert known_by(passed(), both) == (MX,)
    assert unmatched_records(passed(), both, [MX], T0) == ()


def test_where_nothing_is_live_nothing_breaks() -> None:
    bare = passed()._replace(live=None)
    every = [SecureRecords(MX, (KEY,))]
    assert breaks_at_renewal(bare, KeyReuse.NEW, every, T0) == ()
    assert (known_by(bare, every), unmatched_records(bare, every, [MX], T0)) == ((), ())


def test_three_owners_are_named_and_the_others_counted() -> None:
    def text(count: int) -> str:
        every = [SecureRecords(owner, (KEY,)) for owner in MORE[:count]]
        (found,) = breaks_at_renewal(passed(), KeyReuse.NEW, every, T0)
        return found.text

    assert f"{MORE[0]}, {MORE[1]}, {MORE[2]} match this key alone" in text(3)
    assert f"{MORE[0]}, {MORE[1]}, {MORE[2]} and 1 more match this key alone" in text(4)


def test_what_a_renewal_replaces_is_named() -> None:
    (found,) = breaks_at_renewal(passed(), KeyReuse.KEPT, [SecureRecords(MX, (CERTIFICATE,))], T0)
    assert "match this certificate alone" in found.text


@pytest.mark.parametrize(
    ("others", "add"),
    [
        ((), False),
        ((CERTIFICATE,), True),
        ((CERTIFICATE, KEY), False),
        ((STRANGE_LEAF,), False),
        ((ISSUER,), False),
    ],
)
def test_records_of_the_key_are_to_be_added_where_only_the_certificate_is_known(
    others: tuple[TlsaRecord, ...], *, add: bool
) -> None:
    every = [SecureRecords(MX, (KEY,)), SecureRecords(MX2, others)]
    (found,) = breaks_at_renewal(passed(), KeyReuse.NEW, every, T0)
    assert ("then add the 3 1 1 records" in found.remedy) is add
    kept = breaks_at_renewal(passed(), KeyReuse.KEPT, [SecureRecords(MX, (CERTIFICATE,))], T0)
    assert "then add the 3 1 1 records" in kept[0].remedy


def test_within_three_days_it_is_critical_and_from_its_day_on_at_any_time() -> None:
    due = T0 + 50 * DAY
    for at, severity, words in (
        (due - 3 * DAY, Severity.WARNING, "from 2026-07-21 12:00 UTC on"),
        (due - 2 * DAY, Severity.CRITICAL, "from 2026-07-21 12:00 UTC on"),
        (due, Severity.CRITICAL, "at any time now"),
    ):
        (found,) = breaks_at_renewal(passed(), KeyReuse.NEW, [SecureRecords(MX, (KEY,))], at)
        assert found.severity is severity
        assert words in found.text


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ((KEY,), "match this key alone"),
        ((CERTIFICATE,), "match this certificate alone"),
        ((KEY, CERTIFICATE), "match this key or this certificate alone"),
    ],
)
def test_it_says_what_the_records_name(records: tuple[TlsaRecord, ...], words: str) -> None:
    """By their selector, whatever certbot keeps."""
    (found,) = breaks_at_renewal(passed(), KeyReuse.NEW, [SecureRecords(MX, records)], T0)
    assert words in found.text


def test_where_nothing_breaks_no_record_is_named() -> None:
    every = [SecureRecords(MX, (CERTIFICATE,)), SecureRecords(MX2, (KEY,))]
    (found,) = breaks_at_renewal(passed(), KeyReuse.KEPT, every, T0)
    assert f"{MX} match this certificate alone" in found.text


def test_a_record_that_wants_a_trusted_authority_too_is_its_own() -> None:
    """Usage 1 names the leaf, as 3 does; usage 0 an authority, which issues others, too."""
    assert known_by(passed(), [SecureRecords(MX, (tlsa("1 1 1"),))]) == (MX,)
    assert known_by(passed(), [SecureRecords(MX, (tlsa("0 1 1"),))]) == ()
