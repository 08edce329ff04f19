"""The command line of ``danebot deploy``."""

from __future__ import annotations

import click

from danebot.commands.shared import DRY_RUN, LINEAGES, console_of


@click.command()
@LINEAGES
@DRY_RUN
@click.pass_context
def deploy(ctx: click.Context, /, *, lineages: tuple[str, ...], dry_run: bool) -> None:
    """Run the deploy hooks again, and see that the services serve what is live.

    For all lineages under danebot's care if none is named, at any time: after a service was mended
    or moved, or hooks were changed. Nothing is issued or rolled over; what fails is tried again by
    the next run. No hook is run where senders would refuse what is live by published records, and a
    service has another key that they match, or can't be asked.
    """
    from danebot.verbs.deploy import deploy as verb

    ctx.exit(verb(console_of(ctx), lineages, dry_run=dry_run))
