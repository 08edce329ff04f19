"""What ``--json`` prints is what the shipped schemas tell, in every situation of the desk."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

import command_line
from adapters.trees import NAME
from danebot.adapters.status_file import load_status
from schemas import NAMES, faults, paths, schema
from verbs.desk import HERE, OWNER, Desk, of_key

FORM = ("usage", "selector", "matching_type", "data")
CALLS = {
    "status": ("status", ("status", "--json")),
    "renew": ("status", ("renew", "--json")),
    "renew --dry-run": ("status", ("renew", "--json", "--dry-run")),
    "tlsa": ("tlsa", ("tlsa", "--json", NAME)),
    "tlsa --anchors": ("anchors", ("tlsa", "--json", "--anchors", NAME)),
}
every = pytest.mark.parametrize(("name", "words"), CALLS.values(), ids=CALLS)


def told(desk: Desk, *words: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(desk.danebot(*words).out)
    return document


def records(document: object) -> list[dict[str, Any]]:
    """Every object that holds a record."""
    if isinstance(document, list):
        return [found for one in document for found in records(one)]
    if not isinstance(document, dict):
        return []
    inner = [found for one in document.values() for found in records(one)]
    return [document, *inner] if "record" in document else inner


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["properties"]["document"]["const"] == f"danebot-{name}"


def test_every_verb_that_prints_json_has_a_schema() -> None:
    prints = {
        name
        for name, verb in command_line.VERBS.items()
        if any(o.name == "as_json" for o in verb.params)
    }
    assert prints == {"status", "renew", "tlsa", "verify", "doctor", "files", "record"}


@every
@pytest.mark.parametrize("dns", ["right", "lacking", "dead", "more"])
@pytest.mark.parametrize("lines", [(f"1 {HERE}",), ("- *",), ()])
def test_it_fits_the_schema(
    desk: Desk, name: str, words: tuple[str, ...], dns: str, lines: tuple[str, ...]
) -> None:
    desk.staged(*lines)
    desk.dns.dead = dns == "dead"
    if dns in ("right", "more"):
        desk.dns.publish(of_key("one"), *([of_key("two")] if dns == "more" else []))
    document = told(desk, *words)
    assert faults(name, document) == []
    assert (document["document"], document["schema"]) == (f"danebot-{name}", 1)
    for one in records(document):
        numbers = [str(one[key]) for key in FORM]
        assert " ".join(numbers) == one["record"]


@every
def test_a_key_that_is_missing_or_new_is_found(
    desk: Desk, name: str, words: tuple[str, ...]
) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    desk.danebot("renew")
    document = told(desk, *words)
    required = _required(schema(name))
    places = [path for path in paths(document) if path[-1] in required]
    assert places
    for path in places:
        broken = deepcopy(document)
        inner: Any = broken
        for step in path[:-1]:
            inner = inner[step]
        inner["unheard-of"] = inner.pop(path[-1])
        assert len(faults(name, broken)) >= 1, path


def _required(part: object) -> set[str]:
    if isinstance(part, list):
        return set().union(*map(_required, part)) if part else set()
    if not isinstance(part, dict):
        return set()
    own = set(part["required"]) if isinstance(part.get("required"), list) else set()
    return own.union(*map(_required, part.values()))


def test_status_and_renew_fill_the_keys_of_the_status_document(desk: Desk) -> None:
    """A comparison with the run before tells some: the same, whoever prints them."""
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    renewed = told(desk, "renew", "--json")
    kept = desk.document()
    assert kept["lineages"][0]["phase_since"]
    assert {**renewed, "events": []} == {**kept, "events": []}
    for words in (("status", "--json"), ("renew", "--dry-run", "--json")):
        kept, document = desk.document(), told(desk, *words)
        assert document.keys() == kept.keys()
        for one in (document, kept):
            del one["lineages"][0]["emergency_wait"]  # counts down
        changing = ("run", "events", "findings")
        assert {k: v for k, v in document.items() if k not in changing} == {
            k: v for k, v in kept.items() if k not in changing
        }
        assert document["run"]["verb"] == " ".join(w for w in words if w != "--json")


def test_the_same_record_has_the_same_form_in_status_and_tlsa(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    for verb, at in (("add", ()), ("remove", (of_key("one"),))):
        desk.dns.publish(*at)
        publication = told(desk, "status", "--json")["lineages"][0]["publication"]
        advised = told(desk, "tlsa", "--json", NAME)
        assert publication[f"to_{verb}"] == advised[verb]
        assert bool(advised[verb]) == (verb == "add")
    assert faults("status", told(desk, "status", "--json")) == []


def test_what_status_prints_can_be_read_as_the_status_document(desk: Desk, tmp_path: Path) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    path = tmp_path / "status.json"
    path.write_text(desk.danebot("status", "--json").out)
    assert load_status(path).lineages[0].name == NAME
    assert load_status(path).run.ended <= datetime.now(UTC)


def test_the_form_of_a_record_that_a_later_version_wrote_is_left_out(desk: Desk) -> None:
    """An older document has the text alone, too: what is kept of it is written with its parts."""
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    desk.danebot("renew")
    snapshot = Path(desk.settings["snapshot"])
    document = json.loads(snapshot.read_text())
    (record,) = document["lineages"][0]["records"]
    for key in FORM:
        del record[key]
    snapshot.write_text(json.dumps(document))
    assert load_status(snapshot).lineages[0].records[0].parts is not None
    record["record"] = "later"
    snapshot.write_text(json.dumps(document))
    assert load_status(snapshot).lineages[0].records[0].parts is None
    desk.dns.publish(of_key("one"), owner=OWNER)
    assert desk.danebot("renew").status == 0
