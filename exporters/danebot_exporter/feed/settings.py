"""The file of ``--feed``: where results go, and which services there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from string import Template
from typing import TypeAlias

from danebot.config import values
from danebot.config.files import read_text
from danebot.config.load import parse_document
from danebot.config.table import Table
from danebot.errors import ConfigError
from danebot.tuples import NamedTuple
from danebot_exporter.feed.servers import HttpServer, Login, read_server
from danebot_exporter.feed.services import Fed, Pace

_NONE: tuple[str, ...] = ()
_NO_TABLES: list[Mapping[str, object]] = []
_LEAST = timedelta(seconds=1)
_API = 5665
MOST_OF_A_NAME = 200
"""Characters: two of them leave room for a result in a line of Nagios' command file."""
_NO_OPTIONS = {"-h", "--help", "-V", "--version", "--trace", "--or-local", "--max-age"}
_NO_OPTIONS |= {"--via", "--via-login", "--via-ca"}  # the feed looks itself
_MACRO = re.compile(r"\$(?:\$|\w+|\{\w+\})")


class Icinga(NamedTuple):
    """Icinga 2's API; with ``command``, services that have this check command are on the list."""

    server: HttpServer
    command: str = "dane-passive"


class CommandFile(NamedTuple):
    """Nagios' external command file, a named pipe."""

    path: Path


class Spool(NamedTuple):
    """Nagios' directory of check results."""

    path: Path


Receiver: TypeAlias = Icinga | CommandFile | Spool


class HttpSd(NamedTuple):
    """A list in Prometheus' format; ``host`` and ``name`` are templates of what it says."""

    server: HttpServer
    host: Template
    name: Template
    options: tuple[str, ...] = ()


class FeedSettings(NamedTuple):
    """All that the file says; lists are asked for every ``refresh``.

    What was asked within ``max_age`` is not asked again.
    """

    receiver: Receiver
    services: tuple[Fed, ...]
    http_sd: HttpSd | None
    pace: Pace
    refresh: timedelta
    max_age: timedelta


def load_feed(path: Path) -> FeedSettings:
    """Read the file; `ConfigError` has a line ``FILE:LINE: ...`` for each problem."""
    text = read_text(path)
    if text is None:
        raise ConfigError(f"{path}: there is no such file; --feed needs it")
    document, content = parse_document(path, text)
    top = Table(document, (), content)
    pace = _pace(top, Pace())
    refresh = top.take("refresh", _span, timedelta(minutes=1))
    max_age = top.take("max_age", values.duration_setting, timedelta(seconds=10))
    if max_age >= min(pace.interval, pace.retry):
        top.problem("max_age", "must be shorter than interval and retry")
    icinga, nagios = top.inner("icinga"), top.inner("nagios")
    receivers = [
        *(() if icinga is None else (_icinga(icinga),)),
        *(() if nagios is None else _nagios(nagios)),
    ]
    if len(receivers) != 1 and not document.problems:
        known = "[icinga], or [nagios] with command_file or spool"
        document.problem(("icinga",), f"must say where results go: exactly one of {known}")
    sd = top.inner("http_sd")
    listed = None if sd is None else _http_sd(sd)
    services = tuple(_services(top, pace))
    top.finish()
    document.check()
    receiver = receivers[0]
    if not services and listed is None and not (isinstance(receiver, Icinga) and receiver.command):
        raise ConfigError(f"{path}:1: there is no list: add [[service]] or [http_sd]")
    return FeedSettings(receiver, services, listed, pace, refresh, max_age)


def _span(value: object) -> timedelta:
    span = values.duration_setting(value)
    if span < _LEAST:
        raise ConfigError("must be a second or longer")
    return span


def _pace(table: Table, usual: Pace) -> Pace:
    interval = table.take("interval", _span, usual.interval)
    return Pace(interval, table.take("retry", _span, min(usual.retry, interval)))


def _icinga(table: Table) -> Icinga:
    server = read_server(table, _API, Login.REQUIRED)
    command = table.take("check_command", _maybe, Icinga._field_defaults["command"])
    table.finish()
    return Icinga(server, command)


def _nagios(table: Table) -> list[Receiver]:
    found: list[Receiver] = []
    command_file = table.take("command_file", values.path, None)
    spool = table.take("spool", values.path, None)
    table.finish()
    if command_file is not None:
        found.append(CommandFile(command_file))
    if spool is not None:
        found.append(Spool(spool))
    return found


def _http_sd(table: Table) -> HttpSd:
    server = read_server(table, None, Login.OPTIONAL)
    host = table.take("host", _template, None)
    name = table.take("name", _template, Template("DANE $target"))
    options = table.take("options", _options, _NONE)
    table.finish()
    if host is None:
        table.problem("host", 'must name the host in Nagios or Icinga: "mail.example.org"')
        host = Template("")
    return HttpSd(server, host, name, options)


def _services(top: Table, usual: Pace) -> list[Fed]:
    """The tables ``[[service]]``; `top` has their problems."""
    content = top.take("service", _tables, _NO_TABLES)
    found: dict[tuple[str, str], Fed] = {}
    for index, one in enumerate(content):
        table = Table(top.document, ("service", index), one)
        host, name = table.take("host", _name, ""), table.take("name", _name, "")
        options = table.take("options", _options, _NONE)
        for key in ("host", "name", "options"):
            if key not in one:
                table.problem(key, "is missing")
        service = Fed(host, name, options, _pace(table, usual))
        table.finish()
        if service.key in found:
            table.problem("name", f"is there twice for the host {host}; each needs its own")
        found[service.key] = service
    return list(found.values())


def _tables(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ConfigError("must be tables, each under [[service]]")
    return value


def _name(value: object) -> str:
    """A name in Nagios or Icinga: what their protocols can say."""
    words = values.text(value)
    if len(words) > MOST_OF_A_NAME:
        raise ConfigError(f"is longer than {MOST_OF_A_NAME} characters")
    if set(words) & set(";!\n\r\t`~$&|'\"<>") or not words.isprintable():
        raise ConfigError("has a character that no monitor takes in a name")
    return words


def _maybe(value: object) -> str:
    return "" if value == "" else _name(value)


def _options(value: object) -> tuple[str, ...]:
    words = values.list_of(values.text)(value)
    for word in words:
        if word.partition("=")[0] in _NO_OPTIONS:
            raise ConfigError(f"can't have {word}: it makes no sense here; take it out")
    return words


def _template(value: object) -> Template:
    words = values.text(value)
    if "$" in _MACRO.sub("", words):
        raise ConfigError('has a $ that begins no name: write "$target", "${label}" or "$$"')
    return Template(words)
