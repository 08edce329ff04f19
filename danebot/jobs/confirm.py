"""After a deployment: hooks until they succeed, then the wire, until it shows the new chain."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.finding import Code, Severity
from danebot.domain.names import Endpoint, TlsaOwner, Transport, default_protocol
from danebot.domain.rollover.memory import Exposure, PendingHook
from danebot.domain.rollover.retirement import leaving, out_of_use, probed, unsettled
from danebot.domain.status.summary import probe_status
from danebot.domain.text import duration
from danebot.jobs.probe_lineage import ask, neighbours, old_keys, serves
from danebot.jobs.survey import keys_of_others

if TYPE_CHECKING:
    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.rollover.in_use import KeysInUse
    from danebot.domain.rollover.memory import Deployment
    from danebot.jobs.context import Context
    from danebot.jobs.lineage_run import LineageRun

_PAUSES = (0.0, 1.0, 3.0)  # seconds: a reload takes a moment, an hour's wait for the next run more


def run_pending_hooks(run: LineageRun, context: Context) -> None:
    """Run each pending hook once; what fails stays pending and is reported by `assess`."""
    deployment = run.memory.deployment
    if deployment is None or not deployment.pending:
        return
    from danebot.adapters.certbot.hooks import deploy_hooks, run_hook

    state = run.read()
    names = sorted(str(name) for name in state.live.chain.names) if state.live else []
    hooks = {h.id: h for h in deploy_hooks(context.tree.root, run.name, context.settings)}
    left: list[PendingHook] = []
    for index, pending in enumerate(deployment.pending):
        hook = hooks.get(pending.hook)
        if hook is None:  # taken out of the configuration since
            continue
        context.progress(f"{run.name}: hook {hook.id}")
        result = run_hook(
            hook,
            run.paths.live,
            names,
            context.settings.hook_timeout,
            dict(context.settings.environment),
        )
        if result.error:
            left.append(pending._replace(attempts=pending.attempts + 1, error=result.error))
        waiting = (*left, *deployment.pending[index + 1 :])
        run.memory = replace(run.memory, deployment=deployment._replace(pending=waiting))
        run.save()
    run.memory = replace(run.memory, deployment=deployment._replace(pending=tuple(left)))
    run.save()


def confirm(run: LineageRun, context: Context) -> None:
    """Probe the lineage's endpoints after a deployment, until that is settled.

    It is confirmed once all serve the new chain; they are asked on at every run until the old key's
    records are gone.  A lineage without endpoints, or with probing turned off, has nobody to ask.
    """
    deployment = run.memory.deployment
    if deployment is None or not unsettled(run.memory):
        return
    state = run.read()
    serving = state.serving
    if serving is None:
        return
    endpoints = endpoints_of(state) if context.settings.probe(run.name) else ()
    elsewhere = keys_of_others(context, run.name)
    past = frozenset(key.spki for key in run.memory.past_keys) - {serving.key.spki}
    past -= elsewhere.keys  # whoever is asked may serve these for good reason
    stale = _not_served(run, context, endpoints, serving, past)
    for result in stale:
        _say_not_served(run, result)
    if any(result.outcome is ProbeOutcome.SERVED for result in stale) and not deployment.pending:
        _hooks_again(run, context, deployment)
    missed = [*stale]
    clean = not stale and not deployment.pending
    if clean and deployment.confirmed_at is None:
        _confirmed(run, context, state)
    if clean and past:
        behind = old_keys(context, run.name, endpoints, past, neighbours(context, state))
        for result in behind:
            _say_old_key(run, result)
        missed += behind
        clean = not behind
    _settle(run, context, missed, elsewhere, clean=clean)


def _not_served(
    run: LineageRun,
    context: Context,
    endpoints: Sequence[Endpoint],
    serving: Held,
    past: frozenset[bytes],
) -> list[ProbeResult]:
    """Probes that don't find the new chain; asked again while a service still serves another."""
    stale: list[ProbeResult] = []
    for pause in _PAUSES:
        time.sleep(pause if endpoints else 0)
        context.progress(f"{run.name}: asking {', '.join(map(str, endpoints)) or 'nobody'}")
        results = ask(context, run.name, endpoints, serving, past)
        at = context.clock()
        run.probes = tuple(probe_status(each, serving.chain.ders[0], at) for each in results)
        stale = [result for result in results if not serves(result, serving)]
        if not any(result.outcome is ProbeOutcome.SERVED for result in stale):
            break
    return stale


