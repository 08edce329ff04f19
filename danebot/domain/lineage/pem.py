"""Certificates, chains and keys: bytes to values.

Nothing here reads files or the clock; PEM and DER come in as bytes.  Importing this module
imports cryptography (about 90 ms): do it where it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from danebot.domain.lineage.key_types import CURVE_NAMES, RSA_BITS, KeyType
from danebot.domain.lineage.keys import Chain, PublicKey
from danebot.domain.names import DnsName
from danebot.domain.x509 import load_chain, load_key, validity
from danebot.errors import CertificateError, NameSyntaxError, foreign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import (
        CertificatePublicKeyTypes,
        PrivateKeyTypes,
    )


_DASHES = b"-----"
_BEGIN = re.compile(rb"-----BEGIN [^-\n]*PRIVATE KEY-----")
_END = re.compile(rb"-----END [^-\n]*-----[ \t\r]*\n?")
_CURVES: dict[KeyType, ec.EllipticCurve] = {
    KeyType.P256: ec.SECP256R1(),
    KeyType.P384: ec.SECP384R1(),
}


def generate_key(key_type: KeyType) -> bytes:
    """A new private key as unencrypted PKCS#8 PEM, as OpenSSL's genpkey writes it."""
    key: PrivateKeyTypes
    if key_type in RSA_BITS:
        key = rsa.generate_private_key(65537, RSA_BITS[key_type])
    else:
        key = ec.generate_private_key(_CURVES[key_type])
    return _pkcs8(key)


def _pkcs8(key: PrivateKeyTypes) -> bytes:
    with foreign(CertificateError, "a private key that PKCS#8 can't hold"):
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def spki_der(key: CertificatePublicKeyTypes) -> bytes:
    """DER SubjectPublicKeyInfo, which selector SPKI(1) matches."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def leaf_spki(der: bytes) -> bytes:
    """DER SPKI of a certificate that a server presented; b"" if it has none that can be read."""
    try:
        with foreign(CertificateError, "no readable certificate"):
            return spki_der(x509.load_der_x509_certificate(der).public_key())
    except CertificateError:
        return b""


def _key_type(key: object) -> KeyType | None:
    match key:
        case rsa.RSAPublicKey():
            bits = {size: kind for kind, size in RSA_BITS.items()}
            return bits.get(key.key_size)
        case ec.EllipticCurvePublicKey():
            curves = {name: kind for kind, name in CURVE_NAMES.items()}
            return curves.get(key.curve.name)
    return None


def read_private_key(pem: bytes) -> PublicKey:
    """The public half of an unencrypted PEM private key, or `CertificateError`."""
    return _public(_load_private(pem))


def private_key_blocks(pem: bytes) -> Iterator[tuple[bytes, PublicKey | None]]:
    """Each PEM block of a private key with its public half; None where that can't be read.

    RFC 7468 section 2 allows many in one text.  One that the text's end cuts off is none.
    """
    starts = [found.start() for found in _BEGIN.finditer(pem)]
    for start, end in pairwise([*starts, len(pem)]):
        closed = _END.search(pem, start, end + len(_DASHES))  # both may share these
        if closed is None and end == len(pem):
            return
        block = pem[start : closed.end() if closed is not None else end]
        try:
            yield block, read_private_key(block)
        except CertificateError:
            yield block, None


def canonical_private_key(pem: bytes) -> bytes:
    """The same private key as PKCS#8 PEM, as ``combo.pem`` holds it, or `CertificateError`."""
    return _pkcs8(_load_private(pem))


def to_pem(ders: Iterable[bytes]) -> bytes:
    """DER certificates as PEM, in the same order, or `CertificateError`."""
    with foreign(CertificateError, "no readable certificate"):
        certificates = [x509.load_der_x509_certificate(der) for der in ders]
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def _load_private(pem: bytes) -> PrivateKeyTypes:
    with foreign(CertificateError, "not a readable unencrypted PEM private key"):
        return load_key(pem)


def _public(key: PrivateKeyTypes) -> PublicKey:
    with foreign(CertificateError, "a private key without a public half that can be read"):
        public = key.public_key()
        return PublicKey(
            public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            _key_type(public),
        )


def read_chain(pem: bytes) -> Chain:
    """Parse PEM certificates, leaf first, or `CertificateError`; other text is passed over."""
    with foreign(CertificateError, "no readable PEM certificate"):
        certificates = load_chain(pem)
    leaf = certificates[0]
    with foreign(CertificateError, "a certificate with an unreadable key or extension"):
        public = leaf.public_key()
        not_before, not_after = validity(leaf)
        return Chain(
            ders=tuple(cert.public_bytes(serialization.Encoding.DER) for cert in certificates),
            key=PublicKey(spki_der(public), _key_type(public)),
            not_before=not_before,
            not_after=not_after,
            names=_dns_names(leaf),
            serial=leaf.serial_number,
        )


def other_names(der: bytes) -> bool:
    """Whether a certificate has subject alternative names that are no DNS names.

    `CertificateError` where that can't be told.
    """
    with foreign(CertificateError, "a certificate with an unreadable extension"):
        leaf = x509.load_der_x509_certificate(der)
        return any(not isinstance(name, x509.DNSName) for name in _alternative_names(leaf))


def _dns_names(leaf: x509.Certificate) -> frozenset[DnsName]:
    found = set()
    for name in _alternative_names(leaf):
        if isinstance(name, x509.DNSName):
            with suppress(NameSyntaxError):
                found.add(DnsName.parse(name.value))
    return frozenset(found)


def _alternative_names(leaf: x509.Certificate) -> Iterable[x509.GeneralName]:
    try:
        return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
