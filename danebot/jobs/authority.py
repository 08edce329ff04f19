"""The CA, asked by certbot under the tree's lock, within a patience that is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from danebot.domain.rollover.evidence.memory import Call, CallResult, Memory
from danebot.domain.rollover.steps.patience import Asking, ended, unmade, wait_until
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.adapters.certbot.command import Certbot, CertbotRun
    from danebot.adapters.tree.locks import TreeLock
    from danebot.jobs.context import Context


class CaAccess(NamedTuple):
    """How the CA is asked in this run, and on whose behalf; the run holds ``lock``."""

    certbot: Certbot
    lock: TreeLock
    asking: Asking = Asking.TIMER


def ca_wait(
    context: Context, name: str, memory: Memory, call: Call, asking: Asking
) -> datetime | None:
    """Return the time before which the CA isn't asked for a lineage; None if it may be."""
    policy = context.settings.policy(name)
    return wait_until(memory, call, asking, policy, context.clock())


def remember_call(
    memory: Memory, call: Call, run: CertbotRun, result: CallResult, now: datetime
) -> Memory:
    """Return the memory with what came of asking; nothing if certbot didn't come so far."""
    if result is CallResult.FAILED and not run.reached_renewals:
        return unmade(memory, call)
    return ended(memory, call, result, now)
