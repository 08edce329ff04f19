"""Whether anything has services read a new chain once it is live.

certbot's installers (``nginx``, ``apache``) and its post hooks act when it has issued, and live is
the former chain then.
"""

from __future__ import annotations

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.memory import Memory
from danebot.tuples import NamedTuple

_HOOKS = {"nginx": "@nginx", "apache": "@apache"}


class Reloads(NamedTuple):
    """What acts on a new chain of a lineage.

    ``deploy`` are the deploy hooks and ``again`` certbot's post hooks that danebot runs when it is
    live; ``early`` are post hooks that are left to certbot, and ``installer`` is certbot's, "" for
    none.
    """

    deploy: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    early: tuple[str, ...] = ()
    installer: str = ""


def early(name: str, reloads: Reloads, severity: Severity = Severity.NOTICE) -> Finding | None:
    """The finding of a lineage whose services certbot alone reloads, too early."""
    if reloads.deploy or not (reloads.installer or reloads.early):
        return None
    what = f"installer {reloads.installer}" if reloads.installer else "post hook"
    hook = _HOOKS.get(reloads.installer, "@postfix")
    remedy = f'name a deploy hook in danebot.toml: hooks = ["{hook}"]'
    if not reloads.installer:
        remedy += ", or let danebot run post hooks again: run_post_hooks = true"
    return Finding(
        Code.RELOADED_EARLY,
        severity,
        name,
        f"certbot's {what} acts before a new chain is live, and no deploy hook does afterwards: "
        "what it reloads stays one certificate behind",
        remedy,
    )


def reloading(name: str, reloads: Reloads, memory: Memory, watched: int = 0) -> tuple[Finding, ...]:
    """What the operator ought to know of it, which nothing fails by; () where all is well.

    ``watched`` counts the owners whose services are asked what they serve: where they were seen to
    serve what was deployed last, they need no hook.
    """
    found = early(name, reloads)
    if found is not None:
        return (found,)
    deployment = memory.deployment
    seen = bool(watched) and deployment is not None and deployment.confirmed_at is not None
    if reloads.deploy or reloads.again or seen:
        return ()
    return (Finding(Code.NO_RELOAD, Severity.NOTICE, name, Code.NO_RELOAD.meaning),)
