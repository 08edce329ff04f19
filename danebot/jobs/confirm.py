"""After a deployment: hooks until they succeed, then the wire, until it shows the new chain."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.event import Event, EventKind
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.pem import leaf_spki
from danebot.domain.names import Endpoint, TlsaOwner, service_at
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Exposure,
    Memory,
    Occurrence,
    PendingHook,
)
from danebot.domain.rollover.records.retirement import (
    found_instead,
    leaving,
    out_of_use,
    probed,
    proved,
    unsettled,
)
from danebot.domain.rollover.steps.refusals import worst
from danebot.domain.rollover.steps.reload import live_refusals
from danebot.domain.rollover.steps.served import loses_nothing
from danebot.domain.rollover.steps.unasked import came_by_itself, disproved, shown_already
from danebot.domain.status.summary import probe_status
from danebot.domain.text import duration, quoted, when
from danebot.jobs.observing import keys_of_others
from danebot.jobs.probe_lineage import ask, neighbours, old_keys, serves
from danebot.jobs.progress import Done

if TYPE_CHECKING:
    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.domain.rollover.records.in_use import KeysInUse
    from danebot.domain.rollover.steps.refusals import Refusal
    from danebot.jobs.context import Context

_PAUSES = (0.0, 1.0, 3.0)  # seconds: a reload takes a moment, an hour's wait for the next run more


def run_pending_hooks(context: Context, state: LineageState, memory: Memory) -> Iterator[Done]:
    """Run each pending hook once; what fails stays pending and is reported by `assess`.

    certbot's post hooks stay pending: see `post_hooks`.
    """
    deployment = memory.deployment
    if deployment is None or not deployment.pending:
        return
    from danebot.adapters.certbot.hooks import deploy_hooks, run_hook

    live = context.tree.paths(state.name).live
    names = sorted(str(name) for name in state.live.chain.names) if state.live else []
    hooks = {h.id: h for h in deploy_hooks(context.tree.root, state.name, context.settings)}
    left: list[PendingHook] = []
    for index, pending in enumerate(deployment.pending):
        hook = hooks.get(pending.hook)
        if hook is None:  # taken out of the configuration since
            continue
        if hook.kind.post:
            left.append(pending)
            continue
        context.progress(f"{state.name}: hook {hook.id}")
        environment = dict(context.settings.environment)
        result = run_hook(hook, live, names, context.settings.hook_timeout, environment)
        if result.error:
            left.append(pending._replace(attempts=pending.attempts + 1, error=result.error))
        waiting = (*left, *deployment.pending[index + 1 :])
        yield Done(memory._replace(deployment=deployment._replace(pending=waiting)))
    yield Done(memory._replace(deployment=deployment._replace(pending=tuple(left))))


def confirm(
    context: Context, state: LineageState, memory: Memory, seen: Observations
) -> Iterator[Done]:
    """Probe the lineage's endpoints after a deployment, until that is settled.

    ``memory`` must hold what was ``seen``.
    It is confirmed once all serve the new chain; they are asked on at every run until the old key's
    records are gone.  A lineage without endpoints, or with probing turned off, has nobody to ask.
    """
    name, deployment, serving = state.name, memory.deployment, state.serving
    if deployment is None or not unsettled(memory) or serving is None:
        return
    if came_by_itself(memory, state):
        deployment = found_instead(deployment, serving)
        memory = memory._replace(deployment=deployment)
    if deployment.chain != serving.chain.fingerprint:  # it isn't live yet: nobody can have it
        return
    endpoints = endpoints_of(state) if context.settings.probe(name) else ()
    elsewhere = keys_of_others(context, name)
    past = frozenset(key.spki for key in memory.past_keys) - {serving.key.spki}
    past -= elsewhere.keys  # another host that is asked may serve these for good reason
    results: tuple[ProbeResult, ...] = ()
    stale: tuple[ProbeResult, ...] = ()
    for results in _asked(context, name, endpoints, serving, past):
        at = context.clock()
        stale = tuple(result for result in results if not serves(result, serving))
        yield Done(probes=tuple(probe_status(one, serving.chain.ders[0], at) for one in results))
    refusal = _kept_from(context, state, memory, seen, results)
    yield Done(events=tuple(_not_served(name, result, refusal) for result in stale))
    if refusal is not None and shown_already(memory, state):
        memory = no_longer_sure(context, state, memory)
        deployment = memory.deployment or deployment
        yield Done(memory)
    clean = not stale and not deployment.pending
    if clean:
        memory = memory._replace(asked=state.owners if endpoints else ())
    again = refusal is None and any(result.outcome is ProbeOutcome.SERVED for result in stale)
    if again and not deployment.pending:
        memory = memory._replace(deployment=deployment._replace(pending=all_hooks(context, name)))
        yield Done(memory)
    if clean and deployment.confirmed_at is None:
        deployment = deployment._replace(confirmed_at=context.clock())
        memory = memory._replace(deployment=deployment)
        asked = ", ".join(map(str, endpoints))
        text = f"the deployed chain is served by {asked}" if asked else "no service is to be asked"
        served = Event(context.clock(), EventKind.CONFIRMED, name, text)
        own = deployment.origin is Occurrence.DEPLOYED
        found = _confirmed(context, state, memory, deployment) if own else ()
        yield Done(memory, found, changes=(served,) if own else ())
    behind: tuple[ProbeResult, ...] = ()
    if clean and past:
        behind = old_keys(context, name, endpoints, past, neighbours(context, state))
        yield Done(events=tuple(_old_key(name, result) for result in behind))
    after = _counted(context, name, memory, (*stale, *behind), clean=clean and not behind)
    in_use = elsewhere.with_keys({serving.key.spki})
    yield Done(proved(after), _out_of_use(name, memory, after, in_use))


def _kept_from(
    context: Context,
    state: LineageState,
    memory: Memory,
    seen: Observations,
    results: Sequence[ProbeResult],
) -> Refusal | None:
    """Why hooks must not have services serve what is live; None if they may.

    Danebot's own passed the gate for that.  What was found live did not, and a service may have
    the key that the records name; so may one that came since, or one whose ``results`` show that
    it has another chain.  Where each address shows what can't lose by it, nothing is spared.
    """
    policy, now, live = context.settings.policy(state.name), context.clock(), state.serving
    if live is None:
        return None

    def at(owner: DnsName) -> list[ProbeResult]:
        return [result for result in results if result.endpoint.is_same(service_at(owner))]

    def loses(owner: DnsName, result: ProbeResult) -> bool:
        return not loses_nothing(
            owner, result.chain, live, state, seen, memory=memory, policy=policy, now=now
        )

    def seen_to_lose(owner: DnsName) -> bool:
        return any(result.chain and loses(owner, result) for result in at(owner))

    def seen_to_be_well(owner: DnsName) -> bool:
        return bool(at(owner)) and all(r.chain and not loses(owner, r) for r in at(owner))

    others = [owner for owner in state.owners if any(_has_other(one, live) for one in at(owner))]
    refusals = tuple(live_refusals(state, seen, memory, policy=policy, now=now, doubted=others))
    if not shown_already(memory, state):
        return worst(one for one in refusals if not seen_to_be_well(one.owner))
    return worst(one for one in refusals if not one.unknown and seen_to_lose(one.owner))


def _has_other(result: ProbeResult, live: Held) -> bool:
    """Whether a service was seen to have another chain than what is live."""
    return bool(result.chain) and not serves(result, live)


def _asked(
    context: Context,
    name: str,
    endpoints: Sequence[Endpoint],
    serving: Held,
    past: frozenset[bytes],
) -> Iterator[tuple[ProbeResult, ...]]:
    """Ask each service for the new chain, and again while one still serves another."""
    for pause in _PAUSES:
        time.sleep(pause if endpoints else 0)
        context.progress(f"{name}: asking {', '.join(map(str, endpoints)) or 'nobody'}")
        results = ask(context, name, endpoints, serving, past)
        yield results
        stale = (result for result in results if not serves(result, serving))
        if not any(result.outcome is ProbeOutcome.SERVED for result in stale):
            return


def _confirmed(
    context: Context, state: LineageState, memory: Memory, deployment: Deployment
) -> tuple[Finding, ...]:
    """Word that a rollover is complete; nothing where no key was replaced."""
    replaced = [past for past in memory.past_keys if past.until == deployment.at]
    if not replaced:
        return ()
    wait = context.settings.policy(state.name).retire_after
    exposed = any(past.exposure is not Exposure.NONE for past in replaced)
    stay = f"the old key's records stay until a probe after {duration(wait)} finds the same"
    return (
        Finding(
            Code.CONFIRMED,
            Severity.NOTICE,
            state.name,
            "the new key is in service and the rollover complete",
            stay if state.required and wait and not exposed else "",
        ),
    )


def _counted(
    context: Context, name: str, memory: Memory, missed: Sequence[ProbeResult], *, clean: bool
) -> Memory:
    """The memory with this probe counted."""
    if memory.deployment is None:
        return memory
    policy = context.settings.policy(name)
    after = probed(memory.deployment, clean=clean, policy=policy, now=context.clock())
    after = after._replace(behind=tuple(dict.fromkeys(map(_missed, missed))))
    return memory._replace(deployment=after)


def _out_of_use(name: str, before: Memory, after: Memory, in_use: KeysInUse) -> tuple[Finding, ...]:
    """Word that old records may go by this probe; those of keys ``in_use`` may not."""
    used = [
        past
        for past in leaving(before)
        if not out_of_use(before, past) and not in_use.may_hold(past.spki)
    ]
    if not any(out_of_use(after, past) for past in used):
        return ()
    text = "no service serves the old key any more, so its records may go"
    return (Finding(Code.RETIRED, Severity.NOTICE, name, text, ""),)


def _missed(result: ProbeResult) -> str:
    """A service that wasn't found on the new chain, in words."""
    if result.outcome is ProbeOutcome.SERVED:
        return f"{place_of(result)} serves another certificate"
    return f"{place_of(result)} could not be asked ({result.outcome.value})"


