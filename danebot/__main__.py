"""``python -m danebot``."""

from danebot.cli import command

command()
