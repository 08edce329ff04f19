"""Arguments and options that several verbs have."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from danebot.domain.names import Protocol
from danebot.errors import DanebotError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from danebot.console import Console


_FEW = 10  # names that are listed


def known_lineages(ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    """What a shell may complete a lineage's name to; [] where this user can't see any."""
    from danebot.console import Console

    top = ctx.find_root().params
    with suppress(DanebotError):
        names = Console(top["config"], top["config_dir"], 0, quiet=True).tree().names()
        return [name for name in names if name.startswith(begun)]
    return []


def any_file(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Have the shell itself offer files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(begun, type="file")]


def path_as_typed(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Path | None:
    """A path as it was typed: ``./NAME`` is in the working directory, whatever a bare one means."""
    if value is None:
        return None
    return Path(value).absolute() if os.sep in value else Path(value)


def form_option(words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--format``: how records are printed; ``words`` are its help."""
    forms = click.Choice(["zone", "nsupdate"])
    return click.option(
        "--format", "form", type=forms, default="zone", show_default=True, help=words
    )


def console_of(ctx: click.Context) -> Console:
    """The global options and the streams, as the group made them."""
    console: Console = ctx.obj
    return console


def one_lineage(ctx: click.Context, name: str | None) -> str:
    """The lineage that is named, else the only one there is; `click.UsageError` without either."""
    if name is not None:
        return name
    tree = console_of(ctx).tree()
    names = tree.names()
    if len(names) == 1:
        return names[0]
    if not names:
        tree.select(tree.orphans()[:1])  # raises: the way back for what is left of one
        raise click.UsageError(
            "certbot has no lineage here yet; get one with the command that is told by: "
            "danebot setup"
        )
    shown = [*names[:_FEW], *(["..."] if names[_FEW:] else [])]
    verb = ctx.info_name
    raise click.UsageError(f"name one: danebot {verb} LINEAGE; there are {', '.join(shown)}")


LINEAGES = click.argument(
    "lineages", metavar="[LINEAGE]...", nargs=-1, shell_complete=known_lineages
)
LINEAGE = click.argument("lineage", shell_complete=known_lineages)
THE_LINEAGE = click.argument("lineage", required=False, shell_complete=known_lineages)
UNANSWERED = click.option(
    "--although-unanswered",
    is_flag=True,
    help="Go on without owners of which the resolver gives no answer.",
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
STARTTLS = click.Choice([protocol.value for protocol in Protocol])
