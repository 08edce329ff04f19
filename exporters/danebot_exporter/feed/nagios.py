r"""Nagios' two doors for results of others: the external command file, and its spool.

The command file is a named pipe, a line for each command.  What is written at once and fits into
``PIPE_BUF`` octets is not mixed with what others write (POSIX, write()).  Newlines of the output
are ``\n`` in two characters, in both doors.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import select
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from danebot.errors import DanebotError
from danebot_exporter.feed.receivers import TAKEN, Receipt
from danebot_exporter.feed.services import FedResult

_MOST_FILES = 50  # of ours that Nagios has not taken yet
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_CUT = b"\\n..."


class NagiosError(DanebotError):
    """Nagios takes no results now."""


def command_line(found: FedResult, most: int = select.PIPE_BUF) -> bytes:
    """One external command with its newline, in ``most`` octets at most; details are cut."""
    at = int(found.ended.timestamp())
    service = found.service
    head = f"[{at}] PROCESS_SERVICE_CHECK_RESULT;{service.host};{service.name};{found.status};"
    return _fitted(head.encode() + escaped(found.output), most - 1) + b"\n"


def escaped(output: str) -> bytes:
    r"""Output on one line, of which Nagios makes the same as of a plugin's."""
    words = output.rstrip("\n").replace("\\", "\\\\").replace("\n", "\\n")
    return words.encode(errors="backslashreplace")


def _fitted(line: bytes, most: int) -> bytes:
    r"""The line, or its beginning up to a whole ``\n``."""
    if len(line) <= most:
        return line
    kept, found, _ = line[: most - len(_CUT)].rpartition(b"\\n")
    return (kept if found else line[: most - len(_CUT)]) + _CUT


class CommandPipe:
    """The external command file; it is opened for each batch: Nagios makes it anew at its start."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet."""
        self._path = path

    def submit(self, results: Sequence[FedResult]) -> Iterator[Receipt]:
        """Write results; `NagiosError` while nobody reads, or not fast enough."""
        pipe = self._open()
        try:
            for chunk in _chunks([command_line(found) for found in results]):
                try:
                    os.write(pipe, b"".join(chunk))  # all of it, or nothing: it fits
                except OSError as exc:
                    raise NagiosError(f"{self._path}: {_words(exc)}") from exc
                yield from (TAKEN for _ in chunk)
        finally:
            os.close(pipe)

    def close(self) -> None:
        """Nothing is kept open."""

    def _open(self) -> int:
        """The pipe, never waiting for a reader, and never anything else than a pipe."""
        try:
            if not stat.S_ISFIFO(self._path.stat().st_mode):
                raise NagiosError(f"{self._path}: not a named pipe; is Nagios running?")
            pipe = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise NagiosError(f"{self._path}: {_words(exc)}") from exc
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            os.close(pipe)
            raise NagiosError(f"{self._path}: not a named pipe; is Nagios running?")
        return pipe


def _words(exc: OSError) -> str:
    words = {
        errno.ENXIO: "nobody reads it; is Nagios running, with check_external_commands=1?",
        errno.EPIPE: "nobody reads it any more; was Nagios restarted?",
        errno.EAGAIN: "full: Nagios reads too slowly",
        errno.EACCES: "this user may not write there; its group is needed, see ls -ld, and "
        "SupplementaryGroups= of the unit",
        errno.EROFS: "read-only here; see ReadWritePaths= of the unit",
    }
    return words.get(exc.errno or 0) or exc.strerror or "input/output"


def _chunks(lines: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Lines together, as many as can be written at once."""
    chunk: list[bytes] = []
    for line in lines:
        if chunk and sum(map(len, chunk)) + len(line) > select.PIPE_BUF:
            yield chunk
            chunk = []
        chunk.append(line)
    if chunk:
        yield chunk


class ResultSpool:
    """Nagios' ``check_result_path``: a file for each batch, then an empty one beside it.

    Names are ``c`` and six characters, as Nagios looks for; the other, which says that the first
    is whole, ends in ``.ok``.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is written yet."""
        self._path = path
        self._written: list[Path] = []

    def submit(self, results: Sequence[FedResult]) -> Iterator[Receipt]:
        """Write all results into one file; `NagiosError` while Nagios takes none."""
        self._written = [one for one in self._written if one.exists()]
        if len(self._written) >= _MOST_FILES:
            raise NagiosError(f"{self._path}: Nagios takes no files; is it running?")
        try:
            self._written.append(self._write(spool_file(results)))
        except OSError as exc:
            raise NagiosError(f"{self._path}: {_words(exc)}") from exc
        yield from (TAKEN for _ in results)

    def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, content: bytes) -> Path:
        """A file that Nagios may read and remove; it is looked at once the other one is there."""
        place = self._path / f"c{secrets.token_hex(3)}"
        descriptor = os.open(place, _NEW, 0o600)
        try:
            os.fchmod(descriptor, 0o644)  # as far as the directory allows: it holds no secrets
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.close(os.open(f"{place}.ok", _NEW, 0o644))
        except OSError:
            with contextlib.suppress(OSError):
                place.unlink()
            raise
        return place


def spool_file(results: Sequence[FedResult]) -> bytes:
    """A check result file, as Nagios' own workers wrote them."""
    newest = int(results[-1].ended.timestamp())
    parts = [f"### Passive Check Result File ###\nfile_time={newest}\n".encode()]
    parts += map(_entry, results)
    return b"\n".join(parts)


def _entry(found: FedResult) -> bytes:
    lines = [
        f"host_name={found.service.host}",
        f"service_description={found.service.name}",
        "check_type=1",  # passive
        f"start_time={found.began.timestamp():.6f}",
        f"finish_time={found.ended.timestamp():.6f}",
        "early_timeout=0",
        "exited_ok=1",
        f"return_code={found.status}",
    ]
    return "\n".join([*lines, "output="]).encode() + escaped(found.output) + b"\n"
