"""What cryptography of before some version hasn't is done without, to the same result.

The versions that `make test-floors` has are the real ones; here those attributes are hidden.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

import cryptography
import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from danebot.domain import x509 as ours
from domain import pki


class Older:
    """A certificate as an older cryptography has it."""

    def __init__(self, certificate: x509.Certificate, **other: Any) -> None:  # noqa: ANN401
        self._certificate, self._other = certificate, other

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a certificate has
        if name in ("signature_algorithm_parameters", "not_valid_before_utc"):
            raise AttributeError(name)
        if name in ("not_valid_before", "not_valid_after"):  # naive; without today's warning
            return ours.validity(self._certificate)["after" in name].replace(tzinfo=None)
        return self._other.get(name) or getattr(self._certificate, name)


@pytest.fixture(scope="module")
def certificate() -> x509.Certificate:
    return x509.load_pem_x509_certificate(pki.issue("mx.test").pem)


def test_a_time_without_a_zone_is_utc(certificate: x509.Certificate) -> None:
    found = ours.validity(Older(certificate))  # type: ignore[arg-type]
    assert found == ours.validity(certificate)
    assert {one.tzinfo for one in found} == {UTC}


def test_parameters_of_ecdsa_come_from_the_digest(certificate: x509.Certificate) -> None:
    found = ours.signature_parameters(Older(certificate))  # type: ignore[arg-type]
    today = ours.signature_parameters(certificate)
    assert isinstance(found, ec.ECDSA)
    assert isinstance(today, ec.ECDSA)
    assert isinstance(found.algorithm, hashes.SHA256)
    assert isinstance(today.algorithm, hashes.SHA256)


@pytest.mark.parametrize(
    ("oid", "kind"),
    [
        ("1.2.840.113549.1.1.11", padding.PKCS1v15),  # sha256WithRSAEncryption (RFC 8017)
        ("1.3.101.112", type(None)),  # Ed25519 (RFC 8410)
    ],
)
def test_parameters_of_others_come_from_the_algorithm(
    certificate: x509.Certificate, oid: str, kind: type
) -> None:
    older = Older(certificate, signature_algorithm_oid=x509.ObjectIdentifier(oid))
    assert isinstance(ours.signature_parameters(older), kind)  # type: ignore[arg-type]


def test_an_algorithm_that_is_not_known_stays_unknown(certificate: x509.Certificate) -> None:
    class Unknown(Older):
        @property
        def signature_hash_algorithm(self) -> None:
            raise UnsupportedAlgorithm("as for RSASSA-PSS before 41")

    with pytest.raises(UnsupportedAlgorithm):
        ours.signature_parameters(Unknown(certificate))  # type: ignore[arg-type]


def test_a_chain_is_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pem = b"words before\n" + pki.issue("a.test").pem + b"between\n" + pki.issue("b.test").pem
    chain = ours.load_chain(pem)
    monkeypatch.delattr(x509, "load_pem_x509_certificates", raising=False)
    assert ours.load_chain(pem) == chain
    assert len(chain) == 2
    with pytest.raises(ValueError, match="no certificate"):
        ours.load_chain(b"nothing")


def test_a_key_is_read_with_its_check(monkeypatch: pytest.MonkeyPatch) -> None:
    pem = pki.issue("a.test").key_pem
    today = ours.load_key(pem)

    def older(data: bytes, password: None) -> Any:  # noqa: ANN401 - a key
        return load_pem_private_key(data, password)

    monkeypatch.setattr("danebot.domain.x509.load_pem_private_key", older)
    found = ours.load_key(pem)
    assert found.private_numbers() == today.private_numbers()  # type: ignore[union-attr]


def test_what_else_is_of_the_wrong_type_is_not_passed_over() -> None:
    """A key with a password, for one, which is a TypeError, too."""
    from cryptography.hazmat.primitives import serialization

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    with pytest.raises(TypeError, match=re.compile("password", re.IGNORECASE)):
        ours.load_key(pem)


@pytest.mark.skipif(
    int(cryptography.__version__.partition(".")[0]) < 39,
    reason="cryptography can't leave the check out before 39",
)
def test_an_rsa_key_is_read_without_its_slow_check() -> None:
    """What doesn't fit together shows in a handshake."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    good = rsa.generate_private_key(65537, 1024).private_numbers()  # noqa: S505 - never used
    odd = rsa.RSAPrivateNumbers(
        good.p, good.q, good.d, good.dmp1 + 2, good.dmq1, good.iqmp, good.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    pem = odd.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(ValueError, match=r"[Ii]nvalid"):
        load_pem_private_key(pem, None)
    assert isinstance(ours.load_key(pem), rsa.RSAPrivateKey)
