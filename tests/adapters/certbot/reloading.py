"""Services that keep the chain they began with, and hooks that have them read another."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from adapters.probing import Served
from danebot.adapters.certbot.hooks import Hook, HookKind, HookRun, run_hook
from danebot.adapters.probe.prober import probe_all
from danebot.adapters.probe.target import Target
from danebot.domain.names import Endpoint, Hostname, Protocol
from lab.net import until

HOST = Hostname.parse("mail.example")
PROBE = Hostname.parse("probe.example")
SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
BUILD = Path(__file__).parents[3] / "build"


def run(command: str, **environment: str) -> HookRun:
    """Run a ready-made hook."""
    hook = Hook(HookKind.READY_MADE, command)
    return run_hook(hook, Path("/live"), ["mail.example"], timedelta(seconds=30), environment)


def leaf(port: int, protocol: Protocol) -> bytes | None:
    """What is served on loopback; None if nothing is."""
    target = Target(Endpoint(HOST, port, protocol), "127.0.0.1")
    (result,) = probe_all([target], helo=PROBE)
    return result.chain[0] if result.chain else None


@contextmanager
def daemon(
    argv: list[str | Path], served: Callable[[], bytes | None], first: Served
) -> Iterator[None]:
    """Run a service in a session of its own, from the first chain on to its end."""
    process = subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        until("the first chain", lambda: served() == first.ders[0])
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(120)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
