"""Publication: what DNS lacks is added, what has served its time removed; then all is looked at.

Three steps, so that many lineages are looked at together: `attempt`, `read_back`, `conclude`; see
`publish_all`.  Only what is seen at every authoritative server counts.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import WITNESS
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import Management
from danebot.domain.names import printable
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome, Part
from danebot.domain.rollover.evidence.memory import Memory, Publishing
from danebot.domain.rollover.evidence.policy import Policy, backoff
from danebot.domain.rollover.evidence.propagation import Observations, Obstacle
from danebot.domain.rollover.records.changes import (
    Change,
    ChangeResult,
    after,
    altered,
    changes,
    lagging,
    stopped,
)
from danebot.domain.rollover.records.retirement import put_away
from danebot.domain.rollover.steps.patience import one_more_failure, publishing_wait
from danebot.domain.text import when
from danebot.jobs.observing import observe_dns

if TYPE_CHECKING:
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView

_LAG = timedelta(hours=1)  # what secondaries may take before anybody is woken
_FIRST_PAUSE, _LONGEST_PAUSE = 0.3, 5.0  # seconds between observations
_SENT = (ChangeOutcome.DONE, ChangeOutcome.UNCHANGED)


class Timing(enum.Enum):
    """Whether to keep to the time that an earlier failure set."""

    WHEN_DUE = "when due"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was tried for one lineage: () if nothing was to be done, or may be done yet."""

    view: LineageView
    part: Part
    timing: Timing
    results: tuple[ChangeResult, ...] = ()

    @property
    def sent(self) -> tuple[Change, ...]:
        """The changes that are to be seen now."""
        return tuple(r.change for r in self.results if r.outcome in _SENT)


@dataclass(frozen=True, slots=True)
class PublishingResult:
    """What it came to: the memory to save, what to report, and what was observed afterwards."""

    memory: Memory
    findings: tuple[Finding, ...] = ()
    seen: Observations | None = None


def attempt(
    context: Context,
    seen: LineageView,
    part: Part,
    timing: Timing,
    before: Sequence[Attempt] = (),
) -> Attempt:
    """Ask the publisher for every change of one part.

    ``before`` are attempts for other lineages since the observation; several may share an RRset.
    """
    state = seen.state
    nothing = Attempt(seen, part, timing)
    publisher = context.publisher(state.name)
    if publisher is None or state.management is not Management.STAGED:
        return nothing
    ttl = context.settings.publish(state.name).ttl
    owners = seen.observation.owners
    wanted = changes_of(seen, part, ttl)
    held = publishing_wait(seen.memory, context.clock()) if timing is Timing.WHEN_DUE else None
    if not wanted or held is not None:
        return nothing
    made = [change for one in before for change in one.sent]
    results = []
    for one in wanted:
        context.progress(f"{state.name}: {part.value} TLSA records at {one.target}")
        change = after(one, made)
        result = stopped(change, owners) or publisher.publish(change)
        context.progress(f"{state.name}: {change.target}: {result.outcome.value}")
        results.append(result)
    return replace(nothing, results=tuple(results))


def changes_of(view: LineageView, part: Part, ttl: timedelta | None = None) -> tuple[Change, ...]:
    """One part of what a view says is to be changed, one change for each RRset."""
    return changes(
        view.state,
        view.publication,
        view.observation.owners,
        part,
        ttl,
        known=view.in_use.keys,
        past=put_away(view.memory, view.in_use),
    )


def read_back(context: Context, tried: Sequence[Attempt]) -> Observations:
    """Look at every authoritative server until all changes are there, or time is up."""
    sent = [(one, change) for one in tried for change in one.sent]
    if not sent:
        return {}
    states = [one.view.state for one in tried if one.sent]
    waits = [context.settings.publish(state.name).wait.total_seconds() for state in states]
    deadline = time.monotonic() + max(waits)
    pause = _FIRST_PAUSE
    while True:
        context.progress("looking whether it is published")
        seen = observe_dns(context, states)
        waiting = [c for _, c in sent if lagging(c, seen) and not altered(c, seen)]
        if not waiting or time.monotonic() + pause > deadline:
            return seen
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def conclude(context: Context, tried: Attempt, seen: Observations) -> PublishingResult:
    """Judge one lineage's attempt by what is seen, and remember failures and what lags."""
    name, now = tried.view.state.name, context.clock()
    memory = tried.view.memory
    if context.publisher(name) is None:
        return PublishingResult(memory)
    if not tried.results:
        return _nothing_tried(tried, memory, context)
    results = [_judged(result, seen) for result in tried.results]
    findings = [f for r in results for f in _news(name, r, tried.part, seen)]
    findings += [
        Finding(Code.PUBLISH_FAILED, Severity.WARNING, name, r.text, r.remedy)
        for r in results
        if r.outcome is ChangeOutcome.UNSEEN
    ]
    late = [place for r in results if r.outcome in _SENT for place in lagging(r.change, seen)]
    old = memory.publishing
    if late:
        old = old._replace(changed_at=old.changed_at or now)
        findings.append(_lag(name, late, old.changed_at or now, context, tried.timing))
    wrong = [r for r in results if r.failed and r.outcome is not ChangeOutcome.UNSEEN]
    wanted = tried.view.publication
    other = wanted.remove if tried.part is Part.ADD else wanted.add
    if wrong:
        old = _failed(old, wrong, context.settings.policy(name), now)
    elif not other and len(tried.sent) == len(results):
        old = Publishing(old.changed_at)  # else the failure may be that of the other part
    return PublishingResult(
        memory._replace(publishing=old), tuple(findings), seen if tried.sent else None
    )


