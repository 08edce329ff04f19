"""The document as the page needs it: read once for each change, and small in memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from danebot.adapters.codec import decode, encode
from danebot.adapters.status_file import FileSignature, StatusError, read_status, signature
from danebot.domain.finding import Severity
from danebot.domain.status.document import LineageStatus, Snapshot, StatusFault
from danebot.domain.status.way import rolling
from danebot_exporter.course import findings_of, waits

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_OF_CONTENT = (StatusFault.DAMAGED, StatusFault.FOREIGN)


@dataclass(frozen=True, slots=True)
class PackedLineage:
    """A lineage: what tells whether it is shown and where, and the rest of it packed.

    ``found`` are the severities of the document's findings about it; ``waits`` says whether it
    waits for the operator; ``ends`` is the end of what is live, ``rolling`` says whether a rollover
    is under way.
    """

    name: str
    phase: str
    found: tuple[Severity, ...]
    waits: bool
    ends: datetime | None
    rolling: bool
    packed: bytes

    @classmethod
    def of(cls, status: LineageStatus) -> PackedLineage:
        """Pack a lineage."""
        packed = zlib.compress(json.dumps(encode(status)).encode(), 1)
        found = tuple(finding.severity for finding in findings_of(status, ()))
        ends = status.live.not_after if status.live is not None else None
        return cls(status.name, status.phase, found, waits(status), ends, rolling(status), packed)

    def severities(self, now: datetime) -> list[Severity]:
        """Those found, and of what has expired, perhaps since the run."""
        over = self.ends is not None and self.ends <= now and Severity.CRITICAL not in self.found
        return [*self.found, *([Severity.CRITICAL] if over else [])]

    def status(self) -> LineageStatus:
        """The whole lineage."""
        return decode(LineageStatus, json.loads(zlib.decompress(self.packed)))


@dataclass(frozen=True, slots=True)
class Shelved:
    """A document; ``entries`` by the lineages' names, ``snapshot`` has the rest."""

    snapshot: Snapshot
    entries: Mapping[str, PackedLineage]


class Shelf:
    """Keeps the last document; for one caller at a time."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._seen: tuple[Path, FileSignature | None] | None = None
        self._found: Shelved | StatusError | None = None

    def get(self, path: Path) -> Shelved:
        """The document at ``path`` as it is now, or `StatusError`."""
        seen = (path, signature(path))  # before it is read: what comes meanwhile is noticed
        if seen != self._seen or self._found is None:
            self._found = None  # there may be no room for both
            self._seen, self._found = seen, _read(path)
        found = self._found
        if isinstance(found, StatusError):
            if found.reason not in _OF_CONTENT:
                self._found = None  # it may be readable again without having changed
            raise found
        return found


def _read(path: Path) -> Shelved | StatusError:
    entries: dict[str, PackedLineage] = {}
    try:
        snapshot = read_status(path, lambda s: entries.update({s.name: PackedLineage.of(s)}))
    except StatusError as fault:
        return fault
    return Shelved(snapshot, entries)
