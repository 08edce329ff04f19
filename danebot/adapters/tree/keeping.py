"""No private key is lost: a file gives way before it is replaced or removed.

A link, an empty file, a copy of a key that lies elsewhere in the lineage, and what a crash cut off
in the middle of a key are worth nothing.  Anything else that holds a private key is kept under
another name first, whether danebot can read it or not: an operator may have encrypted it in place.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.files import read_bytes, write_file
from danebot.adapters.presence import ABSENT, unreadable
from danebot.adapters.tree.paths import (
    CANCELLED_PREFIX,
    COMBO,
    NEXT,
    READY,
    UNKNOWN_PREFIX,
    LineagePaths,
    archive_versions,
)
from danebot.errors import CertificateError, TreeError, UnreadableError

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import PublicKey

_MARK = b"PRIVATE KEY-----"
_DER_SEQUENCE = b"\x30"


def give_way(paths: LineagePaths, file: Path) -> Path | None:
    """Keep the private key in ``file`` unless it is elsewhere; where it is kept, None if nowhere.

    ``file`` itself stays.  Raises `UnreadableError` where it can't be told what it holds.
    """
    from danebot.domain.lineage.pem import read_private_key

    if not regular(file):
        return None
    data = read_bytes(file)
    if not holds_key(data):
        return None
    try:
        key = read_private_key(data)
    except CertificateError:
        return _keep_unread(paths, data)
    return None if key in known_keys(paths, but=file) else set_aside(paths, key, data)


def regular(path: Path) -> bool:
    """Whether there is a regular file that is no link; raises `UnreadableError`."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except ABSENT:
        return False
    except OSError as exc:
        raise unreadable(path, exc) from exc


def holds_key(data: bytes) -> bool:
    """Whether a file may hold a private key, encrypted or not, that is whole: PEM, or DER."""
    begin = data.find(b"-----BEGIN ")
    if begin < 0:
        return data.startswith(_DER_SEQUENCE)
    return _MARK in data and data.find(b"-----END ", begin) >= 0


def known_keys(paths: LineagePaths, but: Path | None = None) -> set[PublicKey]:
    """The public halves of every private key of the lineage, in whatever file but one.

    Raises `UnreadableError` where a file can't be read: it may hold any key.
    """
    from danebot.domain.lineage.pem import read_private_key

    files = [paths.staging / NEXT, paths.staging / READY, paths.live / COMBO]
    aside = (UNKNOWN_PREFIX, CANCELLED_PREFIX)
    files += [paths.staging / name for name in listed(paths.staging) if name.startswith(aside)]
    files += [paths.archived("privkey", version) for version in archive_versions(paths)]
    keys = set()
    for file in files:
        if file == but:
            continue
        try:
            keys.add(read_private_key(read_bytes(file)))
        except UnreadableError:
            raise
        except (CertificateError, TreeError):
            continue
    return keys


def listed(directory: Path) -> list[str]:
    """The names in a directory, sorted; none if it is absent; raises `UnreadableError`."""
    try:
        return sorted(os.listdir(directory))
    except ABSENT:
        return []
    except OSError as exc:
        raise unreadable(directory, exc) from exc


def set_aside(paths: LineagePaths, key: PublicKey, pem: bytes) -> Path:
    """Keep a key that must not be used and must not be lost; the file's path."""
    path = paths.staging / f"{UNKNOWN_PREFIX}{key.digest.hex()[:16]}.pem"
    write_file(path, pem)
    return path


def unused(path: Path) -> Path:
    """The path, or one like it where nothing is yet: no key is ever replaced by another."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return free


def _keep_unread(paths: LineagePaths, data: bytes) -> Path:
    """Keep what can't be read, once."""
    path = paths.staging / f"{UNKNOWN_PREFIX}unreadable.pem"
    for name in listed(paths.staging):
        kept = paths.staging / name
        if name.startswith(f"{UNKNOWN_PREFIX}unreadable") and read_bytes(kept) == data:
            return kept
    free = unused(path)
    write_file(free, data)
    return free
