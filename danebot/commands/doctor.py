"""The command line of ``danebot doctor``."""

from __future__ import annotations

import click

from danebot.commands.shared import JSON, console_of


@click.command()
@JSON
@click.pass_context
def doctor(ctx: click.Context, /, *, as_json: bool) -> None:
    """Look whether this host has all that danebot rests on; say what to do where it hasn't.

    Resolver, clock, certbot and its timers, the daily run, hooks, files, disks, services, records
    and publishers. Changes nothing; as root it sees all. Exit status 1 if anything needs attention
    or can't be told.
    """
    from danebot.verbs.doctor import doctor as verb

    ctx.exit(verb(console_of(ctx), as_json=as_json))
