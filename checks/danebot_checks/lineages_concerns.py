"""What each concern says when all is well, and its performance data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.kinds import Concern
from danebot.domain.status.document import EVERYWHERE, LineageStatus, Snapshot
from danebot.domain.status.overdue import LEFT, MONITOR_SKEW, NOT_RUN_YET, Allowed
from danebot.domain.status.way import rolling
from danebot.domain.text import duration
from danebot.plugin.numbers import performance
from danebot.plugin.output import counted
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    import argparse


_DAY = timedelta(days=1)


class Outline(NamedTuple):
    """``good`` if all is well, and the numbers in any case."""

    good: str
    performance: list[str]


def outline(
    document: Snapshot,
    concern: Concern,
    allowed: Allowed,
    options: argparse.Namespace,
    now: datetime,
) -> Outline:
    """Return what there is to say of one concern beside its findings."""
    match concern:
        case Concern.RENEWAL:
            return _renewal(document, allowed, now)
        case Concern.TLSA:
            return _tlsa(document.lineages)
        case Concern.EXPIRY:
            return _expiry(document.lineages, options, now)
        case _:
            return _rollover(document.lineages, options, now)


def _renewal(document: Snapshot, allowed: Allowed, now: datetime) -> Outline:
    last, success = document.last_renew, document.last_success
    if last is None:
        return Outline(NOT_RUN_YET, [])
    numbers: list[str] = []
    if success is not None and success - max(now, document.run.ended) <= MONITOR_SKEW:
        warning, critical = allowed.success
        days = (now - success) / _DAY
        numbers = [performance("success_days", days, warning=warning, critical=critical)]
    found = ", and found what other checks tell" if last.exit_status else ""
    return Outline(f"danebot renew ran {duration(now - last.ended)} ago{found}", numbers)


def _tlsa(lineages: Sequence[LineageStatus]) -> Outline:
    records = [record for status in lineages for record in status.live_records]
    watched = sum(bool(status.live_records) for status in lineages)
    left = sum(one.management == LEFT and not one.live_records for one in lineages)
    good = f"{counted(len(records), 'record')} of {counted(watched, 'lineage')} seen everywhere"
    if not records:
        none = counted(len(lineages) - left, "lineage")
        good = f"no record is to be there, as dane-ee of {none} says"
    if left:
        good += f"; {left} {'is' if left == 1 else 'are'} left to certbot"
    seen = sum(record.seen == EVERYWHERE for record in records)
    return Outline(good, seen_numbers(len(records), seen))


def seen_numbers(records: int, seen: int) -> list[str]:
    """Performance data of ``tlsa``."""
    return [performance("records", records, least=0), performance("seen", seen, least=0)]


def _expiry(
    lineages: Sequence[LineageStatus], options: argparse.Namespace, now: datetime
) -> Outline:
    ends = [(status.live.not_after, status.name) for status in lineages if status.live is not None]
    if not ends:
        return Outline("", [])
    end, name = min(ends, key=lambda pair: pair[0])
    days = (end - now) / _DAY
    good = f"{name} expires in {days:.0f} days"
    if len(lineages) > 1:
        good = f"the first of {counted(len(lineages), 'certificate')}, {good}"
    warning, critical = options.warning, options.critical
    return Outline(
        good, [performance("certificate_days", days, warning=warning, critical=critical)]
    )


def _rollover(
    lineages: Sequence[LineageStatus], options: argparse.Namespace, now: datetime
) -> Outline:
    under_way = sum(map(rolling, lineages))
    hooks = sum(len(status.pending_hooks) for status in lineages)
    numbers = [performance("rolling", under_way, least=0), performance("hooks", hooks, least=0)]
    oldest = min((s.key_since for s in lineages if s.key_since is not None), default=None)
    if oldest is not None:
        days = (now - oldest) / _DAY
        numbers.append(performance("key_days", days, warning=options.key_age))
    good = f"{counted(under_way, 'rollover')} on the way" if under_way else "none on the way"
    return Outline(f"{good}, {counted(len(lineages), 'lineage')}", numbers)
