"""What changed is told in a line each: to the journal or syslog, and in the status document."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e.site import INSTALLED, MAIL, Site
from e2e.steps import cooled

pytestmark = pytest.mark.lab


def _events(site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(site.snapshot.read_text())["events"]
    return found


def _kinds(site: Site) -> list[str]:
    return [event["kind"] for event in _events(site)]


def test_an_ordinary_renewal_leaves_a_trace(site: Site, tmp_path: Path) -> None:
    """In the journal, when the unit's standard error leads there, and nowhere else."""
    site.staged()
    assert _kinds(site) == ["initialised"]
    site.lab.make_due(MAIL)
    began = datetime.now(UTC)
    site.python = INSTALLED
    with (tmp_path / "journal").open("w+b") as journal:
        here = tmp_path.joinpath("journal").stat()
        env = site.env() | {"JOURNAL_STREAM": f"{here.st_dev}:{here.st_ino}"}
        argv = site.command("renew")
        run = subprocess.run(argv, stdout=subprocess.PIPE, stderr=journal, env=env, check=False)
        journal.seek(0)
        lines = journal.read().decode().splitlines()
    assert (run.returncode, run.stdout) == (0, b"")
    assert [line.split(":")[0] for line in lines] == [f"<5>{MAIL}"] * 3
    events = _events(site)[1:]
    assert [event["kind"] for event in events] == ["renewed", "deployed", "confirmed"]
    assert [f"<5>{event['lineage']}: {event['text']}" for event in events] == lines
    assert events[1]["text"].startswith("version 2 is live, valid until ")
    assert all(began <= datetime.fromisoformat(one["at"]) <= datetime.now(UTC) for one in events)
    said = site.ok("-v", "status", MAIL)
    assert f"{MAIL}: {events[1]['text']}" in said
    assert json.loads(site.ok("status", "--json"))["events"][1:] == events


def test_a_rollover_leaves_one_for_each_step(site: Site) -> None:
    _, new = cooled(site)
    site.ok("renew")
    assert _kinds(site) == [
        *("initialised", "key-made", "promoted", "deployed", "confirmed", "retired")
    ]
    made, promoted = _events(site)[1:3]
    digest = new.split()[-1]
    assert digest in made["text"]
    assert digest in promoted["text"]
    site.ok("newkey", MAIL)
    site.danebot("newkey", "--cancel", MAIL)
    assert _kinds(site)[6:] == ["key-made", "key-cancelled", "key-forgotten"]
    assert "PRIVATE" not in site.snapshot.read_text()


def test_other_changes_leave_one_as_well(site: Site) -> None:
    site.staged()
    site.danebot("newkey", "--emergency", MAIL)
    site.ok("deinit", "--drop-keys", MAIL)
    assert _kinds(site) == ["initialised", "key-made", "emergency", "given-back"]
