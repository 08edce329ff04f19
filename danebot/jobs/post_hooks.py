"""certbot's post hooks, run once more after a deployment.

certbot runs them when it has issued: what they reload has read the former chain then.  As certbot
does, each is run once for all lineages together, and once whatever comes of it, be it cut short:
many can't be run twice, since they undo what a pre hook did.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.memory import PendingHook
from danebot.jobs.progress import Done

if TYPE_CHECKING:
    from danebot.adapters.certbot.hooks import Hook, HookRun
    from danebot.jobs.context import Context
    from danebot.jobs.lineage_run import LineageRun

_REMEDY = (
    "it isn't run again: reload by hand what it reloads, and name a deploy hook for that with "
    "hooks in danebot.toml; if it can't be run twice, also set run_post_hooks = false"
)


def run_post_hooks(context: Context, runs: Sequence[LineageRun]) -> None:
    """Run what is pending of ``runs``, after all their deploy hooks."""
    waiting: dict[Hook, list[LineageRun]] = {}
    for run in runs:
        if run.memory.deployment is not None and run.memory.deployment.pending:
            run.guard(partial(_gather, context, run, waiting))
    for hook, lineages in waiting.items():
        from danebot.adapters.certbot.hooks import run_hook

        names: set[str] = set()
        for run in lineages:
            run.guard(partial(_not_pending, run, hook, names))
        concerned = [run for run in lineages if not run.progress.failed]
        if not concerned:
            continue
        context.progress(f"post hook {hook.id}")
        result = run_hook(
            hook,
            concerned[0].paths.live,
            sorted(names),
            context.settings.hook_timeout,
            dict(context.settings.environment),
        )
        if result.error:
            concerned[0].tell((_failed(concerned[0].name, result),))


def _gather(context: Context, run: LineageRun, waiting: dict[Hook, list[LineageRun]]) -> None:
    from danebot.adapters.certbot.hooks import deploy_hooks

    deployment = run.memory.deployment
    pending = {one.hook for one in deployment.pending} if deployment is not None else set()
    for hook in deploy_hooks(context.tree.root, run.name, context.settings):
        if hook.kind.post and hook.id in pending:
            waiting.setdefault(hook, []).append(run)


def _not_pending(run: LineageRun, hook: Hook, names: set[str]) -> None:
    """Take the hook off, and add the names of the live certificate to ``names``."""
    live = run.read().live
    names.update(map(str, live.chain.names) if live is not None else ())
    memory, deployment = run.memory, run.memory.deployment
    if deployment is not None:
        left = tuple(one for one in deployment.pending if one.hook != hook.id)
        run.do((Done(memory._replace(deployment=deployment._replace(pending=left))),))


def _failed(name: str, result: HookRun) -> Finding:
    failed = PendingHook(result.hook.id, 1, result.error)
    text = f"post hook {failed.program}, run again after the deployment, failed: {failed.outcome}"
    return Finding(Code.HOOK_FAILED, Severity.WARNING, name, text, _REMEDY, failed.said)
