"""Single values of settings: what a file says, parsed; `ConfigError` says what was expected.

The text of these errors is the end of a sentence that begins with the setting's name.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from danebot.config.settings import READY_MADE, ServerAddress
from danebot.domain.addresses import SocketAddress, parse_port, parse_socket_address
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.names import DnsName, Hostname, printable
from danebot.domain.rollover.evidence.policy import LONGEST_WAIT, Occasion
from danebot.errors import ConfigError, NameSyntaxError

ItemT = TypeVar("ItemT")
EnumT = TypeVar("EnumT", bound=enum.Enum)
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(\d{1,9}[wdhms]\s*)+", re.ASCII)
_PART = re.compile(r"(\d{1,9})([wdhms])", re.ASCII)
_LONGEST = timedelta(days=3650)
_MODE = r"0?[0-7]{3}"
_USELESS = 0o133  # for a key file: execution by anyone, writing by others than the owner
_SECOND = timedelta(seconds=1)
_FAR_OUT = 10**15  # of larger ones the digits aren't shown
_MOST = 10**6


class ItemsError(ConfigError):
    """Items of a list that can't be taken: by their index, from 0, what is wrong with each."""

    def __init__(self, items: Mapping[int, str]) -> None:
        super().__init__("; ".join(items.values()))
        self.items = items


def found(value: object) -> str:
    """What a file has in a place, for people."""
    match value:
        case bool():
            return f"found {str(value).lower()}"
        case int() | float():
            far_out = isinstance(value, int) and abs(value) > _FAR_OUT
            return f"found the number {value}" if not far_out else "found a number far out"
        case str():
            return f'found "{printable(value, 60)}"'
        case list():
            return "found a list"
        case dict():
            return "found a table"
        case _:
            return f"found {printable(str(value), 60)}"


def text(value: object) -> str:
    """A string with something in it, on one line."""
    if not isinstance(value, str):
        raise ConfigError(f"must be a string, {found(value)}")
    if not value.strip() or "\0" in value:
        raise ConfigError("must not be empty, nor have a NUL in it")
    return value


def hook(value: object) -> str:
    """A shell command line, or ``@`` and the name of a service that danebot can reload."""
    words = text(value).strip()
    service = words.split(maxsplit=1)[0].removeprefix("@")
    if words.startswith("@") and service not in READY_MADE:
        known = ", ".join(f'"@{name}"' for name in READY_MADE)
        raise ConfigError(f"must be a command line, or one of {known}; {found(value)}")
    return words


def switch(value: object) -> bool:
    """Either true or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"must be true or false, without quotes; {found(value)}")
    return value


def duration_setting(value: object) -> timedelta:
    """A duration such as ``2d`` or ``1h30m``; zero is one too."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ConfigError(
            f'must say its unit: "{value}d" for days, "{value}h", "{value}m", "{value}s"'
        )
    if not isinstance(value, str):
        raise ConfigError(f'must be a duration such as "2d" or "1h30m", {found(value)}')
    span = parse_duration(value)
    if span is None:
        raise ConfigError(
            f'must be a duration such as "2d", "1h30m" or "90s" '
            f"(units w, d, h, m for minutes, s), {found(value)}"
        )
    return span


def parse_duration(words: str) -> timedelta | None:
    """Read ``1h30m``; None if it isn't a duration, or longer than ten years."""
    if not _DURATION.fullmatch(words.strip()):
        return None
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(words))
    if seconds > _LONGEST.total_seconds():
        return None
    return timedelta(seconds=seconds)


def wait(value: object) -> timedelta:
    """A duration that is no longer than what was seen is remembered."""
    span = duration_setting(value)
    if span > LONGEST_WAIT:
        raise ConfigError(
            f"must not be longer than {LONGEST_WAIT.days} days, for which danebot remembers "
            f"what it saw, {found(value)}"
        )
    return span


def time_limit(value: object) -> timedelta:
    """A duration longer than zero."""
    span = duration_setting(value)
    if not span:
        raise ConfigError("must be longer than zero")
    return span


def occasion(value: object) -> timedelta | Occasion:
    """A period, or another occasion by its word."""
    if isinstance(value, str):
        for known in Occasion:
            if value == known.value:
                return known
    try:
        return time_limit(value)
    except ConfigError as exc:
        words = ", ".join(f'"{known.value}"' for known in Occasion)
        raise ConfigError(f"{exc}; or one of {words}") from exc


