"""The exporter as a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-P", "-m", "danebot_exporter")


@dataclass
class Exporter:
    """A running exporter."""

    process: subprocess.Popen[str]
    port: int
    context: ssl.SSLContext | None = None
    lines: list[str] = field(default_factory=list)

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers (lower case) of one request."""
        connection: http.client.HTTPConnection
        if self.context is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        else:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=60, context=self.context
            )
        with contextlib.closing(connection):
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            found = {key.lower(): value for key, value in answer.getheaders()}
            return answer.status, answer.read().decode(), found

    def resident(self) -> float:
        """Resident memory at its highest, in MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        assert found is not None
        return int(found[1]) / 1024

    def cpu(self) -> float:
        """CPU seconds spent so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environment() -> dict[str, str]:
    """The project importable, whatever the working directory."""
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'exporters'}", "NO_COLOR": "1"}


def command(*arguments: str | Path) -> list[str]:
    """The argument vector of an exporter."""
    return [*PROGRAM, *map(str, arguments)]


@contextlib.contextmanager
def exporter(
    *arguments: str | Path,
    prefix: tuple[str, ...] = (),
    context: ssl.SSLContext | None = None,
    interval: str = "0",
    program: Sequence[str] = PROGRAM,
) -> Iterator[Exporter]:
    """Run an exporter on a free port, and end it."""
    listen = ("--web.listen-address", "127.0.0.1:0", "--probe.interval", interval)
    process = subprocess.Popen(
        [*prefix, *program, *listen, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd="/",
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"listening on https?://127\.0\.0\.1:(\d+)/", line):
                break
        else:
            raise AssertionError("".join(lines))
        yield Exporter(process, int(found[1]), context, lines)
    finally:
        with contextlib.suppress(ProcessLookupError):  # a test may have ended it
            os.killpg(process.pid, signal.SIGTERM)  # with whatever it was started through
        process.wait(60)
        if process.stderr is not None:
            process.stderr.close()
