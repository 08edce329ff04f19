"""Ordinary renewals: one certbot call for all, and what it came to for each lineage.

certbot contacts the CA only for what is due.  Whom it asked, and what came of that, is read from
the links first, and from certbot's words only where it failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from danebot.adapters.tree.kept_conf import keep_conf
from danebot.adapters.tree.paths import link_version
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.lineage.renewal import renews_at
from danebot.domain.lineage.state import Held, Management
from danebot.domain.rollover.evidence.memory import Call, CallResult, Memory
from danebot.domain.rollover.steps.patience import Asking, begun, renewal_failed, unmade
from danebot.domain.text import because, set_apart
from danebot.jobs.authority import CaAccess, ca_wait, remember_call
from danebot.jobs.progress import Done
from danebot.jobs.snapshot import Scope
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.adapters.certbot.command import CertbotRun
    from danebot.jobs.lineage_run import LineageRun

_REMEDY = "see certbot's log; danebot tries again at the next run"


class _Renewal(NamedTuple):
    """One lineage's part of a call, as it is before that.

    ``newest`` is what certbot would renew, None if that isn't known; ``due`` whether it has to.
    """

    run: LineageRun
    newest: Held | None
    due: bool
    before: tuple[str, ...]

    @property
    def name(self) -> str:
        """The lineage's."""
        return self.run.name

    @property
    def key_type(self) -> KeyType | None:
        """That of the key that certbot would use, if it keeps it."""
        return self.newest.key.key_type if self.newest is not None else None

    @property
    def has_news(self) -> bool:
        """Whether certbot has issued."""
        return self.run.links() != self.before


def _renewal(run: LineageRun) -> _Renewal:
    view, newest, due = run.view, None, None
    if view is not None:
        state = view.state
        newest = state.staged if state.management is Management.STAGED else state.live
        due = renews_at(newest.chain, state.rule) if newest is not None else None
    rest = run.progress.rest
    before = rest[1] if rest is not None else run.links()
    return _Renewal(run, newest, due is not None and due <= run.context.clock(), before)


def _allowed(one: _Renewal, asking: Asking) -> bool:
    """Whether certbot may be called: it contacts the CA only for what is due.

    One certificate in a run is enough, though ``renew_before_expiry`` may want another at once.
    """
    run = one.run
    if not run.certbot_may_renew or (one.due and run.progress.issued):
        return False
    wanted = _pressing(one, asking)
    return not one.due or ca_wait(run.context, run.name, run.memory, Call.RENEWAL, wanted) is None


def _pressing(one: _Renewal, asking: Asking) -> Asking:
    """Who wants the CA asked: a certificate near its end asks with more emphasis."""
    newest, run = one.newest, one.run
    if newest is None or asking is not Asking.TIMER:
        return asking
    left = newest.chain.not_after - run.context.clock()
    policy = run.context.settings.policy(run.name)
    pressing = left < newest.chain.lifetime * policy.expiry_warning
    return Asking.PRESSING if pressing else asking


def _renewed(one: _Renewal, result: CertbotRun) -> Done:
    """What is to be remembered, and told, once certbot has issued."""
    from danebot.domain.event import Event, EventKind

    run, now = one.run, one.run.context.clock()
    memory = remember_call(run.memory, Call.RENEWAL, result, CallResult.DONE, now)
    text = f"certbot has renewed it: version {link_version(run.paths.own / 'cert.pem')}"
    event = Event(now, EventKind.RENEWED, run.name, text)
    return Done(memory._replace(renewal_failure=None), changes=(event,))


def _not_renewed(one: _Renewal, reason: str | None, result: CertbotRun) -> Memory:
    """The memory after the call; ``reason`` is why it didn't renew this lineage, None if it may."""
    run, call, now = one.run, Call.RENEWAL, one.run.context.clock()
    if _failed(one, reason) and one.newest is not None:
        memory = remember_call(run.memory, call, result, CallResult.FAILED, now)
        policy = run.context.settings.policy(run.name)
        return renewal_failed(memory, reason or "", policy, now, one.newest.chain.lifetime)
    memory = unmade(run.memory, call)
    if memory.renewal_failure is not None and (not result.reason or not one.due):
        memory = memory._replace(renewal_failure=None)
    return memory