def count(value: object) -> int:
    """A whole number, 0 included."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ConfigError(f"must be a whole number, 0 to {_MOST}, without quotes; {found(value)}")
    return value


def fraction(value: object) -> float:
    """A number between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(
            f"must be the fraction of a lifetime, between 0 and 1, such as 0.2; {found(value)}"
        )
    return float(value)


def path(value: object) -> Path:
    """An absolute path."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ConfigError(f"must be an absolute path in quotes, {found(value)}")
    return Path(value)


def parse_mode(words: str) -> str | None:
    """Read three or four octal digits; None for another form, or what no key file should have."""
    bits = int(words, 8) if re.fullmatch(_MODE, words) else 0
    return f"{bits:04o}" if bits & 0o400 and not bits & _USELESS else None


def mode(value: object) -> str:
    """A file's mode, as four octal digits."""
    parsed = parse_mode(value) if isinstance(value, str) else None
    if parsed is None:
        raise ConfigError(
            'must be octal digits in quotes, such as "0600" or "0640": readable by the owner, '
            f"writable by nobody else, not executable; {found(value)}"
        )
    return parsed


def group(value: object) -> int:
    """A group's id, from its name."""
    import grp

    try:
        return grp.getgrnam(text(value)).gr_gid
    except KeyError:
        raise ConfigError(f"must be the name of a group of this host, {found(value)}") from None


def key_type(value: object) -> KeyType | None:
    """A type of key; None for ``current``."""
    return None if value == "current" else one_of(KeyType, "current")(value)


def one_of(kind: type[EnumT], *others: str) -> Callable[[object], EnumT]:
    """A parser of the values of an enum; ``others`` are named beside them in the error."""

    def parse(value: object) -> EnumT:
        try:
            return kind(value)
        except ValueError:
            known = ", ".join(f'"{word}"' for word in (*others, *(m.value for m in kind)))
            raise ConfigError(f"must be one of {known}; {found(value)}") from None

    return parse


def list_of(parse: Callable[[object], ItemT]) -> Callable[[object], tuple[ItemT, ...]]:
    """A parser of lists whose items ``parse`` reads."""

    def parse_list(value: object) -> tuple[ItemT, ...]:
        if not isinstance(value, list):
            example = f'["{printable(value, 60)}"]' if isinstance(value, str) else "[...]"
            raise ConfigError(f"must be a list, {example}; {found(value)}")
        items, wrong = [], {}
        for index, item in enumerate(value):
            try:
                items.append(parse(item))
            except ConfigError as exc:
                wrong[index] = f"item {index + 1} {exc}"
        if wrong:
            raise ItemsError(wrong)
        return tuple(items)

    return parse_list


def socket_address(value: object) -> SocketAddress:
    """An address with or without a port: ``192.0.2.1``, ``192.0.2.1:53``, ``[2001:db8::1]:53``."""
    parsed = parse_socket_address(value) if isinstance(value, str) else None
    if parsed is None:
        raise ConfigError(
            'must be an address, with a port if need be: "192.0.2.1", "192.0.2.1:2525", '
            f'"2001:db8::1" or "[2001:db8::1]:2525"; {found(value)}'
        )
    return parsed


def server_address(value: object) -> ServerAddress:
    """A name server by address or name, with or without a port."""
    if isinstance(value, str):
        literal = parse_socket_address(value)
        if literal is not None:
            return ServerAddress(literal.address, literal.port or ServerAddress("").port)
        host, colon, digits = value.strip().partition(":")
        port = parse_port(digits) if colon else ServerAddress("").port
        try:
            if port is not None:
                return ServerAddress(Hostname.parse(host).text, port)
        except NameSyntaxError:
            pass
    raise ConfigError(
        'must be a server\'s address or name, with a port if need be: "192.0.2.53", '
        f'"[2001:db8::53]:5353" or "ns1.example.org"; {found(value)}'
    )


def dns_name(value: object) -> DnsName:
    """A name in DNS, such as that of a zone."""
    try:
        return DnsName.parse(text(value))
    except NameSyntaxError:
        raise ConfigError(f'must be a DNS name, such as "example.org"; {found(value)}') from None


def ttl(value: object) -> timedelta:
    """A duration of at least a second, as TTLs count."""
    span = duration_setting(value)
    if span < _SECOND:
        raise ConfigError("must be at least a second; leave it out to keep the TTL that is there")
    return span


def host_and_port(words: str) -> tuple[Hostname, int]:
    """Read ``mx.example.org:25``."""
    host, _, port = words.rpartition(":")
    number = parse_port(port)
    try:
        if number is not None:
            return Hostname.parse(host), number
    except NameSyntaxError:
        pass
    raise ConfigError('must be named by host and port, such as "mx.example.org:25"')
