"""What becomes of TLSA records at the next renewal of a lineage that danebot doesn't manage.

certbot makes a new key with each certificate, unless ``reuse_key`` is set, and a new certificate in
any case.  So records that match nothing but this key, or this certificate, match nothing then.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.dns.tlsa import MatchingType, Required, Selector, TlsaRecord, Usage
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.renewal import renews_at
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.propagation import matches_chain
from danebot.domain.rollover.evidence.senders import senders_to
from danebot.domain.text import quoted, when
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.state import Held, LineageState

_SOON = timedelta(days=3)
_NAMED = 3  # owners that one finding names
_OF_THE_LEAF = (Usage.DANE_EE, Usage.PKIX_EE)


class KeyReuse(enum.Enum):
    """Whether certbot keeps the key at a renewal (``reuse_key``)."""

    KEPT = "kept"
    NEW = "new"


class SecureRecords(NamedTuple):
    """The TLSA records that a secure answer had for an owner."""

    owner: DnsName
    records: tuple[TlsaRecord, ...]


def breaks_at_renewal(
    state: LineageState, reuse: KeyReuse, published: Iterable[SecureRecords], now: datetime
) -> tuple[Finding, ...]:
    """A finding if DANE senders refuse the next certificate of a lineage; () if none do.

    ``published`` is what secure answers have at the owners that may belong to it.
    """
    live = state.live
    published = tuple(published)
    if live is None:
        return ()
    owners = sorted(str(one.owner) for one in published if _breaks(live, reuse, one, now))
    if not owners:
        return ()
    due = renews_at(live.chain, state.rule)
    soon = due is not None and due - now < _SOON
    fresh = _renewed(live, [one for one in published if str(one.owner) in owners])
    more = f" and {len(owners) - _NAMED} more" if len(owners) > _NAMED else ""
    text = (
        f"breaks at its next renewal, {_time(due, now)}: the TLSA records at "
        f"{', '.join(owners[:_NAMED])}{more} match this {fresh} alone, certbot makes a new one "
        "then, and DANE senders will defer or bounce mail"
    )
    remedy = f"danebot init {quoted(state.name)} keeps the key"
    if not all(_has_key(live, one) for one in published):
        remedy += (
            f"; then add the 3 1 1 records that this prints: danebot tlsa {quoted(state.name)}"
        )
    severity = Severity.CRITICAL if soon else Severity.WARNING
    return (Finding(Code.BREAKS_AT_RENEWAL, severity, state.name, text, remedy),)


def _renewed(live: Held, broken: Iterable[SecureRecords]) -> str:
    """What of the chain the records name that break: a certificate changes with every renewal."""
    leaf = [record for one in broken for record in _of_leaf(one, live)]
    named = {record.selector == Selector.SPKI for record in leaf}
    if named == {True, False}:
        return "key or this certificate"
    return "key" if named == {True} else "certificate"


def _of_leaf(one: SecureRecords, live: Held) -> list[TlsaRecord]:
    """The records there that name the live leaf or its key."""
    return [r for r in one.records if r.usage in _OF_THE_LEAF and matches_chain(r, live)]


def _time(due: datetime | None, now: datetime) -> str:
    if due is None:
        return "whenever somebody renews it"
    return "at any time now" if due <= now else f"from {when(due)} on"


def _breaks(live: Held, reuse: KeyReuse, one: SecureRecords, now: datetime) -> bool:
    """Whether senders refuse the next chain: what a renewal replaces matches nothing then."""
    outdated = [
        record
        for record in _of_leaf(one, live)
        if reuse is KeyReuse.NEW or record.selector != Selector.SPKI
    ]
    later = tuple(r._replace(data=bytes(len(r.data))) if r in outdated else r for r in one.records)
    senders = senders_to(one.owner, live, now)
    return bool(senders.refusing(later, live) - senders.refusing(one.records, live))


def _has_key(live: Held, one: SecureRecords) -> bool:
    """Whether a record there names the key, so that the key alone is enough from then on."""
    leaf = _of_leaf(one, live)
    return not leaf or any(record.selector == Selector.SPKI for record in leaf)


def known_by(state: LineageState, published: Iterable[SecureRecords]) -> tuple[DnsName, ...]:
    """The owners at which a record is this lineage's own: senders know its chain there by it."""
    live = state.live
    if live is None:
        return ()
    return tuple(one.owner for one in published if _of_leaf(one, live))


def unmatched_records(
    state: LineageState,
    published: Iterable[SecureRecords],
    relied: Iterable[DnsName],
    now: datetime,
) -> tuple[Finding, ...]:
    """A finding if senders refuse the chain where a record was its own before."""
    live = state.live
    before = set(relied)
    if live is None:
        return ()
    refused = [
        one
        for one in published
        if one.owner in before and senders_to(one.owner, live, now).refuse(one.records, live)
    ]
    if not refused:
        return ()
    first = refused[0]
    return (
        Finding(
            Code.TLSA_MISMATCH,
            Severity.CRITICAL,
            state.name,
            f"by the TLSA records at {', '.join(sorted(str(one.owner) for one in refused))} DANE "
            "senders refuse its certificate, which was renewed, or the records changed: they defer "
            "or bounce mail",
            f"add now: {first.owner}. IN TLSA {_accepted(first, live, now)}; "
            f"then: danebot init {quoted(state.name)}",
        ),
    )


def _accepted(one: SecureRecords, live: Held, now: datetime) -> TlsaRecord:
    """The record of the key that makes senders accept the chain, beside what is there."""
    senders = senders_to(one.owner, live, now)
    usual, stronger = (
        Required(mtype, one.owner).record(live.key.spki)
        for mtype in (MatchingType.SHA2_256, MatchingType.SHA2_512)
    )
    return stronger if senders.refuse((*one.records, usual), live) else usual
