r"""A plugin's manners by the Monitoring Plugins guidelines: options, one result, an exit status.

The only room that knows nagiosplugin, which has no types.  Its ranges, performance data and states
are used; its `Check` isn't, since that ranks UNKNOWN above CRITICAL and so hides a problem that
was found.

Output is read by programs: ``|`` begins performance data, a newline the long text, and where
results are handed on, ``\n`` in two characters is a newline too.  So every line passes `clean`.
"""

from __future__ import annotations

import argparse
import contextlib
import enum
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, NoReturn

import nagiosplugin

from danebot.domain.finding import Finding, Severity
from danebot.domain.text import internal_error, printable
from danebot.domain.thresholds import Range
from danebot.errors import DanebotError
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.addresses import SocketAddress

MAX_LINE = 1000
MAX_OUTPUT = 7000  # octets; Nagios reads 8 KiB, NRPE 3 less than that


_NUMBER = r"-?(?:[0-9]{1,12}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
_RANGE = re.compile(rf"@?(?:(?:~|{_NUMBER}):(?:{_NUMBER})?|:?{_NUMBER})")


class State(enum.Enum):
    """Service states; the value is the exit status."""

    OK = nagiosplugin.Ok.code
    WARNING = nagiosplugin.Warn.code
    CRITICAL = nagiosplugin.Critical.code
    UNKNOWN = nagiosplugin.Unknown.code


STATES = {
    Severity.INFO: State.OK,
    Severity.NOTICE: State.OK,
    Severity.UNJUDGED: State.UNKNOWN,
    Severity.WARNING: State.WARNING,
    Severity.CRITICAL: State.CRITICAL,
}
"""What a service's state is by the severity of its most serious finding."""


def finding_line(finding: Finding) -> str:
    """Return a finding with its remedy, as details have it."""
    state = STATES[finding.severity]
    return f"[{'NOTE' if state is State.OK else state.name}] {finding}"


def parse_range(text: str) -> Range:
    """Read ``10``, ``10:``, ``~:10``, ``10:20`` or ``@10:20``; what is outside raises the alarm.

    An empty one is refused: it comes from a macro that isn't set, and would alarm of nothing.
    """
    with contextlib.suppress(ValueError):  # such as 5:1
        if _RANGE.fullmatch(text) is not None:
            found: Range = nagiosplugin.Range(text)
            return found
    raise argparse.ArgumentTypeError(f"{text!r} is no range; want for instance 14:")


def parse_remaining(text: str) -> Range:
    """Read a range of what is left; a plain number means fewer than that, as in other checks."""
    return parse_range(f"{text}:" if re.fullmatch(_NUMBER, text) else text)


def performance(
    label: str,
    value: float,
    unit: str = "",
    *,
    warning: Range | None = None,
    critical: Range | None = None,
    least: float | str = "",
    most: float | str = "",
) -> str:
    """One performance datum; ``label`` is our own text, never foreign."""
    number = f"{value:.2f}".rstrip("0").rstrip(".")
    return str(
        nagiosplugin.Performance(label, number, unit, warning, critical, str(least), str(most))
    )


class PluginResult(NamedTuple):
    """What a plugin has to say; ``summary`` is one line without the plugin's name and the state.

    ``trace`` was asked for, so it is printed in full, beyond what schedulers read.
    """

    state: State
    summary: str
    details: Sequence[str] = ()
    performance: Sequence[str] = ()
    trace: Sequence[str] = ()


def clean(text: str) -> str:
    """One line that can't be taken for performance data, another line or a terminal's command."""
    return printable(text, MAX_LINE).replace("\\", "\\\\").replace("|", "\\\\x7c")


def render(name: str, result: PluginResult) -> str:
    """The output: summary and performance data on the first line, details on the next ones."""
    first = clean(f"{name} {result.state.name} - {result.summary}")
    if result.performance:
        first += f" | {' '.join(result.performance)}"
    lines, size = [first], len(first.encode(errors="backslashreplace"))
    for number, detail in enumerate(result.details):
        line = clean(detail)
        size += len(line.encode(errors="backslashreplace")) + 1
        if size > MAX_OUTPUT:
            lines.append(f"... and {len(result.details) - number} more lines")
            break
        lines.append(line)
    lines += map(clean, result.trace)
    return "\n".join(lines) + "\n"


class Parser(argparse.ArgumentParser):
    """Says on standard output what is wrong with the options; help, too, ends with UNKNOWN."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - theirs
        """Refuse empty words first: they come of a scheduler's macro that isn't set."""
        words = sys.argv[1:] if args is None else list(args)
        if "" in words:
            before = words[words.index("") - 1] if words.index("") else "the first argument"
            self.error(f"{before}: the value is empty, as of a macro that isn't set")
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """Report a usage error."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def _print_message(self, message: str, file: object = None) -> None:
        del file
        put(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End after ``--help`` or ``--version``."""
        del status
        put(message or "")
        sys.exit(State.UNKNOWN.value)


def add_resolver_options(group: argparse._ArgumentGroup) -> None:
    """Add ``--resolver`` and ``--trust-resolver``; `named_resolvers` reads the former."""
    words = "validating resolver; default: /etc/resolv.conf"
    group.add_argument("--resolver", action="append", metavar="ADDR[:PORT]", help=words)
    words = "believe its AD bit though it is elsewhere"
    group.add_argument("--trust-resolver", action="store_true", help=words)


def named_resolvers(words: Sequence[str] | None) -> tuple[SocketAddress, ...] | None:
    """The resolvers that options name, None without any; `UsageError` for what is no address."""
    from danebot.domain.addresses import parse_socket_address

    found = []
    for word in words or ():
        address = parse_socket_address(word)
        if address is None:
            raise UsageError(f"--resolver {word!r}: want an IP address, and perhaps a port")
        found.append(address)
    return tuple(found) or None


class UsageError(DanebotError):
    """Options that can't be meant."""


class OutOfTimeError(DanebotError):
    """The plugin's own time limit was reached."""


def run_check(name: str, action: Callable[[], PluginResult]) -> int:
    """Run ``action`` and print its result, one whatever happens; return the exit status."""
    try:
        result = action()
    except DanebotError as exc:
        result = PluginResult(State.UNKNOWN, str(exc))
    except KeyboardInterrupt:
        result = PluginResult(State.UNKNOWN, "interrupted")
    except Exception as exc:  # noqa: BLE001 - the last line of defence against a traceback
        result = PluginResult(State.UNKNOWN, f"{internal_error(exc)}; please report this")
    put(render(name, result))
    return int(result.state.value)


def put(text: str) -> None:
    """Print, in any locale, also if nobody reads."""
    try:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        if sys.stdout is not None:
            sys.stdout.write(text)
            sys.stdout.flush()
    except OSError:
        sys.stdout = None  # or its flush at exit complains


@contextlib.contextmanager
def limit(span: timedelta) -> Iterator[None]:
    """Raise `OutOfTimeError` in this thread once ``span`` is over, whatever it is doing."""
    seconds = span.total_seconds()
    if seconds <= 0:  # to begin took all of it
        raise OutOfTimeError("there was no time left to look; allow more (--timeout)")

    def expire(*_: object) -> NoReturn:
        raise OutOfTimeError(f"no result within {seconds:.0f} s")

    former = signal.signal(signal.SIGALRM, expire)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, former)


def told(problems: Sequence[Finding]) -> str:
    """The first problem, and how many more there are."""
    more = f" (and {counted(len(problems) - 1, 'more problem')})" if problems[1:] else ""
    return f"{problems[0].sentence}{more}"


def counted(number: int, singular: str, plural: str = "") -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
