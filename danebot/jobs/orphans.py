"""Lineages whose renewal configuration is gone, while services may serve them: never silent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.presence import is_there
from danebot.adapters.tree.paths import COMBO, NEXT, READY, LineagePaths
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.text import printable, quoted, when
from danebot.errors import UnreadableError
from danebot.jobs.observing import attempted, unreadable_finding

if TYPE_CHECKING:
    from danebot.jobs.context import Context


def orphans(context: Context) -> tuple[Finding, ...]:
    """A finding for each directory in staging/ or live/ without a renewal configuration.

    That is what ``certbot delete`` leaves of a lineage under care.
    """
    try:
        names = context.tree.orphans()
    except UnreadableError as exc:
        return (unreadable_finding("", exc),)
    return tuple(attempted(name, _orphan, context, name) for name in names)


def _orphan(context: Context, name: str) -> Finding:
    paths = context.tree.paths(name)
    text = f"{paths.conf} is gone, so nothing is renewed"
    held = context.tree.reader.combo(paths.live / COMBO)
    critical = held is None
    if held is not None:
        chain = held.chain
        text += f"; {COMBO} ends {when(chain.not_after)}"
        least = context.settings.policy(name).expiry_critical
        left = chain.not_after - context.clock()
        critical = left < chain.lifetime * least
    keys = [file for file in (NEXT, READY) if is_there(paths.staging / file)]
    if keys:
        text += f"; records of {_listed(keys)} may be published"
    return Finding(
        Code.NOT_RENEWED,
        Severity.CRITICAL if critical else Severity.WARNING,
        name,
        printable(text, 600),
        printable(f"the way back: danebot status {quoted(name)}", 600),
    )


def way_back(paths: LineagePaths) -> tuple[str, ...]:
    """How to go on with what is left of a lineage, or to give it up: a line each."""
    there = [place for place in (paths.staging, paths.live) if is_there(place)]
    original = paths.conf.with_name(f"{paths.conf.name}.orig")
    if is_there(original):
        restore = f"cp -p {quoted(original, paths.conf)}"
    else:
        restore = f"restore {paths.conf} from a backup"
    end = "take its TLSA records out of DNS, have no service use it, and remove"
    return (
        f"to go on: {restore}; then: danebot init {quoted(paths.name)}",
        f"to give it up: {end} {_listed(there)}",
    )


def _listed(items: list[Path] | list[str]) -> str:
    return " and ".join(map(str, items))
