"""The status document begins anew where it is absent or damaged; otherwise it waits."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import pytest

from adapters.trees import NAME
from danebot.adapters.codec import decode
from danebot.adapters.status_file import load_status
from danebot.domain.event import Event, EventKind
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.status.document import LAST_EVENTS, Snapshot
from danebot.errors import TreeError
from danebot.jobs.overview import look_over
from danebot.jobs.snapshot import News, Scope, leave_word, this_run, write_snapshot
from jobs.world import World

NOW, HOUR = datetime(2026, 6, 1, tzinfo=UTC), timedelta(hours=1)


def test_a_document_that_fails_to_read_is_not_replaced(tmp_path: Path) -> None:
    """A link to itself stands for a disk that fails to read."""
    path = tmp_path / "status.json"
    path.symlink_to(path)
    with pytest.raises(TreeError, match=r"status\.json can't be read: .*remove it to begin anew"):
        leave_word(path, this_run("renew", NOW, NOW, 1), ())
    assert path.is_symlink()


def test_a_tree_that_fails_to_read_was_not_moved(tmp_path: Path) -> None:
    """The same stand-in: the other tree's document stays the other's."""
    path, run = tmp_path / "status.json", this_run("renew", NOW, NOW, 1)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/renewal").symlink_to("renewal")
    leave_word(path, run, (), tmp_path / "a")
    before = path.read_bytes()
    with pytest.raises(TreeError, match=r"cannot read .*a/renewal: Too many levels"):
        leave_word(path, run, (), tmp_path / "b")
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]"])
def test_absence_and_damage_begin_anew(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "status.json"
    if content is not None:
        path.write_bytes(content)
    leave_word(path, this_run("renew", NOW, NOW, 1), ())
    assert b'"schema": 1' in path.read_bytes()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_directories_are_for_all_to_read_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new" / "state" / "status.json"
    before = os.umask(umask)
    try:
        leave_word(path, this_run("renew", NOW, NOW, 1), ())
    finally:
        os.umask(before)
    for one, mode in ((path, 0o644), (path.parent, 0o755), (path.parent.parent, 0o755)):
        assert one.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize(("mode", "owner"), [(0o777, 0), (0o1777, 0), (0o755, 65534)])
def test_a_directory_where_others_may_write_is_told(tmp_path: Path, mode: int, owner: int) -> None:
    """Nothing that danebot keeps there is believed: that must not be silent."""
    if owner and os.geteuid():
        pytest.skip("only root gives a directory away")
    world = World(tmp_path)
    state = world.settings.state_directory
    state.mkdir(mode=0o755)
    assert not any(str(state) in one.text for one in world.renew().findings)
    state.chmod(mode)
    os.chown(state, owner or -1, -1)
    (told,) = (one for one in world.renew().findings if str(state) in one.text)
    assert "isn't believed" in told.text
    assert told.remedy.startswith(f"run: chown root: {state}; chmod go-w {state}")


def test_that_there_is_no_lineage_is_refuted_by_who_saw_one_alone(tmp_path: Path) -> None:
    """A run that could read none, as where a disk fails, leaves what was told before."""
    world = World(tmp_path)
    path, run = tmp_path / "status.json", this_run("init", NOW, NOW, 1)
    told = Finding(Code.NOTHING_TO_RENEW, Severity.WARNING, "", "certbot has no lineage")
    leave_word(path, run, (told,))
    for views in ((), look_over(world.context, [NAME]).views):
        write_snapshot(path, run, News(Scope.EVERYTHING, views, (), lambda _: False))
        assert [one.text for one in load_status(path).findings] == ([] if views else [told.text])


# ---- changes --------------------------------------------------------------------------------


def _event(number: int) -> Event:
    return Event(NOW + number * HOUR, EventKind.DEPLOYED, "mail.example", f"version {number}")


def test_the_last_changes_stay_and_none_counts_twice(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    for last in (1, 2, LAST_EVENTS + 5):
        leave_word(path, this_run("renew", NOW, NOW, 0), (), None, [_event(n) for n in range(last)])
    kept = load_status(path).events
    assert [event.text for event in kept] == [f"version {n}" for n in range(5, LAST_EVENTS + 5)]
    leave_word(path, this_run("renew", NOW, NOW, 1), ())
    assert load_status(path).events == kept


def test_changes_are_no_hindrance_to_other_versions(tmp_path: Path) -> None:
    """One that doesn't know the field passes it over; a kind of a later one is taken as it is."""
    hints = get_type_hints(Snapshot)
    known = [(name, hints[name]) for name in Snapshot._fields if name != "events"]
    former = NamedTuple("former", known)  # type: ignore[misc]
    path = tmp_path / "status.json"
    leave_word(path, this_run("renew", NOW, NOW, 0), (), None, [_event(1)])
    document = json.loads(path.read_text())
    read: Any = decode(former, document)
    assert read.run == load_status(path).run
    document["events"][0]["kind"] = "of a later version"
    path.write_text(json.dumps(document))
    assert load_status(path).events[0].kind == "of a later version"
