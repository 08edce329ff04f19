"""The command line of ``danebot files``."""

from __future__ import annotations

import click

from danebot.commands.shared import JSON


@click.command()
@JSON
@click.pass_context
def files(ctx: click.Context, /, *, as_json: bool) -> None:
    """List what was installed beside the programs: units, manual pages, snippets, rules, examples.

    With what to do with each.
    """
    from danebot.verbs.files import files as verb

    ctx.exit(verb(as_json=as_json))
