"""Those who come to one TLSA owner, and what they make of a chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from danebot.domain.names import DnsName, Hostname, Protocol, TlsaOwner, default_protocol
from danebot.domain.rollover.evidence.caches import Records
from danebot.errors import NameSyntaxError

if TYPE_CHECKING:
    from danebot.domain.dane.references import References
    from danebot.domain.dane.verdicts import Profile, Verdict
    from danebot.domain.lineage.state import Held


_MAIL = (Protocol.SMTP, Protocol.LMTP)


class Senders(NamedTuple):
    """Those who come to one owner: what they judge by, and when."""

    owner: DnsName
    references: References
    profile: Profile
    now: datetime

    def verdict(self, records: Records, held: Held) -> Verdict:
        """What they make of a chain."""
        from danebot.domain.dane.verify import verify

        return verify(records, held.chain.ders, self.references, self.now, self.profile)

    def refuse(self, records: Records, held: Held) -> bool:
        """Whether they refuse a chain by an RRset."""
        from danebot.domain.dane.verdicts import Outcome

        return self.verdict(records, held).outcome is Outcome.FAILED

    def accept(self, records: Records, held: Held) -> bool:
        """Whether they authenticate a chain by an RRset."""
        from danebot.domain.dane.verdicts import Outcome

        return self.verdict(records, held).outcome is Outcome.AUTHENTICATED


def senders_to(owner: DnsName, live: Held, now: datetime) -> Senders:
    """Those who come to ``owner`` while ``live`` is served.

    Their reference identifier is the TLSA base domain (RFC 7672 section 3.2.2).  A live chain that
    doesn't name it can only serve those who know it by another name: then its own names count.
    """
    from danebot.domain.dane.references import References
    from danebot.domain.dane.verdicts import Profile

    named = TlsaOwner.from_name(owner)
    names = tuple(_hostnames(live.chain.names))
    if named is None:  # the end of a CNAME: who comes there by which name isn't known
        return Senders(owner, References(Hostname(owner.text), names), Profile.SMTP, now)
    mail = default_protocol(named.port) in _MAIL
    others = () if live.chain.covers(named.base.dns_name) else names
    return Senders(
        owner, References(named.base, others), Profile.SMTP if mail else Profile.GENERIC, now
    )


def _hostnames(names: Iterable[DnsName]) -> Iterator[Hostname]:
    for name in sorted(names):
        try:
            yield Hostname.parse(name.text)
        except NameSyntaxError:  # a wildcard stands for no name in particular
            continue
