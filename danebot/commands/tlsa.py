"""The command line of ``danebot tlsa``."""

from __future__ import annotations

import click

from danebot.commands.shared import JSON, console_of, form_option, known_lineages


@click.command()
@click.argument("lineage", required=False, shell_complete=known_lineages)
@form_option("nsupdate prints only what to change.")
@click.option(
    "--anchors",
    is_flag=True,
    help="Print the 2 1 1 records of all from whom Let's Encrypt may issue next.",
)
@JSON
@click.pass_context
def tlsa(
    ctx: click.Context, /, *, lineage: str | None, form: str, anchors: bool, as_json: bool
) -> None:
    """Print the TLSA records that ought to be published now, what to add, what to remove.

    With --anchors those of the CA, for who has no 3 1 1 record of its own key: of LINEAGE's type of
    key, at its owners; without LINEAGE of every type.
    """
    if anchors:
        from danebot.verbs.anchors import anchors as anchors_verb

        ctx.exit(anchors_verb(console_of(ctx), lineage, form, as_json=as_json))
    if lineage is None:
        raise click.UsageError("name one: danebot tlsa LINEAGE; danebot status has all names")
    from danebot.verbs.status import tlsa as verb

    ctx.exit(verb(console_of(ctx), lineage, form, as_json=as_json))
