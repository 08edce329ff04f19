"""A certificate as somebody presents it: foreign DER to the facts that path validation asks for.

Nothing here judges, and nothing raises on bad input: what can't be read is None.  Facts are
those that OpenSSL takes from a certificate, in its way, because OpenSSL is what most DANE senders
(Postfix, Exim) verify with; RFC 5280 says what they mean.
"""

from __future__ import annotations

import enum
import functools
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from danebot.domain.x509 import signature_parameters, validity
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)
CanonicalName = tuple[tuple[tuple[str, str], ...], ...]
"""Relative distinguished names, each a sorted tuple of (OID, folded value)."""

_SEQUENCE = 0x30
_BIT_STRING = 0x03
_VERSION = 0xA0  # [0] EXPLICIT
_LONG_FORM = 0x80  # of a length
_SERVER_AUTH = {
    "1.3.6.1.5.5.7.3.1",  # serverAuth
    "1.3.6.1.4.1.311.10.3.3",  # Microsoft's server gated crypto, which OpenSSL takes as well
    "2.16.840.1.113730.4.1",  # Netscape's
}
# What OpenSSL handles, so that "critical" doesn't refuse it (RFC 5280 section 4.2).
_HANDLED = {
    ExtensionOID.KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.POLICY_CONSTRAINTS,
    ExtensionOID.NAME_CONSTRAINTS,
    ExtensionOID.POLICY_MAPPINGS,
    ExtensionOID.INHIBIT_ANY_POLICY,
    x509.ObjectIdentifier("2.16.840.1.113730.1.1"),  # Netscape certificate type
    x509.ObjectIdentifier("1.3.6.1.5.5.7.1.7"),  # IP address blocks (RFC 3779)
    x509.ObjectIdentifier("1.3.6.1.5.5.7.1.8"),  # AS identifiers (RFC 3779)
}


class IssuingRight(enum.Enum):
    """Whether a certificate may issue others (RFC 5280 section 4.2.1.9)."""

    NONE = "not a CA"
    FULL = "CA"
    LEGACY = "CA only by custom: no basic constraints"  # OpenSSL takes it at the top of a path


class SignatureCheck(enum.Enum):
    """What checking one signature came to."""

    VALID = "valid"
    INVALID = "invalid"
    UNSUPPORTED = "of an algorithm that can't be checked here"


class KeyIdentifiers(NamedTuple):
    """Subject and authority key identifiers (RFC 5280 sections 4.2.1.1 and 4.2.1.2)."""

    subject: bytes | None
    authority: bytes | None
    authority_serial: int | None
    authority_issuer: CanonicalName | None
    has_authority: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What path validation asks of a certificate; times are aware UTC.

    ``dns_names`` are the dNSName entries and ``common_names`` the subject's CNs, as written.
    ``server_auth`` is None without an extended key usage; the same holds for ``signs_tls`` and
    ``signs_certificates`` without a key usage.
    """

    subject: CanonicalName
    issuer: CanonicalName
    serial: int
    not_before: datetime
    not_after: datetime
    identifiers: KeyIdentifiers
    authority: IssuingRight
    path_length: int | None
    server_auth: bool | None
    signs_tls: bool | None
    signs_certificates: bool | None
    dns_names: tuple[str, ...]
    common_names: tuple[str, ...]
    other_names: tuple[x509.GeneralName, ...]
    constraints: x509.NameConstraints | None
    unhandled_critical: bool

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self.subject == self.issuer

    def valid_at(self, now: datetime) -> bool:
        """Whether ``now`` lies in the validity period; OpenSSL's end is exclusive."""
        return self.not_before <= now < self.not_after


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that could be parsed; equal if its DER is.

    ``spki`` is the SubjectPublicKeyInfo as it stands in the DER.  ``parsed`` and ``facts`` are
    None if cryptography can't read what OpenSSL may: enough for DANE-EE, not for a path.
    """

    der: bytes
    spki: bytes
    parsed: x509.Certificate | None
    facts: Facts | None

    def __hash__(self) -> int:
        return hash(self.der)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and other.der == self.der

    @property
    def public_key(self) -> CertificatePublicKeyTypes | None:
        """The public key, None if it can't be read."""
        try:
            return self.parsed.public_key() if self.parsed is not None else None
        except (ValueError, UnsupportedAlgorithm):
            return None


