"""After a run: the metrics for node_exporter, written by danebot-exporter as a process of its own.

A process, because the core knows nothing of Prometheus, and because what goes wrong there must
not touch a run that is over.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from danebot.domain.names import printable

if TYPE_CHECKING:
    from danebot.config import Settings

_LIMIT = 60  # seconds; ten thousand lineages take three


def replace_textfile(settings: Settings) -> str:
    """Have the file of the setting ``textfile`` written; what went wrong in words, "" if nothing.

    Does nothing where it isn't set.
    """
    if settings.textfile is None:
        return ""
    # The same Python, with the same packages: PATH under cron may lack danebot-exporter.
    command = [sys.executable, "-P", "-m", "danebot_exporter"]
    files = ["--snapshot", str(settings.snapshot), "--textfile", str(settings.textfile)]
    try:
        run = subprocess.run(
            [*command, *files],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"{settings.textfile} could not be written: {printable(str(exc))}"
    if run.returncode == 0:
        return ""
    words = run.stderr.decode(errors="replace").strip().removeprefix("danebot-exporter: ")
    reason = words.splitlines()[-1] if words else f"exit status {run.returncode}"
    return f"{settings.textfile} could not be written: {printable(reason, 400)}"
