"""The command line of ``danebot verify``."""

from __future__ import annotations

import click

from danebot.commands.shared import JSON, STARTTLS, any_file, console_of


@click.command()
@click.argument("targets", metavar="[DOMAIN|HOST:PORT]...", nargs=-1)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    shell_complete=any_file,
    metavar="FILE",
    help="One target a line; - is stdin.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Targets looked at side by side.",
)
@click.option("-4", "ipv4", is_flag=True, help="Ask IPv4 addresses only.")
@click.option("-6", "ipv6", is_flag=True, help="Ask IPv6 addresses only.")
@click.option("--srv", is_flag=True, help="Services found by SRV records, in place of mail.")
@click.option(
    "--starttls",
    type=STARTTLS,
    help="How TLS begins at HOST:PORT; by default what is usual at the port.",
)
@click.option("--aka", multiple=True, metavar="NAME", help="Accept this name in certificates, too.")
@click.option("--helo", metavar="NAME", help="Our own name in EHLO; default: this host's.")
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="NAME=ADDR",
    help="Connect there instead of to the host's own addresses.",
)
@click.option("--both-algorithms", is_flag=True, help="Ask for RSA and ECDSA certificates, too.")
@click.option("--only", metavar="HOST", help="Of a domain's hosts, judge this one alone.")
@click.option(
    "--down",
    multiple=True,
    metavar="HOST",
    help="One that is known to be down: its silence is no problem, a mismatch is.",
)
@click.option("--trace", is_flag=True, help="At the end, what was said with DNS and the peers.")
@click.option("--optional", is_flag=True, help="Having no DANE is fine.")
@click.option(
    "--require",
    multiple=True,
    metavar="KIND",
    help="A TLSA record of that kind ('3 1 1', or 311) must match; of several options, any.",
)
@click.option(
    "--pkix", is_flag=True, help="Those without DANE must accept the certificate, too (ca_file)."
)
@JSON
@click.pass_context
def verify(ctx: click.Context, /, targets: tuple[str, ...], **options: object) -> None:
    """See domains and services as DANE senders do: DNS, then every address, with advice.

    A domain stands for all its mail exchangers. Changes nothing and needs no rights. With --json
    there is one object a line for each target.
    """
    from danebot.verbs.verify import verify as verb

    ctx.exit(verb(console_of(ctx), targets, options))
