"""The command line of ``danebot init``."""

from __future__ import annotations

import click

from danebot.commands.shared import DRY_RUN, LINEAGES, UNANSWERED, console_of


@click.command()
@LINEAGES
@click.option("--no-dane", is_flag=True, help="LINEAGE has no TLSA records, and is to have none.")
@UNANSWERED
@DRY_RUN
@click.pass_context
def init(ctx: click.Context, /, lineages: tuple[str, ...], **options: bool) -> None:
    """Put lineages under danebot's care (all of them if none is named).

    certbot's renewals go to staging/LINEAGE from then on, and the key is kept. TLSA records that
    are published already are looked for at the usual ports and written to dane-ee; run it again
    when others have been published.
    """
    from danebot.verbs.init import Told
    from danebot.verbs.init import init as verb

    if options["no_dane"] and not lineages:
        raise click.UsageError("--no-dane needs a LINEAGE")
    told = Told.UNANSWERED if options["although_unanswered"] else Told.NOTHING
    told = Told.NO_DANE if options["no_dane"] else told
    ctx.exit(verb(console_of(ctx), lineages, told=told, dry_run=options["dry_run"]))
