"""The verb ``names``: other names in a certificate, with the same key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from danebot.domain.finding import Finding
from danebot.domain.text import quoted
from danebot.errors import DanebotError, NameChangeError, NameSyntaxError
from danebot.verbs.common import (
    ATTENTION,
    FINE,
    click_echo,
    say_unwritten,
    status_of,
    write_metrics,
)

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.console import Console
    from danebot.domain.lineage.renaming import Wish
    from danebot.domain.names import DnsName
    from danebot.jobs.context import Context
    from danebot.jobs.names import Intent
    from danebot.jobs.view import LineageView


def names(
    console: Console,
    name: str,
    *,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    exactly: tuple[str, ...],
    although_unanswered: bool,
    dry_run: bool,
) -> int:
    """List the names, or change them."""
    from danebot.domain.lineage.renaming import Wish

    if exactly and (add or remove):
        raise click.UsageError("--set names them all: use it without --add and --remove")
    try:
        wish = Wish(_parsed(add), _parsed(remove), _parsed(exactly))
    except NameSyntaxError as exc:
        raise click.UsageError(str(exc)) from exc
    context = console.context(console.tree())
    if not wish:
        return _list(context, name)
    try:
        if dry_run:
            return _dry(console, context, name, wish, unanswered=although_unanswered)
        return _change(console, context, name, wish, unanswered=although_unanswered)
    except NameChangeError as exc:
        raise click.UsageError(f"{name}: {exc}") from exc


def _parsed(words: Iterable[str]) -> tuple[DnsName, ...]:
    """The names in options; certbot allows commas between them, too."""
    from danebot.domain.lineage.renaming import parse_name

    return tuple(parse_name(name) for word in words for name in word.split(","))


def _list(context: Context, name: str) -> int:
    from danebot.jobs.names import certificate_to_change

    staged, _ = certificate_to_change(context, name)
    for one in sorted(staged.chain.names):
        click_echo(str(one))
    return FINE


def _dry(console: Console, context: Context, name: str, wish: Wish, *, unanswered: bool) -> int:
    from danebot.jobs.names import intend

    intent = intend(context, name, wish, unanswered=unanswered)
    console.see_certbot()
    if intent.issues:
        wanted = " ".join(map(str, sorted(intent.change.after)))
        console.say(f"{name}: would have certbot issue for: {wanted}")
    else:
        console.say(f"{name}: the certificate has these names already")
    for words, lines in (
        ("would no longer watch", intent.unwatched),
        ("would watch", intent.watched),
        ("would no longer require the name", intent.dropped),
        ("would require the name", intent.demanded),
    ):
        for line in lines:
            console.say(f"{name}: {words} {line}")
    status = _warn(console, name, intent)
    console.say("nothing was changed")
    return status


def _change(console: Console, context: Context, name: str, wish: Wish, *, unanswered: bool) -> int:
    from danebot.jobs.names import change_names, intend

    # What can't be is said before anything is done.
    intend(context, name, wish, unanswered=unanswered)
    certbot = console.certbot()
    started = context.clock()
    with console.locked() as lock:
        run, intent = change_names(context, certbot, lock, name, wish, unanswered=unanswered)
        view = run.view
        found = (*run.progress.events, *(view.findings if view is not None else ()))
        findings = tuple(dict.fromkeys(found))
        status = _publish(console, name, view, findings, started=started, ended=context.clock())
    live = run.read().live
    if live is not None and live.chain.names == intent.change.after:
        console.say(f"{name}: live has the names: {' '.join(map(str, sorted(live.chain.names)))}")
        for line in intent.unwatched:
            console.say(f"{name}: no longer watched: {line}")
        for line in intent.watched:
            console.say(f"{name}: watched from now on: {line}")
    status = max(status, _warn(console, name, intent))
    console.report(findings)
    return status


def _publish(
    console: Console,
    name: str,
    view: LineageView | None,
    findings: tuple[Finding, ...],
    *,
    started: datetime,
    ended: datetime,
) -> int:
    """Write the public documents; the run's exit status."""
    from danebot.jobs.snapshot import News, Scope, this_run, write_snapshot

    status = status_of(findings)
    news = News(
        Scope.SOME,
        (view,) if view is not None else (),
        findings,
        lambda old: old.lineage == name,
        console.settings.witnesses,
        console.settings.tree,
        console.journal.events,
    )
    try:
        write_snapshot(console.settings.snapshot, this_run("names", started, ended, status), news)
    except DanebotError as exc:
        say_unwritten(console, exc, FINE)
        return ATTENTION
    return write_metrics(console, status)


def _warn(console: Console, name: str, intent: Intent) -> int:
    """Owners that nobody looks after; ATTENTION where it isn't known whose they are."""
    from danebot.domain.rollover.records.adoption import by_host

    for owner in intent.published:
        console.warn(
            f"{name}: TLSA records of {owner} are still published, and danebot doesn't watch them; "
            "remove them, or mail to that name fails at the next change of the key"
        )
    if intent.found.foreign:
        hosts = by_host(intent.found.foreign)
        console.say(f"{name}: not watched, being another host's by what is served there: {hosts}")
    watch = f"if they are to be: danebot watch {quoted(name)} OWNER"
    doubts = (
        ("no answer whether TLSA records are left at", intent.unsure, "see to it that none is"),
        (
            "not watched, since their TLSA records are not of the live key:",
            (*intent.found.untold, *intent.found.idle),
            watch,
        ),
        ("not watched, since they gave no answer:", intent.found.unanswered, watch),
    )
    for words, owners, remedy in doubts:
        if owners:
            console.warn(f"{name}: {words} {by_host(owners)}; {remedy}")
    return ATTENTION if intent.unsure or intent.found.untold else FINE
