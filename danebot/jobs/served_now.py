"""Services asked right before something rests on what they serve: they may have moved on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.names import service_at
from danebot.domain.rollover.evidence.memory import Exposure
from danebot.domain.rollover.steps.gate import (
    Refusal,
    live_refusals,
    loses_nothing,
    passed_gate,
    worst,
)
from danebot.domain.rollover.steps.unasked import shown_already
from danebot.jobs.probe_lineage import ask

if TYPE_CHECKING:
    from danebot.domain.delivery.probes import ProbeResult
    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.memory import Memory
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.jobs.context import Context


def unharmed(
    context: Context,
    state: LineageState,
    memory: Memory,
    seen: Observations,
    owners: Iterable[DnsName],
    *,
    new: Held | PublicKey,
) -> frozenset[DnsName]:
    """Ask the services at ``owners``; return those where no address loses by ``new``.

    Silence says nothing.  ``memory`` must hold what was ``seen``.
    """
    live, name = state.serving, state.name
    services = {owner: service for owner in owners if (service := service_at(owner)) is not None}
    if live is None or not services or not context.settings.probe(name):
        return frozenset()
    context.progress(f"{name}: asking {', '.join(map(str, services.values()))} beforehand")
    past = frozenset(key.spki for key in memory.past_keys) - {live.key.spki}
    found = ask(context, name, tuple(dict.fromkeys(services.values())), live, past)
    policy, now = context.settings.policy(name), context.clock()

    def safe(owner: DnsName, result: ProbeResult) -> bool:
        chain = result.chain if result.outcome is ProbeOutcome.SERVED else ()
        return bool(chain) and loses_nothing(
            owner, chain, new, state, seen, memory=memory, policy=policy, now=now
        )

    there = {
        owner: [r for r in found if r.endpoint.is_same(one)] for owner, one in services.items()
    }
    return frozenset(
        owner
        for owner, results in there.items()
        if results and all(safe(owner, result) for result in results)
    )


def kept_from(
    context: Context, state: LineageState, memory: Memory, seen: Observations
) -> Refusal | None:
    """Why hooks must not have services serve what is live; None if they may.

    They may have a former key, or a later one, by which mail flows: where records refuse what is
    live, services are asked.  Of what danebot deployed, that counts for those who can be asked.
    """
    live, now = state.serving, context.clock()
    if live is None or (passed_gate(memory, live) and _hurried(memory)):
        return None
    policy, asked = context.settings.policy(state.name), context.settings.probe(state.name)
    shown = shown_already(memory, state)
    others = state.owners if asked and not shown else ()
    refusals = list(live_refusals(state, seen, memory, policy=policy, now=now, doubted=others))
    if shown:
        refusals = [one for one in refusals if asked and service_at(one.owner) and not one.unknown]
    safe = unharmed(context, state, memory, seen, {one.owner for one in refusals}, new=live)
    return worst(one for one in refusals if one.owner not in safe)


def _hurried(memory: Memory) -> bool:
    """Whether the last deployment replaced a compromised key: the operator accepted a mismatch."""
    last = memory.deployment
    return last is not None and any(
        past.until == last.at and past.exposure is not Exposure.NONE for past in memory.past_keys
    )
