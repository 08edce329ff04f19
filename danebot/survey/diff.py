"""Two surveys compared: what broke, what was mended, whose keys changed without an overlap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from danebot.survey.tables import Tables, finished, tables
from danebot.tuples import NamedTuple

_CHANGED = """
    SELECT n.domain, n.responsible, o.status, n.status, n.codes[1], n.findings[1].text
    FROM new_domains n JOIN old_domains o ON o.domain = n.domain
"""
BROKE = f"""
    {_CHANGED} WHERE n.status = 'critical' AND o.status IN ('ok', 'warning')
    ORDER BY n.responsible, n.domain
"""
MENDED = f"""
    {_CHANGED} WHERE o.status = 'critical' AND n.status IN ('ok', 'warning')
    ORDER BY n.responsible, n.domain
"""
LOST = f"""
    {_CHANGED} WHERE o.dane IN ('all', 'some') AND n.dane = 'none'
        AND n.status IN ('ok', 'warning')
    ORDER BY n.responsible, n.domain
"""
GAINED = f"""
    {_CHANGED} WHERE o.dane = 'none' AND n.dane IN ('all', 'some')
        AND n.status IN ('ok', 'warning')
    ORDER BY n.responsible, n.domain
"""
KEYS = """
    WITH hosts AS (
        SELECT 'old' AS survey, host, status, dane, looks, tlsa FROM old_hosts
        UNION ALL SELECT 'new', host, status, dane, looks, tlsa FROM new_hosts
    ), sides AS (
        SELECT survey, host, status,
            list_distinct([l.key FOR l IN looks IF l.key IS NOT NULL]) AS keys,
            list_distinct(flatten([l.chain FOR l IN looks IF l.chain IS NOT NULL])) AS chain,
            list_transform(tlsa, lambda r:
                format('{} {} {} {}', r.usage, r.selector, r.mtype, r.data)) AS records
        FROM hosts WHERE dane = 'applies'
    ), pairs AS (
        SELECT n.host, o.status AS was, n.status AS now, o.records AS before, n.records AS after,
            list_intersect(o.records, n.records) AS shared,
            list_concat(
                list_transform(list_concat(o.keys, n.keys), lambda k: '3 1 1 ' || k),
                list_transform(list_concat(o.chain, n.chain), lambda c: '3 0 1 ' || c),
                list_transform(list_concat(o.chain, n.chain), lambda c: '2 0 1 ' || c)
            ) AS matching
        FROM sides o JOIN sides n ON n.host = o.host
        WHERE o.survey = 'old' AND n.survey = 'new' AND len(o.keys) > 0 AND len(n.keys) > 0
            AND NOT list_has_any(o.keys, n.keys)
    )
    SELECT host, was, now, before[1], after[1] FROM pairs
    WHERE len(list_filter(shared, lambda r: list_contains(matching, r)
        OR NOT regexp_matches(r, '^([01] . .|3 [01] 1|2 0 1) '))) = 0
    ORDER BY host
"""
"""A record that is in both is an overlap if it matched one of the keys, or nobody can tell."""
COUNTS = """
    SELECT (SELECT count(*) FROM old_domains), (SELECT count(*) FROM new_domains),
        (SELECT count(*) FROM new_domains ANTI JOIN old_domains USING (domain)),
        (SELECT count(*) FROM old_domains ANTI JOIN new_domains USING (domain))
"""


class Changes(NamedTuple):
    """What changed of one kind; rows are domain, MX, status before and after, code, text.

    Of keys they are host, status before and after, and a record before and after.
    """

    title: str
    rows: list[tuple[Any, ...]]


def compare(old: Path, new: Path) -> tuple[str, list[Changes]]:
    """A line that counts, and the changes; raises `ConfigError`, `SurveyError`."""
    before, after = finished(old), finished(new)
    with tables() as asked:
        asked.add(before, "old_")
        asked.add(after, "new_")
        ((had, has, came, went),) = asked.ask(COUNTS)
        counted = f"{had} domains before, {has} now: {came} are new, {went} are gone"
        return counted, list(_changes(asked))


def _changes(asked: Tables) -> Iterator[Changes]:
    for title, query in (
        ("broke", BROKE),
        ("mended", MENDED),
        ("lost DANE", LOST),
        ("gained DANE", GAINED),
        ("changed keys without an overlap", KEYS),
    ):
        yield Changes(title, asked.ask(query))
