"""The schemas that danebot ships, as its JSON is judged by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema  # type: ignore[import-untyped]

NAMES = ("anchors", "doctor", "files", "record", "status", "tlsa", "verify")


def schema(name: str) -> dict[str, Any]:
    """The schema of the document ``danebot-NAME``, from the package."""
    text = (files("danebot") / "schema" / f"{name}.schema.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def faults(name: str, document: object) -> list[str]:
    """What doesn't fit, each as ``PATH: WORDS``; keys that the schema doesn't tell of, too."""
    validator = jsonschema.Draft202012Validator(
        _closed(schema(name)), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(document)]


def paths(document: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of every key of a document; of the items of a list, those of the first."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield (*at, key)
            yield from paths(value, (*at, key))
    elif isinstance(document, list) and document:
        yield from paths(document[0], (*at, 0))


def _closed(part: Any) -> Any:  # noqa: ANN401 - JSON
    """The schema with no key allowed beside those that it tells of."""
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(value) for key, value in part.items()}
    if part.get("type") == "object" and "properties" in part:
        closed["additionalProperties"] = False
    return closed
