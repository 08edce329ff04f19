"""The command line of ``danebot names``."""

from __future__ import annotations

import click

from danebot.commands.shared import DRY_RUN, LINEAGE, UNANSWERED, console_of


@click.command()
@LINEAGE
@click.option("--add", multiple=True, metavar="NAME", help="One more name.")
@click.option("--remove", multiple=True, metavar="NAME", help="A name that is to go.")
@click.option("--set", "exactly", multiple=True, metavar="NAME", help="A name of all to have.")
@UNANSWERED
@DRY_RUN
@click.pass_context
def names(
    ctx: click.Context,
    /,
    *,
    lineage: str,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    exactly: tuple[str, ...],
    although_unanswered: bool,
    dry_run: bool,
) -> None:
    """Change the names in the certificate of LINEAGE, with the same key; list them without option.

    Options may be repeated, or name several with commas between. dane-ee and dnsnames follow, and
    the new certificate is deployed as in a renewal.
    """
    from danebot.verbs.names import names as verb

    ctx.exit(
        verb(
            console_of(ctx),
            lineage,
            add=add,
            remove=remove,
            exactly=exactly,
            although_unanswered=although_unanswered,
            dry_run=dry_run,
        )
    )
