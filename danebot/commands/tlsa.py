"""The command line of ``danebot tlsa``."""

from __future__ import annotations

import click

from danebot.commands.shared import JSON, THE_LINEAGE, console_of, form_option, one_lineage


@click.command()
@THE_LINEAGE
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

    LINEAGE may be left out where there is one alone. With --anchors those of the CA, for who has no
    3 1 1 record of its own key: of LINEAGE's type of key, at its owners; without LINEAGE of every
    type.
    """
    if anchors:
        from danebot.verbs.anchors import anchors as anchors_verb

        ctx.exit(anchors_verb(console_of(ctx), lineage, form, as_json=as_json))
    from danebot.verbs.status import tlsa as verb

    ctx.exit(verb(console_of(ctx), one_lineage(ctx, lineage), form, as_json=as_json))
