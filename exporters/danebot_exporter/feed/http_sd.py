"""A list of targets in Prometheus' format, as services.

https://prometheus.io/docs/prometheus/latest/http_sd/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from danebot.domain.names import Protocol
from danebot.domain.text import printable
from danebot_exporter.feed.remote import Remote, RemoteError
from danebot_exporter.feed.services import Fed, Pace
from danebot_exporter.feed.settings import MOST_OF_A_NAME, HttpSd

_LARGEST = 64 << 20  # octets
_MODULE = ("module", "__param_module")


class HttpSdList:
    """One URL; not thread-safe."""

    def __init__(self, settings: HttpSd, pace: Pace) -> None:
        """Nothing is asked yet; ``pace`` is that of all its services."""
        self._settings = settings
        self._remote = Remote(settings.server)
        self._pace = pace

    def services(self) -> list[Fed]:
        """What is listed now; `RemoteError` if that can't be told."""
        server = self._settings.server
        answer = self._remote.ask("GET", server.path, most=_LARGEST)
        where = f"{server.scheme}://{server.host}:{server.port}"
        if not answer.fine:
            raise RemoteError(f"{where}: HTTP status {answer.status}")
        try:
            return [one for group in _groups(answer.body) for one in self._group(group)]
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
            OverflowError,
        ) as exc:
            words = printable(repr(exc), 200)
            raise RemoteError(f"{where}: not a list of target groups: {words}") from exc

    def close(self) -> None:
        """Hang up."""
        self._remote.close()

    def _group(self, group: Mapping[str, object]) -> Iterator[Fed]:
        labels = group.get("labels") or {}
        targets = group["targets"]
        if not isinstance(labels, dict) or not isinstance(targets, list):
            raise TypeError(group)
        for target in targets:
            yield self._service({**labels, "target": str(target)})

    def _service(self, words: Mapping[str, str]) -> Fed:
        """The service of one target; a name may have only what a monitor takes."""
        settings = self._settings
        host, name = (
            _name(template.safe_substitute(words)) for template in (settings.host, settings.name)
        )
        module = next(
            (str(words[label]) for label in _MODULE if label in words), Protocol.SMTP.value
        )
        found = _subject(words["target"], module)
        if not found:
            return Fed(host, name, pace=self._pace, fault=f"unknown module {printable(module, 80)}")
        return Fed(host, name, (*found, *settings.options), self._pace)


def _groups(body: bytes) -> list[Any]:
    groups = json.loads(body)
    if not isinstance(groups, list):
        raise TypeError(groups)
    return groups


def _name(words: str) -> str:
    return "".join(" " if one in ";!\n" else one for one in printable(words, MOST_OF_A_NAME))[
        :MOST_OF_A_NAME
    ]


def _subject(target: str, module: str) -> tuple[str, ...]:
    """The options of ``check_dane`` for a target of ``/probe``; () for a module that isn't."""
    host, colon, port = target.rpartition(":")
    if module == Protocol.SMTP.value and not colon:
        return "--domain", target
    if module not in (protocol.value for protocol in Protocol):
        return ()
    return "--host", host or target, "--port", port if colon else "", "--starttls", module
