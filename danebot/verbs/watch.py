"""The verb ``watch``: TLSA owners that a lineage watches, and those that it lets go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from danebot.domain.finding import Finding, Severity
from danebot.domain.names import DnsName, TlsaOwner
from danebot.domain.text import quoted
from danebot.errors import NameSyntaxError, UnansweredError
from danebot.verbs.common import ATTENTION, FINE, OF_SERVICES, record_run, status_of

if TYPE_CHECKING:
    from danebot.console import Console
    from danebot.domain.dns.tlsa import Required
    from danebot.domain.rollover.records.adoption import Found
    from danebot.jobs.context import Context
    from danebot.jobs.watch import Release


def watch(
    console: Console, name: str, words: tuple[str, ...], *, unanswered: bool, dry_run: bool
) -> int:
    """Look at owners and watch them from now on; what is wrong there is told at once."""
    from danebot.jobs import watch as job

    owners = _parsed(words)
    for owner in owners:
        if TlsaOwner.from_name(owner) is None:
            raise click.UsageError(f"{owner} is no TLSA owner: want _25._tcp.HOST")
    context = console.context(console.tree())
    if dry_run:
        found = _inspected(context, name, owners, unanswered=unanswered)
        _say_watched(console, name, found, job.readable(context, name).lines, "would be watched")
        return _foretell(
            console,
            job.foreseen_findings(context, name, add=[line for one in found for line in one.lines]),
        )
    started = context.clock()
    with console.locked():
        before = job.readable(context, name).lines
        found = _inspected(context, name, owners, unanswered=unanswered)
        behind = job.watch_owners(context, name, found)
        _say_watched(console, name, found, before, "watched from now on")
        console.report(behind)
        asked = any(line not in before for one in found for line in one.lines)
        return record_run(
            console,
            context,
            "watch",
            started,
            status_of(behind),
            findings=behind,
            superseded=lambda old: asked and old.lineage == name and old.code in OF_SERVICES,
            report=(name,),
        )


def _inspected(
    context: Context, name: str, owners: tuple[DnsName, ...], *, unanswered: bool
) -> tuple[Found, ...]:
    from danebot.jobs import watch as job

    try:
        return job.inspect(context, name, owners, unanswered=unanswered)
    except UnansweredError as exc:
        raise UnansweredError(
            f"{exc}; nothing was changed. See that the resolver answers and run this again, "
            f"or watch it all the same: danebot watch --although-unanswered {quoted(name)} "
            f"{quoted(*owners)}"
        ) from exc


def _say_watched(
    console: Console, name: str, found: Iterable[Found], before: Sequence[Required], new: str
) -> None:
    for one in found:
        for line in one.lines:
            word = "watched already" if line in before else new
            console.say(f"{name}: {word}: {line} ({one.standing.value})")


def unwatch(console: Console, name: str, words: tuple[str, ...], *, dry_run: bool) -> int:
    """Let owners go, on the operator's word."""
    from danebot.jobs import watch as job

    owners = _parsed(words)
    context = console.context(console.tree())
    if dry_run:
        _say_released(console, name, job.release(context, name, owners), "would be let go")
        return _foretell(console, job.foreseen_findings(context, name, gone=owners))
    started = context.clock()
    with console.locked():
        released = job.release(context, name, owners)
        job.unwatch_owners(context, name, owners)
        _say_released(console, name, released, "no longer watched")
        return record_run(console, context, "watch", started, FINE, report=(name,))


def _say_released(console: Console, name: str, released: Release, word: str) -> None:
    for owner in released.owners:
        before = " (it was not)" if owner in released.unwatched else ""
        console.say(f"{name}: {word}: {owner}{before}")
    for owner in released.relied:
        console.warn(
            f"{name}: a TLSA record of the live key is still published at {owner}; remove it, "
            "or mail to that name fails at the next change of the key"
        )


def _foretell(console: Console, findings: Iterable[Finding]) -> int:
    """What a run will report of the lineage afterwards."""
    said = [one for one in findings if one.severity >= Severity.WARNING]
    worst = console.report(said)
    console.say("nothing was changed")
    return ATTENTION if worst >= Severity.WARNING else FINE


def _parsed(words: tuple[str, ...]) -> tuple[DnsName, ...]:
    """Names in normal form, each once; anything else is a mistake in usage."""
    found: dict[DnsName, None] = {}
    for word in words:
        try:
            found[DnsName.parse(word)] = None
        except NameSyntaxError as exc:
            raise click.UsageError(str(exc)) from exc
    return tuple(found)
