"""What was read out of keys and certificates, kept for as long as the files stay the same.

A daily run finds nothing new in nearly all files; then neither they nor cryptography are loaded.
Only public halves are kept.  Losing the file costs CPU time, nothing else.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from danebot.adapters.files import read_own, write_file
from danebot.adapters.replacing import PRIVATE
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.lineage.keys import Chain, PublicKey
from danebot.domain.names import DnsName
from danebot.errors import DanebotError, TreeError

Version = tuple[int, int, int, int]
Parsed = Chain | PublicKey
_SETTLED = 2_000_000_000  # nanoseconds: a younger file might change within the clock's resolution
_DAMAGE = (OSError, LookupError, TypeError, ValueError, OverflowError, AttributeError, DanebotError)


def version_of(found: os.stat_result) -> Version:
    """What changes whenever a file's content does; nobody can set the last of these."""
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class ParsedStore:
    """The file at ``path``, read when first asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: Mapping[str, Any] | None = None
        self._certificates: list[str] = []
        self._ders: dict[int, bytes] = {}
        self._chains: dict[tuple[object, ...], Chain] = {}
        self._settled = time.time_ns() - _SETTLED  # before anything is read

    def __len__(self) -> int:
        """How many files are on record."""
        if self._files is None:
            self._load()
        return len(self._files or {})

    def get(self, kind: type[Parsed], file: str, version: Version) -> Parsed | None:
        """What ``file`` held in that version; None if that isn't on record."""
        if self._files is None:
            self._load()
        entry = (self._files or {}).get(f"{kind.__name__} {file}")
        try:
            if entry is None or tuple(entry[0]) != version:
                return None
            return self._chain(entry[1]) if kind is Chain else _key(*entry[1])
        except _DAMAGE:
            return None

    def put(self, parsed: Iterable[tuple[str, Version, Parsed]]) -> None:
        """Replace what is on record, if that can be done and anything is new."""
        if self._files is None:
            self._load()
        certificates: dict[str, int] = {}
        files = {
            f"{type(value).__name__} {file}": [list(version), _written(value, certificates)]
            for file, version, value in parsed
            if version[-1] < self._settled
        }
        if files == self._files and list(certificates) == self._certificates:
            return
        document = {"schema": 1, "certificates": list(certificates), "files": files}
        try:
            write_file(self._path, json.dumps(document).encode(), PRIVATE)
        except TreeError:
            return  # the next run parses again

    def _load(self) -> None:
        self._files = {}
        try:
            match json.loads(read_own(self._path)):
                case {"schema": 1, "certificates": list(certificates), "files": dict(files)}:
                    self._files, self._certificates = files, certificates
        except (TreeError, ValueError, RecursionError):
            return

    def _chain(self, fields: list[Any]) -> Chain:
        """A chain is in several files, and an issuer's in those of many lineages."""
        certificates, key, not_before, not_after, names, serial = fields
        same = (*certificates, *key, not_before, not_after, *names, serial)
        if same not in self._chains:
            self._chains[same] = Chain(
                ders=tuple(map(self._der, certificates)),
                key=_key(*key),
                not_before=datetime.fromtimestamp(not_before, UTC),
                not_after=datetime.fromtimestamp(not_after, UTC),
                names=frozenset(map(DnsName, names)),
                serial=int(serial),
            )
        return self._chains[same]

    def _der(self, number: int) -> bytes:
        if number not in self._ders:
            self._ders[number] = bytes.fromhex(self._certificates[number])
        return self._ders[number]


@lru_cache(maxsize=1000)
def _key(spki: str, key_type: str | None) -> PublicKey:
    return PublicKey(bytes.fromhex(spki), None if key_type is None else KeyType(key_type))


def _written(value: Parsed, certificates: dict[str, int]) -> list[Any]:
    """``value`` as JSON; certificates, of which most are in several files, by their number."""
    if isinstance(value, PublicKey):
        return [value.spki.hex(), value.key_type.value if value.key_type is not None else None]
    return [
        [certificates.setdefault(der.hex(), len(certificates)) for der in value.ders],
        _written(value.key, certificates),
        int(value.not_before.timestamp()),
        int(value.not_after.timestamp()),
        sorted(name.text for name in value.names),
        value.serial,
    ]
