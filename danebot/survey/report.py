"""A survey as one page that needs nothing beside it, and a table of the domains that fail.

What is told came from strangers' DNS and certificates: on the page it is text, and in the table no
formula (`tables`).  There is no script.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from danebot import __version__
from danebot.domain.text import printable
from danebot.survey.dataset import DataSet, SurveyState
from danebot.survey.silence import silence
from danebot.survey.tables import Tables, finished, page_text, tables, write_csv, write_text

PAGE, FAILING = "report.html", "failing.csv"
_HEAD = ("mx", "domain", "status", "dane", "codes", "text")
_LONG = 60  # characters from which on a cell may be wrapped

STATUSES = """
    SELECT CASE WHEN status <> 'ok' THEN status WHEN dane = 'all' THEN 'ok, with DANE'
                WHEN dane = 'some' THEN 'DANE for some hosts'
                WHEN dane = 'none' THEN 'no DANE: unprotected' ELSE 'unknown' END AS verdict,
        count(*) FROM domains GROUP BY 1
    ORDER BY list_position(['critical', 'warning', 'unknown', 'ok, with DANE',
        'DANE for some hosts', 'no DANE: unprotected'], verdict) NULLS LAST
"""
FORMS = """
    SELECT format('{} {} {}', r.usage, r.selector, r.mtype), count(DISTINCT host)
    FROM (SELECT host, unnest(tlsa) AS r FROM hosts WHERE dane = 'applies')
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 25
"""
ISSUERS = """
    SELECT coalesce(look.issuer, 'unreadable'), count(DISTINCT host)
    FROM (SELECT host, unnest(looks) AS look FROM hosts) WHERE look.outcome = 'served'
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 25
"""
EXPIRY = """
    SELECT CASE WHEN days < 0 THEN 'expired' WHEN days < 7 THEN 'within a week'
        WHEN days < 30 THEN 'within 30 days' WHEN days < 90 THEN 'within 90 days'
        WHEN days < 365 THEN 'within a year' ELSE 'later' END, count(*)
    FROM (
        SELECT host, min(date_diff('day', looked, look.expires)) AS days
        FROM (SELECT host, looked, unnest(looks) AS look FROM hosts)
        WHERE look.expires IS NOT NULL GROUP BY host
    ) GROUP BY 1 ORDER BY min(days)
"""
CODES = """
    SELECT code, count(*) FROM (SELECT DISTINCT domain, unnest(codes) AS code FROM domains)
    GROUP BY 1 ORDER BY 2 DESC, 1
"""
DENIAL = """
    SELECT h.host, count(DISTINCT d.domain), any_value(h.tlsa_security),
        any_value(list_filter(h.findings, lambda f: f.severity = 'critical')[1].text)
    FROM hosts h
    LEFT JOIN (SELECT domain, unnest(hosts).host AS host FROM domains) d ON d.host = h.host
    WHERE h.dane = 'deferred' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 15
"""
LARGEST = """
    SELECT d.host, count(DISTINCT d.domain), any_value(h.dane), any_value(h.status),
        any_value(list_distinct(list_transform(h.tlsa, lambda r: format('{} {} {}',
            r.usage, r.selector, r.mtype))))
    FROM (SELECT domain, unnest(hosts).host AS host FROM domains) d
    JOIN hosts h ON h.host = d.host
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 15
"""
WORST = """
    SELECT responsible, count(*), mode(codes[1]), any_value(findings[1].text)
    FROM domains WHERE status = 'critical' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 15
"""
FAILS = """
    SELECT responsible, domain, status, dane, array_to_string(codes, ' '), findings[1].text
    FROM domains WHERE status IN ('critical', 'warning')
    ORDER BY responsible, status, domain
