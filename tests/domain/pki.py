"""Real certificates for tests: every field that a verifier may look at can be bent."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from danebot.domain.lineage.pem import spki_der

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def spki(self) -> bytes:
        return spki_der(self.certificate.public_key())


@functools.cache
def key(name: str = "") -> CertificateIssuerPrivateKeyTypes:
    """One key per name and session; "rsa1024…", "rsa2048…" and "ed25519…" say of which type."""
    if name.startswith("rsa"):
        return rsa.generate_private_key(65537, int(name[3:7]))
    if name.startswith("ed25519"):
        return ed25519.Ed25519PrivateKey.generate()
    if name.startswith("p192"):
        return ec.generate_private_key(ec.SECP192R1())
    return ec.generate_private_key(ec.SECP256R1())


def name(common_name: str | None, organisation: str | None = None) -> x509.Name:
    entries = []
    if organisation is not None:
        entries.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    if common_name is not None:
        entries.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(entries)


def key_usage(*wanted: str) -> x509.KeyUsage:
    fields = [
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    ]
    return x509.KeyUsage(**{field: field in wanted for field in fields})


def issue(
    subject: str | x509.Name | None,
    by: Issued | None = None,
    *,
    ca: bool | None = None,
    names: Sequence[str] = (),
    of_key: str | None = None,
    signed_with: CertificateIssuerPrivateKeyTypes | None = None,
    issuer: x509.Name | None = None,
    valid: tuple[datetime, datetime] = (NOW - 30 * DAY, NOW + 60 * DAY),
    path_length: int | None = None,
    usage: x509.KeyUsage | None = None,
    extended: Sequence[x509.ObjectIdentifier] = (),
    constraints: x509.NameConstraints | None = None,
    authority_key: bytes | bool = True,
    subject_key: bool = True,
    digest: hashes.SHA256 | hashes.SHA512 | None = None,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
    serial: int | None = None,
) -> Issued:
    """Issue a certificate; self-signed without ``by``.

    ``ca`` None leaves basic constraints out; ``authority_key`` False leaves the identifier out,
    octets replace it; ``of_key`` names the key (default: one for this subject).
    """
    subject_name = subject if isinstance(subject, x509.Name) else name(subject)
    own = key(of_key or f"{subject}")
    signer = signed_with or (by.key if by else own)
    issuer_name = issuer or (by.certificate.subject if by else subject_name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(issuer_name)
        .public_key(own.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )
    extensions: list[tuple[x509.ExtensionType, bool]] = list(extra)
    if ca is not None:
        extensions.append((x509.BasicConstraints(ca=ca, path_length=path_length), True))
    if names:
        entries = [x509.DNSName(entry) for entry in names]
        extensions.append((x509.SubjectAlternativeName(entries), False))
    if usage is not None:
        extensions.append((usage, True))
    if extended:
        extensions.append((x509.ExtendedKeyUsage(extended), False))
    if constraints is not None:
        extensions.append((constraints, True))
    if subject_key:
        extensions.append((x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False))
    if isinstance(authority_key, bytes):
        extensions.append((x509.AuthorityKeyIdentifier(authority_key, None, None), False))
    elif authority_key:
        public = (by.key if by else own).public_key()
        extensions.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    plain = isinstance(signer, ed25519.Ed25519PrivateKey)
    certificate = builder.sign(signer, None if plain else digest or hashes.SHA256())
    return Issued(certificate, own)
