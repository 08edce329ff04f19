"""``rollover.json``: read, and replaced only when something changed."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

from danebot.adapters.codec import decode, encode
from danebot.adapters.files import keep, read_bytes, write_file
from danebot.adapters.presence import is_there
from danebot.adapters.replacing import PRIVATE
from danebot.adapters.tree.paths import MEMORY, LineagePaths
from danebot.domain.rollover.evidence.dates import RECKONABLE
from danebot.domain.rollover.evidence.freshness import as_good
from danebot.domain.rollover.evidence.memory import MEMORY_SCHEMA, Memory
from danebot.domain.text import printable
from danebot.errors import NewerError, TreeError, UnreadableError


def recall(paths: LineagePaths) -> tuple[Memory, str]:
    """What is remembered, and what is damaged of the file; "" if nothing is.

    Nothing is remembered where the file is absent or damaged: starting anew costs waiting time,
    never safety.  Raises `TreeError` when the file is there but can't be read, or is a newer
    version's: what it says may be had again.
    """
    path = f"{paths.staging}/{MEMORY}"
    try:
        document = json.loads(read_bytes(path))
        _refuse_newer(path, document)
        if not isinstance(document, dict) or document.get("schema") != MEMORY_SCHEMA:
            return Memory(), f"{path} is not of schema {MEMORY_SCHEMA}"
        memory = decode(Memory, document, within=RECKONABLE)
    except NewerError:
        raise
    except UnreadableError as exc:
        raise UnreadableError(f"{exc}; restore it, or remove it to begin anew") from exc
    except TreeError as exc:
        return Memory(), str(exc) if os.path.lexists(path) else ""
    except (ValueError, RecursionError) as exc:
        return Memory(), f"{path} is damaged ({printable(str(exc))})"
    return memory, ""


def _refuse_newer(path: str, document: object) -> None:
    schema = document.get("schema") if isinstance(document, dict) else None
    if isinstance(schema, int) and schema > MEMORY_SCHEMA:
        raise NewerError(
            f"{path} is of schema {schema}, of a newer danebot; install that again, "
            "or move the file away to begin anew"
        )


def save_memory(paths: LineagePaths, old: Memory, new: Memory) -> None:
    """Replace the file if the memory says more; the staging directory must exist."""
    if not as_good(old, new):
        write_memory(paths, new)


def begin_anew(paths: LineagePaths, memory: Memory) -> Path:
    """Replace a damaged file, and keep it for people to look at; where it is then.

    Raises `TreeError`, with the file as it was.
    """
    kept = damaged_path(paths)
    write_memory(paths, memory)
    return kept


def damaged_path(paths: LineagePaths) -> Path:
    """Return the name that a damaged file is kept under next: nothing is there yet."""
    first = paths.staging / f"{MEMORY}.damaged"
    later = (first.with_name(f"{first.name}.{number}") for number in itertools.count(2))
    return next(path for path in itertools.chain((first,), later) if not is_there(path))


def write_memory(paths: LineagePaths, memory: Memory) -> None:
    """Replace the file; a damaged one is kept, and one of a newer version not replaced.

    Raises `TreeError`, with the file as it was, also where what is written couldn't be read back.
    """
    text = json.dumps({"schema": MEMORY_SCHEMA, **encode(memory)}, indent=1, sort_keys=True) + "\n"
    path = paths.staging / MEMORY
    try:
        decode(Memory, json.loads(text), within=RECKONABLE)
    except ValueError as exc:
        raise TreeError(
            f"{path} stays as it is: what is to be remembered couldn't be read again "
            f"({printable(str(exc))}); please report this"
        ) from exc
    if recall(paths)[1]:
        keep(path, damaged_path(paths))
    write_file(path, text.encode(), PRIVATE)
