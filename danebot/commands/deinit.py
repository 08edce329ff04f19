"""The command line of ``danebot deinit``."""

from __future__ import annotations

import click

from danebot.commands.shared import DRY_RUN, LINEAGES, console_of


@click.command()
@LINEAGES
@click.option("--drop-keys", is_flag=True, help="Give up keys on their way and revocations.")
@DRY_RUN
@click.pass_context
def deinit(ctx: click.Context, /, lineages: tuple[str, ...], **options: bool) -> None:
    """Give lineages back to certbot (all under its care if none is named).

    Services whose configuration names combo.pem, which nobody keeps up to date then, are told; on a
    terminal it asks first.
    """
    from danebot.verbs.init import deinit as verb

    ctx.exit(verb(console_of(ctx), lineages, **options))
