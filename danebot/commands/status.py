"""The command line of ``danebot status``."""

from __future__ import annotations

import click

from danebot.commands.shared import JSON, LINEAGES, console_of


@click.command()
@LINEAGES
@JSON
@click.pass_context
def status(ctx: click.Context, /, *, lineages: tuple[str, ...], as_json: bool) -> None:
    """Show where each lineage stands: phase, keys, records, safe time, certificate, hooks.

    Looks at the tree and at DNS now; without the right to read the tree, at the last run's report.
    Of several lineages a line each, the worst first (-: left to certbot); all of those that are
    named. With -v (danebot -v status) all of each, and the last changes that were made; with -q
    problems only.
    """
    from danebot.verbs.status import status as verb

    ctx.exit(verb(console_of(ctx), lineages, as_json=as_json))
