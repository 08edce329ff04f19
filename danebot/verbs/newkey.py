"""`danebot newkey`: a next key is staged, adopted or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from danebot.domain.finding import Severity
from danebot.domain.text import quoted
from danebot.verbs.common import ATTENTION, FINE, click_echo, record_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from danebot.console import Console
    from danebot.domain.lineage.key_types import KeyType
    from danebot.domain.rollover.records.publication import OwnedRecord
    from danebot.jobs.newkey import Cancelled, Staged


def newkey(
    console: Console,
    name: str,
    *,
    key_type: KeyType | None,
    form: str,
    adopt: Path | None,
    cancel: bool,
    unprotected: bool,
) -> int:
    """Stage, adopt or cancel a next key."""
    from danebot.domain.rollover.evidence.memory import Protection
    from danebot.jobs.newkey import Source, stage
    from danebot.jobs.newkey import cancel as drop

    tree = console.tree()
    context = console.context(tree)
    started = context.clock()
    with console.locked():
        if cancel:
            done = drop(context, name)
            status = _say_cancelled(console, name, done, form)
            return record_run(console, context, "newkey", started, status)
        protection = Protection.WAIVED if unprotected else Protection.REQUIRED
        current = tree.read(name).current_key
        staged = stage(context, name, key_type, adopt, protection)
        status = record_run(console, context, "newkey", started, FINE)
    if key_type is None and adopt is None and current is not None:
        notice = console.settings.key_type_notice(name, current.key_type)
        if notice:
            console.warn(notice)
    for objection in staged.objections:
        console.warn(f"{name}: {objection}")
        status = ATTENTION
    if console.settings.publish(name).in_renew:
        for result in staged.refused:
            console.warn(f"{name}: danebot renew will not add them by itself: {result.text}")
            status = ATTENTION
    if staged.missing:
        _say_missing(console, name, staged, form)
        status = ATTENTION
    if staged.source is Source.STANDING:
        digest = staged.key.digest.hex()
        console.say(f"{name}: the key {digest}, which stands by, is used by the next danebot renew")
    else:
        _say_staged(console, name, staged, form)
    return status


def _say_missing(console: Console, name: str, staged: Staged, form: str) -> None:
    """The records that the live key lacks already: mail fails, or soon will, for want of these."""
    console.warn(f"{name}: the live key's own records are missing now; add them before all others")
    if form == "zone":
        who = "ADD FIRST, for the live key"
        if console.settings.publish(name).in_renew and not staged.refused:
            who = "danebot renew adds, for the live key"
        console.say(f"; {name}: {who}:")
    _print_addition(staged.missing, form)


def _print_addition(records: Sequence[OwnedRecord], form: str) -> None:
    from danebot.render.lineage import addition_lines

    for line in addition_lines(records, form):
        click_echo(line)


def _say_staged(console: Console, name: str, staged: Staged, form: str) -> None:
    """The records to add for a key that was made, as far as any can be advised."""
    digest = staged.key.digest.hex()
    if not staged.records:
        more = f"; its record data: 3 1 1 {digest}"
        if staged.objections:
            more = f": {digest}; what to add is told later by: danebot tlsa {quoted(name)}"
        elif staged.demanded:
            more = f": {digest}; its records are published already"
        console.say(f"{name}: the next key is made{more}")
        return
    if form == "zone":
        by_itself = console.settings.publish(name).in_renew and not staged.refused
        who = (
            "danebot renew adds these records, and keeps"
            if by_itself
            else "ADD these records, and keep"
        )
        console.say(f"; {name}: {who} those that are there")
    _print_addition(staged.records, form)
    if staged.earliest is not None:
        from danebot.domain.text import when

        first = when(staged.earliest)
        console.say(
            f"; {name}: with these at every server now, danebot renew uses it from {first} on"
        )


def _say_cancelled(console: Console, name: str, done: Cancelled, form: str) -> int:
    """What became of the key, and what is left to do about its records."""
    from danebot.domain.finding import Code

    if done.kept is not None and done.digest is not None:
        digest = done.digest.hex()
        console.say(f"{name}: the next key {digest} is cancelled, and kept as {done.kept}")
    elif done.kept is not None:
        console.warn(
            f"{name}: the next key is cancelled, and kept as {done.kept}; it can't be read, so "
            "whether a record of it is published is not known"
        )
    status = ATTENTION if console.report(done.findings) >= Severity.WARNING else FINE
    remove = done.view.publication.remove
    listed = bool(remove) and not console.settings.publish(name).in_renew
    if listed:
        console.say(f"; {name}: REMOVE these records, which no key in use needs, and no others")
        _print_removal(remove, form)
    for finding in done.view.findings:
        if finding.code is Code.CANCELLING and not listed:
            console.say(f"{name}: {finding.text}; danebot renew forgets it once they are gone")
    if listed and any(one.code is Code.CANCELLING for one in done.view.findings):
        console.say(f"; {name}: danebot renew forgets the cancelled key once its records are gone")
    return status


def _print_removal(records: Sequence[OwnedRecord], form: str) -> None:
    from danebot.render.lineage import nsupdate_lines

    lines = nsupdate_lines((), records) if form != "zone" else (f"; remove {r}" for r in records)
    for line in lines:
        click_echo(line)
