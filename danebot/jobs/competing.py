"""Says what else on this host runs ``certbot renew`` on the tree."""

from __future__ import annotations

from pathlib import Path

from danebot.adapters.certbot.timers import competing_jobs
from danebot.domain.finding import Code, Finding, Severity
from danebot.jobs.context import Context


def competing(context: Context, root: Path = Path("/")) -> tuple[Finding, ...]:
    """One finding for all of it on the host at ``root``; () where there is nothing."""
    jobs = competing_jobs(context.tree.root, root)
    if not jobs:
        return ()
    text = f"certbot is still run beside danebot: {'; '.join(map(str, jobs))}"
    return (Finding(Code.COMPETING_RUN, Severity.WARNING, "", text, ""),)