def _confirmed(run: LineageRun, context: Context, state: LineageState) -> None:
    deployment = run.memory.deployment
    if deployment is None:
        return
    run.memory = replace(run.memory, deployment=deployment._replace(confirmed_at=context.clock()))
    run.save()
    replaced = [past for past in run.memory.past_keys if past.until == deployment.at]
    if replaced:
        wait = context.settings.policy(run.name).retire_after
        exposed = any(past.exposure is not Exposure.NONE for past in replaced)
        stay = f"the old key's records stay until a probe after {duration(wait)} finds the same"
        run.say(
            Code.CONFIRMED,
            Severity.NOTICE,
            "the new key is in service and the rollover complete",
            stay if state.required and wait and not exposed else "",
        )


def _settle(
    run: LineageRun,
    context: Context,
    missed: Sequence[ProbeResult],
    elsewhere: KeysInUse,
    *,
    clean: bool,
) -> None:
    """Count this probe, and say so when old records may go by it.

    Those of keys that may be in use ``elsewhere`` may not.
    """
    before = run.memory.deployment
    if before is None:
        return
    policy = context.settings.policy(run.name)
    used = [
        past
        for past in leaving(run.memory)
        if not out_of_use(run.memory, past) and not elsewhere.may_hold(past.spki)
    ]
    after = probed(before, clean=clean, policy=policy, now=context.clock())
    after = after._replace(behind=tuple(dict.fromkeys(map(_missed, missed))))
    run.memory = replace(run.memory, deployment=after)
    run.save()
    if any(out_of_use(run.memory, past) for past in used):
        run.say(
            Code.RETIRED,
            Severity.NOTICE,
            "no service serves the old key any more, so its records may go",
        )


def _missed(result: ProbeResult) -> str:
    """A service that wasn't found on the new chain, in words."""
    if result.outcome is ProbeOutcome.SERVED:
        return f"{_place(result)} serves another certificate"
    return f"{_place(result)} could not be asked ({result.outcome.value})"


def _place(result: ProbeResult) -> str:
    return f"{result.endpoint} [{result.address}]" if result.address else str(result.endpoint)


def _hooks_again(run: LineageRun, context: Context, deployment: Deployment) -> None:
    """Make every hook pending: one of them said that it had reloaded a service, and it hasn't."""
    from danebot.adapters.certbot.hooks import deploy_hooks

    hooks = deploy_hooks(context.tree.root, run.name, context.settings)
    pending = tuple(PendingHook(hook.id) for hook in hooks)
    run.memory = replace(run.memory, deployment=deployment._replace(pending=pending))
    run.save()


def endpoints_of(state: LineageState) -> tuple[Endpoint, ...]:
    """The services that the lineage's TLSA owners name (RFC 6698 section 3), each once."""
    owners = (TlsaOwner.from_name(name) for name in state.owners)
    return tuple(
        dict.fromkeys(
            Endpoint(owner.base, owner.port, default_protocol(owner.port))
            for owner in owners
            if owner is not None and owner.transport is Transport.TCP
        )
    )


def _say_not_served(run: LineageRun, result: ProbeResult) -> None:
    where = _place(result)
    if result.outcome is ProbeOutcome.SERVED:
        run.say(
            Code.NOT_SERVED,
            Severity.WARNING,
            f"{where} still serves another certificate than the one deployed",
            "reload that service; danebot runs the deploy hooks again at every renew until it "
            "serves the new one: see that one of them reloads it",
        )
        return
    detail = f": {result.detail}" if result.detail else ""
    run.say(
        Code.NOT_CONFIRMED,
        Severity.WARNING,
        f"{where} could not be asked whether it serves the new certificate "
        f"({result.outcome.value}{detail})",
        "see that it runs, or name the address to ask with endpoints in danebot.toml; where no "
        f"such service is, take its line out: danebot watch --remove {run.name} {_owner(result)}",
    )


def _owner(result: ProbeResult) -> TlsaOwner:
    return TlsaOwner(result.endpoint.host, result.endpoint.port)


def _say_old_key(run: LineageRun, result: ProbeResult) -> None:
    where = _place(result)
    if result.outcome is ProbeOutcome.SERVED:
        text = f"{where} serves a certificate of an old key ({result.algorithm.value})"
        remedy = "have that service use the new one too; the old key's records stay meanwhile"
        run.say(Code.NOT_SERVED, Severity.WARNING, text, remedy)
        return
    detail = f": {result.detail}" if result.detail else ""
    text = (
        f"{where} could not be asked whether it serves an old key ({result.outcome.value}{detail})"
    )
    run.say(Code.NOT_CONFIRMED, Severity.WARNING, text, "the old key's records stay meanwhile")
