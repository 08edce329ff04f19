"""Keys and certificate chains as values; reading them from files' bytes is `certs`.

Imports no cryptography: a run in which no file has changed does without.
"""

from __future__ import annotations

import enum
import hashlib
from datetime import datetime, timedelta
from functools import lru_cache

from danebot.domain.lineage.key_types import RSA_BITS, KeyType
from danebot.domain.names import DnsName, covers
from danebot.tuples import NamedTuple


class Algorithm(enum.Enum):
    """Which certificate of a server with two was asked for."""

    ANY = "any"
    RSA = "rsa"
    ECDSA = "ecdsa"


class PublicKey(NamedTuple):
    """The public half of a key; the private half never becomes a value of the domain.

    ``spki`` is DER, and tells one key from another.  ``key_type`` is None for a type or size that
    certbot doesn't issue with.
    """

    spki: bytes
    key_type: KeyType | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.spki == other.spki

    def __ne__(self, other: object) -> bool:  # a tuple has its own
        return not self == other

    def __hash__(self) -> int:
        return hash(self.spki)

    @property
    def digest(self) -> bytes:
        """SHA2-256 of the SPKI: the data of a ``3 1 1`` record, and danebot's name for the key."""
        return _sha256(self.spki)

    @property
    def algorithm(self) -> Algorithm | None:
        """The certificate to ask a server for; None for a type that has no name."""
        if self.key_type is None:
            return None
        return Algorithm.RSA if self.key_type in RSA_BITS else Algorithm.ECDSA


@lru_cache(maxsize=1024)
def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


class Chain(NamedTuple):
    """A leaf and the certificates after it, as served; times are aware UTC.

    ``ders`` is DER, leaf first.  ``names`` are the leaf's dNSName entries (RFC 6125), normalised;
    an entry that is no DNS name is left out.
    """

    ders: tuple[bytes, ...]
    key: PublicKey
    not_before: datetime
    not_after: datetime
    names: frozenset[DnsName]
    serial: int

    @property
    def fingerprint(self) -> bytes:
        """SHA2-256 over the whole chain's DER: says whether two chains are the same."""
        return _sha256(*self.ders)

    @property
    def lifetime(self) -> timedelta:
        """How long the leaf is valid in all."""
        return self.not_after - self.not_before

    def covers(self, name: DnsName) -> bool:
        """Whether the leaf names ``name``, by itself or by a wildcard for its first label."""
        return covers(self.names, name)
