"""Lineages that runs can't look at any more: what the document has of them says nothing of now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import Concern, FindingKind
from danebot.domain.text import quoted

if TYPE_CHECKING:
    from danebot.domain.status.document import Snapshot

_WORST = Severity.CRITICAL.word
_OF_NOW = (Concern.TLSA, Concern.ROLLOVER)  # the others say it themselves, or go by the clock


def unlooked(document: Snapshot) -> dict[str, str]:
    """Return the lineages whose entries are left from earlier looks, with the reason in words."""
    there = {status.name for status in document.lineages}
    found: dict[str, str] = {}
    for one in document.findings:
        if one.lineage not in there:
            continue
        if one.code == Code.NOT_RENEWED.value:
            found[one.lineage] = "nobody looks at it any more: its renewal configuration is gone"
        elif one.code == Code.FILES_BROKEN.value and one.severity == _WORST:
            found.setdefault(one.lineage, "the last run couldn't look at it: its files are broken")
    return found


def doubted(
    findings: Iterable[Finding], document: Snapshot, concern: Concern, code: FindingKind
) -> list[Finding]:
    """Return the findings with one of ``code`` for each such lineage.

    No remedy of theirs names a verb that refuses it.
    """
    stale = unlooked(document) if concern in _OF_NOW else {}
    ways = {name: f"danebot status {quoted(name)}" for name in stale}
    known = [
        one._replace(own_remedy=ways[one.where]) if one.where in ways else one for one in findings
    ]
    said = [
        Finding(code, Severity.UNJUDGED, name, words, ways[name]) for name, words in stale.items()
    ]
    return [*known, *said]
