"""Private keys and certificates: bytes to values and back, for each type that certbot issues."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from danebot.domain.lineage.key_types import KeyType
from danebot.domain.lineage.keys import Algorithm, PublicKey
from danebot.domain.lineage.pem import (
    canonical_private_key,
    generate_key,
    leaf_spki,
    other_names,
    private_key_blocks,
    read_chain,
    read_private_key,
    to_pem,
)
from danebot.domain.names import DnsName
from danebot.domain.x509 import validity
from danebot.errors import CertificateError
from domain.pki import Issued, issue

LEAF = issue("mx.example", names=["mx.example", "*.MX.example", "not a name"])
BYTES = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
ENCRYPTED = LEAF.key.private_bytes(*BYTES, serialization.BestAvailableEncryption(b"x"))
OLD_FORM = LEAF.key.private_bytes(*BYTES, serialization.NoEncryption())


@pytest.mark.parametrize("kind", KeyType)
def test_a_new_key_is_of_the_type_that_was_asked_for(kind: KeyType) -> None:
    pem = generate_key(kind)
    assert canonical_private_key(pem) == pem
    made = read_private_key(pem)
    assert made.key_type is kind
    algorithm = Algorithm.RSA if kind.value.startswith("rsa") else Algorithm.ECDSA
    assert made.algorithm is algorithm


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (KeyType.RSA_2048, "--key-type rsa --rsa-key-size 2048"),
        (KeyType.RSA_3072, "--key-type rsa --rsa-key-size 3072"),
        (KeyType.RSA_4096, "--key-type rsa --rsa-key-size 4096"),
        (KeyType.P256, "--key-type ecdsa --elliptic-curve secp256r1"),
        (KeyType.P384, "--key-type ecdsa --elliptic-curve secp384r1"),
    ],
)
def test_certbot_is_told_type_and_size(kind: KeyType, options: str) -> None:
    words = options.split()
    assert kind.certbot_options == tuple(words)
    names = [word.removeprefix("--").replace("-", "_") for word in words[::2]]
    assert kind.conf_settings == dict(zip(names, words[1::2], strict=True))


@pytest.mark.parametrize("name", ["rsa1024", "ed25519", "p192"])
def test_a_key_that_certbot_does_not_issue_with_has_no_type(name: str) -> None:
    one = issue("mx.example", of_key=name)
    found = read_private_key(one.key_pem)
    assert found == PublicKey(one.spki, None)
    assert (found.key_type, found.algorithm) == (None, None)
    assert read_chain(one.pem).key.key_type is None


@pytest.mark.parametrize(
    "pem",
    [b"", b"key", LEAF.pem, ENCRYPTED, OLD_FORM[:80]],
    ids=["empty", "word", "certificate", "encrypted", "cut off"],
)
def test_what_is_no_readable_private_key(pem: bytes) -> None:
    for read in (read_private_key, canonical_private_key):
        with pytest.raises(CertificateError, match="not a readable unencrypted PEM private key"):
            read(pem)


def test_the_same_key_in_another_form_becomes_pkcs8() -> None:
    assert LEAF.key_pem != OLD_FORM
    assert canonical_private_key(OLD_FORM) == LEAF.key_pem


# ---- many keys in one text ----------------------------------------------------------------------


def blocks(pem: bytes) -> list[tuple[bytes, PublicKey | None]]:
    return list(private_key_blocks(pem))


def test_each_block_of_a_text_is_a_key_of_its_own() -> None:
    other = issue("other.example")
    text = b"about\n" + LEAF.key_pem + LEAF.pem + ENCRYPTED + b"and\n" + other.key_pem + b"end"
    assert blocks(text) == [
        (LEAF.key_pem, read_private_key(LEAF.key_pem)),
        (ENCRYPTED, None),
        (other.key_pem, read_private_key(other.key_pem)),
    ]


def test_a_block_that_another_cuts_off_is_kept_and_one_that_the_end_cuts_off_is_none() -> None:
    half = LEAF.key_pem[:60]
    assert blocks(half + LEAF.key_pem) == [(half, None), blocks(LEAF.key_pem)[0]]
    assert blocks(LEAF.key_pem + half) == blocks(LEAF.key_pem)
    assert blocks(half) == blocks(b"") == []


def test_a_block_whose_last_dashes_begin_another_is_a_key() -> None:
    """OpenSSL reads it, too."""
    other = issue("other.example")
    text = LEAF.key_pem.rstrip(b"-\n") + other.key_pem
    assert read_private_key(text) == read_private_key(LEAF.key_pem)
    assert [key for _, key in blocks(text)] == [
        read_private_key(LEAF.key_pem),
        read_private_key(other.key_pem),
    ]
    assert [key for _, key in blocks(text[:-20])] == [read_private_key(LEAF.key_pem)]


# ---- certificates -------------------------------------------------------------------------------


def test_a_chain_is_read_leaf_first_with_the_names_that_are_names() -> None:
    issuer = issue("issuer")
    chain = read_chain(b"words\n" + LEAF.pem + issuer.pem)
    assert chain.ders == (LEAF.der, issuer.der)
    assert to_pem(chain.ders) == LEAF.pem + issuer.pem
    assert chain.names == {DnsName("mx.example"), DnsName("*.mx.example")}
    assert chain.covers(DnsName("a.mx.example"))
    assert not chain.covers(DnsName("example"))
    leaf = LEAF.certificate
    assert (chain.not_before, chain.not_after) == validity(leaf)
    assert chain.serial == leaf.serial_number
    assert chain.key.spki == leaf_spki(LEAF.der) == LEAF.spki
    assert chain._replace(ders=chain.ders[:1]).fingerprint != chain.fingerprint


def test_a_certificate_without_alternative_names_has_no_names() -> None:
    assert read_chain(issue("mx.example").pem).names == frozenset()


def damaged(one: Issued, what: bytes) -> bytes:
    """A certificate in DER whose text ``what`` is no object any more."""
    assert one.der.count(what) == 1
    return one.der.replace(what, b"\xff" * len(what))


def test_what_is_no_certificate() -> None:
    with pytest.raises(CertificateError, match="no readable PEM certificate"):
        read_chain(LEAF.key_pem)
    assert leaf_spki(b"no certificate") == b""


def test_a_certificate_with_a_key_that_nobody_can_read() -> None:
    point = LEAF.spki[-65:]
    broken = damaged(LEAF, point)
    assert leaf_spki(broken) == b""
    with pytest.raises(CertificateError, match="unreadable key or extension"):
        read_chain(to_pem([broken]))


def test_one_name_of_another_form_is_enough_to_be_lost() -> None:
    other = x509.UniformResourceIdentifier("b.example")
    both = x509.SubjectAlternativeName([x509.DNSName("mx.example"), other])
    made = issue("mx.example", extra=[(both, False)])
    assert other_names(made.der)
    assert read_chain(made.pem).names == {DnsName.parse("mx.example")}
