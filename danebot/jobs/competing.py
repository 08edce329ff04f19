"""Says what else on this host runs ``certbot renew`` on the tree."""

from __future__ import annotations

from danebot.adapters.certbot.timers import competing_jobs
from danebot.domain.finding import Code, Finding, Severity
from danebot.jobs.context import Context


def competing(context: Context) -> tuple[Finding, ...]:
    """One finding for all of it; () where there is nothing."""
    jobs = competing_jobs(context.tree.root)
    if not jobs:
        return ()
    text = f"certbot is still run beside danebot: {'; '.join(jobs)}"
    return (Finding(Code.COMPETING_RUN, Severity.WARNING, "", text, ""),)
