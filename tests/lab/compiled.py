"""Small C programs of the tests, each compiled once in a process."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path


@functools.cache
def compiled(source: Path, *options: str) -> Path:
    """What gcc makes of ``source``, until the process ends."""
    directory = tempfile.mkdtemp(prefix="danebot-compiled.")
    atexit.register(shutil.rmtree, directory)
    path = Path(directory, source.stem)
    subprocess.run(["gcc", "-Wall", "-O1", *options, "-o", path, source], check=True, timeout=60)
    return path
