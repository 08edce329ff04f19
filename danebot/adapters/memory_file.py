"""``rollover.json``: read, and replaced only when something changed."""

from __future__ import annotations

import json

from danebot.adapters.atomic import PRIVATE, write_file
from danebot.adapters.codec import decode, encode
from danebot.adapters.tree import MEMORY, LineagePaths, read_bytes
from danebot.domain.memory import SCHEMA, Memory
from danebot.errors import TreeError


def load_memory(paths: LineagePaths) -> Memory:
    """What is remembered; an empty memory when the file is absent or not usable.

    Starting anew costs waiting time, never safety, so a damaged file is no error.
    """
    try:
        document = json.loads(read_bytes(paths.staging / MEMORY))
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            return Memory()
        return decode(Memory, document)
    except (TreeError, ValueError, RecursionError):
        return Memory()


def save_memory(paths: LineagePaths, old: Memory, new: Memory) -> None:
    """Replace the file if the memory changed; the staging directory must exist."""
    if new == old:
        return
    document = {"schema": SCHEMA, **encode(new)}
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    write_file(paths.staging / MEMORY, text.encode(), PRIVATE)
