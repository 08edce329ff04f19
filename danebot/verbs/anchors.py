"""`danebot tlsa --anchors`: DANE-TA records of all from whom the next certificate may come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from danebot.domain.dns.answers import Presence
from danebot.domain.dns.tlsa import (
    MatchingType,
    Selector,
    TlsaRecord,
    Usage,
    association,
    counts_beside,
)
from danebot.jobs.context import system_clock
from danebot.tuples import NamedTuple
from danebot.verbs.common import ATTENTION, FINE, click_echo, print_json, record_objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from danebot.console import Console
    from danebot.domain.dane.authorities import Authorities, Authority
    from danebot.domain.dns.answers import TlsaAnswer
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.names import DnsName

_FORM = Usage.DANE_TA, Selector.SPKI, MatchingType.SHA2_256
"""Of the records of the table."""


def anchors(console: Console, name: str | None, form: str, *, as_json: bool) -> int:
    """Print them: at the owners of a lineage and for its type of key, or of every type."""
    from danebot.adapters.authorities import authorities

    if name is None and form == "nsupdate":
        raise click.UsageError("--format nsupdate needs a LINEAGE, whose owners get the records")
    table, lineage = authorities(), _lineage(console, name)
    if table is None:
        console.warn("the table of certificate authorities is not installed: install danebot anew")
        return ATTENTION
    issuers = _issuers(table, lineage)
    if not issuers:
        console.warn(
            f"all authorities in the table of {table.as_of} have expired: use a newer danebot"
        )
        return ATTENTION
    if as_json:
        owners = dict.fromkeys(lineage.places.values()) if lineage is not None else {}
        records = [
            row
            for one in issuers
            for row in record_objects(one.record, owners, name=one.name, use=one.use.value)
        ]
        print_json("anchors", as_of=str(table.as_of), records=records)
    else:
        for line in _lines(table, issuers, lineage, form):
            click_echo(line)
    doubts = [*_doubts(table, lineage)] if lineage is not None else []
    for line in doubts:
        console.warn(f"{name}: {line}")
    return ATTENTION if doubts else FINE


class _Lineage(NamedTuple):
    """A lineage, and what the resolver says of its owners now."""

    state: LineageState
    answers: Mapping[DnsName, TlsaAnswer]

    @property
    def places(self) -> Mapping[DnsName, DnsName]:
        """Where the records of each owner belong: aliases followed."""
        return {owner: self.answers[owner].canonical for owner in self.state.owners}


def _lineage(console: Console, name: str | None) -> _Lineage | None:
    if name is None:
        return None
    from danebot.jobs.observing import read_lineage

    tree = console.tree()
    tree.select((name,))
    context = console.context(tree)
    state = read_lineage(context, name)[0]
    return _Lineage(state, context.observer.lookup_owners(state.owners) if state.owners else {})


def _issuers(table: Authorities, lineage: _Lineage | None) -> tuple[Authority, ...]:
    """Those for the key that is served, and for the one on its way."""
    keys = (lineage.state.current_key, lineage.state.awaited_key) if lineage is not None else ()
    return table.issuers(system_clock(), *(key.algorithm for key in keys if key is not None))


def _doubts(table: Authorities, lineage: _Lineage) -> Iterator[str]:
    """Why the records would be of no use there, or do harm."""
    from danebot.domain.dane.certificate import read

    live = lineage.state.serving
    above = [read(der) for der in live.chain.ders[1:]] if live is not None else []
    named = [
        table.named(TlsaRecord(*_FORM, association(one.spki, _FORM[2]))) for one in above if one
    ]
    if named and not any(named):
        yield (
            f"its certificate comes from a CA that the table of {table.as_of} lacks; "
            "the next one may, too, and no record here names it"
        )
    for owner, answer in lineage.answers.items():
        if answer.presence is Presence.UNKNOWN:
            detail = f" ({answer.detail})" if answer.detail else ""
            yield f"what is at {owner} can't be seen{detail}: it may be an alias, with no room"
        if not counts_beside(_FORM, answer.records):
            yield (
                f"beside the 2 1 2 records at {owner} senders pass 2 1 1 ones over: rather add "
                "a 3 1 1 record of the server's own key"
            )
        if answer.wildcard:
            yield (
                f"the records at {owner} are a wildcard's, which one at the name itself hides: "
                "repeat them beside it"
            )


def _lines(
    table: Authorities, issuers: tuple[Authority, ...], lineage: _Lineage | None, form: str
) -> Iterator[str]:
    from danebot.domain.dane.authorities import OWNER
    from danebot.domain.rollover.records.publication import OwnedRecord
    from danebot.render.lineage import addition_lines

    yield (
        f"; from whom {OWNER} may issue next, as of {table.as_of}: all of them, or better "
        "a 3 1 1 record of the server's own key"
    )
    now = system_clock()
    places = lineage.places if lineage is not None else {}
    for one in issuers:
        yield f"; {one.name}: {one.state(now)}"
        if places:
            owned = [
                OwnedRecord(owner, one.record, target=place) for owner, place in places.items()
            ]
            yield from addition_lines(owned, form)
        else:
            yield str(one.record)
