"""No private key is lost: a file gives way before it is replaced or removed.

A link, an empty file, a copy of a key that lies elsewhere in the lineage, and what a crash cut off
in the middle of a key are worth nothing.  Anything else that holds a private key is kept under
another name first, whether danebot can read it or not: an operator may have encrypted it in place.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.files import MAX_FILE, read_bytes, write_file
from danebot.adapters.presence import ABSENT, is_own_directory, is_plain_file, unreadable
from danebot.adapters.tree.paths import (
    CANCELLED_PREFIX,
    COMBO,
    NEXT,
    READY,
    UNKNOWN_PREFIX,
    UNREADABLE_PREFIX,
    LineagePaths,
    archive_versions,
)
from danebot.errors import CertificateError, TreeError, UnreadableError

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import PublicKey

_MARK = b"PRIVATE KEY-----"
_DER_SEQUENCE = b"\x30"


def give_way(paths: LineagePaths, file: Path) -> Path | None:
    """Keep what ``file`` holds unless all its keys are elsewhere: where, or None.

    ``file`` itself stays.  What is kept begins with a key that is nowhere else, the one that
    `newkey --adopt` reads.  Raises `UnreadableError` where it can't be told what it holds.
    """
    from danebot.domain.lineage.pem import private_key_blocks

    if not is_plain_file(file):
        return None
    data = read_bytes(file)
    if not holds_key(data):
        return None
    blocks = tuple(private_key_blocks(data)) or ((data, None),)  # DER, or whatever it is
    known = known_keys(paths, but=file)
    for block, key in blocks:
        if key is None:
            return _keep_unread(paths, _first(block, data))
        if key not in known:
            kept = unused(_aside(paths, key))
            write_file(kept, _first(block, data))
            return kept
    return None


def holds_key(data: bytes) -> bool:
    """Whether a file may hold a private key, encrypted or not, that is whole: PEM, or DER."""
    begin = data.find(b"-----BEGIN ")
    if begin < 0:
        return data.startswith(_DER_SEQUENCE)
    return _MARK in data and data.find(b"-----END ", begin) >= 0


def may_hold_key(path: Path) -> bool:
    """Whether a key may be lost with what lies there: not with a link, nor with text without one.

    Raises `UnreadableError`.
    """
    if is_own_directory(path):
        return True
    if not is_plain_file(path):
        return False
    if os.lstat(path).st_size > MAX_FILE:
        return True
    data = read_bytes(path)
    return holds_key(data) or not _is_text(data)


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def known_keys(paths: LineagePaths, but: Path | None = None) -> set[PublicKey]:
    """The public halves of every private key of the lineage, in whatever file but one.

    A ``combo.pem`` that is no key with its chain doesn't count: it is written anew.

    Raises `UnreadableError` where a file can't be read: it may hold any key.
    """
    files = [paths.staging / NEXT, paths.staging / READY, paths.live / COMBO]
    aside = (UNKNOWN_PREFIX, CANCELLED_PREFIX)
    files += [paths.staging / name for name in listed(paths.staging) if name.startswith(aside)]
    files += [paths.archived("privkey", version) for version in archive_versions(paths)]
    return {key for file in files if file != but for key in _keys_in(file)}


def _keys_in(file: Path) -> set[PublicKey]:
    from danebot.domain.lineage.pem import private_key_blocks, read_chain, read_private_key

    try:
        data = read_bytes(file)
        if file.name != COMBO:
            return {key for _, key in private_key_blocks(data) if key is not None}
        key = read_private_key(data)
        return {key} if read_chain(data).key == key else set()
    except UnreadableError:
        raise
    except (CertificateError, TreeError):
        return set()


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
    path = _aside(paths, key)
    write_file(path, pem)
    return path


def _aside(paths: LineagePaths, key: PublicKey) -> Path:
    return paths.staging / f"{UNKNOWN_PREFIX}{key.digest.hex()[:16]}.pem"


def _first(block: bytes, data: bytes) -> bytes:
    """All of ``data``, with one key's block before the other keys."""
    if _MARK not in data[: data.find(block)]:
        return data
    return block.rstrip() + b"\n" + data.replace(block, b"", 1)


def unused(path: Path) -> Path:
    """The path, or one like it where nothing is yet: no key is ever replaced by another."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return free


def _keep_unread(paths: LineagePaths, data: bytes) -> Path:
    """Keep what can't be read, once."""
    path = paths.staging / f"{UNREADABLE_PREFIX}.pem"
    for name in listed(paths.staging):
        kept = paths.staging / name
        if name.startswith(UNREADABLE_PREFIX) and read_bytes(kept) == data:
            return kept
    free = unused(path)
    write_file(free, data)
    return free
