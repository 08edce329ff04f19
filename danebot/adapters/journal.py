"""Where changes are logged: the journal, if standard error leads there, else the host's syslog.

A terminal and cron's mail stay quiet.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.domain.text import printable

if TYPE_CHECKING:
    from danebot.domain.event import Event

DEV_LOG = Path("/dev/log")
_NOTICE = 5  # RFC 5424 section 6.2.1
_DAEMON = 3 << 3
_LONGEST = 900  # octets fit into the smallest message that RFC 3164 allows for, less its head
_PATIENCE = 1.0  # seconds: a syslog that hangs stops no renewal


def leads_to_journal() -> bool:
    """Whether standard error is the journal's (systemd.exec(5), JOURNAL_STREAM)."""
    with suppress(OSError, ValueError):
        device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
        stderr = os.fstat(2)
        return (int(device), int(inode)) == (stderr.st_dev, stderr.st_ino)
    return False


class Journal:
    """The changes of a run: each is logged as it is made, and kept for the status document."""

    def __init__(self, socket: Path = DEV_LOG) -> None:
        """``socket`` is the host's syslog; nothing is opened before there is something to say."""
        self.events: list[Event] = []
        self.on_stderr = leads_to_journal()
        self._socket = socket

    def record(self, event: Event) -> None:
        """Log a change; where nobody listens it stands in the status document alone."""
        self.events.append(event)
        line = printable(str(event), _LONGEST)
        with suppress(OSError):
            if self.on_stderr:
                os.write(2, f"<{_NOTICE}>{line}\n".encode())  # sd-daemon(3)
            else:
                _send(self._socket, f"<{_DAEMON | _NOTICE}>danebot[{os.getpid()}]: {line}")


def _send(path: Path, message: str) -> None:
    """Send a message as syslog(3) does."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.settimeout(_PATIENCE)
        log.connect(str(path))
        log.send(message.encode())
