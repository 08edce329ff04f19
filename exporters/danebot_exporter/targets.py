"""``/sd``: the targets of a file, for Prometheus' http_sd.

https://prometheus.io/docs/prometheus/latest/http_sd/
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

from danebot.adapters.status_file import FileSignature, signature
from danebot.domain.names import Protocol
from danebot.errors import ConfigError, DanebotError
from danebot.regular import read_regular
from danebot_exporter.probe import subject_of

_LARGEST = 64 << 20  # octets: some two million domains


class TargetsError(DanebotError):
    """The file of targets can't be read now, or has something else in it."""


class TargetFile:
    """Lines of ``TARGET [MODULE]``, as ``/probe`` takes them, and comments.  Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self._lock = threading.Lock()
        self._seen: FileSignature | None = None
        self._body = b""

    def groups(self) -> bytes:
        """The target groups in JSON, one for each module; `TargetsError` with the file's line."""
        with self._lock:
            now = signature(self._path)
            if now is None or now != self._seen:
                self._body = self._read()
                self._seen = now
            return self._body

    def _read(self) -> bytes:
        try:
            text = read_regular(self._path, _LARGEST).decode("utf-8-sig")
        except OSError as exc:
            raise TargetsError(f"{self._path}: {exc.strerror}") from exc
        except UnicodeDecodeError as exc:
            raise TargetsError(f"{self._path}: not UTF-8 text") from exc
        found: dict[str, dict[str, None]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            target, module, *more = [*words, Protocol.SMTP.value][: max(2, len(words))]
            try:
                subject_of(target, module)
            except ConfigError as exc:
                raise TargetsError(f"{self._path}:{number}: {exc}") from exc
            if more:
                raise TargetsError(f"{self._path}:{number}: want TARGET, or TARGET and MODULE")
            found.setdefault(module, {})[target] = None
        return json.dumps(
            [
                {"targets": list(targets), "labels": {"__param_module": module}}
                for module, targets in found.items()
            ]
        ).encode()
