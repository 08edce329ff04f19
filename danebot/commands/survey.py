"""The command line of ``danebot survey``."""

from __future__ import annotations

import click

from danebot.commands.shared import any_file, console_of


@click.command()
@click.argument("action", type=click.Choice(["run", "report", "diff"]))
@click.argument("paths", nargs=-1, required=True, shell_complete=any_file, metavar="PATH...")
@click.option("--into", metavar="DIR", shell_complete=any_file, help="run: where results go.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["lines", "csv", "parquet", "zone"]),
    help="run: what inputs are; by default their names say (.csv, .parquet, .zone), else lines.",
)
@click.option("--column", metavar="NAME", help="run: of CSV and Parquet; by default domain.")
@click.option("--origin", metavar="NAME", default=".", help="run: of a zone file without one.")
@click.option("--helo", metavar="NAME", help="run: our own name in EHLO; default: this host's.")
@click.option(
    "--opt-out",
    metavar="FILE",
    shell_complete=any_file,
    help="run: names, addresses and networks that are not looked at, one a line.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0, 3600),
    default=1.0,
    show_default=True,
    help="run: seconds between connections to one address.",
)
@click.option(
    "--looks",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="run: connections to one address, at most.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 1000),
    default=200,
    show_default=True,
    help="run: connections at once, in each worker.",
)
@click.option(
    "--reach",
    type=click.Choice(["public", "private", "any"]),
    default="public",
    show_default=True,
    help="run: which addresses may be asked.",
)
@click.option(
    "--resolver",
    "resolvers",
    multiple=True,
    metavar="ADDR[:PORT]",
    help="run: the validating resolver beside each worker.",
)
@click.option(
    "--test-names",
    metavar="SECURE,INSECURE,BOGUS",
    help="run: what resolvers are tested with.",
)
@click.option("--workers", type=click.IntRange(1, 1024), help="run: processes; one for each core.")
@click.option("--scheduler", metavar="URL", help="run: on that Dask cluster (tcp://, tls://).")
@click.option(
    "--scheduler-tls",
    metavar="CA,CERT,KEY",
    help="run: files by which a tls:// scheduler is talked to.",
)
@click.option(
    "--rows",
    type=click.IntRange(10, 100_000),
    default=5000,
    show_default=True,
    help="run: rows in a partition.",
)
@click.option(
    "--json-lines",
    metavar="FILE",
    shell_complete=any_file,
    help="run: results of domains there, too, an object a line.",
)
@click.pass_context
def survey(ctx: click.Context, /, action: str, paths: tuple[str, ...], **options: object) -> None:
    """Look at DANE of thousands to millions of domains, on all cores or a Dask cluster.

    `run FILE... --into DIR` takes domains (- is stdin), goes on where it was interrupted, and
    leaves a Parquet data set. `report DIR` makes one HTML page of it and a CSV of failing domains,
    `diff OLD NEW` says what broke, what was mended, and whose keys changed without an overlap.
    Needs: pip install 'danebot[survey]'.
    """
    from danebot.verbs.survey import survey as verb

    ctx.exit(verb(console_of(ctx), action, paths, options))
