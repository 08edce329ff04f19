"""By which rules a service's TLSA records are judged: one table, for verdicts, gate and advice."""

from __future__ import annotations

import enum

from danebot.domain.names import Protocol


class Profile(enum.Enum):
    """Whose rules apply.  Frozen: the values are public words."""

    SMTP = "smtp"  # RFC 7672: usages 0 and 1 are unusable (section 3.1.3)
    SUBMISSION = "submission"  # RFC 7671: mail programs, and mail servers with a smart host
    SRV = "srv"  # RFC 7673: the base domain is the target of SRV records
    GENERIC = "generic"  # RFC 6698 and RFC 7671

    @property
    def words(self) -> str:
        """The document, and what it is about."""
        return _WORDS[self]

    @property
    def pkix_counts(self) -> bool:
        """Whether PKIX-TA(0) and PKIX-EE(1) are usable."""
        return self is not Profile.SMTP

    @property
    def raw_keys(self) -> bool:
        """Whether mail servers come that ask for the raw public key (RFC 7250)."""
        return self in (Profile.SMTP, Profile.SUBMISSION)


_WORDS = {
    Profile.SMTP: "RFC 7672, SMTP between servers",
    Profile.SUBMISSION: "RFC 7671, submission",
    Profile.SRV: "RFC 7673, found by SRV",
    Profile.GENERIC: "RFC 7671",
}
_BY_PORT = {465: Profile.SUBMISSION, 587: Profile.SUBMISSION}  # RFC 8314, RFC 6409
_BY_PROTOCOL = {Protocol.SMTP: Profile.SMTP, Protocol.LMTP: Profile.SMTP}


def profile_of(port: int, protocol: Protocol, service: str = "") -> Profile:
    """The profile of a service at a TCP port; ``service`` is that of SRV records that led there.

    SMTP at a port of its own, such as 2525, counts as between servers: who sends mail there by
    configuration (RFC 7672 section 2.2) passes PKIX usages over.
    """
    if service:
        return Profile.SRV
    return _BY_PORT.get(port) or _BY_PROTOCOL.get(protocol, Profile.GENERIC)
