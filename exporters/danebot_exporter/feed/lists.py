"""All lists of services together: the operator's own, and those that others make."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from danebot.errors import DanebotError
from danebot_exporter.feed.http_sd import HttpSdList
from danebot_exporter.feed.icinga import IcingaApi
from danebot_exporter.feed.services import Fed, Key
from danebot_exporter.feed.settings import FeedSettings, Icinga

_SEVERAL = (
    "several checks have this host and name: list it once, or name each (in [http_sd] by $target)"
)


class ServiceList(Protocol):
    """A list that somebody else makes."""

    def services(self) -> list[Fed]:
        """What is on it now; `DanebotError` if that can't be told."""

    def close(self) -> None:
        """Let go of what is open."""


class Lists:
    """What can't be read stands as it was; that is said once.  Not thread-safe."""

    def __init__(
        self,
        settings: FeedSettings,
        complain: Callable[[str], None],
        before: Lists | None = None,
    ) -> None:
        """Nothing is read yet; what those ``before`` it knew stands until it is."""
        self._own = settings.services
        self._lists: list[ServiceList] = []
        if isinstance(settings.receiver, Icinga) and settings.receiver.command:
            self._lists.append(IcingaApi(settings.receiver))
        if settings.http_sd is not None:
            self._lists.append(HttpSdList(settings.http_sd, settings.pace))
        self._complain = complain
        last: dict[type, list[Fed]] = {} if before is None else before.known
        self._known = [last.get(type(one)) for one in self._lists]
        self._failing: set[int] = set()

    @property
    def failing(self) -> bool:
        """Whether any could not be read the last time."""
        return bool(self._failing)

    @property
    def known(self) -> dict[type, list[Fed]]:
        """What each list that was ever read gave last."""
        pairs = zip(self._lists, self._known, strict=True)
        return {type(one): found for one, found in pairs if found is not None}

    @property
    def any(self) -> bool:
        """Whether there is anything to go by: services of one's own, or a list that was read."""
        return bool(self._own or self.known)

    def read(self) -> list[Fed]:
        """All services, of all lists, each once."""
        for number, one in enumerate(self._lists):
            try:
                self._known[number] = one.services()
            except DanebotError as exc:
                if number not in self._failing:
                    self._complain(f"the list of services can't be read: {exc}")
                self._failing.add(number)
            else:
                if number in self._failing:
                    self._complain("the list of services can be read again")
                self._failing.discard(number)
        return _told_apart(
            [*self._own, *(service for known in self._known for service in known or ())]
        )

    def close(self) -> None:
        """Hang up everywhere."""
        for one in self._lists:
            one.close()


def _told_apart(services: Iterable[Fed]) -> list[Fed]:
    """Each name once; one that is of several checks is at fault, else all but one go unwatched."""
    found: dict[Key, Fed] = {}
    for one in services:
        first = found.setdefault(one.key, one)
        if (one.options, one.fault) != (first.options, first.fault):
            found[one.key] = first._replace(options=(), fault=_SEVERAL)
    return list(found.values())
