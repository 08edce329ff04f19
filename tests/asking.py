"""What tests of ``check_dane --via`` share: the program as schedulers start it, and odd servers."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from checking import Told

ROOT = Path(__file__).parents[1]
VIA = "from danebot_checks.via import main; main()"
PLAIN = "from danebot_checks.dane import main; main()"


def check_dane(
    words: Sequence[str | bytes],
    code: str = VIA,
    *,
    timeout: float = 90.0,
    env: dict[str, str] | None = None,
) -> Told:
    """Run it; nothing may come on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        check=False,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'checks'}", **(env or {})},
    )
    assert done.stderr == b""
    return Told(done.returncode, done.stdout.decode())


@contextlib.contextmanager
def odd_server(path: Path, act: Callable[[socket.socket], None]) -> Iterator[str]:
    """A Unix socket whose clients meet ``act``: what no exporter would do."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = sock.accept()
                with client, contextlib.suppress(OSError):
                    act(client)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield str(path)
    finally:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