def _failed(one: _Renewal, reason: str | None) -> bool:
    """Whether it is remembered as a failure."""
    return reason is not None and one.due and one.newest is not None and not one.has_news


def renew_the_rest(authority: CaAccess, runs: Sequence[LineageRun], scope: Scope) -> list[Finding]:
    """One call for all, unless a lineage must be left out; then one for each of the others.

    Gives findings about the calls; what concerns one lineage's renewal is remembered with it.
    """
    renewals = [_renewal(run) for run in runs]
    allowed = [one for one in renewals if _allowed(one, authority.asking)]
    if scope is Scope.EVERYTHING and len(allowed) == len(runs) and not authority.certbot.one_by_one:
        return _call_for_all(authority, allowed) if allowed else []
    found = []
    for one in allowed:
        # another one's key may be of the type that cli.ini says
        found += _call(authority, [one], one.name, one.key_type if one.run.staged else None)[0]
    return found


def _call_for_all(authority: CaAccess, renewals: Sequence[_Renewal]) -> list[Finding]:
    """One call for all, and one more for each that has another key than ``cli.ini`` wants."""
    found, others = _call(authority, renewals)
    for one in others:
        found += _call(authority, [one], one.name, one.key_type)[0]
    return found


def _call(
    authority: CaAccess,
    renewals: Sequence[_Renewal],
    name: str | None = None,
    key_type: KeyType | None = None,
) -> tuple[list[Finding], list[_Renewal]]:
    """Call certbot: findings, and what a call of its own may yet renew: the CA wasn't asked."""
    for one in renewals:
        one.run.guard(partial(_begin, one))
    if any(one.run.progress.failed for one in renewals):  # who isn't remembered isn't asked for
        return [], _not_asked(renewals)
    with authority.lock.certbot_may_run():
        result = authority.certbot.renew(name, key_type)
    others = _not_asked(
        one for one in renewals if one.name in result.other_key and one.key_type is not key_type
    )
    renewals = [one for one in renewals if one not in others]
    explained = bool(others) and {*result.failures} <= result.other_key
    wrong = _failures(result, renewals) if result.reason and not explained else {}
    remembered = {one.run.name for one in renewals if _failed(one, wrong.get(one.run.name))}
    for one in renewals:
        one.run.guard(partial(_end, one, wrong.get(one.run.name), result))
    if result.reason and not wrong and not explained:
        wrong = {name or "": result.reason}
    return [
        Finding(
            Code.RENEWAL_FAILED,
            Severity.WARNING,
            lineage,
            f"certbot renew failed{because(set_apart(reason)[0])}",
            _REMEDY,
            set_apart(reason)[1],
        )
        for lineage, reason in wrong.items()
        if lineage not in remembered
    ], others


def _begin(one: _Renewal) -> None:
    keep_conf(one.run.paths)
    if one.due:
        one.run.do((Done(begun(one.run.memory, Call.RENEWAL, one.run.context.clock())),))


def _end(one: _Renewal, reason: str | None, result: CertbotRun) -> None:
    keep_conf(one.run.paths)
    done = _renewed(one, result) if one.has_news else Done(_not_renewed(one, reason, result))
    one.run.do((done,))


def _not_asked(renewals: Iterable[_Renewal]) -> list[_Renewal]:
    """Those whose attempt could be taken back, since it wasn't made."""

    def take_back(one: _Renewal) -> None:
        one.run.do((Done(unmade(one.run.memory, Call.RENEWAL)),))

    renewals = list(renewals)
    for one in renewals:
        one.run.guard(partial(take_back, one))
    return [one for one in renewals if not one.run.progress.failed]


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
