"""Ordinary renewals: one certbot call for all, and what it came to for each lineage.

certbot contacts the CA only for what is due.  Whom it asked, and what came of that, is read from
the links first, and from certbot's words only where it failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.renewal import lifetime, renews_at
from danebot.domain.lineage.state import Management
from danebot.domain.rollover.memory import Call, Result
from danebot.domain.rollover.patience import Asking, renewal_failed, unmade
from danebot.jobs.snapshot import Scope

if TYPE_CHECKING:
    from danebot.adapters.certbot.command import Certbot, CertbotRun
    from danebot.adapters.tree.locks import TreeLock
    from danebot.domain.lineage.state import Held
    from danebot.jobs.lineage_run import LineageRun

_REMEDY = "see certbot's log; danebot tries again at the next run"


class _Renewal:
    """One lineage's part of a call: whether certbot had to renew it, and whether it did."""

    def __init__(self, run: LineageRun) -> None:
        """As it is before the call."""
        self.run = run
        self.now = run.context.clock()
        self.policy = run.context.settings.policy(run.name)
        self.newest: Held | None = None
        due = None
        if run.view is not None:
            state = run.view.state
            self.newest = state.staged if state.management is Management.STAGED else state.live
            due = renews_at(self.newest.chain, state.rule) if self.newest is not None else None
        self.due = due is not None and due <= self.now
        self._before = run.links()

    @property
    def allowed(self) -> bool:
        """Whether certbot may be called: it contacts the CA only for what is due.

        One certificate in a run is enough, though ``renew_before_expiry`` may want another at once.
        """
        if not self.run.certbot_may_renew or (self.due and self.run.issued):
            return False
        return not self.due or self.run.ca_wait(Call.RENEWAL, self._asking()) is None

    def _asking(self) -> Asking:
        asking, newest = self.run.asking, self.newest
        if newest is None or asking is not Asking.TIMER:
            return asking
        left = newest.chain.not_after - self.now
        pressing = left < lifetime(newest.chain) * self.policy.expiry_warning
        return Asking.PRESSING if pressing else asking

    def begins(self) -> None:
        """Certbot is about to be called."""
        if self.due:
            self.run.ca_asked(Call.RENEWAL)

    @property
    def has_news(self) -> bool:
        """Whether certbot has issued."""
        return self.run.links() != self._before

    def ended(self, reason: str | None, result: CertbotRun) -> bool:
        """Certbot has ended; ``reason`` is why it didn't renew this lineage, None if it may have.

        Gives whether it is remembered as a failure.
        """
        run = self.run
        if self.has_news:
            run.ca_answered(Call.RENEWAL, result, Result.DONE)
            run.memory = replace(run.memory, renewal_failure=None)
        elif reason is not None and self.due and self.newest is not None:
            run.ca_answered(Call.RENEWAL, result, Result.FAILED)
            whole = lifetime(self.newest.chain)
            now = run.context.clock()
            run.memory = renewal_failed(run.memory, reason, self.policy, now, whole)
            run.save()
            return True
        else:
            run.memory = unmade(run.memory, Call.RENEWAL)
            if not result.reason or not self.due:
                run.memory = replace(run.memory, renewal_failure=None)
        run.save()
        return False


def renew_the_rest(
    certbot: Certbot, lock: TreeLock, runs: Sequence[LineageRun], scope: Scope
) -> list[Finding]:
    """One call for all, unless a lineage must be left out; then one for each of the others.

    Gives findings about the calls; what concerns one lineage's renewal is remembered with it.
    """
    renewals = [_Renewal(run) for run in runs]
    allowed = [one for one in renewals if one.allowed]
    if scope is Scope.EVERYTHING and len(allowed) == len(runs):
        return _call(certbot, lock, None, allowed) if allowed else []
    found = []
    for one in allowed:
        found += _call(certbot, lock, one.run.name, [one])
    return found


def _call(
    certbot: Certbot, lock: TreeLock, name: str | None, renewals: Sequence[_Renewal]
) -> list[Finding]:
    for one in renewals:
        one.begins()
    with lock.certbot_may_run():
        result = certbot.renew(name)
    wrong = _failures(result, renewals) if result.reason else {}
    remembered = {one.run.name for one in renewals if one.ended(wrong.get(one.run.name), result)}
    if result.reason and not wrong:
        wrong = {name or "": result.reason}
    return [
        Finding(
            Code.RENEWAL_FAILED,
            Severity.WARNING,
            lineage,
            f"certbot renew failed: {reason}",
            _REMEDY,
        )
        for lineage, reason in wrong.items()
        if lineage not in remembered
    ]


def _failures(result: CertbotRun, renewals: Sequence[_Renewal]) -> Mapping[str, str]:
    """The lineages that a call which failed didn't renew, each with why.

    Those that certbot names; where it names none (it ran out of time, or its words have changed),
    those that were due and have nothing new.  None if certbot didn't come to any of them.
    """
    if not result.reached_renewals:
        return {}
    known = {one.run.name for one in renewals}
    named = {name: why for name, why in result.failures.items() if name in known}
    if named:
        return named
    return {one.run.name: result.reason for one in renewals if one.due and not one.has_news}
