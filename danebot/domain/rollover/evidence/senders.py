"""Those who come to one TLSA owner, and what they make of a chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.dns.tlsa import MatchingType, Required
from danebot.domain.names import DnsName, Hostname, TlsaOwner, default_protocol
from danebot.domain.rollover.evidence.caches import Records
from danebot.errors import NameSyntaxError
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.dane.certificate_types import CertificateType
    from danebot.domain.dane.profiles import Profile
    from danebot.domain.dane.references import References
    from danebot.domain.dane.verdicts import Verdict
    from danebot.domain.dns.tlsa import TlsaRecord
    from danebot.domain.lineage.state import Held


class Senders(NamedTuple):
    """Those who come to one owner: what they judge by, and when."""

    owner: DnsName
    references: References
    profile: Profile
    now: datetime

    def verdict(self, records: Records, held: Held) -> Verdict:
        """What they make of a chain."""
        return self._verdict(records, held.chain.ders)

    def _verdict(self, records: Records, chain: Sequence[bytes]) -> Verdict:
        from danebot.domain.dane.verify import verify_chain

        return verify_chain(records, chain, self.references, self.now, self.profile)

    def refusing(self, records: Records, held: Held) -> frozenset[CertificateType]:
        """Which of them refuse a chain by an RRset, by what they are given of the server."""
        return self.verdict(records, held).refusing

    def refuse(self, records: Records, held: Held) -> bool:
        """Whether any of them refuse a chain by an RRset."""
        return bool(self.refusing(records, held))

    def refusing_presented(
        self, records: Records, presented: Sequence[bytes]
    ) -> frozenset[CertificateType]:
        """The same of a chain (DER, leaf first) that a service presents."""
        return self._verdict(records, presented).refusing

    def known_by(self, records: Records, held: Held) -> tuple[TlsaRecord, int] | None:
        """Return a record by which they authenticate a chain, and what it names: the path's depth.

        Where only the raw public key is known, that is the key's record with the strongest digest,
        since it counts for all of them, and what is there doesn't.
        """
        from danebot.domain.dane.verdicts import Outcome

        verdict = self.verdict(records, held)
        if verdict.matched is not None:
            above = verdict.matched.certificate is None  # the key that signed the last of the path
            return verdict.matched.record, (verdict.matched.depth or 0) + above
        if verdict.raw_key is Outcome.AUTHENTICATED:
            return Required(MatchingType.SHA2_512, self.owner).record(held.key.spki), 0
        return None

    def accept(self, records: Records, held: Held) -> bool:
        """Whether all of them authenticate a chain by an RRset.

        Who is given a certificate decides: whom that satisfies, its bare key does.
        """
        from danebot.domain.dane.verdicts import Outcome

        return self.verdict(records, held).outcome is Outcome.AUTHENTICATED


def senders_to(owner: DnsName, live: Held, now: datetime) -> Senders:
    """Those who come to ``owner`` while ``live`` is served.

    Their reference identifier is the TLSA base domain (RFC 7672 section 3.2.2).  A live chain that
    doesn't name it can only serve those who know it by another name: then its own names count.
    """
    from danebot.domain.dane.profiles import Profile, profile_of
    from danebot.domain.dane.references import References

    named = TlsaOwner.from_name(owner)
    names = tuple(_hostnames(live.chain.names))
    if named is None:  # the end of a CNAME: who comes there by which name isn't known
        return Senders(owner, References(Hostname(owner.text), names), Profile.SMTP, now)
    others = () if live.chain.covers(named.base.dns_name) else names
    profile = profile_of(named.port, default_protocol(named.port))
    return Senders(owner, References(named.base, others), profile, now)


def _hostnames(names: Iterable[DnsName]) -> Iterator[Hostname]:
    for name in sorted(names):
        with suppress(NameSyntaxError):  # a wildcard stands for no name in particular
            yield Hostname.parse(name.text)
