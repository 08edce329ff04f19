r"""What a plugin says, by the Monitoring Plugins guidelines: one result, its lines, its status.

Output is read by programs: ``|`` begins performance data, a newline the long text, and where
results are handed on, ``\n`` in two characters is a newline too.  So every line passes `clean`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from danebot.domain.finding import Finding, Severity
from danebot.domain.text import printable
from danebot.tuples import NamedTuple

MAX_LINE = 1000
MAX_OUTPUT = 7000  # octets; Nagios reads 8 KiB, NRPE 3 less than that


class State(enum.Enum):
    """Service states; the value is the exit status."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


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


def told(problems: Sequence[Finding]) -> str:
    """The first problem, and how many more there are."""
    more = f" (and {counted(len(problems) - 1, 'more problem')})" if problems[1:] else ""
    return f"{problems[0].sentence}{more}"


def counted(number: int, singular: str, plural: str = "") -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
