"""The schema of the status document, the code that writes it, and real documents agree."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from danebot.adapters.codec import encode
from danebot.domain.dns.answers import Security
from danebot.domain.event import EventKind
from danebot.domain.finding import RUN_SEVERITIES, Code
from danebot.domain.lineage.state import Management
from danebot.domain.rollover.evidence.propagation import Seen
from danebot.domain.rollover.steps.phases import Phase
from danebot.domain.status.advised import Advised
from danebot.domain.status.document import SCHEMA, Prospect, Serves, Snapshot
from exporter import sample
from exporter.shapes import definition, reachable
from schemas import schema

KINDS = reachable(Snapshot)
VALUES: dict[tuple[str, str], list[str]] = {
    ("LineageStatus", "management"): [one.value for one in Management],
    ("LineageStatus", "phase"): [one.value for one in Phase],
    ("RecordStatus", "role"): ["current", "awaited", "anchor"],
    ("RecordStatus", "seen"): [one.value for one in Seen],
    ("RecordStatus", "security"): ["", *(one.value for one in Security)],
    ("FindingStatus", "code"): [one.value for one in Code],
    ("FindingStatus", "severity"): [one.word for one in RUN_SEVERITIES],
    ("FailureStatus", "code"): [one.value for one in Code],
    ("EventStatus", "kind"): [one.value for one in EventKind],
    ("LineageStatus", "emergency"): [one.value for one in Prospect],
    ("ProbeStatus", "serves"): [one.value for one in Serves],
}


def validate(document: object) -> None:
    validator = jsonschema.Draft202012Validator(
        schema("status"), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    validator.validate(document)


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema("status"))


def test_it_defines_what_the_code_writes_and_nothing_else() -> None:
    assert set(schema("status")["$defs"]) == set(KINDS) - {"Snapshot"}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_it_has_the_fields_of(name: str) -> None:
    document = schema("status") if name == "Snapshot" else schema("status")["$defs"][name]
    wanted = definition(KINDS[name])
    assert document["description"]
    assert document["required"] == wanted["required"]
    assert list(document["properties"]) == list(wanted["properties"])
    for field, found in document["properties"].items():
        values = VALUES.get((name, field))
        assert found.get("enum") == values, field
        rest = {k: v for k, v in found.items() if k not in {"description", "enum", "const"}}
        assert rest == wanted["properties"][field], field
    assert schema("status")["properties"]["schema"]["const"] == SCHEMA


@pytest.mark.parametrize("name", ["FirstStatus", "ObjectionStatus", "OwnedStatus", "Advised"])
def test_the_schema_of_tlsa_has_the_fields_of(name: str) -> None:
    document = schema("tlsa") if name == "Advised" else schema("tlsa")["$defs"][name]
    wanted = definition(reachable(Advised)[name])
    parts = ["usage", "selector", "matching_type", "data"] if name == "OwnedStatus" else []
    assert document["required"] == wanted["required"] + parts
    assert set(document["properties"]) == set(wanted["properties"])
    for field, found in document["properties"].items():
        rest = {k: v for k, v in found.items() if k not in {"description", "const"}}
        assert rest == wanted["properties"][field], field


def test_documents_validate() -> None:
    validate(encode(sample.snapshot(sample.every_situation())))
    validate(encode(sample.snapshot()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("run", "exit_status"), "0"),
        (("lineages", 0, "phase"), "unheard-of"),
        (("lineages", 0, "live", "key", "digest"), "zz"),
        (("lineages", 0, "records"), None),
    ],
)
def test_what_does_not_fit_is_refused(path: tuple[str | int, ...], value: object) -> None:
    document = encode(sample.snapshot([sample.lineage("mail.example.test")]))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(document)


def test_a_field_that_a_later_version_adds_is_no_fault() -> None:
    document = encode(sample.snapshot([sample.lineage("mail.example.test")]))
    document["lineages"][0]["colour"] = "green"
    validate(document)


def test_a_document_of_an_earlier_version_is_still_read(tmp_path: Path) -> None:
    from danebot.adapters.status_file import load_status

    old = sample.lineage("mail.example.test")._replace(phase_since=None, probes=())
    document = encode(sample.snapshot([old._replace(last_success=None)]))
    for field in ("phase_since", "last_success", "last_failure", "probes"):
        del document["lineages"][0][field]
    validate(document)
    path = tmp_path / "status.json"
    path.write_text(json.dumps(document))
    assert load_status(path).lineages[0].probes == ()
