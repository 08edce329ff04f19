"""``check_danebot``: whether danebot keeps its lineages well, from the status document it wrote.

Runs every minute for each concern, so it imports next to nothing: the document is read as plain
JSON, and only ``--recheck`` loads what speaks DNS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from danebot_checks.start import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from danebot.plugin.output import PluginResult

NAME = "DANEBOT"


def main() -> NoReturn:
    """Run the check and end the process."""
    run(NAME, outcome)


def outcome(arguments: Sequence[str] | None = None) -> int:
    """Run the check and print its result; return the exit status."""
    from danebot_checks.plugin import run_check

    return run_check(NAME, lambda: check_lineages(arguments))


def check_lineages(arguments: Sequence[str] | None) -> PluginResult:
    """Read, judge, and tell; `DanebotError` if that is impossible."""
    from datetime import UTC, datetime, timedelta

    from danebot_checks.lineages_options import parse_options
    from danebot_checks.lineages_result import concern_result
    from danebot_checks.plugin import limit

    options = parse_options(arguments)
    with limit(timedelta(seconds=options.timeout)):
        return concern_result(options, datetime.now(UTC))
