"""What is below some directories, as a value: read from there, and put there again."""

from __future__ import annotations

import enum
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_BITS = 0o7777


class Kind(enum.Enum):
    """What an entry leads to."""

    FILE = "file"
    LINK = "link"
    DIRECTORY = "directory"


class Node(NamedTuple):
    """What one path leads to: ``data`` is a link's target; ``modified`` in ns, where it was set."""

    kind: Kind
    data: bytes = b""
    mode: int = 0
    modified: int | None = None


Tree = dict[str, Node]
"""Each path below the roots, with what is there."""


def read(roots: Sequence[Path]) -> Tree:
    """What really is there."""
    found: Tree = {}
    for root in roots:
        for path in root.rglob("*"):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                found[str(path)] = Node(Kind.LINK, os.fsencode(path.readlink()))
            elif stat.S_ISDIR(mode):
                found[str(path)] = Node(Kind.DIRECTORY, mode=mode & _BITS)
            else:
                modified = path.lstat().st_mtime_ns
                found[str(path)] = Node(Kind.FILE, path.read_bytes(), mode & _BITS, modified)
    return found


def undated(tree: Tree) -> Tree:
    """The same without times: a disk doesn't know those of what is written."""
    return {path: node._replace(modified=None) for path, node in tree.items()}


def put(tree: Tree, roots: Sequence[Path]) -> None:
    """Have it really there, and nothing else."""
    for root in roots:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
    for path, node in sorted(tree.items()):
        match node.kind:
            case Kind.DIRECTORY:
                Path(path).mkdir()
                Path(path).chmod(node.mode)
            case Kind.LINK:
                Path(path).symlink_to(os.fsdecode(node.data))
            case Kind.FILE:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(node.data)
                Path(path).chmod(node.mode)
                if node.modified is not None:
                    os.utime(path, ns=(node.modified, node.modified))
