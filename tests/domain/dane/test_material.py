"""What records are made of: which octets of a file count, and whose record each is."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from danebot.domain.dane.authorities import parse_authorities
from danebot.domain.dane.material import Made, of_chain, read_material, records_of
from danebot.domain.dns.forms import RecordForm
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association
from danebot.domain.lineage.pem import spki_der
from domain import pki
from domain.dane_world import der, world
from domain.pki import Issued, issue

LEAF, INTER, ROOT = (world()[label] for label in ("leaf", "inter", "root"))
EE, CA = RecordForm.parse("3 1 1"), RecordForm.parse("2 1 1")


def made(form: RecordForm, octets: bytes, source: str) -> Made:
    return Made(TlsaRecord(*form, association(octets, MatchingType(form.mtype))), source)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("3 1 1", (LEAF.spki, "the key")),
        ("3 0 1", (LEAF.der, "the certificate")),
        ("1 0 0", (LEAF.der, "the certificate")),
        ("2 1 1", (INTER.spki, "Inter")),
        ("0 0 2", (INTER.der, "Inter")),
    ],
)
def test_a_record_is_made_of_what_its_kind_names(form: str, expected: tuple[bytes, str]) -> None:
    kind = RecordForm.parse(form)
    found = records_of(read_material(LEAF.pem + INTER.pem), kind)
    assert found == (made(kind, *expected),)


@pytest.mark.parametrize("odd", ["junk", "leaf-bad-san", "inter-no-ca"])
def test_no_anchor_is_made_of_what_is_no_authority_or_cannot_be_read(odd: str) -> None:
    found = of_chain((LEAF.der, der(odd), INTER.der))
    assert records_of(found, CA) == (made(CA, INTER.spki, "Inter"),)


def test_an_authority_that_has_no_common_name_is_called_so() -> None:
    nameless = issue(pki.name(None, "Example"), ca=True, of_key="nameless")
    found = records_of(read_material(nameless.pem), CA)
    assert found == (made(CA, nameless.spki, "a CA without a name"),)


def public_pem(one: Issued) -> bytes:
    return one.certificate.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_of_several_things_in_a_file_the_certificate_counts_and_else_the_private_key() -> None:
    for pem, spki in (
        (INTER.key_pem + LEAF.pem, LEAF.spki),
        (public_pem(INTER) + LEAF.key_pem, LEAF.spki),
        (public_pem(INTER), INTER.spki),
        (LEAF.der, LEAF.spki),
    ):
        assert read_material(pem).spki == spki


def test_a_file_that_has_a_pem_text_in_it_is_read_as_that() -> None:
    """Even where all of it is a certificate, that happens to carry the text."""
    note = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), INTER.pem)
    carrier = issue("Carrier", extra=[(note, False)])
    assert read_material(carrier.der).spki == INTER.spki
    assert spki_der(carrier.certificate.public_key()) != INTER.spki


def test_an_authority_s_own_record_names_its_key() -> None:
    row = "\t".join(
        ("intermediate", "R1", "RSA 2048", "active", "2027-03-12", "ab" * 32, "cd" * 32)
    )
    (found,) = parse_authorities(f"# kind (state of 2026-08-21)\n{row}\n").rows
    assert str(found.record) == f"2 1 1 {'ab' * 32}"
