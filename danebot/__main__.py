"""``python -m danebot``."""

from danebot.cli import main

main()
