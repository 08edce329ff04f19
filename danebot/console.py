"""Builds what a verb needs from the global options, and prints for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.journal import Journal
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.findings.unprotected import gathered
from danebot.domain.text import printable
from danebot.waiting import LINE

if TYPE_CHECKING:
    from danebot.adapters.certbot.command import Certbot
    from danebot.adapters.tree.locks import TreeLock
    from danebot.adapters.tree.tree import Tree
    from danebot.config import Settings
    from danebot.jobs.context import Context

_NEWS = {
    *(Code.PROMOTED, Code.CONFIRMED, Code.RETIRED, Code.NEXT_KEY_MADE, Code.REVOKED),
    *(Code.PUBLISHED, Code.RECORDS_REMOVED, Code.CANCELLED),
}
_COLOURS = {Severity.WARNING: "yellow", Severity.CRITICAL: "red"}


class Console:
    """The global options and the two streams."""

    def __init__(
        self, config: Path | None, config_dir: Path | None, verbosity: int, *, quiet: bool
    ) -> None:
        self.config = config
        self.config_dir = config_dir
        self.verbosity = verbosity
        self.quiet = quiet
        self.journal = Journal()
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The settings, read once; what was passed over in the defaults file is said with -v."""
        if self._settings is None:
            from danebot.config import load

            self._settings = load(self.config, self.config_dir)
            for line in (*self._settings.notices, *map(str, self._settings.effective)):
                self.detail(line)
        return self._settings

    def tree(self) -> Tree:
        """The certbot tree."""
        from danebot.adapters.certbot.command import default_before
        from danebot.adapters.tree.parsed_cache import ParsedStore
        from danebot.adapters.tree.tree import Tree

        state = self.settings.state_directory
        store = ParsedStore(state / "parsed.json")
        return Tree(self.settings.tree, store, default_before(state))

    def context(self, tree: Tree) -> Context:
        """The outside world for one run."""
        from danebot.adapters.uptime import uptime_reading
        from danebot.adapters.wiring import observer, prober, publisher
        from danebot.jobs.context import Context

        return Context(
            tree,
            self.settings,
            observer(self.settings),
            prober(self.settings),
            lambda name: publisher(self.settings, name, self.detail),
            progress=self.progress,
            reading=uptime_reading,
            tell=self.warn,
            record=self.journal.record,
        )

    def certbot(self) -> Certbot:
        """certbot, found and checked."""
        from danebot.adapters.certbot.command import find_certbot

        return find_certbot(self.settings)

    def see_certbot(self) -> None:
        """Raise what `certbot` raises, and leave no trace: for what changes nothing."""
        from danebot.adapters.certbot.command import see_certbot

        see_certbot(self.settings)

    @contextmanager
    def locked(self) -> Iterator[TreeLock]:
        """The tree's locks, held."""
        from danebot.adapters.tree.locks import TreeLock

        with TreeLock(self.settings.tree, self.settings.lock_wait, self.progress) as lock:
            yield lock

    # ---- printing ---------------------------------------------------------------------------

    def detail(self, line: str) -> None:
        """Print a line if -v was given."""
        if self.verbosity:
            self.warn(line)

    def progress(self, line: str) -> None:
        """Show what takes long while it does, on a terminal somebody watches; with -v print it."""
        if self.verbosity:
            self.warn(line)
        elif self.watched() and not self.quiet:
            LINE.show(f"danebot: {_shown(line)}")

    def say(self, line: str = "") -> None:
        """A line of the verb's result."""
        if not self.quiet:
            import click

            LINE.clear()
            click.echo(_shown(line))

    def warn(self, line: str, colour: str | None = None) -> None:
        """A line about a problem."""
        import click

        LINE.clear()
        click.echo(f"danebot: {self.coloured(_shown(line), colour)}", err=True)

    def report(
        self, findings: Iterable[Finding], news: Callable[[str], None] | None = None
    ) -> Severity:
        """Print what needs attention, news, and with -v all the rest; the worst severity.

        ``news`` takes the news where standard output is for something else.
        """
        worst = Severity.INFO
        for finding in gathered(findings):
            worst = max(worst, finding.severity)
            if finding.severity >= Severity.WARNING:
                word = finding.severity.name
                self.warn(f"{word}: {finding}", _COLOURS[finding.severity])
            elif finding.code in _NEWS:
                (news or self._say_news)(str(finding))
            elif self.verbosity:
                self.detail(str(finding))
        return worst

    def _say_news(self, line: str) -> None:
        if not self.journal.on_stderr:  # the journal has it already, as a change
            self.say(f"danebot: {line}")

    @classmethod
    def asks(cls) -> bool:
        """Whether somebody who can answer a question sits there."""
        return cls.watched() and sys.stdin is not None and sys.stdin.isatty()

    @staticmethod
    def watched() -> bool:
        """Whether somebody sits before standard error, if there is one."""
        return sys.stderr is not None and sys.stderr.isatty()

    @classmethod
    def coloured(cls, text: str, colour: str | None) -> str:
        """Coloured on a terminal, unless NO_COLOR is set (https://no-color.org)."""
        if colour is not None and cls.watched() and not os.environ.get("NO_COLOR"):
            import click

            return click.style(text, fg=colour)
        return text


def _shown(text: str) -> str:
    """Lines made safe to print: file names, and so lineages', may have anything in them."""
    return "\n".join(printable(line, len(line)) for line in text.split("\n"))
