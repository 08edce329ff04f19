"""The word that a run leaves in the status document when it comes to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.text import internal_error, printable
from danebot.errors import DanebotError, UnknownLineageError
from danebot.verbs.common import ATTENTION

if TYPE_CHECKING:
    from pathlib import Path

    from danebot.console import Console

_STATUS: dict[type[BaseException], int] = {KeyboardInterrupt: 130, UnknownLineageError: 2}
"""As the command line ends then."""
_LONGEST = 500


@contextmanager
def word_left(console: Console, verb: str, names: Sequence[str]) -> Iterator[None]:
    """Whatever ends the run early is said in the document, too; then it goes its way.

    What was known stays there.  ``names`` are the lineages that were named, () for all.
    """
    from danebot.jobs.context import system_clock
    from danebot.jobs.snapshot import leave_word, this_run

    started = system_clock()
    try:
        yield
    except (Exception, KeyboardInterrupt) as exc:
        path = _document(console)
        if path is not None:
            text = f"danebot {verb} came to nothing: {_reason(exc)}"
            said = [
                Finding(Code.NOT_RUN, Severity.WARNING, printable(name), text, "")
                for name in names or ("",)
            ]
            status = _STATUS.get(type(exc), ATTENTION)
            try:
                run = this_run(verb, started, system_clock(), status)
                leave_word(path, run, said, _tree(console), console.journal.events)
                _metrics(console)
            except DanebotError as unwritten:
                console.detail(f"the status document could not be written: {unwritten}")
        raise


def _reason(exc: BaseException) -> str:
    match exc:
        case KeyboardInterrupt():
            return "it was interrupted; run danebot renew to go on"
        case DanebotError():
            return printable(str(exc), _LONGEST)
        case OSError():
            return printable(f"{exc.filename or 'input/output'}: {exc.strerror}", _LONGEST)
    return f"{internal_error(exc)}; please report this"


def _document(console: Console) -> Path | None:
    """Where the document is, though the settings that say so may be the mistake."""
    try:
        return console.settings.snapshot
    except DanebotError:
        from danebot.config import Settings, told_snapshot

        told = told_snapshot(console.config)
        usual = Settings().snapshot
        if told is not None or console.config is None:
            return told or usual
        # other settings than the usual ones: theirs only if there is none yet to leave alone
        return usual if usual.exists() else None


def _tree(console: Console) -> Path | None:
    """Certbot's directory; None where a mistake in the settings hides it."""
    try:
        return console.settings.tree
    except DanebotError:
        return None


def _metrics(console: Console) -> None:
    from danebot.verbs.common import write_metrics

    try:
        write_metrics(console, ATTENTION)
    except DanebotError:
        return  # the settings are the mistake
