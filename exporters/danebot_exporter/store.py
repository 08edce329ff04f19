"""What the exporter shows, kept ready: the document's metrics and the last round of probes."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.network_errors import SHORTAGE
from danebot.adapters.status_file import FileSignature, StatusError, signature
from danebot.domain.status.document import LineageStatus, StatusFault
from danebot_exporter.collector import Totals, read_document, totals_text
from danebot_exporter.endpoints import EndpointReport, Watched, totals_of, watched_endpoints
from danebot_exporter.packing import Piece

if TYPE_CHECKING:
    from danebot.config import Settings

_OF_CONTENT = (StatusFault.DAMAGED, StatusFault.FOREIGN)
Failed = Callable[[StatusFault], None]


class Store:
    """Thread-safe; every method may be called from any request."""

    def __init__(self, settings: Settings, failed: Failed | None = None) -> None:
        """Nothing is read yet; ``failed`` is told of every change that can't be read."""
        self.settings = settings
        self._failed = failed
        self._lock = threading.Lock()
        self._signature: FileSignature | None = None
        self._looked = False
        self._short = False  # of descriptors
        self._body = Piece()
        self._found: Totals = Counter()
        self._fault: StatusError | None = None
        self._watched: tuple[Watched, ...] = ()
        self._round = Piece()
        self._probed: Totals = Counter()
        self._totals: Piece | None = None  # of both, once somebody asks
        self._reports: Mapping[str, tuple[EndpointReport, ...]] = {}

    def configure(self, settings: Settings) -> None:
        """Go by other settings from now on."""
        with self._lock:
            self.settings = settings
            self._looked = False

    @property
    def path(self) -> Path:
        """The status document."""
        return self.settings.snapshot

    def metrics(self) -> tuple[bytes, ...]:
        """The document's metrics in parts; costs a `stat` while it doesn't change."""
        with self._lock:
            self._refresh()
            return self._body.parts

    def pieces(self) -> tuple[Piece, Piece, Piece]:
        """The same as a piece, the last round's metrics, empty before the first, and both's totals.

        What the exporter itself found counts there like what runs found.
        """
        with self._lock:
            self._refresh()
            if self._totals is None:
                totals = Counter(self._found)
                totals.update(self._probed)  # a sum would leave out the zeros
                self._totals = Piece(totals_text(totals))
            return self._body, self._round, self._totals

    @property
    def round(self) -> bytes:
        """The last round's metrics; empty before the first."""
        return b"".join(self._round.parts)

    @property
    def reports(self) -> Mapping[str, tuple[EndpointReport, ...]]:
        """The last round's reports by lineage."""
        return self._reports

    def fault(self) -> StatusError | None:
        """Why the document can't be read."""
        with self._lock:
            self._refresh()
            return self._fault

    def watched(self) -> tuple[Watched, ...]:
        """The endpoints that the document names, or named when it could last be read."""
        with self._lock:
            self._refresh()
            return self._watched

    def keep_round(self, reports: list[EndpointReport], body: bytes) -> None:
        """Show a finished round from now on."""
        by_lineage: dict[str, tuple[EndpointReport, ...]] = {}
        for report in reports:
            name = report.watched.lineage
            by_lineage[name] = (*by_lineage.get(name, ()), report)
        with self._lock:
            self._reports, self._round = by_lineage, Piece(body)
            self._probed, self._totals = totals_of(reports), None

    def _refresh(self) -> None:
        found = signature(self.path)
        same = self._looked and found == self._signature
        # What could not even be opened may be there again without having changed.
        if same and (self._fault is None or self._fault.reason in _OF_CONTENT):
            return
        told, self._short = self._short, not _may_be_opened(self.path)
        if self._short and self._body.parts and self._fault is None:
            if self._failed is not None and not told:
                self._failed(StatusFault.UNREADABLE)
            return  # what was read before is as true as it was
        self._body = Piece()  # the old text may go before the new one comes: there are large ones
        seen: list[Watched] = []

        def watch(status: LineageStatus) -> None:
            seen.extend(watched_endpoints(status, self.settings))

        before = self._fault
        found_now = read_document(self.path, watch)
        self._fault, self._found, self._totals = found_now.fault, found_now.totals, None
        self._body = Piece(*found_now.parts)
        self._looked, self._signature = True, found
        if self._fault is None:
            self._watched = tuple(seen)
            return
        told = same and before is not None and before.reason is self._fault.reason
        if self._failed is not None and not told:
            self._failed(self._fault.reason)


def _may_be_opened(path: Path) -> bool:
    """Return whether this process has a descriptor for it; whatever else is wrong is said later."""
    try:
        os.close(os.open(path, os.O_PATH | os.O_CLOEXEC))
    except OSError as exc:
        return exc.errno not in SHORTAGE
    return True
