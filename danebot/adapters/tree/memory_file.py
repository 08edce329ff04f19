"""``rollover.json``: read, and replaced only when something changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from danebot.adapters.codec import decode, encode
from danebot.adapters.files import PRIVATE, keep, read_bytes, write_file
from danebot.adapters.tree.paths import MEMORY, LineagePaths
from danebot.domain.rollover.dates import check_times
from danebot.domain.rollover.freshness import as_good
from danebot.domain.rollover.memory import MEMORY_SCHEMA, Memory
from danebot.domain.text import printable
from danebot.errors import TreeError, UnreadableError


def load_memory(paths: LineagePaths) -> Memory:
    """What is remembered; an empty memory when the file is absent or damaged.

    Starting anew costs waiting time, never safety, so a damaged file is no error.  Raises
    `TreeError` when the file is there but can't be read: what it says may be had again.
    """
    return recall(paths)[0]


def recall(paths: LineagePaths) -> tuple[Memory, str]:
    """The same, and what is damaged of the file; "" if nothing is."""
    path = paths.staging / MEMORY
    try:
        document = json.loads(read_bytes(path))
        if not isinstance(document, dict) or document.get("schema") != MEMORY_SCHEMA:
            return Memory(), f"{path} is not of schema {MEMORY_SCHEMA}"
        memory = decode(Memory, document)
        check_times(memory)
    except UnreadableError as exc:
        raise UnreadableError(f"{exc}; restore it, or remove it to begin anew") from exc
    except TreeError as exc:
        return Memory(), str(exc) if os.path.lexists(path) else ""
    except (ValueError, RecursionError) as exc:
        return Memory(), f"{path} is damaged ({printable(str(exc))})"
    return memory, ""


def save_memory(paths: LineagePaths, old: Memory, new: Memory) -> None:
    """Replace the file if the memory says more; the staging directory must exist."""
    if not as_good(old, new):
        write_memory(paths, new)


def begin_anew(paths: LineagePaths, memory: Memory) -> Path:
    """Replace a damaged file, and keep it for people to look at; where it is then.

    Raises `TreeError`, with the file as it was.
    """
    path = paths.staging / MEMORY
    kept = path.with_name(f"{MEMORY}.damaged")
    keep(path, kept)
    write_memory(paths, memory)
    return kept


def write_memory(paths: LineagePaths, memory: Memory) -> None:
    """Replace the file."""
    document = {"schema": MEMORY_SCHEMA, **encode(memory)}
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    write_file(paths.staging / MEMORY, text.encode(), PRIVATE)
