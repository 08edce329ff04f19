"""Probes the lineages' endpoints in the background, round after round, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.text import internal_error
from danebot_exporter.endpoints import look_at_all, round_metrics

if TYPE_CHECKING:
    from danebot_exporter.endpoints import EndpointReport
    from danebot_exporter.own import OwnMetrics
    from danebot_exporter.store import Store

_WITHOUT = timedelta(seconds=5)  # until the next look for a document that names endpoints


class ProbeRounds:
    """Begins a round every ``interval``, counted from the beginning of the last one."""

    def __init__(
        self,
        store: Store,
        interval: timedelta,
        complain: Callable[[str], None],
        own: OwnMetrics,
    ) -> None:
        """Nothing runs before `start`; ``own`` counts what is, and what can't be, looked at."""
        self._own = own
        self._store = store
        self._interval = interval
        self._complain = complain
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probes", daemon=True)

    def start(self) -> None:
        """Begin the first round now."""
        self._thread.start()

    def stop(self) -> None:
        """No further round; the one under way ends with the process."""
        self._stop.set()

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            pause = self._interval.total_seconds()
            try:
                if not self.round():
                    pause = min(pause, _WITHOUT.total_seconds())
            except Exception as exc:  # noqa: BLE001 - the next round must come, whatever this was
                self._complain(f"a round of probes failed: {internal_error(exc)}")
            if self._stop.wait(max(began + pause - time.monotonic(), 1.0)):
                return

    def _kept(self, reports: list[EndpointReport]) -> list[EndpointReport]:
        """Have the last report stand where this host could not look: it is as true as it was."""
        last = {one.watched: one for named in self._store.reports.values() for one in named}
        blind = [one for one in reports if one.blind]
        if blind:
            self._complain(f"could not look at {len(blind)} endpoints: {blind[0].unseen[0].detail}")
            self._own.could_not_look(len(blind))
        return [last.get(one.watched, one) if one.blind else one for one in reports]

    def round(self) -> int:
        """Look at all endpoints once; how many there were."""
        all_watched = self._store.watched()
        self._own.watching(len(all_watched))
        began = time.monotonic()
        reports = self._kept(look_at_all(all_watched, self._store.settings))
        body = (
            round_metrics(reports, datetime.now(UTC), time.monotonic() - began) if reports else b""
        )
        self._store.keep_round(reports, body)
        return len(reports)
