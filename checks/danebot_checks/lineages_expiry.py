"""The concern ``expiry``: what is left of certificates, by the clock of now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot_checks.lineages_concerns import DAY, Judged, Note, outside, span
from danebot_checks.plugin import State, counted, performance

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from danebot_checks.lineages_document import Entry

EXPIRY_WARNING, EXPIRY_CRITICAL = 0.2, 0.1
"""Of a lifetime, for documents that don't say.

They are `danebot.domain.rollover.policy`'s, which takes 10 ms to import; a test compares them.
"""


def expiry(
    document: Entry, chosen: Sequence[Entry], options: argparse.Namespace, now: datetime
) -> Judged:
    """The time left of live and of other staged certificates."""
    del document
    notes: list[Note] = []
    least, shortest = None, ""
    for entry in chosen:
        name = entry.text("name")
        live = entry.entry("live")
        if live is None:
            words = "no certificate is live"
            notes.append(Note(State.UNKNOWN, name, words, f"danebot status {name}"))
            continue
        soon = _soon(entry, live)
        notes += _ends(name, "live", live, options, now, soon=soon)
        left = (live.needed("not_after") - now) / DAY
        if least is None or left < least:
            least, shortest = left, name
        staged = entry.entry("staged")
        if staged is not None and staged.text("fingerprint") != live.text("fingerprint"):
            notes += _ends(name, "staged", staged, options, now, soon=soon)
    if least is None:
        return Judged(notes, "", [])
    number = performance(
        "certificate_days", least, warning=options.warning, critical=options.critical
    )
    good = f"{shortest} expires in {least:.0f} days"
    if len(chosen) > 1:
        good = f"the first of {counted(len(chosen), 'certificate')}, {good}"
    return Judged(notes, good, [number])


def _soon(entry: Entry, live: Entry) -> tuple[float, float]:
    """The parts of a lifetime at which danebot's settings want a warning, and more than that."""
    lifetime = (live.needed("not_after") - live.needed("not_before")).total_seconds()
    warning, critical = entry.seconds("expiry_warning"), entry.seconds("expiry_critical")
    if warning is None or critical is None or lifetime <= 0:
        return EXPIRY_WARNING, EXPIRY_CRITICAL
    return warning / lifetime, critical / lifetime


def _ends(
    name: str,
    role: str,
    chain: Entry,
    options: argparse.Namespace,
    now: datetime,
    *,
    soon: tuple[float, float],
) -> Iterator[Note]:
    begins, ends = chain.needed("not_before"), chain.needed("not_after")
    left = ends - now
    remedy = "see why renewals fail: danebot -v renew"
    if left <= timedelta(0):
        yield Note(State.CRITICAL, name, f"{role} certificate expired {span(-left)} ago", remedy)
        return
    if (options.warning, options.critical) != (None, None):
        state = outside(left / DAY, options.warning, options.critical)
    else:
        part = left / (ends - begins) if ends > begins else 0.0
        state = State.WARNING if part < soon[0] else State.OK
        state = State.CRITICAL if part < soon[1] else state
    if state is not State.OK:
        yield Note(state, name, f"{role} certificate expires in {span(left)}", remedy)
