"""`danebot doctor`: what stands in danebot's way on this host, each with the command that helps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from danebot.domain.finding import Severity
from danebot.errors import TreeError
from danebot.verbs.common import ATTENTION, FINE, click_echo, print_json

if TYPE_CHECKING:
    from danebot.console import Console
    from danebot.domain.finding import Finding

ROOT = Path("/")
_COLOURS = {Severity.WARNING: "yellow", Severity.CRITICAL: "red"}


def doctor(console: Console, *, as_json: bool) -> int:
    """Look at everything; 0 if nothing needs attention, 1 if something does or can't be told."""
    from danebot.domain.status.document import finding_status
    from danebot.jobs.context import system_clock
    from danebot.jobs.doctor import examine_bare, examine_host

    try:
        found = examine_host(console.context(console.tree()), ROOT)
    except TreeError as exc:
        found = examine_bare(console.settings, system_clock, str(exc))
    for name, version in found.versions:
        console.detail(f"{name} {version}")
    if as_json:
        findings = [*map(finding_status, found.findings)]
        print_json("doctor", versions=dict(found.versions), findings=findings)
    else:
        _print(console, found.findings)
    worst = max((one.severity for one in found.findings), default=Severity.INFO)
    return ATTENTION if worst >= Severity.UNJUDGED else FINE


def _print(console: Console, findings: tuple[Finding, ...]) -> None:
    """A line for what is, and one for what to do about it; with -q problems only."""
    if not findings:
        console.say("nothing found: this host has all that danebot needs")
    for one in findings:
        if console.quiet and one.severity < Severity.UNJUDGED:
            continue
        word = _WORDS.get(one.severity, one.severity.word)
        click_echo(f"{console.coloured(f'{word:<8}', _COLOURS.get(one.severity))}  {one.sentence}")
        if one.remedy:
            click_echo(f"          {one.remedy}")


_WORDS = {Severity.UNJUDGED: "unseen"}
