"""Lineages that certbot keeps, and renewals that nobody remembers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from danebot.domain.finding import Finding, Severity
from danebot.domain.status.document import LineageStatus
from danebot.domain.status.overdue import StatusCode, renewals_stopped, unwatched
from exporter import sample
from exporter.sample import DAY, NOW

KEPT = sample.lineage("kept")
LEFT, SPACED = (sample.passed(name)._replace(records=()) for name in ("left", "a b"))
NO_RECORD = "left to certbot, so no TLSA record is watched"
WATCH = "have it watched: danebot init {0}; or say that there is none: danebot init --no-dane {0}"


def alone(name: str, word: str) -> Finding:
    remedy = WATCH.format(word)
    return Finding(StatusCode.NOTHING_WATCHED, Severity.UNJUDGED, name, NO_RECORD, remedy)


ALL = Finding(
    StatusCode.NOTHING_WATCHED,
    Severity.UNJUDGED,
    "",
    "all 2 lineages are left to certbot, so no TLSA record is watched",
)


@pytest.mark.parametrize(
    ("names", "lineages", "expected"),
    [
        ((), (), []),
        ((), (LEFT,), [alone("left", "left")]),
        ((), (LEFT, SPACED), [ALL]),
        ((), (LEFT, KEPT), []),
        (("left",), (LEFT, KEPT), [alone("left", "left")]),
        (("left", "a b"), (LEFT, SPACED), [alone("left", "left"), alone("a b", "'a b'")]),
    ],
    ids=["none", "the only one", "all", "some", "one asked for", "two asked for"],
)
def test_who_asks_for_records_is_told_that_nobody_watches_them(
    names: Sequence[str], lineages: Sequence[LineageStatus], expected: list[Finding]
) -> None:
    """Of all only where it goes for every one: some may well be left to certbot."""
    assert list(unwatched(names, lineages)) == expected


def test_renewals_that_never_ran_have_not_stopped() -> None:
    """That they didn't run yet is told elsewhere, since it takes a while at first."""
    document = sample.snapshot([KEPT])
    assert list(renewals_stopped(document._replace(last_renew=None), DAY, NOW)) == []
    assert document.last_renew is not None
    old = document._replace(last_renew=document.last_renew._replace(ended=NOW - 3 * DAY))
    (stopped,) = renewals_stopped(old, DAY, NOW)
    assert (stopped.severity, stopped.text) == (Severity.CRITICAL, "danebot renew ran 3 d ago")
