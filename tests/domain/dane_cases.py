"""The DANE case table: which records and chain, and what becomes of them.

Each row names the section that it is about.  Each is compared with OpenSSL as well (oracle.py),
unless ``apart`` says why that can't be.
"""

# ruff: noqa: E501 - a table is read by rows

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from danebot.domain.dane.profiles import Profile
from domain.dane_world import MX
from domain.pki import DAY, NOW

if TYPE_CHECKING:
    from datetime import datetime

CHAIN = "leaf inter root"
OK, FAIL = "AUTHENTICATED", "FAILED"
UNAUTH, NONE, OPEN = "UNAUTHENTICATED_TLS", "NOT_APPLICABLE", "NOT_JUDGED"
ACRONYMS = ("PKIX-TA", "PKIX-EE", "DANE-TA", "DANE-EE")


@dataclass(frozen=True)
class Case:
    """One row.

    ``reasons`` has a name of `Reason` or `Unusable` per record.  ``flaws`` are those of all
    records, as FAULT@DEPTH.  ``cautions`` are codes, @DEPTH where they have one.
    """

    section: str
    title: str
    records: tuple[str, ...]
    chain: str
    outcome: str
    reasons: tuple[str, ...]
    depth: int | None = None
    flaws: frozenset[str] = frozenset()
    cautions: frozenset[str] = frozenset()
    names: tuple[str, ...] = (MX,)
    presented: tuple[str, ...] | None = None
    now: datetime = NOW
    profile: Profile = Profile.SMTP
    store: str | None = None
    apart: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.section}: {self.title}"


def case(  # noqa: PLR0917 - terse rows
    section: str,
    title: str,
    records: str | tuple[str, ...],
    chain: str,
    expected: str,
    reasons: str,
    flaws: str = "",
    cautions: str = "",
    **more: object,
) -> Case:
    """Write a row tersely: ``expected`` is OUTCOME or OUTCOME@DEPTH, the rest space-separated."""
    outcome, _, depth = expected.partition("@")
    return Case(
        section,
        title,
        (records,) if isinstance(records, str) else records,
        chain,
        outcome,
        tuple(reasons.split()),
        int(depth) if depth else None,
        frozenset(flaws.split()),
        frozenset(cautions.split()),
        **more,  # type: ignore[arg-type]
    )


generic = functools.partial(case, profile=Profile.GENERIC)
submission = functools.partial(case, profile=Profile.SUBMISSION)


def _grid() -> list[Case]:
    """Every usage, selector and matching type, matching and not."""
    rows = []
    for usage, acronym in enumerate(ACRONYMS):
        for selector in (0, 1):
            for mtype in (0, 1, 2):
                numbers = f"{usage} {selector} {mtype}"
                for match in (True, False):
                    word = "matches" if match else "matches nothing"
                    rows.append(
                        _grid_row(usage, numbers, f"{acronym} {numbers} {word}", match=match)
                    )
                    if usage < 2:
                        rows.append(
                            _grid_pkix(usage, numbers, f"PKIX {numbers} {word}", match=match)
                        )
    return rows


def _grid_row(usage: int, numbers: str, title: str, *, match: bool) -> Case:
    label = ("inter" if usage in {0, 2} else "leaf") if match else "stranger"
    record = f"{numbers} {label}"
    if usage < 2:
        reason = "MATCHED_UNUSABLE" if match else "PKIX_IN_SMTP"
        return case("RFC 7672 3.1.3", title, record, CHAIN, UNAUTH, reason, "", "ALL_UNUSABLE")
    section = "RFC 7671 5.1" if usage == 3 else "RFC 7671 5.2"
    only_cert = "ONLY_CERTIFICATE_SELECTOR" if numbers.startswith("3 0") else ""
    if match:
        expected = f"{OK}@{0 if usage == 3 else 1}"
        return case(section, title, record, CHAIN, expected, "MATCHED", "", only_cert)
    return case(section, title, record, CHAIN, FAIL, "NO_MATCH", "", only_cert)


def _grid_pkix(usage: int, numbers: str, title: str, *, match: bool) -> Case:
    label = ("inter" if usage == 0 else "leaf") if match else "stranger"
    return case(
        "RFC 7671 5.4" if usage == 0 else "RFC 7671 5.3",
        title,
        f"{numbers} {label}",
        "leaf inter",
        f"{OK}@{1 if usage == 0 else 0}" if match else FAIL,
        "MATCHED" if match else "NO_MATCH",
        profile=Profile.GENERIC,
        store="root other",
    )


