"""How a plugin begins and ends: with a status that a scheduler understands, whatever happens."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable
from typing import NoReturn

_UNKNOWN = 3


def run(name: str, outcome: Callable[[], int]) -> NoReturn:
    """End the process with the status that ``outcome`` returns; 3 if it does not return.

    Python would end with 1, a WARNING, where a module is missing or memory ends.  It is left at
    once: all is said, and to tidy up its modules would take 30 ms more.
    """
    gc.disable()  # a process that lives for a moment: collecting would add 20 ms to the imports
    status = _UNKNOWN
    try:
        status = outcome()
    except SystemExit:
        pass  # --help has been printed
    except BaseException as exc:  # noqa: BLE001 - nothing is above this
        with contextlib.suppress(BaseException):
            why = f"{type(exc).__name__}: {exc}"  # a repr may have all that was worked on
            print(f"{name} UNKNOWN - can't start: {why}; see the installation", flush=True)  # noqa: T201
    os._exit(status)
