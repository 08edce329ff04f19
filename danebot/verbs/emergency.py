"""`danebot newkey --emergency`: away from a compromised key by the shortest way mail survives."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from danebot.verbs.common import ATTENTION, FINE, click_echo
from danebot.verbs.renew import run_renewal

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.console import Console
    from danebot.domain.findings import Finding
    from danebot.jobs.context import Context
    from danebot.jobs.emergency import Successor
    from danebot.jobs.survey import LineageView

_LOOK_AGAIN = timedelta(seconds=10)  # or sooner, where the TTLs are short
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=1)


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
    from danebot.domain.memory import Revocation, Urgency
    from danebot.jobs.emergency import find_successor, request_successor
    from danebot.jobs.snapshot import Scope

    tree = console.tree()
    tree.select((name,))
    context = console.context(tree)
    if dry_run:
        return _say_dry(console, name, find_successor(context, name), accepted=accepted)
    console.certbot()
    urgency = Urgency.MISMATCH_ACCEPTED if accepted else Urgency.EMERGENCY
    revocation = Revocation.WANTED if revoke else Revocation.LEFT
    started = context.clock()
    successor: Successor | None = None
    told: set[Finding] = set()
    while True:
        with console.locked() as lock:
            first = successor is None
            if successor is None:
                successor = request_successor(context, name, urgency, revocation)
            outcome, status = run_renewal(
                console,
                context,
                lock,
                [name],
                scope=Scope.SOME,
                started=started,
                verb="newkey",
            )
        view = next((v for v in outcome.views if v.state.name == name), None)
        served = view is not None and view.state.current_key == successor.key
        console.report(finding for finding in outcome.findings if finding not in told)
        told.update(outcome.findings)
        if view is None or served:
            return status
        if first:
            _say_waits(console, successor, view, form)
        if not wait:
            return ATTENTION
        _sleep(console, context, view, min(successor.wait / 10, _LOOK_AGAIN))


def _say_dry(console: Console, name: str, successor: Successor, *, accepted: bool) -> int:
    from danebot.domain.times import duration

    if successor.key is None:
        console.say(f"{name}: would make a next key and print, or publish, its records")
    else:
        console.say(f"{name}: would use the next key {successor.key.digest.hex()}")
    if accepted:
        console.say(f"{name}: would replace the current key at once, whatever that does to mail")
    elif successor.wait:
        words = f"{duration(successor.wait)} after every authoritative server has its records"
        console.say(f"{name}: would replace the current key {words}")
    else:
        console.say(f"{name}: would replace the current key at once")
    console.say("nothing was changed")
    return FINE


def _say_waits(console: Console, successor: Successor, view: LineageView, form: str) -> None:
    """The records to add, and the earliest time."""
    from danebot.domain.times import duration, when
    from danebot.render.lineage import nsupdate_lines, zone_lines

    name, add = view.state.name, view.publication.add
    if add:
        console.say(f"; {name}: ADD these records NOW, and keep those that are there")
        for line in zone_lines(add) if form == "zone" else nsupdate_lines(add):
            click_echo(line)
    if view.plan.safe is not None:
        left = duration(max(view.plan.safe.at - view.at, timedelta(0)))
        words = f"at {when(view.plan.safe.at)} ({left}), when no cache lacks its records"
    else:
        words = f"{duration(successor.wait)} after every authoritative server has its records"
    console.say(f"{name}: the earliest safe time for the new key: {words}")


def _sleep(console: Console, context: Context, view: LineageView, look_again: timedelta) -> None:
    """Until the safe time, or for ``look_again`` while there is none."""
    safe: datetime | None = view.plan.safe.at if view.plan.safe is not None else None
    left = safe - context.clock() if safe is not None else look_again
    pause = min(max(left, _SHORTEST), _LONGEST)
    why = view.plan.hold.value if view.plan.hold is not None else view.plan.phase.value
    console.progress(f"{view.state.name}: waiting: {why}; Ctrl-C ends the wait, not the request")
    time.sleep(pause.total_seconds())
