"""Of what a TLSA record was made that is no certificate or key: told where it is certain.

A command that fails in a pipe leaves an empty file, and its digest looks like any other.

Imports no cryptography: an idle run looks at every record.
"""

from __future__ import annotations

import functools
from base64 import b64encode
from collections.abc import Iterator

from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association

_LINE = 64  # characters of base64 (RFC 7468 section 2)


def mistake(record: TlsaRecord, certificates: tuple[bytes, ...], keys: tuple[bytes, ...]) -> str:
    """Return of what a record was made, in words; "" if that isn't known, or is as it should be.

    ``certificates`` and ``keys`` (DER, SPKI) are those that are at hand, whose text is recognised.
    """
    if not record.data:
        return "the record was made from an empty file"
    return _digests(certificates, keys).get(record.data, "")


@functools.lru_cache(maxsize=64)
def _digests(certificates: tuple[bytes, ...], keys: tuple[bytes, ...]) -> dict[bytes, str]:
    """Association data of every form, with the words for it."""
    return {
        association(octets, mtype): words
        for octets, words in _sources(certificates, keys)
        for mtype in MatchingType
    }


def _sources(
    certificates: tuple[bytes, ...], keys: tuple[bytes, ...]
) -> Iterator[tuple[bytes, str]]:
    yield b"", "digest of nothing: the record was made from an empty file"
    yield b"\n", "digest of an empty line: the record was made from a file without a certificate"
    told = "the record has to be made from its DER"
    parts = [("certificate", one) for one in certificates] + [("public key", one) for one in keys]
    for what, der in parts:
        yield pem(what.upper(), der), f"digest of a {what}'s PEM text: {told}"
        yield b64encode(der), f"digest of a {what}'s base64: {told}"
    whole = b"".join(pem("CERTIFICATE", one) for one in certificates)
    if whole:
        yield whole, f"digest of a certificate's PEM text: {told}"


def pem(label: str, der: bytes) -> bytes:
    """DER as text (RFC 7468 section 2), as OpenSSL writes it."""
    text = b64encode(der).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()
