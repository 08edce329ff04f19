"""`danebot tlsa --anchors`: DANE-TA records of all from whom the next certificate may come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from danebot.jobs.context import system_clock
from danebot.verbs.common import ATTENTION, FINE, click_echo, dump

if TYPE_CHECKING:
    from collections.abc import Iterator

    from danebot.console import Console
    from danebot.domain.dane.authorities import Authorities, Authority
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.names import DnsName


def anchors(console: Console, name: str | None, form: str, *, as_json: bool) -> int:
    """Print them: at the owners of a lineage and for its type of key, or of every type."""
    from danebot.adapters.authorities import authorities

    if name is None and form == "nsupdate":
        raise click.UsageError("--format nsupdate needs a LINEAGE, whose owners get the records")
    table, state = authorities(), _state(console, name)
    if table is None:
        console.warn("the table of certificate authorities is not installed: install danebot anew")
        return ATTENTION
    key = state.current_key if state is not None else None
    issuers = table.issuers(system_clock(), key.algorithm if key is not None else None)
    if not issuers:
        console.warn(
            f"all authorities in the table of {table.as_of} have expired: use a newer danebot"
        )
        return ATTENTION
    owners = state.owners if state is not None else ()
    if as_json:
        told = {"document": "danebot-anchors", "schema": 1, "as_of": str(table.as_of)}
        click_echo(dump({**told, "records": [*_objects(issuers, owners)]}))
        return FINE
    for line in _lines(table, issuers, owners, form):
        click_echo(line)
    return FINE


def _state(console: Console, name: str | None) -> LineageState | None:
    if name is None:
        return None
    from danebot.jobs.survey import read_lineage

    tree = console.tree()
    tree.select((name,))
    return read_lineage(console.context(tree), name)[0]


def _lines(
    table: Authorities, issuers: tuple[Authority, ...], owners: tuple[DnsName, ...], form: str
) -> Iterator[str]:
    from danebot.domain.dane.authorities import OWNER
    from danebot.domain.rollover.records.publication import OwnedRecord
    from danebot.render.lineage import addition_lines

    yield (
        f"; from whom {OWNER} may issue next, as of {table.as_of}: all of them, or better "
        "a 3 1 1 record of the server's own key"
    )
    now = system_clock()
    for one in issuers:
        yield f"; {one.name}: {one.state(now)}"
        if owners:
            yield from addition_lines([OwnedRecord(owner, one.record) for owner in owners], form)
        else:
            yield str(one.record)


def _objects(
    issuers: tuple[Authority, ...], owners: tuple[DnsName, ...]
) -> Iterator[dict[str, object]]:
    from danebot.domain.status.document import record_document

    for one in issuers:
        for owner in owners or (None,):
            where = {} if owner is None else {"owner": owner.text}
            yield {
                **where,
                **record_document(str(one.record)),
                "name": one.name,
                "use": one.use.value,
            }
