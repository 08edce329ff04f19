"""Which record to add at a host, in words, so that it counts and takes no other's effect away.

From outside the RRset is known, but not whose the other keys in it are; for lineages, of which that
is known, see `danebot.domain.rollover.records.advice`, which has the reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from danebot.domain.delivery.report import AddressReport, HostReport
from danebot.domain.dns.answers import TlsaAnswer
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association, unusable_reason

if TYPE_CHECKING:
    from danebot.domain.dns.forms import RecordForm


def own_record(host: HostReport, address: AddressReport) -> str:
    """The record of the key that an address serves; "" where the certificate can't be read."""
    if address.leaf is None:
        return ""
    answer = host.route.tried[-1].answer
    return _lines(answer, address.leaf.record_beside(answer.records))


def record_of_kind(host: HostReport, form: RecordForm, der: bytes) -> str:
    """A record of ``form`` for ``der``, the certificate or key, and what it has to stand beside."""
    answer = host.route.tried[-1].answer
    usable = [one for one in answer.records if unusable_reason(one) is None]
    alike = [one for one in usable if one[:2] == form[:2]]
    strongest = max((one.mtype for one in alike), default=0)
    own: dict[int, TlsaRecord] = {
        mtype: TlsaRecord(*form[:2], mtype, association(der, mtype)) for mtype in MatchingType
    }
    wanted = dict.fromkeys((form.mtype, max(form.mtype, strongest)))
    words = _lines(answer, *(own[mtype] for mtype in wanted if own[mtype] not in answer.records))
    if strongest < form.mtype:
        weaker = [one for one in alike if one.mtype and one not in own.values()]
        if weaker:
            words += f"; and {form} records of what the others there name ({_brief(weaker)}), "
            words += "which senders pass over beside it"
    return words


def _lines(answer: TlsaAnswer, *records: TlsaRecord) -> str:
    """At the end of aliases: a CNAME has room for nothing beside it (RFC 2181 section 10.1)."""
    words = " and ".join(f"{answer.canonical}. IN TLSA {one}" for one in records)
    if answer.wildcard:  # RFC 4592 section 2.2.1
        words += "; repeat the wildcard's records beside it, which it hides at that name"
    return words


def _brief(records: list[TlsaRecord]) -> str:
    return ", ".join(f"{str(one)[:22]}..." for one in records)
