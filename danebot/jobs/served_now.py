"""Services asked right before something rests on what they serve: they may have moved on."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.names import service_at
from danebot.domain.rollover.evidence.memory import Exposure
from danebot.domain.rollover.steps.refusals import Refusal, worst
from danebot.domain.rollover.steps.reload import live_refusals
from danebot.domain.rollover.steps.served import loses_nothing, passed_gate
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


class Harm(enum.Enum):
    """What services are seen to lose by something new; silence says nothing."""

    NONE = "each address serves what can't lose by it"
    SOME = "one address serves what may lose by it"
    UNKNOWN = "not every address says what it serves"


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

    ``memory`` must hold what was ``seen``.
    """
    found = harms(context, state, memory, seen, owners, new=new)
    return frozenset(owner for owner, harm in found.items() if harm is Harm.NONE)


def harms(
    context: Context,
    state: LineageState,
    memory: Memory,
    seen: Observations,
    owners: Iterable[DnsName],
    *,
    new: Held | PublicKey,
) -> dict[DnsName, Harm]:
    """Ask the services at ``owners``; return what they lose by ``new``, of each that may be asked.

    ``memory`` must hold what was ``seen``.
    """
    live, name = state.serving, state.name
    services = {owner: service for owner in owners if (service := service_at(owner)) is not None}
    if live is None or not services or not context.settings.probe(name):
        return {}
    context.progress(f"{name}: asking {', '.join(map(str, services.values()))} beforehand")
    past = frozenset(key.spki for key in memory.past_keys) - {live.key.spki}
    found = ask(context, name, tuple(dict.fromkeys(services.values())), live, past)
    policy, now = context.settings.policy(name), context.clock()

    def harm(owner: DnsName, result: ProbeResult) -> Harm:
        if result.outcome is not ProbeOutcome.SERVED or not result.chain:
            return Harm.UNKNOWN
        safe = loses_nothing(
            owner, result.chain, new, state, seen, memory=memory, policy=policy, now=now
        )
        return Harm.NONE if safe else Harm.SOME

    def together(found: set[Harm]) -> Harm:
        if Harm.SOME in found:
            return Harm.SOME
        return Harm.NONE if found == {Harm.NONE} else Harm.UNKNOWN

    return {
        owner: together({harm(owner, r) for r in found if r.endpoint.is_same(one)})
        for owner, one in services.items()
    }


def kept_from(
    context: Context, state: LineageState, memory: Memory, seen: Observations
) -> Refusal | None:
    """Why hooks must not have services serve what is live; None if they may.

    They may have a former key, or a later one, by which mail flows: where records refuse what is
    live, services are asked.  Of what danebot deployed, that counts for those who can be asked;
    and what records may have been alone, for those who are seen to lose by it.
    """
    live, now = state.serving, context.clock()
    if live is None or (passed_gate(memory, live) and _hurried(memory)):
        return None
    policy, asked = context.settings.policy(state.name), context.settings.probe(state.name)
    refusals_at = partial(live_refusals, state, seen, memory, policy=policy, now=now)
    refusals = list(refusals_at(doubted=state.owners if asked else ()))
    sure = refusals
    if shown_already(memory, state):
        refusals = [one for one in refusals if asked and service_at(one.owner) and not one.unknown]
        sure = list(refusals_at())
    owners = dict.fromkeys(one.owner for one in refusals)
    found = harms(context, state, memory, seen, owners, new=live)

    def holds(one: Refusal) -> bool:
        harm = found.get(one.owner, Harm.UNKNOWN)
        return harm is Harm.SOME or (harm is Harm.UNKNOWN and one in sure)

    return worst(filter(holds, refusals))


def _hurried(memory: Memory) -> bool:
    """Whether the last deployment replaced a compromised key: the operator accepted a mismatch."""
    last = memory.deployment
    return last is not None and any(
        past.until == last.at and past.exposure is not Exposure.NONE for past in memory.past_keys
    )
