"""`danebot rehearse`: a renewal, a deployment and a publication without the change.

Each part says how it went and what it cost; nothing is remembered, so that no file changes but
certbot's log.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, ParamSpec

from danebot.config import Method
from danebot.domain.doctor.assess import refusal, unreached
from danebot.domain.doctor.codes import HostCode
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.steps.safe_time import emergency_wait
from danebot.domain.text import duration, program_of
from danebot.errors import RolloverError
from danebot.jobs.confirm import endpoints_of
from danebot.jobs.deploy import refuse_mismatch
from danebot.jobs.doctor import not_served, refused_publishers
from danebot.jobs.host_facts import Looker
from danebot.jobs.next_key import managed
from danebot.jobs.overview import look_over
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.adapters.certbot.command import Certbot
    from danebot.adapters.certbot.hooks import Hook
    from danebot.adapters.tree.locks import TreeLock
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView

ArgsT = ParamSpec("ArgsT")
_MINUTES = timedelta(hours=2)  # longer times have to be read in words, too
_LOG = "see certbot's log, /var/log/letsencrypt/letsencrypt.log"


class RehearsalPart(NamedTuple):
    """One part of a rehearsal: what went well, in words, or what was found; and its time."""

    text: str
    findings: tuple[Finding, ...]
    took: timedelta


def rehearsal(
    context: Context, name: str, certbot: Certbot | None, lock: TreeLock, *, hooks: bool
) -> Iterator[RehearsalPart]:
    """Yield each part when it is over.  The caller holds ``lock``; ``certbot`` None leaves it out.

    Raises `RolloverError` where nothing usable is live, `TreeError` for a lineage that isn't
    danebot's.
    """
    managed(context, name)
    found = look_over(context, (name,))
    if not found.views:
        raise RolloverError("; ".join(map(str, found.unreadable)))
    (view,) = found.views
    if standing := tuple(one for one in view.findings if one.severity >= Severity.WARNING):
        yield RehearsalPart("", standing, timedelta(0))
    if view.state.serving is None:
        raise RolloverError(f"{name}: {'; '.join(view.state.faults) or 'nothing usable is live'}")
    if certbot is not None:
        yield _timed(_certbots, context, view, certbot, lock)
    told = _hooks(context, name) if hooks else ()
    if told and (refusal := _held_back(context, view)):
        yield RehearsalPart("", (refusal,), timedelta(0))
        told = ()
    for hook in told:
        yield _timed(_hook, context, view, hook)
    for part in (_services, _publisher, _emergency):
        yield _timed(part, context, view)


def _timed(
    part: Callable[ArgsT, str | Sequence[Finding]], *args: ArgsT.args, **more: ArgsT.kwargs
) -> RehearsalPart:
    """What a part gives: words for what went well, or findings."""
    began = time.monotonic()
    found = part(*args, **more)
    took = timedelta(seconds=time.monotonic() - began)
    text, findings = (found, ()) if isinstance(found, str) else ("", tuple(found))
    return RehearsalPart(text, findings, took)


def _certbots(
    context: Context, view: LineageView, certbot: Certbot, lock: TreeLock
) -> str | Sequence[Finding]:
    state = view.state
    key = state.current_key
    context.progress("certbot renew --dry-run")
    with lock.certbot_may_run():
        run = certbot.rehearse(state.name, key.key_type if key is not None else None)
    if run.reason:
        text = f"certbot's dry run failed: {run.reason}"
        return (Finding(Code.RENEWAL_FAILED, Severity.WARNING, state.name, text, _LOG),)
    return "certbot's dry run got a certificate for the key that a renewal keeps"


def _hooks(context: Context, name: str) -> tuple[Hook, ...]:
    """The deploy hooks; certbot's post hooks run with its dry run."""
    from danebot.adapters.certbot.hooks import deploy_hooks

    found = deploy_hooks(context.tree.root, name, context.settings)
    return tuple(hook for hook in found if not hook.kind.post)


def _held_back(context: Context, view: LineageView) -> Finding | None:
    """Why no hook may be run; None if they may: services would read what is live."""
    state, seen = view.state, view.observation.owners
    try:
        refuse_mismatch(context, state, view.memory, seen)
    except RolloverError as exc:
        return Finding(Code.TLSA_MISMATCH, Severity.CRITICAL, state.name, str(exc), "")
    return None


def _hook(context: Context, view: LineageView, hook: Hook) -> str | Sequence[Finding]:
    from danebot.adapters.certbot.hooks import run_hook

    name, held = view.state.name, view.state.serving
    domains = sorted(map(str, held.chain.names)) if held is not None else []
    live, settings = context.tree.paths(name).live, context.settings
    context.progress(f"hook {hook.id}")
    environment = dict(settings.environment)
    ran = run_hook(hook, live, domains, settings.hook_timeout, environment, event="rehearsal")
    shown = program_of(hook.id)
    if ran.error:
        text = f"deploy hook {shown} failed: {ran.error}"
        return (Finding(Code.HOOK_FAILED, Severity.WARNING, name, text, "mend it"),)
    return f"deploy hook {shown} ran"


def _services(context: Context, view: LineageView) -> str | Sequence[Finding]:
    asked = endpoints_of(view.state) if context.settings.probe(view.state.name) else ()
    if not asked:
        return "no service is asked what it serves"
    found = [
        one if isinstance(one, Finding) else unreached(one)
        for one in not_served(context, (view,), Looker())
    ]
    return found or f"the live chain is served by {', '.join(map(str, asked))}"


def _publisher(context: Context, view: LineageView) -> str | Sequence[Finding]:
    method = context.settings.publish(view.state.name).method
    if method is Method.MANUAL:
        return "records are published by hand: danebot tlsa prints them"
    found = [refusal(one) for one in refused_publishers(context, (view,))]
    return found or f"the publisher ({method.value}) can be used"


def _emergency(context: Context, view: LineageView) -> str | Sequence[Finding]:
    """How long a compromised key would be served, once its successor's records are published."""
    name = view.state.name
    policy = context.settings.policy(name)
    wait = emergency_wait(view.state, view.memory, policy, context.clock())
    if not view.state.owners:
        return "in an emergency the key is replaced at once: no TLSA record is watched"
    if wait is None:
        text = "nobody knows how long an emergency would take: its records were never seen"
        return (Finding(HostCode.UNSEEN, Severity.UNJUDGED, name, text, "run: danebot renew"),)
    minutes = math.ceil(wait / timedelta(minutes=1))
    in_words = f" ({duration(wait)})" if wait > _MINUTES else ""
    return (
        f"in an emergency the key would be replaced {minutes} min after its successor's records "
        f"are at every server{in_words}"
    )
