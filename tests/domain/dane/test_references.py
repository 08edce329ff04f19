"""Which presented names stand for which reference identifiers, and what is cautioned against."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from danebot.domain.dane.cautions import Caution, CautionCode, certificate_cautions
from danebot.domain.dane.certificate import Certificate, Facts, canonical, read
from danebot.domain.dane.path import Anchor, CertificationPath
from danebot.domain.dane.references import References, Via, matching_names, presents
from danebot.domain.names import Hostname
from domain import pki
from domain.dane_world import MX, odd_signature_leaf, world
from domain.pki import DAY, NOW, issue

HOST, DOMAIN = Hostname(MX), Hostname("example.com")


def certificate(one: pki.Issued | str) -> Certificate:
    found = read(world()[one].der if isinstance(one, str) else one.der)
    assert found is not None
    return found


def facts(one: pki.Issued | str) -> Facts:
    found = certificate(one).facts
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("presented", "reference", "stands"),
    [
        ("MX.Example.com", "mx.example.com", True),
        ("mx.example.com", "imap.example.com", False),
        ("*.example.com", "mx.example.com", True),
        ("*.EXAMPLE.com", "m-1.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.mx.example.com", False),
        ("*.example.com", "_mx.example.com", False),
        ("*.example.com", "mx.example.org", False),
        ("*.com", "example.com", False),
        ("m*.example.com", "mx.example.com", False),
        ("mx.*.com", "mx.example.com", False),
        ("*.-x.example.com", "mx.-x.example.com", False),
        ("*.example.com\n", "mx.example.com", False),
    ],
)
def test_a_wildcard_stands_for_one_whole_label(
    presented: str, reference: str, *, stands: bool
) -> None:
    assert presents(presented, reference) is stands


def test_every_reference_identifier_once_the_base_first() -> None:
    assert References(HOST, (DOMAIN, HOST)).all == (HOST, DOMAIN)


def test_a_common_name_counts_only_without_dns_names() -> None:
    references = References(HOST, (DOMAIN,))
    both = issue(MX, names=["example.com", "other.example"])
    assert matching_names(facts(both), references) == ((DOMAIN,), Via.DNS_NAME)
    alone = issue(MX)
    assert matching_names(facts(alone), references) == ((HOST,), Via.COMMON_NAME)
    assert matching_names(facts(issue("other.example")), references) == ((), Via.COMMON_NAME)


def test_names_are_compared_without_case_and_spare_spaces() -> None:
    one, other = pki.name("A  Root ", "House"), pki.name("a root", "HOUSE")
    assert canonical(one) == canonical(other)
    assert canonical(one) != canonical(pki.name("aroot", "House"))
    assert canonical(pki.name("\u00dc")) != canonical(pki.name("\u00fc"))
    bits = x509.NameAttribute(
        x509.NameOID.X500_UNIQUE_IDENTIFIER, b"\x01", x509.name._ASN1Type.BitString
    )
    assert canonical(x509.Name([bits])) == ((("2.5.4.45", "01"),),)


# ---- cautions ------------------------------------------------------------------------------------


def codes(
    path: CertificationPath | None, leaf: Certificate
) -> list[tuple[CautionCode, int | None]]:
    return [(one.code, one.depth) for one in certificate_cautions(leaf, path, NOW)]


def path(*certificates: Certificate) -> CertificationPath:
    return CertificationPath(certificates, Anchor.CERTIFICATE)


@pytest.mark.parametrize(
    ("key", "weak"), [("rsa1024", True), ("rsa2048", False), ("p192", True), ("", False)]
)
def test_keys_below_112_bits(key: str, *, weak: bool) -> None:
    leaf = certificate(issue(MX, of_key=key or "strong"))
    expected = [(CautionCode.WEAK_KEY, 0)] if weak else []
    assert codes(None, leaf) == expected


def test_a_curve_of_224_bits_is_just_strong_enough() -> None:
    key = ec.generate_private_key(ec.SECP224R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(pki.name(MX))
        .issuer_name(pki.name(MX))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .sign(key, hashes.SHA256())
    )
    assert codes(None, certificate(pki.Issued(made, key))) == []


@pytest.mark.parametrize(
    ("begins", "ends", "current"),
    [(0, 1, True), (-1, 0, False), (1, 2, False), (-1, 1, True)],
)
def test_the_validity_period_of_leaf_and_anchor(begins: int, ends: int, *, current: bool) -> None:
    """OpenSSL's end is exclusive."""
    second = timedelta(seconds=1)
    valid = (NOW + begins * second, NOW + ends * second)
    one = certificate(issue(MX, valid=valid))
    assert codes(None, one) == ([] if current else [(CautionCode.LEAF_NOT_CURRENT, 0)])
    leaf = certificate("leaf")
    top = [] if current else [(CautionCode.ANCHOR_NOT_CURRENT, 1)]
    assert codes(path(leaf, one), leaf) == top


def test_what_a_path_rests_on() -> None:
    """Signatures and identifiers below the anchor, keys everywhere."""
    issuer = issue("Old CA", ca=True, of_key="rsa1024 old", authority_key=False)
    leaf = certificate(issue(MX, issuer, names=[MX], authority_key=False))
    top = certificate(issuer)
    assert codes(path(leaf, top), leaf) == [
        (CautionCode.WEAK_KEY, 1),
        (CautionCode.NO_AUTHORITY_KEY_ID, 0),
    ]
    assert codes(None, leaf) == []
    assert codes(path(leaf, certificate("inter"), top), leaf)[-1][1] == 0
    unread = replace(leaf, facts=None)
    assert codes(path(unread, top), unread) == [(CautionCode.WEAK_KEY, 1)]
    assert codes(path(leaf, replace(top, facts=None)), leaf) == codes(path(leaf, top), leaf)
    assert codes(None, unread) == []


def test_a_signature_that_cant_be_read_is_not_called_weak() -> None:
    odd = read(odd_signature_leaf())
    assert odd is not None
    for leaf in (odd, replace(odd, parsed=None)):
        assert codes(path(leaf, certificate("inter")), leaf) == []


def test_a_caution_names_its_certificate() -> None:
    assert str(Caution(CautionCode.WEAK_KEY, 0)).startswith("leaf: key below 112 bits")
    assert str(Caution(CautionCode.LONG_CHAIN)).startswith("more than 16 certificates")
