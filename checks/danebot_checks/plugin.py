"""How a plugin runs: one result on standard output, whatever happens, and an exit status."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import TextIOWrapper
from typing import NoReturn

from danebot.domain.text import internal_error
from danebot.errors import DanebotError
from danebot.plugin.command_line import HelpShown
from danebot.plugin.output import PluginResult, State, render


class OutOfTimeError(DanebotError):
    """The plugin's own time limit was reached."""


def run_check(name: str, action: Callable[[], PluginResult]) -> int:
    """Run ``action`` and print its result, one whatever happens; return the exit status."""
    try:
        result = action()
    except HelpShown as shown:
        put(shown.text)
        return int(State.UNKNOWN.value)
    except DanebotError as exc:
        result = PluginResult(State.UNKNOWN, str(exc))
    except ImportError:
        raise  # a broken installation, which `start.run` tells of
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
