"""What a TLS server presents of itself, which the sender chooses (RFC 7250)."""

from __future__ import annotations

import enum


class CertificateType(enum.Enum):
    """What a sender is given of a server (RFC 7250 section 3); the value says who, in words."""

    X509 = "senders that are given a certificate"
    RAW_PUBLIC_KEY = "senders that are given the raw public key"


ALL_TYPES = frozenset(CertificateType)
