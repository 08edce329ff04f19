"""The options of ``check_danebot``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from danebot import __version__
from danebot.plugin.command_line import Parser, UsageError, add_resolver_options
from danebot.plugin.numbers import parse_range, parse_remaining

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from danebot.domain.thresholds import Range

CONCERNS = {
    "renewal": "the daily job runs and succeeds",
    "tlsa": "records in DNS are those of the live and the coming key",
    "expiry": "certificates have enough of their lifetime left",
    "rollover": "no rollover is stuck half-way",
}
_DESCRIPTION = "Checks one concern of danebot's lineages, from the status document it wrote."
_EPILOG = """\
CRITICAL: mail fails, or is about to. WARNING: something stops, or will. UNKNOWN: can't be
judged. Ranges are Nagios': 14: raises the alarm below 14, ~:2 above 2; numbers are days, and a
plain one after expiry's -w or -c means fewer than that.
"""
_RANGED = ("renewal", "expiry")
_LONGEST = 3600.0
_OLDEST = 3650.0


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; `UsageError` says in a line what is wrong with it.

    ``warning`` and ``critical`` are ranges or None for the concern's defaults; ``max_age`` is in
    days, ``timeout`` in seconds.
    """
    options = lineages_parser().parse_args(arguments)
    read = parse_remaining if options.concern == "expiry" else parse_range
    for name in ("warning", "critical"):
        text = getattr(options, name)
        if text is not None:
            setattr(options, name, _threshold(f"--{name}", text, read))
    if not 1 <= options.timeout <= _LONGEST:
        raise UsageError(f"--timeout goes from 1 to {_LONGEST:g} seconds")
    if not 0 < options.max_age <= _OLDEST:
        raise UsageError(f"--max-age goes from above 0 to {_OLDEST:g} days")
    given = (options.warning, options.critical) != (None, None)
    if given and options.concern not in _RANGED:
        raise UsageError(f"--warning and --critical go with {' and '.join(_RANGED)}")
    if options.recheck and options.concern != "tlsa":
        raise UsageError("--recheck goes with tlsa")
    return options


def _threshold(option: str, text: str, read: Callable[[str], Range]) -> Range:
    try:
        return read(text)
    except ArgumentTypeError as exc:
        raise UsageError(f"{option}: {exc}") from exc


def lineages_parser() -> Parser:
    """The command line."""
    parser = Parser("check_danebot", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    add = parser.add_argument
    add("-V", "--version", action="version", version=f"check_danebot {__version__}\n")
    words = "; ".join(f"{name}: {meaning}" for name, meaning in CONCERNS.items())
    add("concern", choices=CONCERNS, metavar="CONCERN", help=words)
    add(
        "-l",
        "--lineage",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one; may be repeated",
    )
    add(
        "-s",
        "--snapshot",
        default="/var/lib/danebot/status.json",
        metavar="FILE",
        help="the status document (%(default)s)",
    )
    add(
        "--max-age",
        type=float,
        default=2.25,
        metavar="DAYS",
        help="an older document counts for nothing (%(default)s)",
    )
    add("-t", "--timeout", type=float, default=30.0, metavar="SECONDS", help="for all of it (30)")
    add("-v", "--verbose", action="count", default=0, help="findings; twice: every lineage")
    _add_thresholds(parser)
    return parser


def _add_thresholds(parser: Parser) -> None:
    add = parser.add_argument_group("renewal and expiry").add_argument
    add(
        "-w",
        "--warning",
        metavar="DAYS",
        help="renewal: more since it last succeeded (2.25); expiry: fewer until a certificate ends "
        "(as danebot.toml says; a fifth of its lifetime)",
    )
    add(
        "-c",
        "--critical",
        metavar="DAYS",
        help="likewise (7; a tenth of its lifetime)",
    )
    add = parser.add_argument_group("rollover (each is a WARNING)").add_argument
    for option, default, help_ in (
        ("--staged", None, "since a next key waits for its records (as danebot.toml says)"),
        ("--due", "~:2", "since a ready key could have been promoted (~:2)"),
        ("--unconfirmed", "~:0.1", "since a chain is live, but not seen on the wire (~:0.1)"),
        ("--removal", "~:30", "since old records could have been removed (~:30)"),
        ("--key-age", None, "age of the current key, as a policy (none)"),
    ):
        add(option, type=parse_range, default=default, metavar="DAYS", help=help_)
    tlsa = parser.add_argument_group("tlsa")
    words = "ask DNS now for the current keys' records"
    tlsa.add_argument("--recheck", action="store_true", help=words)
    add_resolver_options(tlsa)
