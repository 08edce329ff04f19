"""What a judgement by TLSA records says: of each record, and of the server as a whole."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from danebot.domain.dane.certificate_types import CertificateType
from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, Unusable, Usage
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.dane.cautions import Caution
    from danebot.domain.dane.certificate import Certificate
    from danebot.domain.dane.path import Flaw
    from danebot.domain.names import Hostname


class Outcome(enum.Enum):
    """What a DANE sender makes of the server; the value is in words."""

    AUTHENTICATED = "authenticated"
    FAILED = "no usable TLSA record matches: senders refuse to deliver"
    UNAUTHENTICATED_TLS = "all TLSA records are unusable: senders encrypt without authentication"
    NOT_JUDGED = "depends on the trust store of the sender"
    NOT_APPLICABLE = "no TLSA records"


class Reason(enum.Enum):
    """What became of one record; the value is in words.  `Unusable` adds the malformed ones."""

    MATCHED = "matches"
    NO_MATCH = "matches no presented certificate"
    NO_CHAIN = "no readable certificate was presented"
    WEAKER_DIGEST = "ignored beside records with a stronger digest"
    PKIX_IN_SMTP = "PKIX-TA and PKIX-EE are unusable in SMTP between servers"
    MATCHED_UNUSABLE = "matches, but PKIX-TA and PKIX-EE are unusable in SMTP between servers"
    INVALID_PATH = "matches, but the path to it is not valid"
    NO_PATH = "matches a presented certificate that the leaf does not chain up to"
    ANCHOR_IS_LEAF = "matches the leaf, which cannot be its own DANE-TA anchor"
    NO_PKIX_PATH = "matches, but the chain does not end in the trust store"
    NO_TRUST_STORE = "PKIX validation was not judged: no trust store was given"
    SHADOWED = "matches alone, but another record leads senders to a path that is not valid"


class Naming(enum.Enum):
    """What the name of a record is."""

    AUTHORITY = "a certificate authority"
    MISTAKE = "from what it was made that is no certificate or key"


class Named(NamedTuple):
    """Whom or what a record names, in words (see `naming`)."""

    kind: Naming
    words: str

    @property
    def is_mistake(self) -> bool:
        """Whether it was made from what is no certificate or key."""
        return self.kind is Naming.MISTAKE


class RecordVerdict(NamedTuple):
    """What became of one record.

    ``path`` is what it rests on, as climbed from the leaf up, in whatever order that was presented;
    a trust store's or the record's own certificates included.  ``depth`` is the place in it (0 is
    the leaf) of the certificate that matches, or that a bare key has signed; None without a match.
    It is no place in the presented chain.  ``flaws`` are all faults of the path that keep a
    matching record from authenticating.  ``name`` is whom the record names, as far as is known.
    """

    record: TlsaRecord
    reason: Reason | Unusable
    depth: int | None = None
    flaws: tuple[Flaw, ...] = ()
    path: tuple[Certificate, ...] = ()
    name: Named | None = None

    @property
    def certificate(self) -> Certificate | None:
        """The certificate of the path that matches; None if it is a bare key above the path."""
        if self.depth is None or self.depth >= len(self.path):
            return None
        found = self.path[self.depth]
        bare_key = Usage.DANE_TA, Selector.SPKI, MatchingType.FULL
        above = self.record[:3] == bare_key and self.record.data != found.spki
        return None if above else found

    @property
    def usable(self) -> bool:
        """Whether senders try the record at all."""
        unusable = {Reason.PKIX_IN_SMTP, Reason.MATCHED_UNUSABLE}
        return not isinstance(self.reason, Unusable) and self.reason not in unusable

    def __str__(self) -> str:
        name = f" ({self.name.words})" if self.name is not None else ""
        return "; ".join([self.reason.value, *map(str, self.flaws)]) + name

    @property
    def mismade(self) -> bool:
        """Whether it was made of something else than a certificate or key."""
        return self.name is not None and self.name.is_mistake


class Verdict(NamedTuple):
    """The whole judgement; ``records`` are in the order given.

    ``outcome`` is that of senders that are given a certificate, ``raw_key`` that of those that ask
    for the raw public key; None if none does, so that all are given a certificate.  ``matched`` is
    the record that authenticates the server, the same whatever the order.  ``names`` are
    the reference identifiers that the leaf presents, whether they counted or not.
    """

    outcome: Outcome
    records: tuple[RecordVerdict, ...] = ()
    matched: RecordVerdict | None = None
    names: tuple[Hostname, ...] = ()
    cautions: tuple[Caution, ...] = ()
    raw_key: Outcome | None = None

    @property
    def refusing(self) -> frozenset[CertificateType]:
        """The senders that refuse to deliver, by what they are given."""
        outcomes = (
            (CertificateType.X509, self.outcome),
            (CertificateType.RAW_PUBLIC_KEY, self.raw_key or self.outcome),
        )
        return frozenset([kind for kind, one in outcomes if one is Outcome.FAILED])

    @property
    def words(self) -> str:
        """The outcome in words, with who refuses where others don't."""
        if self.raw_key in (None, self.outcome):
            return self.outcome.value
        return (
            f"no TLSA record that counts with a certificate matches: {CertificateType.X509.value} "
            f"refuse to deliver, {CertificateType.RAW_PUBLIC_KEY.value} don't"
        )

    @property
    def depth(self) -> int | None:
        """The depth at which the server was authenticated."""
        return self.matched.depth if self.matched is not None else None

    @property
    def path(self) -> tuple[Certificate, ...]:
        """The certificates by which the server was authenticated, from the leaf up."""
        return self.matched.path if self.matched is not None else ()
