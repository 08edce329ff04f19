"""The CA's patience: one remembered budget per lineage for all that asks the CA.

Let's Encrypt's limits are the measure: five failed validations per account, host name and hour,
and five certificates for the same names per week.  What comes by itself leaves room in both for
what an operator needs at once: a rollover away from a compromised key, above all.
"""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from itertools import takewhile

from danebot.domain.lineage.state import Held
from danebot.domain.rollover.evidence.memory import (
    Call,
    CallResult,
    Contact,
    Failure,
    Memory,
    Urgency,
)
from danebot.domain.rollover.evidence.policy import Policy, backoff
from danebot.domain.rollover.steps.phases import Hold, Phase, Plan

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
URGENT_PAUSE = timedelta(minutes=15)
"""The longest pause between attempts in an emergency: four in an hour."""

GAVE_WAY = (Hold.CANNOT_SEE, Hold.GATE, Hold.CACHES)
"""Why a chain with the awaited key gives way to a renewal with the live one."""

_SOON = timedelta(minutes=1)
_RESERVED = 2  # certificates of a week that ordinary renewals leave to rollovers
_KEPT = 40  # more than any limit counts
_EARLY = 0.9  # a daily job begins a little earlier on some days, and that is a day later, too
_DOUBLED = 8  # times, at most: longer than the CA takes to grant one more
_ONE_MORE = WEEK / 5  # where it issues five in a week, it grants one more that often
_PART = 12  # attempts that a certificate's lifetime has room for, at least


class Asking(enum.Enum):
    """Who wants the CA asked."""

    TIMER = "by itself"
    PRESSING = "by itself, for a certificate that nears its end"
    NAMED = "an operator named the lineage"
    URGENT = "in an emergency"


_FAILURES = {Asking.TIMER: 3, Asking.PRESSING: 4, Asking.NAMED: 4, Asking.URGENT: 5}
"""How many attempts may have failed within the hour before."""


def wait_until(
    memory: Memory, call: Call, asking: Asking, policy: Policy, now: datetime
) -> datetime | None:
    """The time before which the CA is not to be asked for this; None if it may be asked now.

    Failures space out what comes by itself; a count within the hour bounds whatever asks.
    """
    by_itself = asking in (Asking.TIMER, Asking.PRESSING)
    times = []
    if call is not Call.REVOCATION:
        times.append(_after_failures(memory.contacts, _FAILURES[asking], now))
    elif by_itself:
        times.append(_after_revocations(memory.contacts, policy))
    if call is Call.RENEWAL and by_itself:
        failed = memory.renewal_failure
        times.append(failed.retry_at if failed is not None and failed.last <= now else None)
    if call is Call.RENEWAL and asking is Asking.TIMER:
        times.append(after_certificates(memory.contacts, policy, now))
    later = [time for time in times if time is not None and time > now]
    return max(later, default=None)


def promotion_wait(memory: Memory, now: datetime) -> datetime | None:
    """The same for issuing with the ready key; its own failures are in `Memory`."""
    asking = Asking.URGENT if urgent(memory) else Asking.TIMER
    return _after_failures(memory.contacts, _FAILURES[asking], now)


def urgent(memory: Memory) -> bool:
    """Whether the current key is compromised, so that every minute counts."""
    return memory.request is not None and memory.request.urgency is not Urgency.ORDINARY


def promotion_retry_at(memory: Memory) -> datetime | None:
    """When issuing with the ready key is tried again after a failure; sooner in an emergency."""
    failed = memory.promotion_failure
    if failed is None:
        return None
    if not urgent(memory):
        return failed.retry_at
    return min(failed.retry_at, failed.last + urgent_pause(memory, failed.last))


def urgent_pause(memory: Memory, now: datetime) -> timedelta:
    """The longest pause before the CA is asked anew in an emergency.

    It doubles with each certificate of the week before: one that could not be deployed was one of
    the few that the CA issues in a week.  To wait longer than it takes to grant one more spares
    none.
    """
    issued = [
        one
        for one in memory.contacts
        if one.call is Call.PROMOTION
        and one.result is CallResult.DONE
        and now - WEEK < one.at <= now
    ]
    return min(URGENT_PAUSE * (1 << min(max(len(issued) - 1, 0), _DOUBLED)), _ONE_MORE)


def publishing_wait(memory: Memory, now: datetime) -> datetime | None:
    """The time before which nothing is published after a failure."""
    failed, until = memory.publishing.failure, publishing_retry_at(memory)
    if failed is None or until is None or now < failed.last:
        return None
    return until if until > now else None


def publishing_retry_at(memory: Memory) -> datetime | None:
    """When publishing is tried again after a failure; sooner in an emergency.

    What failed before the emergency was asked for is tried at once.
    """
    failed, request = memory.publishing.failure, memory.request
    if failed is None:
        return None
    if request is None or request.urgency is Urgency.ORDINARY:
        return failed.retry_at
    if failed.last < request.at:
        return failed.last
    pause: timedelta = min(_SOON * 2 ** min(failed.count - 1, _KEPT), URGENT_PAUSE)
    return min(failed.retry_at, failed.last + pause)


