"""What is worth saying of ordinary renewals: failures, pauses, keys that stay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.renewal import renews_at
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.rollover.evidence.policy import Occasion, Policy
from danebot.domain.rollover.evidence.schedule import renewals_with_one_key
from danebot.domain.rollover.steps.patience import after_certificates
from danebot.domain.text import because, set_apart, times, when

if TYPE_CHECKING:
    from danebot.domain.rollover.evidence.memory import Memory

_IN_A_ROW = 2  # renewals with one key, where each is to bring another


def renewing(
    state: LineageState, memory: Memory, policy: Policy, now: datetime
) -> Iterator[Finding]:
    """Findings about ordinary renewals of one lineage."""
    failed = memory.renewal_failure
    if failed is not None:
        outcome, said = set_apart(failed.message)
        yield Finding(
            Code.RENEWAL_FAILED,
            Severity.WARNING,
            state.name,
            f"certbot renew failed {times(failed.count)} since {when(failed.first)}, "
            f"next attempt after {when(failed.retry_at)}{because(outcome)}",
            said=said,
        )
    held = after_certificates(memory.contacts, policy, now)
    due = _due(state)
    if held is not None and due is not None and due <= now:
        yield Finding(
            Code.RENEWAL_WAITS,
            Severity.WARNING,
            state.name,
            f"the CA has issued several certificates within a week, so the next renewal waits "
            f"until {when(held)}, though certbot would renew again since {when(due)}",
        )
    yield from _kept(state, memory, policy)


def _due(state: LineageState) -> datetime | None:
    newest = state.staged if state.management is Management.STAGED else state.live
    return renews_at(newest.chain, state.rule) if newest is not None else None


def _kept(state: LineageState, memory: Memory, policy: Policy) -> Iterator[Finding]:
    if policy.rollover_every is not Occasion.RENEWAL or not state.owners:
        return
    count = renewals_with_one_key(memory)
    if state.management is Management.STAGED and count >= _IN_A_ROW:
        yield Finding(
            Code.KEY_KEPT,
            Severity.WARNING,
            state.name,
            f"the certificate was renewed {count} times in a row with the same key, though "
            'rollover_every is "renewal"',
        )
