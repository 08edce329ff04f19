"""The verb ``watch``: TLSA owners that a lineage watches, and those that it lets go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from danebot.domain.names import DnsName, TlsaOwner, printable
from danebot.errors import NameSyntaxError, UnansweredError
from danebot.verbs.common import FINE, record_run

if TYPE_CHECKING:
    from danebot.console import Console


def watch(console: Console, name: str, words: tuple[str, ...], *, unanswered: bool) -> int:
    """Look at owners and watch them from now on; what is wrong there is told at once."""
    from danebot.jobs import watch as job

    owners = _parsed(words)
    context = console.context(console.tree())
    started = context.clock()
    with console.locked():
        before = job.readable(context, name).lines
        try:
            found = job.watch(context, name, owners, unanswered=unanswered)
        except UnansweredError as exc:
            raise UnansweredError(
                f"{exc}; nothing was changed. See that the resolver answers and run this again, "
                f"or watch it all the same: danebot watch --although-unanswered {name} "
                f"{' '.join(map(str, owners))}"
            ) from exc
        for one in found:
            kept = [line for line in before if line.owner == one.owner]
            word = "watched already" if kept else "watched from now on"
            for line in kept or one.lines:
                console.say(f"{name}: {word}: {line} ({one.standing.value})")
        return record_run(console, context, "watch", started, FINE, report=(name,))


def unwatch(console: Console, name: str, words: tuple[str, ...]) -> int:
    """Let owners go, on the operator's word."""
    from danebot.jobs import watch as job

    owners = _parsed(words)
    context = console.context(console.tree())
    started = context.clock()
    with console.locked():
        published = job.unwatch(context, name, owners)
        for owner in owners:
            console.say(f"{name}: no longer watched: {owner}")
        for owner in published:
            console.warn(
                f"{name}: a TLSA record of the live key is still published at {owner}; remove it, "
                "or mail to that name fails at the next change of the key"
            )
        return record_run(console, context, "watch", started, FINE, report=(name,))


def _parsed(words: tuple[str, ...]) -> tuple[DnsName, ...]:
    """Owners in normal form, each once; what is none is a mistake in usage."""
    found: dict[DnsName, None] = {}
    for word in words:
        try:
            owner = DnsName.parse(word)
        except NameSyntaxError as exc:
            raise click.UsageError(str(exc)) from exc
        if TlsaOwner.from_name(owner) is None:
            raise click.UsageError(f"{printable(word, 80)} is no TLSA owner: want _25._tcp.HOST")
        found[owner] = None
    return tuple(found)
