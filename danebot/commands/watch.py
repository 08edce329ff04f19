"""The command line of ``danebot watch``."""

from __future__ import annotations

import click

from danebot.commands.shared import DRY_RUN, LINEAGE, UNANSWERED, console_of


@click.command()
@LINEAGE
@click.argument("owners", metavar="OWNER...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Let them go: dane-ee gets a line `- OWNER` for each.")
@UNANSWERED
@DRY_RUN
@click.pass_context
def watch(ctx: click.Context, /, lineage: str, owners: tuple[str, ...], **options: bool) -> None:
    """Watch TLSA owners such as _25._tcp.HOST for LINEAGE: no key is used without its record there.

    They are looked at first, and what is seen is said. One that is let go, being another host's or
    no service any more, is not taken up again by `danebot init`.
    """
    from danebot.verbs.watch import unwatch, watch

    unanswered, dry_run = options["although_unanswered"], options["dry_run"]
    if options["remove"]:
        if unanswered:
            raise click.UsageError("--although-unanswered doesn't go with --remove")
        ctx.exit(unwatch(console_of(ctx), lineage, owners, dry_run=dry_run))
    ctx.exit(watch(console_of(ctx), lineage, owners, unanswered=unanswered, dry_run=dry_run))
