"""Says of lineages under care whether anything has their services read a new chain."""

from __future__ import annotations

from collections.abc import Sequence

from danebot.adapters.certbot.held_hooks import PRE, any_staged, executables, hold
from danebot.adapters.certbot.hooks import CertbotHooks, hooks_of
from danebot.domain.finding import Code, Finding, Severity, most_serious_first
from danebot.domain.lineage.state import Management
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.findings.reloading import Reloads, early, reloading
from danebot.errors import DanebotError
from danebot.jobs.context import Context
from danebot.jobs.view import LineageView
from danebot.tuples import NamedTuple


def with_reloads(context: Context, views: Sequence[LineageView]) -> tuple[LineageView, ...]:
    """The views with that; what can't be told is told by who needs it."""
    try:
        certbots = _read(context)
    except DanebotError:
        return tuple(views)
    return tuple(_told(context, certbots, one) for one in views)


def _told(context: Context, certbots: _Certbots, view: LineageView) -> LineageView:
    state, settings = view.state, context.settings
    if state.management is not Management.STAGED:
        return view
    try:
        reloads = _reloads(context, certbots, state.name)
    except DanebotError:
        return view
    watched = len(state.owners) if settings.probe(state.name) else 0
    found = reloading(state.name, reloads, view.memory, watched)
    findings = (*view.findings, *found)
    return view._replace(findings=most_serious_first(findings))


def reload_notices(context: Context, name: str) -> tuple[Finding, ...]:
    """The same of a lineage that has just been taken on."""
    return reloading(name, _reloads(context, _read(context), name), Memory())


def reloaded_early(context: Context, name: str) -> tuple[Finding, ...]:
    """A warning for the run that deploys: what certbot alone reloads has the former chain.

    () where that can't be told, as in `with_reloads`: the deployment is done, and goes on.
    """
    try:
        found = early(name, _reloads(context, _read(context), name), Severity.WARNING)
    except DanebotError:
        return ()
    return (found,) if found is not None else ()


def not_held(context: Context) -> tuple[Finding, ...]:
    """Word of deploy hooks that can't be held back; the caller holds the locks.

    certbot calls for lineages under care leave the directory's hooks out then, pre hooks with them.
    """
    root = context.tree.root
    why = hold(root) if any_staged(root) else ()
    if not why:
        return ()
    pre = executables(root / PRE)
    text = (
        f"{why[0]}; so certbot is called for each lineage, and runs nothing of "
        f"renewal-hooks for danebot's{', not even the pre hooks there' if pre else ''}; danebot "
        "runs the deploy hooks when a chain is live, but certbot run by hand runs them before"
    )
    return (Finding(Code.NOT_HELD, Severity.WARNING if pre else Severity.NOTICE, "", text),)


class _Certbots(NamedTuple):
    """What certbot runs for all lineages; ``posted`` is its post directory's, whoever runs it."""

    hooks: CertbotHooks
    posted: tuple[str, ...]


def _read(context: Context) -> _Certbots:
    hooks = CertbotHooks.read(context.tree.root, context.settings)
    return _Certbots(hooks, hooks.posted(context.tree.root))


def _reloads(context: Context, certbots: _Certbots, name: str) -> Reloads:
    conf = context.tree.conf(name)
    hooks = hooks_of(name, conf, certbots.hooks, context.settings)
    again = tuple(hook.id for hook in hooks if hook.kind.post)
    return Reloads(
        tuple(hook.id for hook in hooks if not hook.kind.post),
        again,
        () if again else certbots.hooks.post_hooks(certbots.posted, conf),
        certbots.hooks.setting("installer", conf.installer),
    )
