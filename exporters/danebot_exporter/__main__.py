"""``python -m danebot_exporter``."""

from danebot_exporter.cli import main

main()