def _failed(
    old: Publishing, wrong: Sequence[ChangeResult], policy: Policy, now: datetime
) -> Publishing:
    count = old.failure.count + 1 if old.failure is not None else 1
    message = printable("; ".join(dict.fromkeys(r.text for r in wrong)), 600)
    failure = one_more_failure(old.failure, message, now, pause=backoff(policy, count))
    return Publishing(old.changed_at, failure, wrong[0].outcome, wrong[0].remedy, wrong[0].said)


def _nothing_tried(tried: Attempt, memory: Memory, context: Context) -> PublishingResult:
    """Nothing was to be done, or not yet: see whether what was done has arrived everywhere."""
    view, old = tried.view, memory.publishing
    if old == Publishing():
        return PublishingResult(memory)
    propagations = (*view.plan.current, *view.plan.awaited)
    late = [g.where for s in propagations for g in s.gaps if g.obstacle is Obstacle.SERVER_LACKS]
    wanted = view.publication.add or view.publication.remove
    if not late and not wanted:
        return PublishingResult(memory._replace(publishing=Publishing()))
    if not late or wanted or old.changed_at is None:
        return PublishingResult(memory)
    name = view.state.name
    return PublishingResult(memory, (_lag(name, late, old.changed_at, context, tried.timing),))


def _judged(result: ChangeResult, seen: Observations) -> ChangeResult:
    """A result by what the servers show."""
    if result.outcome not in _SENT:
        return result
    instead = altered(result.change, seen)
    return replace(result, outcome=ChangeOutcome.ALTERED, detail=instead) if instead else result


def _news(name: str, result: ChangeResult, part: Part, seen: Observations) -> Iterator[Finding]:
    """What was changed."""
    if result.outcome is not ChangeOutcome.DONE:
        return
    change = result.change
    code = Code.PUBLISHED if part is Part.ADD else Code.RECORDS_REMOVED
    word = "added" if part is Part.ADD else "removed"
    at = f" at {result.server}" if result.server else ""
    for record in (*change.add, *change.remove):
        text = f"{word}{at}: {change.target}. IN TLSA {record}{_other_ttl(change, part, seen)}"
        yield Finding(code, Severity.NOTICE, name, text)


def _other_ttl(change: Change, part: Part, seen: Observations) -> str:
    """A TTL other than the one asked for: the real one counts from now on."""
    if part is Part.REMOVE:
        return ""
    observed = [seen[owner] for owner in change.owners if owner in seen]
    ttls = {s.ttl for one in observed for s in one.answering if change.add[0] in s.records}
    asked = change.new_ttl(change.seen_ttl)
    other = sorted(int(ttl.total_seconds()) for ttl in ttls if ttl is not None and ttl != asked)
    if not other:
        return ""
    return f" (with a TTL of {other[-1]} s, where {int(asked.total_seconds())} s was asked for)"


_TRANSFER = "it counts once every server has it; see that they transfer the zone"
_ELSEWHERE = (
    "what a witness has in its cache goes with its TTL; if that lasts, the world sees another view "
    "than is updated (docs/configuration.md#views)"
)


def _lag(
    name: str, places: Sequence[str], since: datetime, context: Context, timing: Timing
) -> Finding:
    late = timing is Timing.NOW or context.clock() - since > _LAG
    where = ", ".join(place or "any authoritative server" for place in dict.fromkeys(places))
    return Finding(
        Code.PUBLISH_LAGS,
        Severity.WARNING if late else Severity.NOTICE,
        name,
        f"what was changed at {when(since)} is not to be seen yet at {where}",
        _ELSEWHERE if all(one.startswith(f"{WITNESS} ") for one in places) else _TRANSFER,
    )