def place_of(result: ProbeResult) -> str:
    """Who was asked, in words: the endpoint, and its address where there was one."""
    return f"{result.endpoint} [{result.address}]" if result.address else str(result.endpoint)


def all_hooks(context: Context, name: str) -> tuple[PendingHook, ...]:
    """Every deploy hook, pending: one said that it had reloaded a service, and it hasn't.

    Post hooks run once: many undo something.
    """
    from danebot.adapters.certbot.hooks import deploy_hooks

    hooks = deploy_hooks(context.tree.root, name, context.settings)
    return tuple(PendingHook(hook.id) for hook in hooks if not hook.kind.post)


def no_longer_sure(context: Context, state: LineageState, memory: Memory) -> Memory:
    """The memory once a service wasn't seen to serve what is live: no deploy hook waits for it."""
    live = state.serving
    if live is None:
        return memory
    memory = disproved(memory, live, context.clock())
    last = memory.deployment
    if last is None or not last.pending:
        return memory
    hooks = {one.hook for one in all_hooks(context, state.name)}
    left = tuple(one for one in last.pending if one.hook not in hooks)
    return memory._replace(deployment=last._replace(pending=left))


def endpoints_of(state: LineageState) -> tuple[Endpoint, ...]:
    """The services that the lineage's TLSA owners name (RFC 6698 section 3), each once."""
    found = map(service_at, state.owners)
    return tuple(dict.fromkeys(endpoint for endpoint in found if endpoint is not None))


