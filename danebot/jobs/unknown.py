"""Says what is asked of lineages that there are not: by settings, or by a daily run."""

from __future__ import annotations

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.names import printable
from danebot.jobs.context import Context


def no_lineages(context: Context) -> tuple[Finding, ...]:
    """A finding where certbot has no lineage, and nothing is left of one (`orphans` tells that).

    A tree that was lost looks like one that was never filled, and services may serve on.
    """
    if context.tree.names() or context.tree.orphans():
        return ()
    text = f"certbot has no lineage in {context.tree.root}, so nothing is renewed or watched"
    return (Finding(Code.NOTHING_TO_RENEW, Severity.WARNING, "", printable(text, 600)),)


def unknown_lineages(context: Context) -> tuple[Finding, ...]:
    """A finding for each table of ``danebot.toml``, with its line."""
    known, settings = context.tree.names(), context.settings
    return tuple(
        Finding(
            Code.UNKNOWN_LINEAGE,
            Severity.WARNING,
            "",
            f"{settings.places.get(name, 'danebot.toml')}: no such lineage: {printable(name)}",
            _remedy(name, known),
        )
        for name in sorted(set(settings.lineages) - {*known})
    )


def _remedy(name: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    meant = get_close_matches(name, known, 1)
    return f"do you mean {meant[0]}? correct it, or take the table out" if meant else ""
