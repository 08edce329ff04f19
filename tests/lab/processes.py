"""The lab's daemons: started in the foreground, each leading a session, each written down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import reaper
from lab.net import LabError, until


@dataclass(frozen=True)
class Service:
    """A daemon that stays in the foreground, and how to tell that it serves."""

    name: str
    argv: Sequence[str | Path]
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)


class Processes:
    """All daemons of one lab.

    Unless ``keep``, a small process of its own ends them when the starting process dies,
    however it dies: it waits for the end of a pipe that nobody else holds.  (A parent-death
    signal would not do: postfix clears it, and it follows the thread that forked.)
    """

    def __init__(self, root: Path, *, keep: bool = False) -> None:
        self._root = root
        self._services: dict[str, Service] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._pids = root / "pids"
        self._pids.touch()
        self._watch: subprocess.Popen[bytes] | None = None
        if not keep:
            self._watch = subprocess.Popen(
                [sys.executable, "-I", "-S", reaper.__file__, root, "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )

    def add(self, *services: Service) -> None:
        """Start services together; wait() tells when they serve."""
        for service in services:
            self._services[service.name] = service
            self._launch(service)

    def start(self, name: str) -> None:
        """Start a stopped service again and wait until it serves; no-op while it runs."""
        if name not in self._running:
            self._launch(self._services[name])
            self.wait(name)

    def stop(self, name: str) -> None:
        """End a service; no-op when it is stopped."""
        process = self._running.pop(name, None)
        if process is None:
            return
        born = reaper.start_time(process.pid)
        if born is not None and reaper.end([(process.pid, born)]):
            raise LabError(f"{name} does not end")
        process.wait()

    def remove(self, name: str) -> None:
        """End a service and forget it."""
        self.stop(name)
        self._services.pop(name, None)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a running service."""
        self._running[name].send_signal(number)

    def pid(self, name: str) -> int:
        """Return the pid of a running service."""
        return self._running[name].pid

    def is_running(self, name: str) -> bool:
        """Tell whether a service was started and not stopped."""
        return name in self._running

    def names(self) -> Sequence[str]:
        """Return all services, running or not, in the order of their first start."""
        return tuple(self._services)

    def wait(self, name: str) -> None:
        """Wait until a service serves."""
        service, process = self._services[name], self._running[name]

        def ready() -> bool:
            if process.poll() is not None:
                raise LabError(f"{name} ended with status {process.returncode}: {self.tail(name)}")
            return service.ready()

        try:
            until(f"{name} to serve", ready)
        except LabError as error:
            raise LabError(f"{error}; {self.tail(name)}") from None

    def tail(self, name: str) -> str:
        """Return the end of a service's log."""
        text = (self._root / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return text[-2000:]

    def down(self) -> None:
        """End everything and remove the root directory."""
        left = reaper.down(self._root)
        if left:
            raise LabError(f"still running: {left}")
        for process in self._running.values():
            process.wait()
        self._running.clear()
        if self._watch is not None and self._watch.stdin is not None:
            self._watch.stdin.close()
            self._watch.wait()

    def _launch(self, service: Service) -> None:
        with (self._root / f"{service.name}.log").open("ab") as log:
            process = subprocess.Popen(
                service.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **service.env},
                start_new_session=True,
                cwd=self._root,
            )
        self._running[service.name] = process
        with self._pids.open("a", encoding="ascii") as pids:
            pids.write(f"{service.name} {process.pid} {reaper.start_time(process.pid)}\n")
