"""Icinga 2's API: results handed on one by one, and the list of services that wait for them.

https://icinga.com/docs/icinga-2/latest/doc/12-icinga2-api/
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from danebot.domain.text import printable
from danebot_exporter.feed.receivers import TAKEN, Receipt
from danebot_exporter.feed.remote import Answered, Remote, RemoteError
from danebot_exporter.feed.services import Fed, FedResult, Pace
from danebot_exporter.feed.settings import Icinga

_SUBMIT = "/v1/actions/process-check-result"
_SERVICES = "/v1/objects/services"
_JSON = {"Content-Type": "application/json"}
_LARGEST = 64 << 20  # octets of a list: some 50,000 services
_PACE = ("check_interval", "retry_interval", "max_check_attempts")
_LATER = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_LONGEST = timedelta(days=366)  # of an interval
_MOST_ATTEMPTS = 1000

WORDS: Mapping[str, str] = {
    "dane_domain": "--domain",
    "dane_host": "--host",
    "dane_port": "--port",
    "dane_starttls": "--starttls",
    "dane_only": "--only",
    "dane_down": "--down",
    "dane_warning": "--warning",
    "dane_critical": "--critical",
    "dane_rrsig_warning": "--rrsig-warning",
    "dane_rrsig_critical": "--rrsig-critical",
    "dane_require": "--require",
    "dane_ca_file": "--ca-file",
    "dane_aka": "--aka",
    "dane_timeout": "--timeout",
    "dane_address": "--address",
    "dane_helo": "--helo",
    "dane_resolver": "--resolver",
}
"""Options with a value by the variable of the check command; a list repeats the option."""
SWITCHES: Mapping[str, str] = {
    "dane_optional": "--optional",
    "dane_pkix": "--pkix",
    "dane_warn_unmatched": "--warn-unmatched",
    "dane_ipv4": "-4",
    "dane_ipv6": "-6",
    "dane_both_algorithms": "--both-algorithms",
    "dane_trust_resolver": "--trust-resolver",
    "dane_verbose": "--verbose",
}
"""Options without one."""
_NOT_ITS_JSON = (
    *(ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError),
)
_USUAL: Mapping[str, object] = {"dane_verbose": True}  # as the check command has it


class IcingaApi:
    """One server; not thread-safe."""

    def __init__(self, settings: Icinga) -> None:
        """Nothing is asked yet."""
        self._remote = Remote(settings.server)
        self._command = settings.command
        self._source = socket.gethostname()

    def submit(self, results: Sequence[FedResult]) -> Iterator[Receipt]:
        """Hand results on; an outcome for each, `RemoteError` where none can be handed on now."""
        for found in results:
            body = json.dumps(check_result(found, self._source)).encode()
            answer = self._remote.ask("POST", _SUBMIT, body, _JSON)
            status = self._outcome(answer) if answer.fine else answer.status
            if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise RemoteError(self._words(answer))
            fine = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
            yield TAKEN if fine else Receipt(self._words(answer))

    def services(self) -> list[Fed]:
        """The services with the check command of fed ones; `RemoteError` without an answer."""
        question = {
            "filter": "service.check_command == command",
            "filter_vars": {"command": self._command},
            "attrs": ["name", "host_name", "vars", *_PACE],
            "joins": ["host.vars"],
        }
        headers = {**_JSON, "X-HTTP-Method-Override": "GET"}
        body = json.dumps(question).encode()
        answer = self._remote.ask("POST", _SERVICES, body, headers, most=_LARGEST)
        if answer.status == HTTPStatus.NOT_FOUND:  # so Icinga says that there is none
            return []
        if not answer.fine:
            raise RemoteError(self._words(answer))
        try:
            return [_service(one) for one in json.loads(answer.body)["results"]]
        except _NOT_ITS_JSON as exc:
            raise RemoteError(f"{self._remote.server.host}: not Icinga's JSON: {exc!r}") from exc

    def close(self) -> None:
        """Hang up."""
        self._remote.close()

    def _outcome(self, answer: Answered) -> int:
        """The worst status within an answer of success; `RemoteError` if it isn't Icinga's."""
        try:
            return max(int(one["code"]) for one in json.loads(answer.body)["results"])
        except _NOT_ITS_JSON as exc:
            raise RemoteError(f"{self._remote.server.host}: not Icinga's JSON: {exc!r}") from exc

    def _words(self, answer: Answered) -> str:
        """What is wrong, with Icinga's own words."""
        try:
            body = json.loads(answer.body)
            said = str(body["status"] if "status" in body else body["results"][0]["status"])
        except _NOT_ITS_JSON:
            said = ""
        server = self._remote.server
        hint = ""
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            hint = f"; see user, password_file and the permissions of ApiUser {server.user!r}"
        where = f"https://{server.host}:{server.port}"
        return f"{where}: {answer.status} {printable(said, 200)}{hint}".rstrip()


def check_result(found: FedResult, source: str) -> dict[str, object]:
    """What the action takes; ``ttl`` is until Icinga runs the service's own check command."""
    return {
        "type": "Service",
        "service": f"{found.service.host}!{found.service.name}",
        "exit_status": found.status,
        "plugin_output": found.text,
        "performance_data": list(found.performance),
        "check_source": source,
        "execution_start": found.began.timestamp(),
        "execution_end": found.ended.timestamp(),
        "ttl": found.fresh.total_seconds(),
    }


def _service(found: Mapping[str, Any]) -> Fed:
    """One of the list; its variables, and its host's where it has none of the name."""
    attrs = found["attrs"]
    host = found.get("joins", {}).get("host", {})
    variables = {**_USUAL, **(host.get("vars") or {}), **(attrs["vars"] or {})}
    words, fault = _options(variables)
    pace = Pace()
    try:
        pace = Pace(
            _span(attrs["check_interval"]),
            _span(attrs["retry_interval"]),
            int(min(float(attrs["max_check_attempts"]), _MOST_ATTEMPTS)),
        )
    except (ValueError, TypeError, OverflowError):
        fault = f"{', '.join(_PACE)}: want numbers that make sense"
    return Fed(str(attrs["host_name"]), str(attrs["name"]), words, pace, fault)


def _span(value: float) -> timedelta:
    """`ValueError` for what is no number; what is endless is no interval, either."""
    return min(timedelta(seconds=max(float(value), 1.0)), _LONGEST)


def _options(variables: Mapping[str, object]) -> tuple[tuple[str, ...], str]:
    """Options by variables as Icinga would give them, or what is in the way."""
    words: list[str] = []
    for name, option in WORDS.items():
        value = variables.get(name)
        for one in value if isinstance(value, list) else () if value is None else (value,):
            if not isinstance(one, str | int | float) or isinstance(one, bool):
                return (), f"vars.{name}: want a string or a number"
            if "$" in str(one):
                return (), f"vars.{name}: macros are Icinga's own; write what it stands for"
            words += option, f"{one:g}" if isinstance(one, float) else str(one)
    words += [option for name, option in SWITCHES.items() if _is_set(variables.get(name))]
    return tuple(words), ""


def _is_set(value: object) -> bool:
    """Whether ``set_if`` is met: true, or a number other than 0."""
    if not isinstance(value, str | int | float):
        return False
    try:
        return bool(float(value))
    except ValueError:
        return value == "true"
