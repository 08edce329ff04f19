"""The command line of ``danebot record``."""

from __future__ import annotations

import click

from danebot.commands.shared import JSON, STARTTLS, any_file, console_of


@click.command()
@click.argument("source", metavar="FILE|HOST:PORT", shell_complete=any_file)
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="'3 1 1' (the default), 211, 310, ..."
)
@click.option(
    "--owner", "owners", multiple=True, metavar="NAME", help="Where it goes: _25._tcp.HOST."
)
@click.option("--starttls", type=STARTTLS, help="How TLS begins; by default what is usual there.")
@JSON
@click.pass_context
def record(
    ctx: click.Context,
    /,
    *,
    source: str,
    kinds: tuple[str, ...],
    owners: tuple[str, ...],
    starttls: str | None,
    as_json: bool,
) -> None:
    """Print the TLSA records of any certificate, key, request or live service, for any use.

    FILE is PEM (- is standard input); a chain gives records of its CAs too (--kind '2 1 1'). It
    needs no lineage, and changes nothing. `danebot tlsa` says what a lineage ought to have.
    """
    from danebot.verbs.record import record as verb

    console = console_of(ctx)
    ctx.exit(verb(console, source, kinds=kinds, owners=owners, starttls=starttls, as_json=as_json))