def _not_served(name: str, result: ProbeResult, refusal: Refusal | None) -> Finding:
    if result.outcome is ProbeOutcome.SERVED:
        remedy = (
            "reload that service; danebot runs the deploy hooks again at every renew until it "
            "serves the new one: see that one of them reloads it"
        )
        if refusal is not None and refusal.until is not None:
            remedy = (
                f"leave it as it is until {when(refusal.until)}: caches may have records by "
                f"which senders refuse the live key; then run: danebot deploy {quoted(name)}"
            )
        elif refusal is not None and refusal.silent:
            remedy = (
                "leave it as it is: senders may have records by which they refuse the live key "
                f"from {', '.join(refusal.silent)}, which gives no usable answer; mend that "
                f"server, or take it out of the NS set, then run: danebot deploy {quoted(name)}"
            )
        elif refusal is not None:
            remedy = (
                "leave it as it is until the records of the live key are in every cache: danebot "
                f"tlsa {quoted(name)}; then have it reloaded: danebot deploy {quoted(name)}"
            )
        return Finding(
            Code.NOT_SERVED,
            Severity.WARNING,
            name,
            f"{place_of(result)} still serves another certificate than the one deployed "
            f"({_presented(result)})",
            remedy,
        )
    owner = TlsaOwner(result.endpoint.host, result.endpoint.port)
    remedy = (
        "see that it runs, or name the address to ask with endpoints in danebot.toml; where no "
        f"such service is, take its line out: danebot watch --remove {quoted(name, owner)}"
    )
    return _not_asked(name, result, "the new certificate", remedy)


def _presented(result: ProbeResult) -> str:
    """What a service serves, in words."""
    spki = leaf_spki(result.chain[0]) if result.chain else b""
    return f"its key: 3 1 1 {sha256(spki).hexdigest()}" if spki else "one that can't be read"


def _not_asked(name: str, result: ProbeResult, what: str, remedy: str) -> Finding:
    why = result.outcome.value + (f": {result.detail}" if result.detail else "")
    text = f"{place_of(result)} could not be asked whether it serves {what} ({why})"
    return Finding(Code.NOT_CONFIRMED, Severity.WARNING, name, text, remedy)


def _old_key(name: str, result: ProbeResult) -> Finding:
    if result.outcome is not ProbeOutcome.SERVED:
        return _not_asked(name, result, "an old key", "the old key's records stay meanwhile")
    text = f"{place_of(result)} serves a certificate of an old key ({result.algorithm.value})"
    remedy = "have that service use the new one too; the old key's records stay meanwhile"
    return Finding(Code.NOT_SERVED, Severity.WARNING, name, text, remedy)
