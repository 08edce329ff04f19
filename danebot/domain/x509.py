"""What X.509 asks of cryptography, of its versions from 38 (Debian 12) on.

Each function names the version that brought what it does without.  RSASSA-PSS is known from 41
on: before, a signature of that kind is one of an unsupported algorithm.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PKCS1 = "1.2.840.113549.1.1."  # RFC 8017 appendix C
_ECDSA = "1.2.840.10045.4."  # RFC 5758 section 3.2


def validity(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    """When a certificate begins and ceases to be valid, in UTC (attributes of version 42)."""
    try:
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except AttributeError:
        naive: tuple[datetime, datetime] = (
            certificate.not_valid_before,
            certificate.not_valid_after,
        )
        return naive[0].replace(tzinfo=UTC), naive[1].replace(tzinfo=UTC)


def signature_parameters(
    certificate: x509.Certificate,
) -> padding.AsymmetricPadding | ec.ECDSA | None:
    """With what else than the key a signature is verified (an attribute of version 41).

    Raises UnsupportedAlgorithm.
    """
    try:
        return certificate.signature_algorithm_parameters
    except AttributeError:
        digest = certificate.signature_hash_algorithm  # raises if the algorithm isn't known
        name = certificate.signature_algorithm_oid.dotted_string
        if name.startswith(_ECDSA) and digest is not None:
            return ec.ECDSA(digest)
        return padding.PKCS1v15() if name.startswith(_PKCS1) else None


def load_chain(pem: bytes) -> list[x509.Certificate]:
    """All certificates of a PEM text, or ValueError (a function of version 39)."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except AttributeError:
        found = [x509.load_pem_x509_certificate(one) for one in _PEM.findall(pem)]
        if not found:
            raise ValueError("no certificate") from None
        return found


def load_key(pem: bytes) -> PrivateKeyTypes:
    """An unencrypted private key, or ValueError or what else cryptography raises.

    From version 39 on without RSA's consistency check, which takes milliseconds: a deployment is
    proved by a TLS handshake.
    """
    try:
        return load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError as exc:
        if "unsafe_skip_rsa_key_validation" not in str(exc):
            raise
        return load_pem_private_key(pem, password=None)
