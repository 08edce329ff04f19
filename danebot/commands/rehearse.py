"""The command line of ``danebot rehearse``."""

from __future__ import annotations

import click

from danebot.commands.shared import THE_LINEAGE, console_of, one_lineage


@click.command()
@THE_LINEAGE
@click.option("--hooks", is_flag=True, help="Run the deploy hooks, with DANEBOT_EVENT=rehearsal.")
@click.option("--no-certbot", is_flag=True, help="Leave out certbot's dry run, and so the CA.")
@click.pass_context
def rehearse(ctx: click.Context, /, lineage: str | None, **options: bool) -> None:
    """Do all of a renewal of LINEAGE but the change, and say how long an emergency would take.

    certbot's dry run with the key that a renewal keeps (at Let's Encrypt's server for tests;
    certbot runs its pre and post hooks), the publisher with an update that changes nothing, and
    each service asked for what it serves. No file changes but logs. LINEAGE may be left out where
    there is one alone.
    """
    from danebot.verbs.rehearse import rehearse as verb

    ctx.exit(verb(console_of(ctx), one_lineage(ctx, lineage), **options))
