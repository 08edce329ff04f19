"""`danebot rehearse`: a line for each part of a renewal that went well, and what didn't."""

from __future__ import annotations

from typing import TYPE_CHECKING

from danebot.domain.finding import Severity
from danebot.verbs.common import ATTENTION, FINE

if TYPE_CHECKING:
    from danebot.console import Console

_WORTH_TELLING = 1.0  # seconds


def rehearse(console: Console, lineage: str, *, hooks: bool, no_certbot: bool) -> int:
    """Go through it; 0 if all went well, 1 if something didn't or can't be told."""
    from danebot.adapters.certbot.command import see_certbot
    from danebot.jobs.rehearse import rehearsal as job

    context = console.context(console.tree())
    context.tree.select((lineage,))
    worst = Severity.INFO
    with console.locked() as lock:
        certbot = None if no_certbot else see_certbot(console.settings)
        for part in job(context, lineage, certbot, lock, hooks=hooks):
            took = part.took.total_seconds()
            spent = f" ({took:.0f} s)" if took >= _WORTH_TELLING else ""
            if part.text:
                console.say(f"{lineage}: {part.text}{spent}")
            for finding in part.findings:
                console.warn(f"{finding}{spent}")
                worst = max(worst, finding.severity)
    console.say("nothing was changed")
    return ATTENTION if worst >= Severity.UNJUDGED else FINE