@functools.lru_cache(maxsize=256)
def read(der: bytes) -> Certificate | None:
    """Take one DER certificate apart; None for anything else, trailing octets included.

    The last few are kept: intermediates come again and again, and every leaf is looked at twice.
    """
    try:
        spki = _subject_public_key_info(der)
    except ValueError:
        return None
    parsed, facts = None, None
    with warnings.catch_warnings():
        # Serial numbers below one and the like: OpenSSL's senders don't mind.
        warnings.simplefilter("ignore")
        try:
            parsed = x509.load_der_x509_certificate(der)
            facts = _facts(parsed, parsed.extensions)
        except Exception:  # noqa: BLE001, S110 - damaged fields raise all sorts, TypeError included
            pass
    return Certificate(der, spki, parsed, facts)


def read_public_key(der: bytes) -> CertificatePublicKeyTypes | None:
    """Parse a DER SubjectPublicKeyInfo; None for anything else, bare PKCS#1 keys included."""
    # Imported where it is needed: 5 ms, for records that hold a whole key.
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        tag, start, end = _element(der, 0)
        inner, _, inner_end = _element(der, start)
        bits, _, _ = _element(der, inner_end)
        if (tag, inner, bits, end) != (_SEQUENCE, _SEQUENCE, _BIT_STRING, len(der)):
            return None
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key  # type: ignore[return-value]  # X25519 and DH verify as UNSUPPORTED


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start and end of the contents of the DER element at ``at``, or ValueError.

    The end may lie beyond ``data``: whoever reads on there fails, and the last one is compared.
    """
    if at + 2 > len(data):
        raise ValueError("truncated DER")
    tag, length, start = data[at], data[at + 1], at + 2
    if length & _LONG_FORM:
        octets = length & ~_LONG_FORM
        length = int.from_bytes(data[start : start + octets])
        start += octets
    return tag, start, start + length


def _subject_public_key_info(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, octet for octet (RFC 5280 section 4.1).

    Selector SPKI(1) matches these octets; encoding the parsed key again would change keys with an
    unusual encoding (compressed points, RSASSA-PSS keys), and fails for unknown algorithms.
    """
    tag, tbs, end = _element(der, 0)
    _, at, tbs_end = _element(der, tbs)
    _, _, algorithm_end = _element(der, tbs_end)
    _, _, signature_end = _element(der, algorithm_end)
    if tag != _SEQUENCE or not end == signature_end == len(der):
        raise ValueError("not one certificate")
    first, _, _ = _element(der, at)
    for _ in range(6 if first == _VERSION else 5):  # version, serial number ... subject
        _, _, at = _element(der, at)
    tag, _, end = _element(der, at)
    if tag != _SEQUENCE or end > tbs_end:
        raise ValueError("no SubjectPublicKeyInfo")
    return der[at:end]


def canonical(name: x509.Name) -> CanonicalName:
    """A name for comparison: ASCII case folded, spaces collapsed (as OpenSSL's X509_NAME_cmp)."""
    return tuple(
        tuple(sorted((entry.oid.dotted_string, _fold(entry.value)) for entry in rdn))
        for rdn in name.rdns
    )


