"""The command line of ``danebot renew``."""

from __future__ import annotations

import click

from danebot.commands.shared import DRY_RUN, JSON, LINEAGES, console_of


@click.command()
@LINEAGES
@DRY_RUN
@click.option(
    "--although-unconfirmed",
    metavar="WORDS",
    help="Have a compromised key's records and certificates go though a service wasn't reached.",
)
@JSON
@click.pass_context
def renew(
    ctx: click.Context,
    /,
    *,
    lineages: tuple[str, ...],
    dry_run: bool,
    although_unconfirmed: str | None,
    as_json: bool,
) -> None:
    """Renew, roll over, deploy and confirm, as far as that is safe now: the daily job.

    Prints nothing when all is well, or while a rollover waits for its records and their TTLs.
    """
    from danebot.verbs.renew import renew as verb

    insists = although_unconfirmed is not None
    if insists:
        _check_insistence(lineages, although_unconfirmed, dry_run=dry_run)
    ctx.exit(verb(console_of(ctx), lineages, dry_run=dry_run, as_json=as_json, insists=insists))


def _check_insistence(lineages: tuple[str, ...], words: str | None, *, dry_run: bool) -> None:
    from danebot.domain.rollover.records.compromise import ACCEPTED

    if words != ACCEPTED:
        raise click.UsageError(
            "a service that still has the compromised key would be refused by DANE senders; if "
            f'that is better than its record, say --although-unconfirmed "{ACCEPTED}"'
        )
    if not lineages or dry_run:
        raise click.UsageError("--although-unconfirmed needs a LINEAGE, and no --dry-run")