# fmt: off
_DATA = [
    case("RFC 6698 2.1.3", "truncated SHA2-256", "3 1 1 leaf -1", CHAIN, UNAUTH, "WRONG_LENGTH", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.3", "overlong SHA2-256", "3 1 1 leaf 1", CHAIN, UNAUTH, "WRONG_LENGTH", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.3", "truncated SHA2-512", "3 1 2 leaf -32", CHAIN, UNAUTH, "WRONG_LENGTH", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.3", "overlong SHA2-512", "2 0 2 inter 1", CHAIN, UNAUTH, "WRONG_LENGTH", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.3", "a SHA-1 digest", "3 1 1 leaf -12", CHAIN, UNAUTH, "WRONG_LENGTH", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.4", "no data", "3 1 1 =", CHAIN, UNAUTH, "EMPTY_DATA", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.4", "no data in Full", "2 0 0 =", CHAIN, UNAUTH, "EMPTY_DATA", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.4", "truncated Full certificate", "3 0 0 leaf -1", CHAIN, UNAUTH, "MALFORMED_DATA", "", "ALL_UNUSABLE ONLY_CERTIFICATE_SELECTOR"),
    case("RFC 6698 2.1.4", "overlong Full certificate", "2 0 0 inter 1", CHAIN, UNAUTH, "MALFORMED_DATA", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.4", "truncated Full key", "3 1 0 leaf -1", CHAIN, UNAUTH, "MALFORMED_DATA", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.4", "overlong Full key", "2 1 0 inter 1", CHAIN, UNAUTH, "MALFORMED_DATA", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.4", "digest published as Full", "3 1 0 =" + "ab" * 32, CHAIN, UNAUTH, "MALFORMED_DATA", "", "ALL_UNUSABLE"),
    case("RFC 6698 2.1.2", "certificate digest under selector SPKI", "3 1 1 =" + "00" * 32, CHAIN, FAIL, "NO_MATCH"),
    case("RFC 6698 4.1", "unknown usage", "4 1 1 leaf", CHAIN, UNAUTH, "UNKNOWN_USAGE", "", "ALL_UNUSABLE"),
    case("RFC 6698 4.1", "private usage", "255 1 1 leaf", CHAIN, UNAUTH, "UNKNOWN_USAGE", "", "ALL_UNUSABLE"),
    case("RFC 6698 4.1", "unknown selector", "3 2 1 leaf", CHAIN, UNAUTH, "UNKNOWN_SELECTOR", "", "ALL_UNUSABLE"),
    case("RFC 6698 4.1", "private selector", "3 255 1 leaf", CHAIN, UNAUTH, "UNKNOWN_SELECTOR", "", "ALL_UNUSABLE"),
    case("RFC 6698 4.1", "unknown matching type", "3 1 3 leaf", CHAIN, UNAUTH, "UNKNOWN_MATCHING_TYPE", "", "ALL_UNUSABLE"),
    case("RFC 6698 4.1", "private matching type", "3 1 255 leaf", CHAIN, UNAUTH, "UNKNOWN_MATCHING_TYPE", "", "ALL_UNUSABLE"),
]

_SETS = [
    case("RFC 7672 2.2", "no records", (), CHAIN, NONE, "", apart="OpenSSL isn't asked"),
    case("RFC 7672 2.2", "unusable beside a match", ("3 1 1 leaf", "3 9 1 leaf"), CHAIN, f"{OK}@0", "MATCHED UNKNOWN_SELECTOR"),
    case("RFC 7672 2.2", "unusable beside a mismatch fails", ("4 1 1 leaf", "3 1 1 stranger"), CHAIN, FAIL, "UNKNOWN_USAGE NO_MATCH"),
    case("RFC 7672 2.2", "PKIX match beside a mismatch fails", ("1 1 1 leaf", "3 1 1 stranger"), CHAIN, FAIL, "MATCHED_UNUSABLE NO_MATCH"),
    case("RFC 7672 2.2", "all unusable for different reasons", ("1 1 1 leaf", "3 1 1 leaf -1", "9 1 1 leaf"), CHAIN, UNAUTH, "MATCHED_UNUSABLE WRONG_LENGTH UNKNOWN_USAGE", "", "ALL_UNUSABLE"),
    case("RFC 7671 8.1", "rollover: current and next, current served", ("3 1 1 leaf", "3 1 1 next"), CHAIN, f"{OK}@0", "MATCHED NO_MATCH"),
    case("RFC 7671 8.1", "rollover: current and next, next served", ("3 1 1 leaf", "3 1 1 next"), "next inter root", f"{OK}@0", "NO_MATCH MATCHED"),
    case("RFC 7671 8.1", "rollover too early: next served, unpublished", ("3 1 1 leaf",), "next inter root", FAIL, "NO_MATCH"),
    case("RFC 7671 8.1", "renewal with the same key", "3 1 1 leaf", "renewed inter root", f"{OK}@0", "MATCHED"),
    case("RFC 7671 8.1", "renewal with the same key, certificate published", "3 0 1 leaf", "renewed inter root", FAIL, "NO_MATCH", "", "ONLY_CERTIFICATE_SELECTOR"),
    case("RFC 7671 8", "3 1 1 and 2 1 1, both match", ("3 1 1 leaf", "2 1 1 inter"), CHAIN, f"{OK}@0", "MATCHED MATCHED"),
    case("RFC 7671 8", "3 1 1 and 2 1 1, new key", ("3 1 1 leaf", "2 1 1 inter"), "next inter root", f"{OK}@1", "NO_MATCH MATCHED"),
    case("RFC 7671 8", "3 1 1 and 2 1 1, new issuer", ("3 1 1 leaf-root", "2 1 1 inter"), "leaf-root root", f"{OK}@0", "MATCHED NO_MATCH"),
    case("RFC 7671 8", "3 1 1 and 2 1 1, both gone", ("3 1 1 leaf", "2 1 1 deep"), "next inter root", FAIL, "NO_MATCH NO_MATCH"),
    case("RFC 7671 5.1", "wrong name saved by DANE-EE", ("2 1 1 inter", "3 1 1 leaf-other-name"), "leaf-other-name inter root", f"{OK}@0", "INVALID_PATH MATCHED", "NAME_MISMATCH@0"),
    case("RFC 7671 5.2", "two anchors, the nearer counts", ("2 1 1 root", "2 1 1 inter"), CHAIN, f"{OK}@1", "MATCHED MATCHED"),
    case("RFC 2181 5", "a record twice", ("3 1 1 leaf", "3 1 1 leaf"), CHAIN, f"{OK}@0", "MATCHED MATCHED"),
    case("RFC 7671 10.1.1", "twelve records", ("3 1 1 leaf", *("3 1 1 =" + f"{n:02x}" * 32 for n in range(11))), CHAIN, f"{OK}@0", "MATCHED" + 11 * " NO_MATCH"),
    case("RFC 7671 10.1.1", "thirteen records", ("3 1 1 leaf", *("3 1 1 =" + f"{n:02x}" * 32 for n in range(12))), CHAIN, f"{OK}@0", "MATCHED" + 12 * " NO_MATCH", "", "MANY_RECORDS"),
    case("RFC 7671 5.1", "two certificate records", ("3 0 1 leaf", "3 0 1 next"), CHAIN, f"{OK}@0", "MATCHED NO_MATCH", "", "ONLY_CERTIFICATE_SELECTOR"),
]

_AGILITY = [
    case("RFC 7671 9", "both digests match", ("3 1 1 leaf", "3 1 2 leaf"), CHAIN, f"{OK}@0", "WEAKER_DIGEST MATCHED"),
    case("RFC 7671 9", "stronger digest of another key hides the match", ("3 1 1 leaf", "3 1 2 next"), CHAIN, FAIL, "WEAKER_DIGEST NO_MATCH", "", "ONLY_AS_RAW_KEY"),
    case("RFC 7250 3", "a weaker digest that only the raw public key satisfies", ("3 1 1 leaf", "3 1 2 next", "7 1 1 leaf"), CHAIN, FAIL, "WEAKER_DIGEST NO_MATCH UNKNOWN_USAGE", "", "ONLY_AS_RAW_KEY"),
    case("RFC 7671 9", "per selector", ("3 0 2 next", "3 1 1 leaf"), CHAIN, f"{OK}@0", "NO_MATCH MATCHED"),
    case("RFC 7671 9", "per usage", ("2 1 2 stranger", "3 1 1 leaf"), CHAIN, f"{OK}@0", "NO_MATCH MATCHED"),
    case("RFC 7671 9", "Full is never ignored", ("3 1 0 leaf", "3 1 2 next"), CHAIN, f"{OK}@0", "MATCHED NO_MATCH"),
    case("RFC 7671 9", "Full hides no digest", ("3 1 0 next", "3 1 1 leaf"), CHAIN, f"{OK}@0", "NO_MATCH MATCHED"),
    case("RFC 7671 9", "an unusable SHA2-512 hides nothing", ("3 1 1 leaf", "3 1 2 leaf -1"), CHAIN, f"{OK}@0", "MATCHED WRONG_LENGTH"),
    case("RFC 7671 9", "an unknown matching type hides nothing", ("3 1 1 leaf", "3 1 3 leaf"), CHAIN, f"{OK}@0", "MATCHED UNKNOWN_MATCHING_TYPE"),
    case("RFC 7671 9", "a PKIX SHA2-512 hides no DANE digest", ("1 1 2 next", "3 1 1 leaf"), CHAIN, f"{OK}@0", "PKIX_IN_SMTP MATCHED"),
    case("RFC 7671 9", "DANE-TA hidden", ("2 1 1 inter", "2 1 2 stranger"), CHAIN, FAIL, "WEAKER_DIGEST NO_MATCH", "", "MATCH_BEHIND_STRONGER_DIGEST"),
    case("RFC 7671 9", "DANE-TA at different depths", ("2 1 1 inter", "2 1 2 root"), CHAIN, f"{OK}@2", "WEAKER_DIGEST MATCHED"),
    case("RFC 7671 9", "hidden, and would not match", ("3 1 1 next", "3 1 2 next"), CHAIN, FAIL, "WEAKER_DIGEST NO_MATCH"),
    case("RFC 7671 8", "rollover with both digests of both keys", ("3 1 1 leaf", "3 1 2 leaf", "3 1 1 next", "3 1 2 next"), CHAIN, f"{OK}@0", "WEAKER_DIGEST MATCHED WEAKER_DIGEST NO_MATCH"),
]

_LEAF = [
    case("RFC 7671 5.1", "expired leaf", "3 1 1 leaf-expired", "leaf-expired inter root", f"{OK}@0", "MATCHED", "", "LEAF_NOT_CURRENT@0"),
    case("RFC 7671 5.1", "leaf from the future", "3 0 1 leaf-future", "leaf-future inter root", f"{OK}@0", "MATCHED", "", "LEAF_NOT_CURRENT@0 ONLY_CERTIFICATE_SELECTOR"),
    case("RFC 7671 5.1", "wrong name", "3 1 1 leaf-other-name", "leaf-other-name inter", f"{OK}@0", "MATCHED", presented=()),
    case("RFC 7671 5.1", "no name at all", "3 1 1 leaf-nameless", "leaf-nameless", f"{OK}@0", "MATCHED", presented=()),
    case("RFC 7671 5.1", "leaf alone", "3 1 1 leaf", "leaf", f"{OK}@0", "MATCHED"),
    case("RFC 7671 5.1", "self-signed leaf", "3 1 1 leaf-self", "leaf-self", f"{OK}@0", "MATCHED"),
    case("RFC 7671 5.1", "forged leaf", "3 1 1 leaf-forged", "leaf-forged inter root", f"{OK}@0", "MATCHED"),
    case("RFC 7671 5.1", "leaf for TLS clients", "3 1 1 leaf-client", "leaf-client inter", f"{OK}@0", "MATCHED"),
    case("RFC 7671 5.1", "unknown critical extension", "3 1 1 leaf-critical", "leaf-critical inter", f"{OK}@0", "MATCHED"),
    case("RFC 7671 5.1", "the issuer's key in a DANE-EE record", "3 1 1 inter", CHAIN, FAIL, "NO_MATCH"),
    case("RFC 7671 5.1", "leaf presented last", "3 1 1 leaf", "inter leaf", FAIL, "NO_MATCH", presented=()),
    case("RFC 7671 5.1", "RSA leaf", "3 1 1 leaf-rsa", "leaf-rsa inter", f"{OK}@0", "MATCHED"),
    case("RFC 7671 5.1", "Ed25519 leaf", "3 1 1 leaf-ed25519", "leaf-ed25519 inter", f"{OK}@0", "MATCHED"),
    case("RFC 7671 5.1", "RSA-1024 leaf", "3 1 1 leaf-weak", "leaf-weak inter", f"{OK}@0", "MATCHED", "", "WEAK_KEY@0"),
    case("RFC 7671 5.1", "P-192 leaf", "3 1 1 leaf-p192", "leaf-p192 inter", f"{OK}@0", "MATCHED", "", "WEAK_KEY@0"),
    case("RFC 7672 2.2", "nothing presented", "3 1 1 leaf", "", FAIL, "NO_CHAIN", presented=(), apart="no handshake gets here"),
    case("RFC 7672 2.2", "leaf is no certificate", "3 1 1 leaf", "junk inter", FAIL, "NO_CHAIN", "", "UNREADABLE_CERTIFICATE@0", presented=(), apart="no handshake gets here"),
    case("RFC 7672 2.2", "nothing presented, nothing usable", "1 1 1 leaf", "", UNAUTH, "PKIX_IN_SMTP", "", "ALL_UNUSABLE", presented=(), apart="no handshake gets here"),
    case("RFC 7671 5.1", "junk after a fine leaf", "3 1 1 leaf", "leaf junk inter", f"{OK}@0", "MATCHED", "", "UNREADABLE_CERTIFICATE@1", apart="OpenSSL ends the handshake"),
    case("RFC 7671 5.2", "junk within a fine chain", "2 1 1 root", "leaf inter cut-root junk root", f"{OK}@2", "MATCHED", "", "UNREADABLE_CERTIFICATE@2 UNREADABLE_CERTIFICATE@3", apart="OpenSSL ends the handshake"),
]

_ANCHOR = [
    case("RFC 7671 5.2", "anchor is the root", "2 1 1 root", CHAIN, f"{OK}@2", "MATCHED"),
    case("RFC 7671 5.2", "anchor is the leaf's issuer and self-signed", "2 0 1 root", "leaf-root root", f"{OK}@1", "MATCHED"),
    case("RFC 7671 5.2", "anchor not self-signed: the path ends there", "2 1 1 inter", "leaf inter", f"{OK}@1", "MATCHED"),
    case("RFC 7671 5.2", "two intermediates, anchor on top", "2 1 1 root", "leaf-deep deep inter root", f"{OK}@3", "MATCHED"),
    case("RFC 7671 5.2", "two intermediates, anchor in the middle", "2 1 1 inter", "leaf-deep deep inter", f"{OK}@2", "MATCHED"),
    case("RFC 7671 5.2.2", "chain omits the anchor", "2 1 1 root", "leaf inter", FAIL, "NO_MATCH"),
    case("RFC 7671 5.2.2", "leaf alone", "2 1 1 inter", "leaf", FAIL, "NO_MATCH"),
    case("RFC 7671 5.2.2", "chain omits an intermediate", "2 1 1 root", "leaf root", FAIL, "NO_PATH"),
    case("RFC 7671 5.2.2", "chain omits the anchor, certificate in the record", "2 0 0 root", "leaf inter", f"{OK}@2", "MATCHED", "", "ANCHOR_NOT_PRESENTED"),
    case("RFC 7671 5.2.2", "leaf alone, issuer in the record", "2 0 0 inter", "leaf", f"{OK}@1", "MATCHED", "", "ANCHOR_NOT_PRESENTED"),
    case("RFC 7671 5.2.3", "chain omits the anchor, key in the record", "2 1 0 root", "leaf inter", f"{OK}@1", "MATCHED", "", "ANCHOR_NOT_PRESENTED"),
    case("RFC 7671 5.2.3", "leaf alone, issuer's key in the record", "2 1 0 inter", "leaf", f"{OK}@0", "MATCHED", "", "ANCHOR_NOT_PRESENTED"),
    case("RFC 7671 5.2.3", "bare key, expired leaf", "2 1 0 inter", "leaf-expired", FAIL, "INVALID_PATH", "EXPIRED@0", "LEAF_NOT_CURRENT@0"),
    case("RFC 7671 5.2.3", "bare key, wrong name", "2 1 0 inter", "leaf-other-name", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", presented=()),
    case("RFC 7671 5.2.3", "bare key of somebody else", "2 1 0 stranger", "leaf inter", FAIL, "NO_MATCH"),
    case("RFC 7671 5.2.3", "bare key of another type", "2 1 0 bad-rsa", "leaf inter", FAIL, "NO_MATCH"),
    case("RFC 7671 5.2.3", "bare key, unrelated certificates presented", "2 1 0 inter", "leaf stranger other", f"{OK}@0", "MATCHED", "", "ANCHOR_NOT_PRESENTED"),
    case("RFC 7671 5.2.3", "certificate and bare key, the certificate counts", ("2 1 0 inter", "2 0 0 inter"), "leaf", f"{OK}@1", "MATCHED MATCHED", "", "ANCHOR_NOT_PRESENTED"),
    case("RFC 7671 5.2.2", "issuer in the record does not fit", "2 0 0 stranger", "leaf inter root", FAIL, "NO_MATCH"),
    case("RFC 7671 5.2", "presented, but not the leaf's issuer", "2 1 1 stranger", "leaf inter root stranger", FAIL, "NO_PATH"),
    case("RFC 7671 5.2", "anchor matches the leaf itself", "2 1 1 leaf", CHAIN, FAIL, "ANCHOR_IS_LEAF"),
    case("RFC 7671 5.2", "self-signed leaf, digest", "2 0 1 leaf-self-ca", "leaf-self-ca", FAIL, "ANCHOR_IS_LEAF"),
    case("RFC 7671 5.2.2", "self-signed leaf, Full certificate", "2 0 0 leaf-self-ca", "leaf-self-ca", FAIL, "ANCHOR_IS_LEAF"),
    case("RFC 7671 5.2.3", "self-signed leaf, bare key", "2 1 0 leaf-self", "leaf-self", f"{OK}@0", "MATCHED", "", "ANCHOR_NOT_PRESENTED"),
    case("RFC 7671 5.2", "self-signed leaf presented twice", "2 0 1 leaf-self-ca", "leaf-self-ca leaf-self-ca", FAIL, "ANCHOR_IS_LEAF"),
    case("RFC 7671 5.2", "leaf presented twice", "2 1 1 leaf", "leaf leaf inter root", FAIL, "ANCHOR_IS_LEAF"),
    case("RFC 7672 3.1.3", "leaf presented twice is no authority", "0 1 1 leaf", "leaf leaf inter", UNAUTH, "PKIX_IN_SMTP", "", "ALL_UNUSABLE"),
    generic("RFC 7671 5.4", "leaf presented twice is no authority, by a trust store", "0 1 1 leaf", "leaf leaf inter", FAIL, "NO_MATCH", store="root"),
    case("RFC 8446 4.4.2", "reordered chain", "2 1 1 root", "leaf root inter", f"{OK}@2", "MATCHED"),
    case("RFC 8446 4.4.2", "strangers between", "2 1 1 root", "leaf stranger inter other root", f"{OK}@2", "MATCHED"),
    case("RFC 8446 4.4.2", "certificates twice", "2 1 1 root", "leaf inter inter leaf root root", f"{OK}@2", "MATCHED"),
    case("RFC 8446 4.4.2", "anchor is the seventeenth certificate", "2 1 1 inter", "leaf" + 15 * " stranger" + " inter", FAIL, "NO_MATCH", "", "LONG_CHAIN", apart="OpenSSL takes up to 100 KiB"),
    case("RFC 8446 4.4.2", "anchor is the sixteenth certificate", "2 1 1 inter", "leaf" + 14 * " stranger" + " inter", f"{OK}@1", "MATCHED"),
    case("RFC 5280 6.1", "cross-signed: the anchor's branch first", "2 1 1 other", "leaf inter-x inter other root", f"{OK}@2", "MATCHED"),
    case("RFC 5280 6.1", "cross-signed: the other branch first", "2 1 1 other", "leaf inter inter-x root other", FAIL, "NO_PATH", "", "PATH_NEEDS_SEARCH"),
    case("RFC 5280 6.1", "cross-signed: the other branch first, expired leaf", "2 1 1 other", "leaf-expired inter inter-x root other", FAIL, "NO_PATH", "", "LEAF_NOT_CURRENT@0"),
    case("RFC 7671 5.2", "the nearer anchor's path is valid, the other's isn't", ("2 1 1 narrow", "2 1 1 below"), "leaf-below below narrow root", f"{OK}@1", "INVALID_PATH MATCHED", "PATH_LENGTH@2"),
    case("RFC 7671 5.2.3", "key of a root that is presented", "2 1 0 root", CHAIN, f"{OK}@2", "MATCHED"),
    case("RFC 5280 6.1", "cross-signed intermediate is the anchor, by key", "2 1 1 inter", "leaf inter-x inter", f"{OK}@1", "MATCHED"),
    case("RFC 5280 6.1", "cross-signed intermediate is the anchor, by certificate", "2 0 1 inter", "leaf inter-x inter", FAIL, "NO_PATH", "", "PATH_NEEDS_SEARCH"),
    case("RFC 5280 6.1", "cross-signed root, anchor above it", "2 1 1 other", "leaf inter root-x other", f"{OK}@3", "MATCHED"),
    case("RFC 5280 6.1", "cross-signed root is the anchor by key", "2 1 1 root", "leaf inter root-x", f"{OK}@2", "MATCHED"),
    case("RFC 5280 6.1", "an expired twin is passed over", "2 1 1 root", "leaf inter-expired inter root", f"{OK}@2", "MATCHED"),
    case("RFC 5280 6.1", "the record's certificate comes before its twin", ("2 0 0 inter-x", "2 1 1 root"), CHAIN, f"{OK}@1", "MATCHED MATCHED", "", "ANCHOR_NOT_PRESENTED"),
    case("RFC 5280 6.1", "a record's certificate leads astray", ("2 0 0 inter-no-ca", "2 1 1 root"), CHAIN, FAIL, "INVALID_PATH SHADOWED", "NOT_A_CA@1"),
]

_PATH = [
    case("RFC 7671 5.2", "expired leaf", "2 1 1 inter", "leaf-expired inter root", FAIL, "INVALID_PATH", "EXPIRED@0", "LEAF_NOT_CURRENT@0"),
    case("RFC 7671 5.2", "leaf from the future", "2 1 1 inter", "leaf-future inter root", FAIL, "INVALID_PATH", "NOT_YET_VALID@0", "LEAF_NOT_CURRENT@0"),
    case("RFC 5280 4.1.2.5", "expired intermediate", "2 1 1 root", "leaf-of-expired bad-expired root", FAIL, "INVALID_PATH", "EXPIRED@1"),
    case("RFC 5280 4.1.2.5", "intermediate from the future", "2 1 1 root", "leaf-of-future bad-future root", FAIL, "INVALID_PATH", "NOT_YET_VALID@1"),
    case("RFC 5280 4.1.2.5", "expired anchor that is not self-signed", "2 1 1 bad-expired", "leaf-of-expired bad-expired root", f"{OK}@1", "MATCHED", "", "ANCHOR_NOT_CURRENT@1"),
    case("RFC 5280 4.1.2.5", "expired self-signed anchor", "2 1 1 bad-root-expired", "leaf-of-root-expired bad-root-expired", FAIL, "INVALID_PATH", "EXPIRED@1"),
    case("RFC 5280 4.1.2.5", "last second", "2 1 1 inter", CHAIN, f"{OK}@1", "MATCHED", now=NOW + 60 * DAY - DAY / 86400),
    case("RFC 5280 4.1.2.5", "first second after", "2 1 1 inter", CHAIN, FAIL, "INVALID_PATH", "EXPIRED@0", "LEAF_NOT_CURRENT@0", now=NOW + 60 * DAY),
    case("RFC 5280 4.1.2.5", "first second", "2 1 1 inter", CHAIN, f"{OK}@1", "MATCHED", now=NOW - 30 * DAY),
    case("RFC 5280 4.1.2.5", "last second before", "2 1 1 inter", CHAIN, FAIL, "INVALID_PATH", "NOT_YET_VALID@0", "LEAF_NOT_CURRENT@0", now=NOW - 30 * DAY - DAY / 86400),
    case("RFC 5280 4.2.1.9", "intermediate is no CA", "2 1 1 root", "leaf-of-not-ca bad-not-ca root", FAIL, "INVALID_PATH", "NOT_A_CA@1"),
    case("RFC 5280 4.2.1.9", "anchor is no CA", "2 1 1 bad-not-ca", "leaf-of-not-ca bad-not-ca", FAIL, "INVALID_PATH", "NOT_A_CA@1"),
    case("RFC 5280 4.2.1.9", "no basic constraints", "2 1 1 root", "leaf-of-no-bc bad-no-bc root", FAIL, "INVALID_PATH", "NOT_A_CA@1"),
    case("RFC 5280 4.2.1.9", "no basic constraints, but a key usage, on top", "2 1 1 bad-ku-only", "leaf-of-ku-only bad-ku-only", f"{OK}@1", "MATCHED"),
    case("RFC 5280 4.2.1.9", "no basic constraints, but a key usage, below", "2 1 1 root", "leaf-of-ku-only bad-ku-only root", FAIL, "INVALID_PATH", "NOT_A_CA@1"),
    case("RFC 5280 4.2.1.9", "self-signed anchor without basic constraints", "2 1 1 bad-root-v1", "leaf-of-root-v1 bad-root-v1", FAIL, "INVALID_PATH", "NOT_A_CA@1"),
    case("RFC 5280 4.2.1.9", "path length kept", "2 1 1 root", "leaf-narrow narrow root", f"{OK}@2", "MATCHED"),
    case("RFC 5280 4.2.1.9", "path length exceeded", "2 1 1 root", "leaf-below below narrow root", FAIL, "INVALID_PATH", "PATH_LENGTH@2"),
    case("RFC 5280 4.2.1.9", "path length of the anchor itself", "2 1 1 narrow", "leaf-below below narrow root", FAIL, "INVALID_PATH", "PATH_LENGTH@2"),
    case("RFC 5280 4.2.1.9", "anchor below the path length", "2 1 1 below", "leaf-below below narrow root", f"{OK}@1", "MATCHED"),
    case("RFC 5280 4.2.1.9", "self-issued certificates don't count", "2 1 1 root", "leaf-rekeyed rekeyed narrow root", f"{OK}@3", "MATCHED"),
    case("RFC 5280 4.2.1.3", "intermediate may not sign certificates", "2 1 1 root", "leaf-of-ku bad-ku root", FAIL, "INVALID_PATH", "KEY_USAGE@1"),
    case("RFC 5280 4.2.1.3", "leaf may sign", "2 1 1 inter", "leaf-ku inter", f"{OK}@1", "MATCHED"),
    case("RFC 5280 4.2.1.3", "leaf may neither sign nor agree on keys", "2 1 1 inter", "leaf-ku-wrong inter", FAIL, "INVALID_PATH", "KEY_USAGE@0"),
    case("RFC 5280 4.2.1.12", "leaf for TLS clients only", "2 1 1 inter", "leaf-client inter", FAIL, "INVALID_PATH", "PURPOSE@0"),
    case("RFC 5280 4.2.1.12", "leaf for both", "2 1 1 inter", "leaf-server inter", f"{OK}@1", "MATCHED"),
    case("RFC 5280 4.2.1.12", "intermediate for TLS clients", "2 1 1 root", "leaf-of-client bad-client root", FAIL, "INVALID_PATH", "PURPOSE@1"),
    case("RFC 5280 4.2", "unknown critical extension", "2 1 1 inter", "leaf-critical inter", FAIL, "INVALID_PATH", "CRITICAL_EXTENSION@0"),
    case("RFC 5280 6.1.3", "leaf signed by somebody else", "2 1 1 inter", "leaf-forged inter", FAIL, "INVALID_PATH", "BAD_SIGNATURE@0"),
    case("RFC 5280 6.1.3", "intermediate signed by somebody else", "2 1 1 root", "leaf-of-forged bad-forged root", FAIL, "INVALID_PATH", "BAD_SIGNATURE@1"),
    case("RFC 5280 6.1.3", "nobody asks for the anchor's signature", "2 1 1 bad-forged", "leaf-of-forged bad-forged root", f"{OK}@1", "MATCHED"),
    case("RFC 5280 4.2.1.1", "leaf without authority key identifier", "2 1 1 inter", "leaf-no-aki inter", f"{OK}@1", "MATCHED", "", "NO_AUTHORITY_KEY_ID@0"),
    case("RFC 5280 4.2.1.1", "intermediate without authority key identifier", "2 1 1 root", "leaf-of-no-aki bad-no-aki root", f"{OK}@2", "MATCHED", "", "NO_AUTHORITY_KEY_ID@1"),
    case("RFC 5280 4.2.1.1", "authority key identifier of another key", "2 1 1 inter", "leaf-wrong-aki inter", FAIL, "NO_PATH"),
    case("RFC 5280 4.2.1.2", "issuer without subject key identifier", "2 1 1 bad-no-ski", "leaf-of-no-ski bad-no-ski", f"{OK}@1", "MATCHED"),
    case("RFC 5280 7.1", "issuer's name in other letters and spaces", "2 1 1 inter", "leaf-folded inter", f"{OK}@1", "MATCHED"),
    case("RFC 8410 3", "Ed25519 issuer", "2 1 1 bad-ed25519", "leaf-of-ed25519 bad-ed25519", f"{OK}@1", "MATCHED"),
    case("RFC 5280 4.1.1.2", "RSA issuer", "2 1 1 root", "leaf-of-rsa bad-rsa root", f"{OK}@2", "MATCHED"),
    case("RFC 5280 4.1.1.2", "RSA-1024 issuer", "2 1 1 root", "leaf-of-weak bad-weak root", f"{OK}@2", "MATCHED", "", "WEAK_KEY@1"),
    case("RFC 5280 4.1.1.2", "SHA-1 signature", "2 1 1 bad-rsa", "sha1 bad-rsa", f"{OK}@1", "MATCHED", "", "WEAK_SIGNATURE@0"),
    case("RFC 5280 4.2.1.10", "name constraint permits", "2 1 1 root", "leaf-of-permits bad-permits root", f"{OK}@2", "MATCHED"),
    case("RFC 5280 4.2.1.10", "name constraint excludes", "2 1 1 root", "leaf-of-forbids bad-forbids root", FAIL, "INVALID_PATH", "NAME_CONSTRAINTS@0"),
    case("RFC 5280 4.2.1.10", "name constraint permits elsewhere", "2 1 1 root", "leaf-of-elsewhere bad-elsewhere root", FAIL, "INVALID_PATH", "NAME_CONSTRAINTS@0"),
    case("RFC 5280 4.2.1.10", "name constraint of the anchor", "2 1 1 bad-forbids", "leaf-of-forbids bad-forbids", FAIL, "INVALID_PATH", "NAME_CONSTRAINTS@0"),
    case("RFC 5280 4.2.1.10", "directory name permitted", "2 1 1 root", "leaf-of-directory bad-directory root", f"{OK}@2", "MATCHED"),
    case("RFC 5280 4.2.1.10", "directory name permitted elsewhere", "2 1 1 root", "leaf-of-directory-else bad-directory-else root", FAIL, "INVALID_PATH", "NAME_CONSTRAINTS@0"),
    case("RFC 5280 4.2.1.10", "address permitted", "2 1 1 root", "leaf-of-network bad-network root", f"{OK}@2", "MATCHED"),
    case("RFC 5280 4.2.1.10", "address permitted elsewhere", "2 1 1 root", "leaf-of-network-else bad-network-else root", FAIL, "INVALID_PATH", "NAME_CONSTRAINTS@0"),
    case("RFC 5280 4.2", "unreadable subject alternative name", "2 1 1 inter", "leaf-bad-san inter", FAIL, "NO_PATH", "", "UNREADABLE_CERTIFICATE@0", presented=()),
    case("RFC 5280 4.2", "unreadable subject alternative name, bare key", "2 1 0 inter", "leaf-bad-san", FAIL, "INVALID_PATH", "UNREADABLE@0", "UNREADABLE_CERTIFICATE@0", presented=(), apart="OpenSSL passes the extension over and takes the common name"),
    case("RFC 5280 6.1.3", "unknown signature algorithm", "2 1 1 inter", "odd-signature inter", FAIL, "INVALID_PATH", "UNSUPPORTED_SIGNATURE@0"),
    case("RFC 5280 6.1.3", "RSA with SHA-512/224", "2 1 1 bad-rsa", "sha512-224 bad-rsa", FAIL, "INVALID_PATH", "UNSUPPORTED_SIGNATURE@0", apart="OpenSSL can check it, cryptography can't"),
    case("RFC 5280 4.2.1.10", "name constraint on a common name", "2 1 1 root", "leaf-cn-forbidden bad-elsewhere root", FAIL, "INVALID_PATH", "NAME_CONSTRAINTS@0"),
    case("RFC 7671 5.2", "everything wrong at once", "2 1 1 root", "leaf-of-client bad-client root", FAIL, "INVALID_PATH", "PURPOSE@1 EXPIRED@0 EXPIRED@1 EXPIRED@2 NAME_MISMATCH@0", "LEAF_NOT_CURRENT@0", now=NOW + 90 * DAY, names=("else.example.net",), presented=()),
]

_NAMES = [
    case("RFC 7672 3.2.2", "next-hop domain instead of the MX host", "2 1 1 inter", "leaf-domain inter", f"{OK}@1", "MATCHED", names=(MX, "example.com"), presented=("example.com",)),
    case("RFC 7672 3.2.2", "MX host before CNAME expansion", "2 1 1 inter", "leaf inter", f"{OK}@1", "MATCHED", names=("real.example.net", MX), presented=(MX,)),
    case("RFC 7672 3.2.3", "several names match", "2 1 1 inter", "leaf-wild inter", f"{OK}@1", "MATCHED", names=(MX, "example.com", "mail.example.com"), presented=(MX, "mail.example.com")),
    case("RFC 7672 3.2.2", "wrong name", "2 1 1 inter", "leaf-other-name inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", presented=()),
    case("RFC 7672 3.2.3", "one of many", "2 1 1 inter", "leaf-many inter", f"{OK}@1", "MATCHED"),
    case("RFC 6125 6.4.1", "case does not matter", "2 1 1 inter", "leaf-upper inter", f"{OK}@1", "MATCHED"),
    case("RFC 6125 6.4.3", "wildcard for the leftmost label", "2 1 1 inter", "leaf-wild inter", f"{OK}@1", "MATCHED"),
    case("RFC 6125 6.4.3", "wildcard is not for two labels", "2 1 1 inter", "leaf-wild inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", names=("a.mx.example.com",), presented=()),
    case("RFC 6125 6.4.3", "wildcard is not for no label", "2 1 1 inter", "leaf-wild inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", names=("example.com",), presented=()),
    case("RFC 6125 6.4.3", "wildcard is not for its parent's name", "2 1 1 inter", "leaf-wild-deep inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", presented=()),
    case("RFC 6125 6.4.3", "wildcard for a label with a hyphen", "2 1 1 inter", "leaf-wild inter", f"{OK}@1", "MATCHED", names=("mx-1.example.com",)),
    case("RFC 6125 6.4.3", "wildcard is not for an underscore", "2 1 1 inter", "leaf-wild inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", names=("mx_1.example.com",), presented=()),
    case("RFC 6125 6.4.3", "wildcard under a top-level domain", "2 1 1 inter", "leaf-wild-tld inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", names=("example.com",), presented=()),
    case("RFC 6125 6.4.3", "wildcard for part of a label", "2 1 1 inter", "leaf-wild-part inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", presented=()),
    case("RFC 6125 6.4.3", "wildcard in the middle", "2 1 1 inter", "leaf-wild-middle inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", presented=()),
    case("RFC 6125 6.4.3", "bare wildcard", "2 1 1 inter", "leaf-wild-all inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", presented=()),
    case("RFC 6125 6.4.4", "common name without dNSName", "2 1 1 inter", "leaf-cn inter", f"{OK}@1", "MATCHED", "", "COMMON_NAME_ONLY@0"),
    case("RFC 6125 6.4.4", "wildcard common name", "2 1 1 inter", "leaf-cn-wild inter", f"{OK}@1", "MATCHED", "", "COMMON_NAME_ONLY@0"),
    case("RFC 6125 6.4.4", "second common name", "2 1 1 inter", "leaf-cn-two inter", f"{OK}@1", "MATCHED", "", "COMMON_NAME_ONLY@0"),
    case("RFC 6125 6.4.4", "common name beside a dNSName", "2 1 1 inter", "leaf-cn-beside inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", presented=()),
    case("RFC 6125 6.4.4", "common name beside an e-mail address", "2 1 1 inter", "leaf-ip-only inter", f"{OK}@1", "MATCHED", "", "COMMON_NAME_ONLY@0"),
    case("RFC 6125 6.4.4", "another common name", "2 1 1 inter", "leaf-nameless inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", presented=()),
]

_GENERIC = [
    generic("RFC 7671 5.3", "PKIX-EE, chain not to the trust store", "1 1 1 leaf", CHAIN, FAIL, "NO_PKIX_PATH", store="other"),
    generic("RFC 7671 5.3", "PKIX-EE, expired leaf", "1 1 1 leaf-expired", "leaf-expired inter", FAIL, "INVALID_PATH", "EXPIRED@0", "LEAF_NOT_CURRENT@0", store="root"),
    generic("RFC 7671 5.3", "PKIX-EE, wrong name", "1 1 1 leaf-other-name", "leaf-other-name inter", FAIL, "INVALID_PATH", "NAME_MISMATCH@0", store="root", presented=()),
    generic("RFC 7671 5.3", "PKIX-EE, intermediate missing", "1 1 1 leaf", "leaf", FAIL, "NO_PKIX_PATH", store="root"),
    generic("RFC 7671 5.3", "PKIX-EE, self-signed leaf in the trust store", "1 1 1 leaf-self", "leaf-self", f"{OK}@0", "MATCHED", store="leaf-self"),
    generic("RFC 7671 5.3", "PKIX-EE without a trust store", "1 1 1 leaf", CHAIN, OPEN, "NO_TRUST_STORE", apart="not judged"),
    generic("RFC 7671 5.3", "PKIX-EE mismatch without a trust store", "1 1 1 next", CHAIN, FAIL, "NO_MATCH", apart="not judged"),
    generic("RFC 7671 5.4", "PKIX-TA of the root in the trust store", "0 1 1 root", "leaf inter", f"{OK}@2", "MATCHED", store="root"),
    generic("RFC 7671 5.4", "junk in the trust store", "0 1 1 root", "leaf inter", f"{OK}@2", "MATCHED", store="junk root", apart="OpenSSL's store has certificates alone"),
    generic("RFC 7671 5.4", "PKIX-TA, chain not to the trust store", "0 1 1 inter", CHAIN, FAIL, "NO_PKIX_PATH", store="other"),
    generic("RFC 7671 5.4", "PKIX-TA, cross-signed to a trusted root", "0 1 1 other", "leaf inter-x", f"{OK}@2", "MATCHED", store="other"),
    generic("RFC 7671 5.4", "PKIX-TA, issuer in the record", "0 0 0 inter", "leaf", f"{OK}@1", "MATCHED", store="root"),
    generic("RFC 7671 5.4", "PKIX-TA, intermediate in the trust store is climbed past", "0 1 1 root", "leaf", f"{OK}@2", "MATCHED", store="inter root"),
    generic("RFC 7671 5.4", "PKIX-TA, intermediate alone in the trust store", "0 1 1 inter", "leaf inter root", FAIL, "NO_PKIX_PATH", store="inter"),
    generic("RFC 7671 5.4", "PKIX-TA without a trust store", "0 1 1 stranger", CHAIN, OPEN, "NO_TRUST_STORE", apart="not judged"),
    generic("RFC 7671 5.1", "DANE-EE beside PKIX-EE without a trust store", ("1 1 1 leaf", "3 1 1 leaf"), CHAIN, f"{OK}@0", "NO_TRUST_STORE MATCHED", apart="not judged"),
    generic("RFC 7671 5.2", "DANE-TA in the generic profile", "2 1 1 inter", CHAIN, f"{OK}@1", "MATCHED", store=""),
    submission("RFC 7671 5.3", "PKIX-EE at a submission service", "1 1 1 leaf", "leaf inter", f"{OK}@0", "MATCHED", store="root"),
    submission("RFC 7671 5.3", "PKIX-EE alone matches at a submission service", ("1 1 1 leaf", "3 1 1 next"), "leaf inter", f"{OK}@0", "MATCHED NO_MATCH", "", "RELAYS_REFUSE", store="root"),
    submission("RFC 7671 5.3", "PKIX-EE and DANE-TA match at a submission service", ("1 1 1 leaf", "2 1 1 inter"), "leaf inter", f"{OK}@0", "MATCHED MATCHED", store="root", apart="OpenSSL climbs once for both"),
    generic("RFC 6698 4.1", "all unusable in the generic profile", "9 1 1 leaf", CHAIN, UNAUTH, "UNKNOWN_USAGE", "", "ALL_UNUSABLE", store=""),
]

# fmt: on

CASES = [
    *_grid(),
    *_DATA,
    *_SETS,
    *_AGILITY,
    *_LEAF,
    *_ANCHOR,
    *_PATH,
    *_NAMES,
    *_GENERIC,
]