def _after_revocations(contacts: tuple[Contact, ...], policy: Policy) -> datetime | None:
    """When those that failed in a row let another be tried."""
    calls = [contact for contact in contacts if contact.call is Call.REVOCATION]
    row = list(takewhile(_failed, reversed(calls)))
    return row[0].at + backoff(policy, len(row)) * _EARLY if row else None


def _after_failures(contacts: tuple[Contact, ...], most: int, now: datetime) -> datetime | None:
    """When fewer than ``most`` attempts have failed within the hour before."""
    failed = [c.at for c in contacts if c.call is not Call.REVOCATION and _failed(c)]
    recent = sorted(at for at in failed if now - HOUR < at <= now)
    return recent[-most] + HOUR if len(recent) >= most else None


def _failed(contact: Contact) -> bool:
    """An attempt that was begun and never ended counts as one that failed."""
    return contact.result is not CallResult.DONE


def after_certificates(
    contacts: tuple[Contact, ...], policy: Policy, now: datetime
) -> datetime | None:
    """When the week before has room for an ordinary renewal again."""
    if not policy.certificates_per_week:
        return None
    most = max(policy.certificates_per_week - _RESERVED, 1)
    issued = [
        c.at for c in contacts if c.result is CallResult.DONE and c.call is not Call.REVOCATION
    ]
    recent = sorted(at for at in issued if now - WEEK < at <= now)
    return recent[-most] + WEEK if len(recent) >= most else None


def begun(memory: Memory, call: Call, now: datetime) -> Memory:
    """The memory with an attempt that is about to be made."""
    contacts = (*memory.contacts, Contact(now, call, CallResult.BEGUN))
    return memory._replace(contacts=contacts[-_KEPT:])


def ended(memory: Memory, call: Call, result: CallResult, now: datetime) -> Memory:
    """The memory with the end of the attempt that was begun; of one that wasn't expected, else."""
    contacts = list(memory.contacts)
    if contacts and contacts[-1].call is call and contacts[-1].result is CallResult.BEGUN:
        contacts[-1] = contacts[-1]._replace(result=result)
    else:
        contacts.append(Contact(now, call, result))
    return memory._replace(contacts=tuple(contacts[-_KEPT:]))


def unmade(memory: Memory, call: Call) -> Memory:
    """The memory without an attempt that was begun, since the CA was not asked after all."""
    last = memory.contacts[-1:]
    if last and last[0].call is call and last[0].result is CallResult.BEGUN:
        return memory._replace(contacts=memory.contacts[:-1])
    return memory


def one_more_failure(
    old: Failure | None, message: str, now: datetime, *, pause: timedelta
) -> Failure:
    """One more failure in a row; the next attempt is made after ``pause``."""
    count = old.count + 1 if old is not None else 1
    first = old.first if old is not None else now
    return Failure(message=message, count=count, first=first, last=now, retry_at=now + pause)


def renewal_failed(
    memory: Memory, message: str, policy: Policy, now: datetime, lifetime: timedelta
) -> Memory:
    """An ordinary renewal failed; ``lifetime`` is that of the certificate it was to replace."""
    old = memory.renewal_failure
    pause = min(backoff(policy, (old.count if old is not None else 0) + 1), lifetime / _PART)
    return memory._replace(
        renewal_failure=one_more_failure(old, message, now, pause=pause * _EARLY)
    )


def gave_way(memory: Memory, planned: Plan, serving: Held, now: datetime) -> Memory:
    """Return the memory after PUT_BACK: a chain that gave way is not issued again at once.

    Else the CA would be asked for the same at each run; a sixth of the lifetime is left for the
    renewal with the live key, and for somebody to mend what stood in the way.  In an emergency
    nothing is worth that wait: see `urgent_pause`.  Then it is made after records that vanished,
    too, since their own wait may be short.
    """
    vanished = planned.hold in (Hold.NOT_EVERYWHERE, Hold.NOT_COOLED) and urgent(memory)
    if planned.hold is None or not (planned.hold in GAVE_WAY or vanished):
        return memory
    old, chain = memory.promotion_failure, serving.chain
    reason = f"{planned.hold.value} ({planned.detail})" if planned.detail else planned.hold.value
    pause = chain.lifetime / 6
    if urgent(memory):
        pause = min(pause, urgent_pause(memory, now))
    return memory._replace(promotion_failure=one_more_failure(old, reason, now, pause=pause))


def after_plan(memory: Memory, planned: Plan, now: datetime) -> Memory:
    """The memory without an attempt's failure, once nobody wants that attempt any more.

    A schedule that wanted a key with the certificate waits again when that was renewed without it.
    A key that stands by isn't under way: for it the clock of `under_way_since` begins anew, and
    what its wait was interrupted by is past.
    """
    if planned.phase is not Phase.STANDBY:
        return memory
    awaiting = memory.awaiting
    if awaiting is not None:
        awaiting = awaiting._replace(stood_by_at=now, begun_anew=0, interruption=None)
    return memory._replace(promotion_failure=None, awaiting=awaiting)


def under_way_since(memory: Memory) -> datetime | None:
    """Since when a rollover is under way, whatever its phase; None where no key is awaited."""
    awaiting = memory.awaiting
    if awaiting is None:
        return None
    return max(awaiting.since, awaiting.stood_by_at or awaiting.since)
