"""The ``danebot`` command: thin; the only place that prints and exits.

Exit status: 0 fine, 1 something needs attention, 2 usage, 130 interrupted (docs/exit-statuses.md).
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

from danebot.adapters import cores
from danebot.errors import DanebotError, UnknownLineageError
from danebot.waiting import cleared

_GARBAGE = 200_000  # objects; importing makes thousands that stay, which are no garbage
FINE, ATTENTION, USAGE, INTERRUPTED = 0, 1, 2, 130


def command() -> NoReturn:
    """`main` for a process of its own: ends here, to tidy up modules would take 30 ms more."""
    cores.forbid()
    status = _run(None)
    with suppress(OSError):  # that nobody reads was told
        _flush()
    os._exit(status)


def _flush() -> None:
    """`OSError` for what is lost of standard output; the exit status says what the other said."""
    with suppress(OSError):
        if sys.stderr is not None:  # closed before we began
            sys.stderr.flush()
    if sys.stdout is not None:
        sys.stdout.flush()


def _complain(words: str) -> None:
    line = f"danebot: {words}"
    with suppress(OSError):  # as where the terminal has gone: the exit status has to tell
        try:
            import click
        except ImportError:  # that is what the words are about
            print(line, file=sys.stderr, flush=True)  # noqa: T201
        else:
            click.echo(line, err=True)


class _Nowhere(io.TextIOBase):
    """Where words go whose stream was closed before we began: older click fails there."""

    def write(self, text: str) -> int:
        return len(text)


def main(arguments: Iterable[str] | None = None) -> None:
    """Run the command line and exit; whatever happens, the user sees a line, never a traceback."""
    sys.exit(_run(arguments))


def _run(arguments: Iterable[str] | None) -> int:
    gc.set_threshold(_GARBAGE)
    if isinstance(sys.stdout, TextIOWrapper):  # names may be foreign, and a locale may lack them
        sys.stdout.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = _of_a_timer(words)
    return guarded(lambda: _renewed(options) if options is not None else _parsed(words))


def _of_a_timer(words: Sequence[str]) -> dict[str, Path] | None:
    """The options of `[--config FILE] [--config-dir DIR] renew`, None of any other command line.

    It is the one that runs daily everywhere; to load what parses all of them costs as much as a
    dozen lineages.  What that would complain of is none of these.
    """
    if words[-1:] != ["renew"] or "_DANEBOT_COMPLETE" in os.environ:
        return None
    names, values = words[:-1:2], words[1:-1:2]
    known = [name for name in ("--config", "--config-dir") if name in names]
    if sorted(names) != known or len(values) != len(names):
        return None
    if any(value.startswith("-") or not os.access(value, os.R_OK) for value in values):
        return None
    return dict(zip(names, map(Path, values), strict=True))


def _renewed(options: Mapping[str, Path]) -> int:
    """As `_parsed` of such words, without what that loads."""
    from danebot.console import Console
    from danebot.verbs.renew import renew

    console = Console(options.get("--config"), options.get("--config-dir"), 0, quiet=False)
    try:
        return renew(console, (), dry_run=False, as_json=False)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # noqa: T201 - it ends the line that has ^C on it
        raise


def _parsed(words: list[str]) -> object:
    """The exit status, or what else comes of what the words ask for; `KeyboardInterrupt`."""
    import click

    from danebot.commands.group import danebot

    try:
        return danebot.main(words, prog_name="danebot", standalone_mode=False)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        with suppress(OSError):
            exc.show()
        return USAGE
    except click.Abort as exc:
        raise KeyboardInterrupt(*(exc.__cause__.args if exc.__cause__ else ())) from exc


def _unforeseen(exc: Exception) -> str:
    from danebot.domain.text import internal_error

    if isinstance(exc, ImportError | SyntaxError):
        return f"the installation is damaged: {exc}; install danebot again"
    if module := _not_loaded(exc):
        return f"the installation is damaged: can't load {module}; install danebot again"
    return f"{internal_error(exc)}; please report this"


def _not_loaded(exc: Exception) -> str:
    """The module at whose octets Python's own loader failed: 3.11.2 does so with a ValueError."""
    trace, module = exc.__traceback__, ""
    while trace is not None:
        frame = trace.tb_frame
        loads = frame.f_code.co_filename.startswith("<frozen importlib")
        module = str(frame.f_locals.get("name", module)) if loads else ""
        trace = trace.tb_next
    return module


def guarded(action: Callable[[], object]) -> int:
    """The exit status of ``action``, with every error turned into one line."""
    sys.stdout, sys.stderr = sys.stdout or _Nowhere(), sys.stderr or _Nowhere()
    # Some that start jobs leave it ignored: then nobody learns how certbot or a hook ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGHUP):  # certbot is ended politely, too
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, signal.default_int_handler)
    try:
        with cleared():
            outcome = action()
        _flush()
    except KeyboardInterrupt as exc:  # with words, where another command goes on
        _complain(f"interrupted; {exc.args[0] if exc.args else 'run danebot renew to go on'}")
        return INTERRUPTED
    except DanebotError as exc:
        _complain(str(exc))
        return USAGE if isinstance(exc, UnknownLineageError) else ATTENTION
    except BrokenPipeError:
        with suppress(OSError):  # closed before we began
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ATTENTION
    except OSError as exc:
        from danebot.adapters.replacing import advice

        _complain(f"{exc.filename or 'input/output'}: {exc.strerror}; {advice(exc)}")
        return ATTENTION
    except Exception as exc:  # noqa: BLE001 - the last line of defence against a traceback
        _complain(_unforeseen(exc))
        return ATTENTION
    return outcome if isinstance(outcome, int) else FINE
