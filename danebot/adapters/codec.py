"""Frozen dataclasses and named tuples to JSON and back, by their annotations.

Times are ISO 8601 with offset, durations are seconds, bytes are lower-case hex, enums are their
values, names are their text.  A field that a document lacks takes its default, so an older
document stays readable; a field that this version doesn't know is passed over.

check_danebot reads its document with it every minute, so what named tuples don't need is imported
where it is needed.
"""

from __future__ import annotations

import enum
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from operator import attrgetter

from danebot.errors import DanebotError

if typing.TYPE_CHECKING:
    from danebot.domain.names import DnsName, Hostname

Json: typing.TypeAlias = typing.Any
Kind: typing.TypeAlias = typing.Any
Decoder: typing.TypeAlias = Callable[[Json], typing.Any]
Span: typing.TypeAlias = tuple[datetime, datetime]
T = typing.TypeVar("T")


_CENTURY = 100 * 366 * 86400.0  # seconds
_PLAIN = frozenset((str, int, float, bool, type(None)))
_ENCODERS: dict[type, Callable[[typing.Any], Json]] = {
    datetime: lambda moment: _in_utc(moment).isoformat(),
    timedelta: timedelta.total_seconds,
    bytes: bytes.hex,
    frozenset: lambda items: sorted(map(encode, items)),
    tuple: lambda items: [item if type(item) in _PLAIN else encode(item) for item in items],
    list: lambda items: [encode(item) for item in items],
}


def encode(value: object) -> Json:
    """A JSON document for ``value``; TypeError for what has no form."""
    kind: Kind = type(value)
    return _encoder(kind)(value)


@cache
def _encoder(kind: Kind) -> Callable[[typing.Any], Json]:
    """What turns values of ``kind`` into JSON, put together once."""
    if kind in _PLAIN:
        return lambda value: value
    if kind in _ENCODERS:
        return _ENCODERS[kind]
    if issubclass(kind, enum.Enum):
        return attrgetter("value")
    if issubclass(kind, Mapping):
        return lambda value: {encode(key): encode(item) for key, item in value.items()}
    if not hasattr(kind, "_fields") and kind in _names():
        return str
    names = field_names(kind)
    if hasattr(kind, "parts"):  # a record, in its parts too
        return lambda value: {
            **{name: encode(getattr(value, name)) for name in names},
            **(value.parts._asdict() if value.parts is not None else {}),
        }
    if hasattr(kind, "_fields"):
        return lambda value: {
            name: item if type(item) in _PLAIN else encode(item)
            for name, item in zip(names, value, strict=True)
        }
    return lambda value: {name: encode(getattr(value, name)) for name in names}


def _names() -> tuple[type[DnsName], type[Hostname]]:
    """Return the kinds whose form is their text."""
    from danebot.domain.names import DnsName, Hostname

    return DnsName, Hostname


def decode(kind: type[T], document: Json, *, within: Span | None = None) -> T:
    """A value of ``kind`` from a JSON document; ValueError says where it doesn't fit.

    Neither does a time outside ``within``: from the first on, and before the second.
    """
    try:
        plain: Kind = kind
        decoded: T = _decoder(plain, within)(document)
    except (TypeError, AttributeError, OverflowError, DanebotError) as exc:
        raise ValueError(f"not a {kind.__name__}: {exc}") from exc
    return decoded


def field_names(kind: Kind) -> tuple[str, ...]:
    """Return the fields of a dataclass or a named tuple; TypeError for what is neither."""
    if hasattr(kind, "_fields"):
        names: tuple[str, ...] = kind._fields
        return names
    import dataclasses

    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"no JSON form for {kind.__name__}")
    return tuple(field.name for field in dataclasses.fields(kind))


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return _in_utc(moment)


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


_DECODERS: dict[object, Decoder] = {
    datetime: _aware,
    timedelta: lambda seconds: _duration(float(seconds)),
    bytes: bytes.fromhex,
}


