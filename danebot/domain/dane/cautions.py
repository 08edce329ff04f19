"""Stricter opinions about a chain and RRset that Postfix and Exim accept: cautions, no verdicts."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.dane.certificate import Certificate
    from danebot.domain.dane.path import CertificationPath

_MIN_RSA = 2048  # OpenSSL's security level 2 wants 112 bits
_MIN_EC = 224


class CautionCode(enum.Enum):
    """Where senders or verifiers differ, and which of them fail; the value is in words."""

    NO_AUTHORITY_KEY_ID = (
        "no authority key identifier: verifiers strict on RFC 5280 fail (Python from 3.13, "
        "OpenSSL with X509_STRICT); Postfix and Exim deliver"
    )
    COMMON_NAME_ONLY = (
        "name in the subject's common name alone: senders written in Go fail, and OpenSSL after "
        "3 looks there only if told to; Postfix and Exim with OpenSSL up to 3 deliver"
    )
    WEAK_KEY = (
        "key below 112 bits of security (RSA under 2048): senders at OpenSSL's security level 2 "
        "fail, Debian's default and Exim there; Postfix delivers"
    )
    WEAK_SIGNATURE = (
        "SHA-1 or older in a signature: senders at OpenSSL's security level 2 and those written "
        "in Go fail; Postfix delivers"
    )
    LEAF_NOT_CURRENT = (
        "leaf outside its validity period: DANE senders deliver (RFC 7671 section 5.1); others, "
        "and people's mail programs, refuse it"
    )
    ANCHOR_NOT_CURRENT = (
        "DANE-TA anchor outside its validity period: OpenSSL (Postfix, Exim) doesn't ask for that "
        "of an anchor that isn't self-signed and delivers; other senders fail"
    )
    ONLY_CERTIFICATE_SELECTOR = (
        "only 3 0 x records: every renewal needs new records first, even with the same key"
    )
    MANY_RECORDS = "more than a dozen records: the answer needs TCP, which some resolvers lack"
    ALL_UNUSABLE = (
        "no usable record: Postfix encrypts without authentication; Exim defers if none has usage "
        "2 or 3 with a known matching type"
    )
    MATCH_BEHIND_STRONGER_DIGEST = (
        "a SHA2-256 record matches but is ignored beside SHA2-512 records that don't: senders with "
        "digest agility fail (OpenSSL: Postfix, Exim); those without it deliver"
    )
    ONLY_AS_RAW_KEY = (
        "a SHA2-256 record matches but is ignored beside SHA2-512 records that don't: senders that "
        "are given a certificate fail; those that are given the raw public key, Postfix from 3.9 "
        "with OpenSSL from 3.2 by a server like itself (RFC 7250), deliver"
    )
    RELAYS_REFUSE = (
        "only PKIX usages match: mail programs submit, but mail servers that relay through it pass "
        "those over (Postfix, Exim: RFC 7672 section 3.1.3) and refuse"
    )
    PATH_NEEDS_SEARCH = (
        "a path exists, but not the first that the presented order leads to: Postfix and Exim "
        "fail; senders that search all paths (written in Go) deliver"
    )
    ANCHOR_NOT_PRESENTED = (
        "anchor taken from the record alone: OpenSSL (Postfix, Exim) delivers; the server should "
        "present it, since other senders need not look there (RFC 7671 section 5.2.2)"
    )
    UNREADABLE_CERTIFICATE = "cannot be parsed in full: senders may end the handshake"
    LONG_CHAIN = "more than 16 certificates presented: the rest was not considered"


class Caution(NamedTuple):
    """One caution; ``depth`` is the certificate's on the path, None if it is about the whole.

    Of one that can't be read it is the place as presented.
    """

    code: CautionCode
    depth: int | None = None

    def __str__(self) -> str:
        if self.depth is None:
            return self.code.value
        where = f"certificate at depth {self.depth}" if self.depth else "leaf"
        if self.code is CautionCode.UNREADABLE_CERTIFICATE:
            where = f"certificate {self.depth + 1} of those presented"
        return f"{where}: {self.code.value}"


def certificate_cautions(
    leaf: Certificate, path: CertificationPath | None, now: datetime
) -> list[Caution]:
    """Cautions about the leaf, and about the path if the verdict rests on one.

    A leaf matched by DANE-EE rests on nothing but its key, so its issuer's work isn't looked at.
    """
    cautions = []
    certificates = (leaf,) if path is None else path.certificates
    for depth, certificate in enumerate(certificates):
        if _weak_key(certificate):
            cautions.append(Caution(CautionCode.WEAK_KEY, depth))
    if path is None:
        if leaf.facts is not None and not leaf.facts.valid_at(now):
            cautions.append(Caution(CautionCode.LEAF_NOT_CURRENT, 0))
        return cautions
    top = certificates[-1].facts
    if top is not None and not top.valid_at(now):
        cautions.append(Caution(CautionCode.ANCHOR_NOT_CURRENT, path.depth))
    for depth, certificate in enumerate(certificates[:-1]):
        if certificate.facts is not None and not certificate.facts.identifiers.has_authority:
            cautions.append(Caution(CautionCode.NO_AUTHORITY_KEY_ID, depth))
        if _weak_signature(certificate):
            cautions.append(Caution(CautionCode.WEAK_SIGNATURE, depth))
    return cautions


def _weak_key(certificate: Certificate) -> bool:
    match certificate.public_key:
        case rsa.RSAPublicKey(key_size=size):
            return size < _MIN_RSA
        case ec.EllipticCurvePublicKey(key_size=size):
            return size < _MIN_EC
    return False


def _weak_signature(certificate: Certificate) -> bool:
    try:
        digest = certificate.parsed.signature_hash_algorithm if certificate.parsed else None
    except UnsupportedAlgorithm:
        return False
    return isinstance(digest, (hashes.SHA1, hashes.MD5))
