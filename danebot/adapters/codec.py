"""Frozen dataclasses to JSON and back, by their annotations.

Times are ISO 8601 with offset, durations are seconds, bytes are lower-case hex, enums are their
values, names are their text.  A field that a document lacks takes its default, so an older
document stays readable; a field that this version doesn't know is passed over.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from danebot.domain.names import DnsName, Hostname

Json = typing.Any
T = typing.TypeVar("T")


def encode(value: object) -> Json:
    """A JSON document for ``value``."""
    match value:
        case None | bool() | int() | float() | str():
            return value.value if isinstance(value, enum.Enum) else value
        case enum.Enum():
            return value.value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case DnsName() | Hostname():
            return value.text
        case Mapping():
            return {encode(k): encode(v) for k, v in value.items()}
        case frozenset():
            return sorted(encode(item) for item in value)
        case tuple() | list():
            return [encode(item) for item in value]
        case _ if dataclasses.is_dataclass(value):
            names = (field.name for field in dataclasses.fields(value))
            return {name: encode(getattr(value, name)) for name in names}
        case _:
            raise TypeError(f"no JSON form for {type(value).__name__}")


def decode(kind: type[T], document: Json) -> T:
    """A value of ``kind`` from a JSON document; ValueError says where it doesn't fit."""
    result: T = _decode(kind, document, "document")
    return result


@cache
def _hints(kind: type) -> dict[str, typing.Any]:
    return typing.get_type_hints(kind)


_SCALARS: dict[object, Callable[[Json], object]] = {
    datetime: lambda text: _aware(datetime.fromisoformat(text)),
    timedelta: lambda seconds: timedelta(seconds=float(seconds)),
    bytes: bytes.fromhex,
    DnsName: DnsName.parse,
    Hostname: Hostname.parse,
}


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("time without offset")
    return moment.astimezone(UTC)


def _decode(kind: typing.Any, document: Json, where: str) -> typing.Any:
    try:
        if kind in _SCALARS:
            return _SCALARS[kind](document)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return kind(document)
        if kind in (int, float, str, bool):
            wanted = (int, float) if kind is float else kind
            if not isinstance(document, wanted) or (kind is int and isinstance(document, bool)):
                raise ValueError(f"not {kind.__name__}")
            return document
    except (ValueError, TypeError, OverflowError) as exc:
        raise ValueError(f"{where}: {exc}") from exc
    return _decode_composite(kind, document, where)


def _decode_composite(kind: typing.Any, document: Json, where: str) -> typing.Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if document is None and type(None) in arguments:
            return None
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _decode(inner, document, where)
    if origin in (tuple, frozenset):
        if not isinstance(document, list):
            raise ValueError(f"{where}: not a list")
        items = (_decode(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(document))
        return origin(items)
    if not isinstance(document, dict):
        raise ValueError(f"{where}: not an object")
    if origin is not None and issubclass(origin, Mapping):
        key, inner = arguments
        return {
            _decode(key, k, where): _decode(inner, v, f"{where}.{k}") for k, v in document.items()
        }
    return _decode_dataclass(kind, document, where)


def _decode_dataclass(kind: typing.Any, document: dict[str, Json], where: str) -> typing.Any:
    hints = _hints(kind)
    values = {
        name: _decode(hints[name], document[name], f"{where}.{name}")
        for name in (field.name for field in dataclasses.fields(kind))
        if name in document
    }
    try:
        return kind(**values)
    except TypeError as exc:
        raise ValueError(f"{where}: {exc}") from exc
