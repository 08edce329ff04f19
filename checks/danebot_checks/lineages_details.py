"""What is known of each lineage, for ``-vv``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from danebot_checks.lineages_concerns import span
from danebot_checks.lineages_document import Entry


def lineage_lines(entry: Entry, now: datetime) -> Iterator[str]:
    """A few lines on one lineage."""
    name = entry.text("name")
    doing = entry.text("doing")
    yield f"{name}: {entry.text('management')}, {entry.text('phase')}" + (doing and f", {doing}")
    for role in ("live", "staged"):
        chain = entry.entry(role)
        if chain is not None:
            key = chain.entry("key")
            digest = key.text("digest") if key is not None else "?"
            left = chain.needed("not_after") - now
            yield f"{name}: {role}: key {digest}, certificate ends in {span(left)}"
    for role in ("next", "ready"):
        key = entry.entry(role)
        if key is not None:
            yield f"{name}: {role} key {key.text('digest')}"
    for record in entry.entries("records"):
        where = ", ".join(record.texts("missing_at"))
        yield (
            f"{name}: {record.text('role')} key: {record.text('owner')} TLSA "
            f"{record.text('record')}: {record.text('seen')}" + (where and f"; {where}")
        )
