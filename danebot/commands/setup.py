"""The command line of ``danebot setup``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import click

from danebot.commands.shared import LINEAGES, console_of
from danebot.domain.names import DnsName, TlsaOwner
from danebot.errors import ConfigError, NameSyntaxError

_GLOBAL = (("config", "--config"), ("config_dir", "--config-dir"))


def _owner(_ctx: click.Context, _param: click.Parameter, words: Sequence[str]) -> list[DnsName]:
    try:
        owners = [DnsName.parse(word) for word in words]
    except NameSyntaxError as exc:
        raise click.BadParameter(str(exc)) from exc
    for owner in owners:
        if TlsaOwner.from_name(owner) is None:
            raise click.BadParameter(f"{owner} is no TLSA owner: want _25._tcp.HOST")
    return owners


def _hook(_ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:
    from danebot.config import values

    try:
        "".join(words).encode()
        return tuple(map(values.hook, words))
    except UnicodeEncodeError as exc:
        raise click.BadParameter("not UTF-8, which settings are") from exc
    except ConfigError as exc:
        raise click.BadParameter(str(exc)) from exc


@click.command()
@LINEAGES
@click.option(
    "--owner",
    "owners",
    multiple=True,
    callback=_owner,
    metavar="OWNER",
    help="Have LINEAGE watch this TLSA owner, such as _25._tcp.HOST, whatever is published.",
)
@click.option(
    "--hook",
    "hooks",
    multiple=True,
    callback=_hook,
    metavar="COMMAND",
    help="A deploy hook, such as @postfix, in place of those for the services that are found.",
)
@click.option("--no-hook", is_flag=True, help="Leave deploy hooks as they are.")
@click.option("--no-timer", is_flag=True, help="Leave timers as they are, certbot's as well.")
@click.option("--no-renew", is_flag=True, help="Leave the first `danebot renew` to the timer.")
@click.option("--yes", is_flag=True, help="Do all of it; ask nothing.")
@click.option(
    "--dry-run", "--print", "dry_run", is_flag=True, help="Print the commands; change nothing."
)
@click.pass_context
def setup(
    ctx: click.Context,
    /,
    *,
    lineages: tuple[str, ...],
    owners: list[DnsName],
    hooks: tuple[str, ...],
    **options: Any,  # noqa: ANN401 - click's
) -> None:
    """Go from certbot's certificate to a protected server, step by step.

    Finds lineages for mail (or takes those that are named), services, hooks and timers, shows each
    change, asks for all of them, and makes them then. Where that tells of several lineages none,
    it asks which, or changes nothing. What is yours to change (a service's configuration, the
    zone) is printed as the command or record, for a host without a certificate certbot's command,
    and where MX records of its domains lead to no protection, a line each. Ends as `danebot doctor`
    does; to be run again until nothing is left.
    """
    from danebot.domain.doctor.setup import Wanted
    from danebot.verbs.setup import Danebot, Mode
    from danebot.verbs.setup import setup as verb

    if owners and len(lineages) != 1:
        raise click.UsageError("--owner needs one LINEAGE")
    if hooks and options["no_hook"]:
        raise click.UsageError("--hook doesn't go with --no-hook")
    if options["yes"] and options["dry_run"]:
        raise click.UsageError("--yes doesn't go with --dry-run")
    wanted = Wanted(
        lineages,
        tuple(owners),
        hooks if hooks or options["no_hook"] else None,
        timers=not options["no_timer"],
        renew=not options["no_renew"],
    )
    mode = Mode.YES if options["yes"] else Mode.PRINT if options["dry_run"] else Mode.ASK
    root = ctx.find_root()
    given = ((flag, root.params[name]) for name, flag in _GLOBAL if root.params[name])
    told = [f"{flag}={path.absolute()}" for flag, path in given]
    flags = ["-v"] * root.params["verbose"] + ["-q"] * root.params["quiet"]

    def run(words: Sequence[str]) -> int:
        group = cast("click.Group", root.command)
        found = group.main([*told, *flags, *words], prog_name="danebot", standalone_mode=False)
        return found if isinstance(found, int) else 0

    ctx.exit(verb(console_of(ctx), Danebot(tuple(told), run), wanted, mode))
