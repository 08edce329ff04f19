"""The ``danebot`` command: thin; the only place that prints and exits.

Exit status: 0 fine, 1 something needs attention, 2 usage, 130 interrupted (docs/exit-statuses.md).
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

import click

from danebot import __version__
from danebot.errors import DanebotError, UnknownLineageError
from danebot.waiting import cleared

_VERBS = (
    *("setup", "init", "deinit", "renew", "newkey", "names", "watch", "status", "tlsa", "deploy"),
    *("record", "publish", "verify", "doctor", "rehearse", "files"),
)
_GARBAGE = 50_000  # objects; importing makes thousands that stay, which are no garbage
FINE, ATTENTION, USAGE, INTERRUPTED = 0, 1, 2, 130


class Commands(click.Group):
    """The verbs in the order of an operator's work; one's module is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs as they were named."""
        del ctx
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of that name, from its module; None if there is none."""
        if cmd_name not in _VERBS:
            return super().get_command(ctx, cmd_name)
        name = f"danebot.commands.{cmd_name}"
        try:
            verb: click.Command = vars(import_module(name))[cmd_name]
        except (ImportError, SyntaxError, KeyError) as exc:
            raise ImportError(f"{name} can't be loaded ({type(exc).__name__}: {exc})") from exc
        return verb

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run the verb; one of danebot's own options behind it is told where it belongs."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as exc:
            if sys.stderr.isatty():
                raise  # click ends the line that has ^C on it
            raise click.Abort from exc
        except click.NoSuchOption as exc:
            name = exc.option_name
            if exc.ctx is None or not any(name in param.opts for param in self.params):
                raise
            words = f"{name}: it goes before the verb: danebot {name} {exc.ctx.info_name} ..."
            raise click.UsageError(words, exc.ctx) from exc


@click.group(
    cls=Commands,
    commands={name: click.Command(name) for name in _VERBS},  # the names: get_command has them
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 fine, waiting is fine; 1 something needs attention, or can't be told; 2 "
    "wrong usage, an unknown lineage too; 130 interrupted. With --dry-run as the run would. "
    "Run `danebot renew` daily from a timer or cron, in place of `certbot renew`.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings; /etc/danebot/danebot.toml if it exists.",
)
@click.option(
    "--config-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="certbot's tree; /usr/local/etc/letsencrypt, else /etc/letsencrypt.",
)
@click.option("-v", "--verbose", count=True, help="Say what is being done.")
@click.option("-q", "--quiet", is_flag=True, help="Print problems only.")
@click.version_option(__version__, "-V", "--version", message="danebot %(version)s")
@click.pass_context
def danebot(
    ctx: click.Context,
    /,
    *,
    config: Path | None,
    config_dir: Path | None,
    verbose: int,
    quiet: bool,
) -> None:
    """Keep DANE TLSA records and the keys that a mail server serves in agreement.

    danebot takes the place of `certbot renew`. It renews with the same key, rolls to a new key
    only when that key's TLSA records are in every cache, deploys atomically, and confirms on the
    wire. A host that is new to it begins with `danebot setup`.
    """
    from danebot.console import Console

    ctx.obj = Console(config, config_dir, verbose, quiet=quiet)


def _verbs(ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    return [verb for verb in danebot.list_commands(ctx) if verb.startswith(begun)]


@danebot.command(name="help")
@click.argument("verb", required=False, shell_complete=_verbs)
@click.pass_context
def help_(ctx: click.Context, verb: str | None) -> None:
    """Show help, of a verb if one is named."""
    parent = ctx.parent or ctx
    if verb is None:
        click.echo(danebot.get_help(parent))
        return
    command = danebot.get_command(parent, verb)
    if command is None:
        raise click.UsageError(f"there is no verb {verb!r}; see: danebot help")
    click.echo(command.get_help(click.Context(command, info_name=verb, parent=parent)))


def command() -> NoReturn:
    """`main` for a process of its own: ends here, to tidy up modules would take 30 ms more."""
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
    with suppress(OSError):  # as where the terminal has gone: the exit status has to tell
        click.echo(f"danebot: {words}", err=True)


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
    words = None if arguments is None else list(arguments)
    return guarded(lambda: danebot.main(words, prog_name="danebot", standalone_mode=False))


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
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        with suppress(OSError):
            exc.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted; run danebot renew to go on")
        return INTERRUPTED
    except DanebotError as exc:
        _complain(str(exc))
        return USAGE if isinstance(exc, UnknownLineageError) else ATTENTION
    except BrokenPipeError:
        with suppress(OSError):  # closed before we began
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ATTENTION
    except OSError as exc:
        _complain(f"{exc.filename or 'input/output'}: {exc.strerror}")
        return ATTENTION
    except Exception as exc:  # noqa: BLE001 - the last line of defence against a traceback
        _complain(_unforeseen(exc))
        return ATTENTION
    return outcome if isinstance(outcome, int) else FINE