def _fold(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return value.hex()
    folded = "".join(char.lower() if char.isascii() else char for char in value)
    return " ".join(part for part in folded.split(" ") if part)


def _facts(parsed: x509.Certificate, extensions: x509.Extensions) -> Facts:
    names = _find(extensions, x509.SubjectAlternativeName)
    basic = _find(extensions, x509.BasicConstraints)
    usage = _find(extensions, x509.KeyUsage)
    extended = _find(extensions, x509.ExtendedKeyUsage)
    subject, issuer = canonical(parsed.subject), canonical(parsed.issuer)
    not_before, not_after = validity(parsed)
    return Facts(
        subject=subject,
        issuer=issuer,
        serial=parsed.serial_number,
        not_before=not_before,
        not_after=not_after,
        identifiers=_identifiers(extensions),
        authority=_authority(parsed, basic, usage, self_issued=subject == issuer),
        path_length=basic.path_length if basic is not None else None,
        server_auth=(
            any(oid.dotted_string in _SERVER_AUTH for oid in extended)
            if extended is not None
            else None
        ),
        signs_tls=(
            usage.digital_signature or usage.key_encipherment or usage.key_agreement
            if usage is not None
            else None
        ),
        signs_certificates=usage.key_cert_sign if usage is not None else None,
        dns_names=tuple(names.get_values_for_type(x509.DNSName)) if names is not None else (),
        common_names=tuple(
            entry.value
            for entry in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            if isinstance(entry.value, str)
        ),
        other_names=(
            tuple(name for name in names if not isinstance(name, x509.DNSName))
            if names is not None
            else ()
        ),
        constraints=_find(extensions, x509.NameConstraints),
        unhandled_critical=any(ext.critical and ext.oid not in _HANDLED for ext in extensions),
    )


def _find(extensions: x509.Extensions, kind: type[ExtensionT]) -> ExtensionT | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _authority(
    parsed: x509.Certificate,
    basic: x509.BasicConstraints | None,
    usage: x509.KeyUsage | None,
    *,
    self_issued: bool,
) -> IssuingRight:
    if usage is not None and not usage.key_cert_sign:
        return IssuingRight.NONE
    if basic is not None:
        return IssuingRight.FULL if basic.ca else IssuingRight.NONE
    if usage is not None or (parsed.version is x509.Version.v1 and self_issued):
        return IssuingRight.LEGACY
    return IssuingRight.NONE


def _identifiers(extensions: x509.Extensions) -> KeyIdentifiers:
    subject = _find(extensions, x509.SubjectKeyIdentifier)
    authority = _find(extensions, x509.AuthorityKeyIdentifier)
    issuers = (authority.authority_cert_issuer if authority is not None else None) or ()
    directory = next((name for name in issuers if isinstance(name, x509.DirectoryName)), None)
    return KeyIdentifiers(
        subject=subject.digest if subject is not None else None,
        authority=authority.key_identifier if authority is not None else None,
        authority_serial=authority.authority_cert_serial_number if authority is not None else None,
        authority_issuer=canonical(directory.value) if directory is not None else None,
        has_authority=authority is not None,
    )


def check_signature(
    certificate: Certificate, key: CertificatePublicKeyTypes | None
) -> SignatureCheck:
    """Check a certificate's signature with ``key``, whatever the issuer's name is.

    cryptography's verify_directly_issued_by wants a certificate as issuer, and names equal to the
    octet; a bare key of a ``2 1 0`` record has no name, and OpenSSL compares names folded.
    """
    try:
        check = _checker(certificate.parsed, key) if certificate.parsed is not None else None
        if check is None:
            return SignatureCheck.UNSUPPORTED
        check()
    except (InvalidSignature, TypeError):
        return SignatureCheck.INVALID
    except (ValueError, UnsupportedAlgorithm):
        return SignatureCheck.UNSUPPORTED
    return SignatureCheck.VALID


def _checker(
    parsed: x509.Certificate, key: CertificatePublicKeyTypes | None
) -> Callable[[], None] | None:
    signature, data = parsed.signature, parsed.tbs_certificate_bytes
    parameters, digest = signature_parameters(parsed), parsed.signature_hash_algorithm
    match key:
        case rsa.RSAPublicKey() if isinstance(parameters, padding.AsymmetricPadding) and digest:
            return lambda: key.verify(signature, data, parameters, digest)
        case ec.EllipticCurvePublicKey() if isinstance(parameters, ec.ECDSA):
            return lambda: key.verify(signature, data, parameters)
        case dsa.DSAPublicKey() if digest:
            return lambda: key.verify(signature, data, digest)
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return lambda: key.verify(signature, data)
    return None


def may_have_signed(key: CertificatePublicKeyTypes | None, certificate: Certificate) -> bool:
    """Whether the signature's algorithm is one for this type of key; True if that isn't known."""
    if certificate.parsed is None:
        return True
    try:
        _ = certificate.parsed.signature_hash_algorithm  # raises if the algorithm isn't known
        parameters = signature_parameters(certificate.parsed)
    except (ValueError, UnsupportedAlgorithm):
        return True
    match key:
        case rsa.RSAPublicKey():
            return isinstance(parameters, padding.AsymmetricPadding)
        case ec.EllipticCurvePublicKey():
            return isinstance(parameters, ec.ECDSA)
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return parameters is None
    return True
