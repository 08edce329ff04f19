"""`danebot newkey --emergency`: away from a compromised key by the shortest way mail survives."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.rollover.steps.patience import URGENT_PAUSE, publishing_wait
from danebot.verbs.common import ATTENTION, FINE, click_echo
from danebot.verbs.renew import run_renewal

if TYPE_CHECKING:
    from danebot.console import Console
    from danebot.domain.finding import Finding
    from danebot.jobs.context import Context
    from danebot.jobs.emergency import Successor
    from danebot.jobs.view import LineageView

NEVER_SEEN = "since its TLSA records were never seen; see that DNS can be observed"
_LOOK_AGAIN = timedelta(seconds=10)  # or sooner, where the TTLs are short
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=1)
_AT_LEAST = timedelta(hours=1)  # the job runs that often, for the status document


def emergency(
    console: Console,
    name: str,
    *,
    form: str,
    accepted: bool,
    revoke: bool,
    wait: bool,
    dry_run: bool,
) -> int:
    """Request the successor, do what can be done at once, and say how long the rest takes."""
    from danebot.domain.rollover.evidence.memory import Revocation, Urgency
    from danebot.jobs.emergency import find_successor, request_successor
    from danebot.jobs.snapshot import Scope

    tree = console.tree()
    tree.select((name,))
    context = console.context(tree)
    urgency = Urgency.MISMATCH_ACCEPTED if accepted else Urgency.EMERGENCY
    if dry_run:
        found = find_successor(context, name, urgency)
        console.see_certbot()
        return _say_dry(console, name, found, accepted=accepted)
    console.certbot()
    revocation = Revocation.WANTED if revoke else Revocation.LEFT
    started = context.clock()
    successor: Successor | None = None
    told: set[Finding] = set()
    watch = DnsWatch(console, context)
    while True:
        with console.locked() as lock:
            first = successor is None
            if successor is None:
                successor = request_successor(context, name, urgency, revocation)
            outcome, run = run_renewal(
                console, context, lock, [name], scope=Scope.SOME, started=started, verb="newkey"
            )
        view = next((v for v in outcome.views if v.state.name == name), None)
        served = view is not None and view.state.current_key == successor.key
        console.report(finding for finding in outcome.findings if finding not in told)
        told.update(outcome.findings)
        if view is None or served:
            return run.exit_status
        if first:
            if successor.wait is not None:
                watch.look_again = min(successor.wait / 10, _LOOK_AGAIN)
            _say_waits(console, successor, view, form)
        if not wait:
            return ATTENTION
        watch.until_wanted(view)


def _say_dry(console: Console, name: str, successor: Successor, *, accepted: bool) -> int:
    from danebot.domain.text import duration

    if successor.key is None:
        console.say(f"{name}: would make a next key and print, or publish, its records")
    else:
        console.say(f"{name}: would use the next key {successor.key.digest.hex()}")
    if accepted:
        console.say(f"{name}: would replace the current key at once, whatever that does to mail")
    elif successor.wait is None:
        console.say(f"{name}: nobody knows when it would replace the current key: {NEVER_SEEN}")
    else:
        words = f"{duration(successor.wait)} after every authoritative server has its records"
        console.say(f"{name}: would replace the current key {words}")
    console.say("nothing was changed")
    return FINE


def _say_waits(console: Console, successor: Successor, view: LineageView, form: str) -> None:
    """The records to add, and the earliest time."""
    from danebot.domain.text import duration, when
    from danebot.render.lineage import addition_lines

    name, add = view.state.name, (*view.publication.add, *view.publication.repair)
    if add:
        console.say(f"; {name}: ADD these records NOW, and keep those that are there")
        for line in addition_lines(add, form):
            click_echo(line)
    if view.plan.safe is not None:
        left = duration(max(view.plan.safe.at - view.at, timedelta(0)))
        words = f"at {when(view.plan.safe.at)} ({left}), when no cache lacks its records"
    elif successor.wait is None:
        words = f"nobody knows, {NEVER_SEEN}"
    else:
        words = f"{duration(successor.wait)} after every authoritative server has its records"
    console.say(f"{name}: the earliest safe time for the new key: {words}")


class DnsWatch:
    """Looks at DNS, and only at that, until the job has something to do.

    The job runs certbot, which would ask the CA: its patience is needed when the key may be used.
    """

    def __init__(self, console: Console, context: Context) -> None:
        """``look_again`` is how long to wait between observations while no time is known."""
        self.console = console
        self.context = context
        self.look_again = _LOOK_AGAIN
        self._reason: object = None
        self._again = 0

    def until_wanted(self, view: LineageView) -> None:
        """Come back when the plan has a step, or records are to be published, or once an hour.

        What the job was woken for before and couldn't do wakes it again after ever longer pauses.
        """
        from danebot.jobs.overview import look_over

        name, begun = view.state.name, self.context.clock()
        while True:
            self._sleep(view)
            views = look_over(self.context, [name]).views
            if not views:
                return  # the job says what is wrong
            view = views[0]
            passed = self.context.clock() - begun
            reason = self._wanted(view)
            if reason is None:
                self._reason, self._again = None, 0
            elif reason != self._reason:
                self._reason, self._again = reason, 0
                return
            elif passed >= min(_LONGEST * 2**self._again, URGENT_PAUSE):
                self._again += 1
                return
            if passed >= _AT_LEAST:
                return

    def _wanted(self, view: LineageView) -> object:
        """What the job would do; None if nothing."""
        publishes = self.context.settings.publish(view.state.name).in_renew
        held = publishing_wait(view.memory, self.context.clock())
        add = view.publication.add if publishes and held is None else ()
        return (view.plan.step, add) if view.plan.step is not None or add else None

    def _sleep(self, view: LineageView) -> None:
        """Until the safe time, or for `look_again` while there is none."""
        safe: datetime | None = view.plan.safe.at if view.plan.safe is not None else None
        left = safe - self.context.clock() if safe is not None else self.look_again
        pause = min(max(left, _SHORTEST), _LONGEST)
        why = view.plan.hold.value if view.plan.hold is not None else view.plan.phase.value
        words = f"{view.state.name}: waiting: {why}; Ctrl-C ends the wait, not the request"
        self.console.progress(words)
        time.sleep(pause.total_seconds())
