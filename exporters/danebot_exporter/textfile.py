"""One-shot: the status document's metrics into a file for node_exporter's textfile collector."""

from __future__ import annotations

from pathlib import Path

from danebot.adapters.files import write_file
from danebot.adapters.status_file import StatusError
from danebot.errors import ConfigError
from danebot_exporter.collector import collect

_PUBLIC = 0o644


def write_textfile(snapshot: Path, path: Path) -> StatusError | None:
    """Replace ``path``, 0644, as a whole, or raise `TreeError`.

    When the document can't be read, the file says so and the reason is returned.
    """
    if path.suffix != ".prom":
        raise ConfigError(f"{path}: node_exporter reads files that end in .prom only")
    body, fault = collect(snapshot)
    write_file(path, b"".join(body), _PUBLIC)
    return fault
