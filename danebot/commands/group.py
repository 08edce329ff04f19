"""The command line: danebot's own options, and the verbs."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

from danebot import __version__

_VERBS = (
    *("setup", "init", "deinit", "renew", "newkey", "names", "watch", "status", "tlsa", "deploy"),
    *("record", "publish", "verify", "survey", "doctor", "rehearse", "files"),
)


class Commands(click.Group):
    """The verbs in the order of an operator's work; one's module is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs as they were named."""
        del ctx
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of that name, from its module; None if there is none."""
        if cmd_name not in _VERBS:
            return super().get_command(ctx, cmd_name)
        name = f"danebot.commands.{cmd_name}"
        try:
            verb: click.Command = vars(import_module(name))[cmd_name]
        except (ImportError, SyntaxError, KeyError) as exc:
            raise ImportError(f"{name} can't be loaded ({type(exc).__name__}: {exc})") from exc
        return verb

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; one of danebot's own options behind it is told where it belongs."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as exc:
            if sys.stderr.isatty():
                raise  # click ends the line that has ^C on it
            raise click.Abort from exc
        except click.NoSuchOption as exc:
            name = exc.option_name
            if exc.ctx is None or not any(name in param.opts for param in self.params):
                raise
            words = f"{name}: it goes before the verb: danebot {name} {exc.ctx.info_name} ..."
            raise click.UsageError(words, exc.ctx) from exc


@click.group(
    cls=Commands,
    commands={name: click.Command(name) for name in _VERBS},  # the names: get_command has them
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 fine, waiting is fine; 1 something needs attention, or can't be told; 2 "
    "wrong usage, an unknown lineage too; 130 interrupted. With --dry-run as the run would. "
    "Run `danebot renew` daily from a timer or cron, in place of `certbot renew`.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings; /etc/danebot/danebot.toml if it exists.",
)
@click.option(
    "--config-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="certbot's tree; /usr/local/etc/letsencrypt, else /etc/letsencrypt.",
)
@click.option("-v", "--verbose", count=True, help="Say what is being done.")
@click.option("-q", "--quiet", is_flag=True, help="Print problems only.")
@click.version_option(__version__, "-V", "--version", message="danebot %(version)s")
@click.pass_context
def danebot(
    ctx: click.Context,
    /,
    *,
    config: Path | None,
    config_dir: Path | None,
    verbose: int,
    quiet: bool,
) -> None:
    """Keep DANE TLSA records and the keys that a mail server serves in agreement.

    danebot takes the place of `certbot renew`. It renews with the same key, rolls to a new key
    only when that key's TLSA records are in every cache, deploys atomically, and confirms on the
    wire. A host that is new to it begins with `danebot setup`.
    """
    from danebot.console import Console

    ctx.obj = Console(config, config_dir, verbose, quiet=quiet)


def _verbs(ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    return [verb for verb in danebot.list_commands(ctx) if verb.startswith(begun)]


@danebot.command(name="help")
@click.argument("verb", required=False, shell_complete=_verbs)
@click.pass_context
def help_(ctx: click.Context, verb: str | None) -> None:
    """Show help, of a verb if one is named."""
    parent = ctx.parent or ctx
    if verb is None:
        click.echo(danebot.get_help(parent))
        return
    command = danebot.get_command(parent, verb)
    if command is None:
        raise click.UsageError(f"there is no verb {verb!r}; see: danebot help")
    click.echo(command.get_help(click.Context(command, info_name=verb, parent=parent)))
