"""What is known of each lineage, for ``-vv``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.text import duration

if TYPE_CHECKING:
    from danebot.domain.status.document import LineageStatus


def lineage_lines(status: LineageStatus, now: datetime) -> Iterator[str]:
    """A few lines on one lineage."""
    name, doing = status.name, status.doing
    yield f"{name}: {status.management}, {status.phase}" + (doing and f", {doing}")
    for role, chain in (("live", status.live), ("staged", status.staged)):
        if chain is not None:
            digest, left = chain.key.digest.hex(), duration(chain.not_after - now)
            yield f"{name}: {role}: key {digest}, certificate ends in {left}"
    for role, key in (("next", status.next), ("ready", status.ready)):
        if key is not None:
            yield f"{name}: {role} key {key.digest.hex()}"
    for record in status.records:
        where = ", ".join((*record.missing_at, *record.unheard_at))
        yield (
            f"{name}: {record.role} key: {record.owner} TLSA {record.record}: {record.seen}"
            + (where and f"; {where}")
        )
