"""Findings about records by whom they name: anchors that won't last, records made of nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.dns.tlsa import (
    MatchingType,
    Required,
    Selector,
    TlsaRecord,
    Usage,
    counts_beside,
)
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.senders import senders_to
from danebot.domain.rollover.records.advice import advise
from danebot.domain.text import quoted

if TYPE_CHECKING:
    from danebot.domain.dane.authorities import Authorities
    from danebot.domain.dane.verdicts import Named
    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.domain.rollover.records.in_use import KeysInUse

Names = Mapping[TlsaRecord, "Named"]
NAMELESS: Names = MappingProxyType({})
_PASSED_OVER = "see that a 3 1 1 record counts there: beside a 2 1 2 one senders pass 2 1 1 over"


def has_anchors(observations: Observations) -> bool:
    """Whether a DANE-TA record is among those that were seen, so that the table is of use."""
    records = (record for one in observations.values() for record in one.answer.records)
    return any(record.usage == Usage.DANE_TA for record in records)


def names_in_records(
    state: LineageState,
    observations: Observations,
    wanted: Iterable[TlsaRecord],
    table: Authorities | None,
    now: datetime,
) -> Names:
    """What the records at a lineage's owners name, but for those that are ``wanted``."""
    others = {r for one in observations.values() for r in one.answer.records}.difference(wanted)
    if not others:
        return NAMELESS
    from danebot.domain.dane.mistakes import mistake
    from danebot.domain.dane.verdicts import Named, Naming

    live = state.serving
    ders, keys = (live.chain.ders, (live.key.spki,)) if live is not None else ((), ())
    names: dict[TlsaRecord, Named] = {}
    for record in others:
        words = mistake(record, ders, keys)
        if words:
            names[record] = Named(Naming.MISTAKE, words)
        elif table is not None and record.usage == Usage.DANE_TA:
            from danebot.domain.dane.naming import authority_of

            name = authority_of(record, ders, table, now)
            names |= {record: name} if name is not None else {}
    return names


def named_records(
    state: LineageState,
    observations: Observations,
    names: Names,
    table: Authorities | None,
    *,
    in_use: KeysInUse,
    now: datetime,
) -> Iterator[Finding]:
    """What is wrong with records by what they name, at each owner whose answer is secure."""
    for owner in state.owners:
        observed = observations.get(owner)
        if observed is None or not observed.answer.secure:
            continue
        for record in observed.answer.records:
            name = names.get(record)
            if name is not None and name.is_mistake:
                text = f"{owner}: {str(record)[:22]}... {name.words}"
                yield Finding(Code.TLSA_MISMADE, Severity.WARNING, state.name, text)
        if state.serving is not None and table is not None:
            addition = _addition(state.serving, observed, in_use)
            yield from _anchors(state, state.serving, observed, table, now=now, addition=addition)


def _anchors(
    state: LineageState,
    live: Held,
    observed: OwnerObservation,
    table: Authorities,
    *,
    now: datetime,
    addition: Sequence[str],
) -> Iterator[Finding]:
    """Whether the anchors that senders know the live chain by will do for the next one."""
    owner, records = observed.owner, observed.answer.records
    if not any(record.usage == Usage.DANE_TA for record in records):
        return
    from danebot.domain.dane.naming import AnchorRisk, named, outlook

    ders = live.chain.ders
    verdict = named(senders_to(owner, live, now).verdict(records, live), ders, table, now)
    awaited = state.awaited_key.algorithm if state.awaited_key is not None else None
    found = outlook(verdict, ders, table, now, awaited)
    if found is None:
        return
    retired = found.risk is AnchorRisk.RETIRED
    anchors = [f"publish what this prints: danebot tlsa --anchors {quoted(state.name)}"]
    if not counts_beside((Usage.DANE_TA, Selector.SPKI, MatchingType.SHA2_256), records):
        anchors = []
    yield Finding(
        Code.TLSA_ANCHOR_RETIRED if retired else Code.TLSA_ISSUERS_UNLISTED,
        found.severity,
        state.name,
        f"{owner}: {found.text}",
        "; or ".join([*addition, *anchors]) or _PASSED_OVER,
    )


def _addition(live: Held, observed: OwnerObservation, in_use: KeysInUse) -> Sequence[str]:
    """The live key's own record, where one would have effect and harm nobody."""
    line = Required(MatchingType.SHA2_256, observed.owner)
    advice = advise(observed.owner, observed, [(line, live.key.spki)], in_use.keys)
    if advice.objections or not advice.add:
        return ()
    return ("add: " + " and ".join(f"{advice.target}. IN TLSA {record}" for record in advice.add),)