"""


def make_report(root: Path) -> tuple[Path, Path, int]:
    """Write page and table into a survey's directory; how many domains fail.

    Raises `ConfigError` for what is no complete survey, `SurveyError`.
    """
    data = finished(root)
    page, failing = root / PAGE, root / FAILING
    with tables() as asked:
        asked.add(data)
        count = write_csv(failing, _HEAD, asked.each(FAILS))
        write_text(page, _page(data, asked))
    return page, failing, count


def _page(data: DataSet, asked: Tables) -> str:
    ((domains, first, last),) = asked.ask("SELECT count(*), min(looked), max(looked) FROM domains")
    ((hosts, bound),) = asked.ask(
        "SELECT count(*), count(*) FILTER (WHERE dane = 'applies') FROM hosts"
    )
    when = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC" if first else "never"
    intro = (
        f"<p>{domains:,} domains at {hosts:,} hosts, {bound:,} of them with DANE. Looked at from "
        f"{when}.{_left_out(data.state())}</p>"
    )
    parts = [
        intro,
        *(
            f"<p><strong>{page_text(line[:1].upper() + line[1:])}.</strong></p>"
            for line in silence(asked)
        ),
        _section("Verdicts on domains", _bars(asked.ask(STATUSES), "verdict", "domains")),
        _section(
            "Worst first",
            _table(
                ("responsible MX", "failing domains", "mostly", "for instance"), asked.ask(WORST)
            ),
        ),
        _section("What was found", _bars(asked.ask(CODES), "finding", "domains", domains)),
        _section(
            "Kinds of TLSA records", _bars(asked.ask(FORMS), "usage selector type", "hosts", bound)
        ),
        _section("Who issued certificates", _bars(asked.ask(ISSUERS), "issuer", "hosts")),
        _section("When certificates end", _bars(asked.ask(EXPIRY), "ends", "hosts")),
        _section(
            "Broken denial, and other TLSA lookups that fail",
            _table(("host", "domains", "TLSA answer", "for instance"), asked.ask(DENIAL)),
        ),
        _section(
            "Largest hosts",
            _table(("host", "domains", "DANE", "status", "TLSA records"), asked.ask(LARGEST)),
        ),
    ]
    return _WHOLE.format(title="DANE survey", style=_STYLE, body="\n".join(parts), by=__version__)


def _left_out(state: SurveyState | None) -> str:
    """What of the input was not looked at, if anything."""
    if state is None:
        return ""
    counts = ((state.refused, "that are no domain names"), (state.opted_out, "on the opt-out list"))
    words = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return f" Left out: {words}." if words else ""


def _section(title: str, body: str) -> str:
    return f"<section><h2>{page_text(title)}</h2>\n{body}</section>"


def _bars(rows: Iterable[tuple[Any, ...]], what: str, unit: str, whole: int = 0) -> str:
    """A plot that is a table, too: each row's name, number, share (of ``whole``) and bar."""
    rows = list(rows)
    total = whole or sum(count for _, count in rows)
    most = max((count for _, count in rows), default=1)
    if not rows:
        return "<p>None.</p>"
    lines = [
        f'<tr><th scope="row">{page_text(_short(name))}</th><td class="n">{count:,}</td>'
        f'<td class="n">{100 * count / total:.1f} %</td>'
        f'<td class="bar"><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="{_class(name)}" width="{max(100 * count / most, 0.4):.2f}" height="10"/>'
        "</svg></td></tr>"
        for name, count in rows
    ]
    head = f'<tr><th scope="col">{page_text(what)}</th>'
    head += f'<th class="n" scope="col">{page_text(unit)}</th>'
    head += '<th class="n" scope="col">share</th><td></td></tr>'
    return f'<div class="wide"><table>{head}{"".join(lines)}</table></div>'


_COLOURS = {
    "ok, with DANE": "ok",
    "DANE for some hosts": "partial",
    "no DANE: unprotected": "unprotected",
}


def _class(name: object) -> str:
    """The colour of a bar: what is unprotected, in part, too, has that of what nobody knows."""
    word = _COLOURS.get(str(name), str(name))
    return word if word in {"critical", "warning", "unknown", *_COLOURS.values()} else "plain"


def _short(value: object) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return printable("" if value is None else str(value), 160)


def _table(head: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> str:
    rows = list(rows)
    if not rows:
        return "<p>None.</p>"
    titles = "".join(f'<th scope="col">{page_text(word)}</th>' for word in head)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{titles}</tr>{lines}</table></div>'


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    words = _short(value)
    long = ' class="long"' if len(words) > _LONG else ""
    return f"<td{long}>{page_text(words) or '&ndash;'}</td>"


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --critical: #c62828; --warning: #b26a00;
  --unknown: #757575; --ok: #2e7d32; --plain: #1565c0; }
@media (prefers-color-scheme: dark) { :root { --critical: #ef6b6b; --warning: #ffb74d;
  --unknown: #bdbdbd; --ok: #81c784; --plain: #64b5f6; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bar { width: 45%; vertical-align: middle; } svg { display: block; width: 100%; height: .8rem; }
.wide { overflow-x: auto; } .long { min-width: 18rem; } td:not(.long, .bar) { white-space: nowrap; }
rect.critical { fill: var(--critical); } rect.warning { fill: var(--warning); }
rect.unknown { fill: var(--unknown); } rect.partial { fill: var(--unknown); }
rect.unprotected { fill: var(--unknown); } rect.ok { fill: var(--ok); }
rect.plain { fill: var(--plain); }
"""
_WHOLE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
<footer><p>danebot {by}</p></footer>
</body>
</html>
"""
