"""The command line of ``danebot publish``."""

from __future__ import annotations

import click

from danebot.commands.shared import DRY_RUN, LINEAGES, console_of


@click.command()
@LINEAGES
@DRY_RUN
@click.pass_context
def publish(ctx: click.Context, /, *, lineages: tuple[str, ...], dry_run: bool) -> None:
    """Add the TLSA records that DNS lacks, and remove those that have served their time.

    As configured under [publish]: by DNS UPDATE, by a program, or by hand (then it prints them).
    Looks at every authoritative server afterwards. `renew` does the same by itself.
    """
    from danebot.verbs.publish import publish as verb

    ctx.exit(verb(console_of(ctx), lineages, dry_run=dry_run))
