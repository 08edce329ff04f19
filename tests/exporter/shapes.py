"""The structure that JSON of a named tuple has, as JSON Schema, by the codec's rules."""

from __future__ import annotations

import types
import typing
from datetime import datetime, timedelta
from typing import Any

_SCALARS: dict[object, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bytes: {"type": "string", "pattern": "^([0-9a-f]{2})*$"},
    datetime: {"type": "string", "format": "date-time"},
    timedelta: {"type": "number"},
}
_PARTS: dict[str, dict[str, Any]] = {
    **{key: {"type": "integer"} for key in ("usage", "selector", "matching_type")},
    "data": _SCALARS[bytes],
}


def shape(kind: object) -> dict[str, Any]:
    """The schema of one annotation."""
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    if _has_fields(kind):
        return {"$ref": f"#/$defs/{getattr(kind, '__name__', '')}"}
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        (inner,) = (one for one in arguments if one is not type(None))
        return {"anyOf": [shape(inner), {"type": "null"}]}
    assert origin is tuple
    assert arguments[1] is ...
    return {"type": "array", "items": shape(arguments[0])}


def definition(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - the class of a named tuple
    """The schema of a named tuple; a field with a default may be absent."""
    hints = typing.get_type_hints(kind)
    required = [name for name in kind._fields if name not in kind._field_defaults]
    properties = {name: shape(hints[name]) for name in kind._fields}
    if hasattr(kind, "parts"):  # a record's parts; documents of earlier versions lack them
        properties |= _PARTS
    return {"type": "object", "required": required, "properties": properties}


def _has_fields(kind: object) -> bool:
    return isinstance(kind, type) and hasattr(kind, "_field_defaults")


def reachable(kind: type) -> dict[str, type]:
    """All named tuples that a document of ``kind`` is made of, by name."""
    found = {kind.__name__: kind}
    waiting = list(typing.get_type_hints(kind).values())
    while waiting:
        one = waiting.pop()
        waiting += typing.get_args(one)
        if _has_fields(one) and one.__name__ not in found:
            found[one.__name__] = one
            waiting += typing.get_type_hints(one).values()
    return found
