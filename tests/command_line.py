"""Every verb's command line, as ``danebot --help`` has them."""

from __future__ import annotations

import click

from danebot.commands.group import danebot

_TOP = click.Context(danebot)


VERBS = {
    name: command
    for name in danebot.list_commands(_TOP)
    if (command := danebot.get_command(_TOP, name)) is not None
}