@cache
def _decoder(kind: Kind, within: Span | None = None) -> Decoder:
    """What turns a document into ``kind``, put together once."""
    if kind is datetime and within is not None:
        return _time(*within)
    if kind in _DECODERS:
        return _DECODERS[kind]
    if kind in _PLAIN:
        return _plain(kind)
    origin: Kind = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        (inner,) = (_decoder(one, within) for one in arguments if one is not type(None))
        return lambda document: None if document is None else inner(document)
    if origin in (tuple, frozenset):
        return _sequence(origin, _decoder(arguments[0], within))
    if origin is not None:
        return _mapping(*(_decoder(one, within) for one in arguments))
    if issubclass(kind, enum.Enum):
        members: Decoder = kind
        return members
    if not hasattr(kind, "_fields") and kind in _names():
        known: Decoder = lru_cache(maxsize=1000)(kind.known)  # servers' are in every memory
        return known
    return _record(kind, within)


def _time(earliest: datetime, end: datetime) -> Decoder:
    def decoded(document: Json) -> datetime:
        moment = _aware(document)
        if not earliest <= moment < end:
            raise ValueError(f"{moment.date()} is no time of a run")
        return moment

    return decoded


def _plain(kind: Kind) -> Decoder:
    wanted = (int, float) if kind is float else (kind,)

    def decoded(document: Json) -> Json:
        if type(document) not in wanted:
            raise ValueError(f"{document!r} is not of type {kind.__name__}")
        return document

    return decoded


def _sequence(origin: Kind, inner: Decoder) -> Decoder:
    def decoded(document: Json) -> object:
        if not isinstance(document, list):
            raise ValueError(f"{document!r} is not a list")  # noqa: TRY004 - decode's one error
        return origin(map(inner, document))

    return decoded


def _mapping(keys: Decoder, values: Decoder) -> Decoder:
    def decoded(document: Json) -> object:
        return {keys(key): values(value) for key, value in _entries(document)}

    return decoded


def _record(kind: Kind, within: Span | None) -> Decoder:
    names = frozenset(field_names(kind))
    nullable = {name for name in names if _annotation(kind, name).endswith("| None")}
    decoders: dict[str, Decoder] = {}

    def decoded(document: Json) -> object:
        values: dict[str, object] = {}
        for name, value in _entries(document):
            if value is None and name in nullable:
                values[name] = None
            elif name in names:
                if name not in decoders:  # it takes long to resolve, and many are seldom met
                    decoders[name] = _decoder(_hint(kind, name), within)
                try:
                    values[name] = decoders[name](value)
                except (ValueError, TypeError, DanebotError) as exc:
                    raise ValueError(f"{name}: {exc}") from exc
        return kind(**values)

    return decoded


def _annotation(kind: Kind, name: str) -> str:
    """The annotation of a field as it stands in the source; "" where that isn't at hand."""
    found = vars(kind).get("__annotations__", {}).get(name)
    return found if isinstance(found, str) else ""


def _hint(kind: Kind, name: str) -> Kind:
    """What `typing.get_type_hints` has for a field, without resolving those of all others."""
    text = _annotation(kind, name)
    return _resolved(kind.__module__, text) if text else typing.get_type_hints(kind)[name]


@cache
def _resolved(module: str, text: str) -> Kind:
    return eval(text, vars(sys.modules[module]))  # noqa: S307 - it stands in a module of ours


def _entries(document: Json) -> Iterable[tuple[str, Json]]:
    if not isinstance(document, dict):
        raise ValueError(f"{document!r} is not an object")  # noqa: TRY004 - decode's one error
    return document.items()


def _duration(seconds: float) -> timedelta:
    """A duration of a century at most: with a longer one no time can be reckoned."""
    if not abs(seconds) <= _CENTURY:
        raise ValueError(f"{seconds} s is no duration")
    return timedelta(seconds=seconds)
