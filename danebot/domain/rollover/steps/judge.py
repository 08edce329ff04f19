"""What senders make of the chain that is served, and of the one that is to take its place."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from danebot.domain.dane.certificate_types import ALL_TYPES, CertificateType
from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, association, key_record
from danebot.domain.rollover.steps.refusals import Refusal

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.lineage.state import Held
    from danebot.domain.rollover.evidence.caches import Records
    from danebot.domain.rollover.evidence.senders import Senders


class Judge:
    """Compares what senders make of the served chain, None if it isn't known, and of the new."""

    def __init__(self, senders: Senders, served: Held | None, new: Held) -> None:
        self.senders, self.served, self.new = senders, served, new
        self.known: dict[Records, frozenset[CertificateType]] = {}

    @functools.cached_property
    def keeps_names(self) -> bool:
        """Whether the new chain has the served one's key and issuers: no name of them is lost."""
        from danebot.domain.dane.path import keeps_issuers

        if self.served is None or self.new.key != self.served.key:
            return False
        return keeps_issuers(self.served.chain.ders, self.new.chain.ders, self.senders.now)

    def worse(self, records: Records) -> frozenset[CertificateType]:
        """Which senders refuse the new chain by an RRset, and may not refuse the served one."""
        if records not in self.known:
            new = self.senders.refusing(records, self.new)
            if new and self.served is not None:
                new -= self.senders.refusing(records, self.served)
            self.known[records] = new
        return self.known[records]

    def repaired(self, records: Records) -> bool:
        """Whether all senders refuse the served chain by an RRset, and none the new one."""
        if self.served is None or self.senders.refusing(records, self.served) != ALL_TYPES:
            return False
        return not self.senders.refuse(records, self.new)

    def refusal(
        self, records: Records, until: datetime | None = None, silent: tuple[str, ...] = ()
    ) -> Refusal:
        """That RRset as a reason to hold the new chain back."""
        if silent and until is None:
            reason = (
                f"no usable answer from {', '.join(silent)}, where the TLSA records may still "
                "be those by which senders would refuse it"
            )
            return Refusal(self.senders.owner, reason, silent=silent)
        verdict = self.senders.verdict(records, self.new)
        words = "; ".join(f"{one.record} {one}" for one in verdict.records if one.usable)
        worse = self.worse(records)
        if worse != ALL_TYPES:
            words = f"for {', '.join(one.value for one in worse)}: {words}"
        if self.served is None:
            words += ", and a service may have a former chain yet"
        publish = self._remedy(records) if until is None else None
        return Refusal(self.senders.owner, words, publish, until)

    def _remedy(self, records: Records) -> TlsaRecord | None:
        """The record of the new chain like the one that authenticates the served chain.

        Where that isn't known, the one of the new key: it counts beside any other.
        """
        from danebot.domain.dane.path import climbed

        if self.served is None:
            mtypes = (MatchingType.SHA2_256, MatchingType.SHA2_512)
            own = (key_record(self.new.key.spki, mtype) for mtype in mtypes)
            return next((one for one in own if self._satisfied((*records, one))), None)
        known = self.senders.known_by(records, self.served)
        if known is None:
            return None
        form, path = known[0], climbed(self.new.chain.ders, self.senders.now)
        if not path:
            return None
        named = path[min(known[1], len(path) - 1)]
        der = named.der if form.selector == Selector.CERT else named.spki
        record = form._replace(data=association(der, MatchingType(form.mtype)))
        return record if self._satisfied((*records, record)) else None

    def _satisfied(self, records: Records) -> bool:
        return not self.senders.refuse(records, self.new)
