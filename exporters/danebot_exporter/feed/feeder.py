"""The feed: lists are read, services looked at and results handed on, in a thread each."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.domain.text import internal_error
from danebot.errors import DanebotError
from danebot_exporter.feed.counts import Fate, FeedCounts
from danebot_exporter.feed.icinga import IcingaApi
from danebot_exporter.feed.lists import Lists
from danebot_exporter.feed.looks import Looks
from danebot_exporter.feed.nagios import CommandPipe, ResultSpool
from danebot_exporter.feed.outbox import Outbox, Patience
from danebot_exporter.feed.schedule import Schedule
from danebot_exporter.feed.settings import (
    CommandFile,
    Icinga,
    Spool,
    load_feed,
)

if TYPE_CHECKING:
    from danebot_exporter.feed.receivers import Receiver
    from danebot_exporter.feed.services import Fed, FedResult, Key

_BATCH = 100  # results
_PATIENCE = 1.0  # seconds
_FAILURES, _LASTED = 10, 60.0  # in a row, each within so many seconds, are the end
_SAID = 1000  # services whose refusal is remembered as said


def _end() -> None:
    """End the process with an error, whatever other threads do."""
    os._exit(1)


class Feeder:
    """Keeps services fresh for as long as the process lives."""

    def __init__(
        self,
        path: Path,
        counts: FeedCounts,
        complain: Callable[[str], None],
        give_up: Callable[[], None] = _end,
    ) -> None:
        """Read the file at ``path``; `ConfigError` says what is wrong with it.

        ``give_up`` is called when a thread can't go on, and ends the process.
        """
        self._give_up = give_up
        self._path = path
        self._settings = load_feed(path)
        self._counts = counts
        self._complain = complain
        self._lists: queue.SimpleQueue[list[Fed]] = queue.SimpleQueue()
        self._schedule = Schedule()
        self._outbox = Outbox()
        self._hurry = threading.Event()
        self._looks = Looks(self._take, self._done, self._settings.max_age)
        self._refused: dict[Key, None] = {}
        self._stopped = False
        self._threads: list[threading.Thread] = []
        counts.overdue = lambda: self._schedule.overdue(time.monotonic())
        counts.threads = lambda: sum(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin."""
        for name, work in (
            ("feed-lists", self._list),
            ("feed-looks", self._look),
            ("feed-results", self._submit),
        ):
            thread = threading.Thread(
                target=self._forever, args=(name, work), name=name, daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End, and wait for that."""
        self._stopped = True
        self._looks.stop()
        self._hurry.set()
        for thread in self._threads:
            thread.join()

    def reload(self) -> None:
        """Read the file again; `ConfigError` leaves all as it was."""
        self._settings = load_feed(self._path)
        self._looks.keep(self._settings.max_age)
        self._hurry.set()

    def _forever(self, name: str, work: Callable[[], None]) -> None:
        """Begin again whatever happens: a thread that ended would feed nothing, and say nothing."""
        failures = 0
        while not self._stopped:
            began = time.monotonic()
            try:
                work()
            except BaseException as exc:  # noqa: BLE001 - the last line of defence
                self._complain(f"{name}: {internal_error(exc)}; please report this")
                self._counts.failures += 1
                failures = failures + 1 if time.monotonic() - began < _LASTED else 1
                if failures == _FAILURES or not isinstance(exc, Exception):
                    self._complain(f"{name} can't go on: the exporter ends")
                    self._give_up()
                    return
                time.sleep(_PATIENCE)

    # ---- lists ------------------------------------------------------------------------------

    def _list(self) -> None:
        """Read all lists, again and again."""
        settings = self._settings
        lists = Lists(settings, self._complain)
        patience = Patience()
        while not self._stopped:
            if settings is not self._settings:
                settings = self._settings
                lists.close()
                lists = Lists(settings, self._complain, lists)
            services = lists.read()
            if lists.any:
                self._lists.put(services)
            pause = settings.refresh.total_seconds()
            if lists.failing:
                pause = min(pause, patience.failed())
            else:
                patience.worked()
                self._counts.listed = time.time()
            if self._hurry.wait(pause):
                self._hurry.clear()
        lists.close()

    # ---- looks, in the loop's thread ----------------------------------------------------------

    def _look(self) -> None:
        """Look at what is due; first at what was being looked at when looks failed."""
        self._schedule.recover(time.monotonic())
        self._looks.run()

    def _take(self) -> Fed | None:
        while not self._lists.empty():
            services = self._lists.get()
            self._schedule.replace(services, time.monotonic())
            self._outbox.retain({service.key for service in services})
            self._counts.services = len(self._schedule)
        found = self._schedule.take(time.monotonic())
        self._counts.behind = self._schedule.behind
        return found

    def _done(self, found: FedResult) -> None:
        self._counts.looked(found.status)
        if self._schedule.done(found.service, found.status, time.monotonic()):
            if self._outbox.put(found):
                self._counts.count(Fate.REPLACED)
            self._counts.waiting = len(self._outbox)

    # ---- results ----------------------------------------------------------------------------

    def _submit(self) -> None:
        """Hand on results; while nobody takes them they are kept, the newest of each service."""
        receiver, settings = None, None
        patience, failing = Patience(), False
        while not self._stopped:
            if receiver is None or settings is not self._settings.receiver:
                if receiver is not None:
                    receiver.close()
                settings = self._settings.receiver
                receiver = _receiver(settings)
            results = self._outbox.take(_BATCH, _PATIENCE)
            try:
                self._hand_on(receiver, results)
            except DanebotError as exc:
                receiver.close()
                if not failing:
                    self._complain(
                        f"results are not taken: {exc}; the newest of each service is kept"
                    )
                failing = True
                time.sleep(patience.failed())
                continue
            if results and failing:
                self._complain("results are taken again")
                failing = False
            patience.worked()
        if receiver is not None:
            receiver.close()

    def _hand_on(self, receiver: Receiver, results: list[FedResult]) -> None:
        left = list(results)
        try:
            for outcome in receiver.submit(results) if results else ():
                found = left.pop(0)
                if outcome.refused:
                    self._counts.count(Fate.REFUSED)
                    self._say_refused(found, outcome.refused)
                else:
                    self._counts.count(Fate.SUBMITTED)
                    self._refused.pop(found.service.key, None)
                    self._counts.submitted = time.time()
        finally:
            self._outbox.give_back(left[1:] + left[:1])  # the one that failed is tried last
            self._counts.waiting = len(self._outbox)

    def _say_refused(self, found: FedResult, words: str) -> None:
        key = found.service.key
        if key not in self._refused and len(self._refused) < _SAID:
            self._refused[key] = None
            self._complain(f"the result of {key[0]}!{key[1]} was refused: {words}")


def _receiver(settings: Icinga | CommandFile | Spool) -> Receiver:
    match settings:
        case Icinga():
            return IcingaApi(settings)
        case CommandFile(path):
            return CommandPipe(path)
        case Spool(path):
            return ResultSpool(path)
