"""What was parsed is kept over runs, for files that stay the same, and only for these.

Whether something comes from the record shows by a record that says something else than the file.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters import trees
from adapters.trees import NAME, Grown
from danebot.adapters.tree import parsed_cache
from danebot.adapters.tree.parsed_cache import ParsedStore
from danebot.adapters.tree.tree import Tree
from danebot.domain.lineage.state import LineageState

pytestmark = pytest.mark.once

SETTLED = 2_000_000_000  # nanoseconds after which a file is old enough


@dataclass
class Clock:
    """The store's: an hour ahead, so that all files are old, or as it is told."""

    told: int | None = None

    def time_ns(self) -> int:
        return time.time_ns() + 3600 * 10**9 if self.told is None else self.told


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(parsed_cache, "time", clock)
    return clock


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    (tmp_path / "state").mkdir()
    grown = trees.staged(tmp_path / "tree")
    grown.staging_file("ready.pem", trees.key_pem("other"))
    time.sleep(0.02)  # more than the file system's clock takes for a tick
    return grown


def record_of(grown: Grown) -> Path:
    return grown.root.parent / "state" / "parsed.json"


def run(grown: Grown) -> LineageState:
    """One run: what it sees of the lineage, which it puts on record."""
    tree = Tree(grown.root, ParsedStore(record_of(grown)))
    state = tree.read(NAME)
    tree.reader.keep()
    return state


def forge(grown: Grown) -> None:
    """From now on the record says of every chain that its serial number is 7."""
    document = json.loads(record_of(grown).read_bytes())
    for _, value in document["files"].values():
        if len(value) > 2:
            value[-1] = 7
    record_of(grown).write_text(json.dumps(document))


def serials(state: LineageState) -> set[int]:
    return {held.chain.serial for held in (state.live, state.combo) if held is not None}


def test_what_comes_from_the_record_is_what_was_parsed(grown: Grown) -> None:
    parsed = run(grown)
    assert parsed.faults == ()
    assert parsed == grown.tree.read(NAME)
    assert run(grown) == parsed
    forge(grown)
    assert serials(run(grown)) == {7}


def test_a_key_of_no_type_that_certbot_knows(grown: Grown) -> None:
    run(grown)
    text = record_of(grown).read_text()
    assert '"p256"' in text
    record_of(grown).write_text(text.replace('"p256"', "null"))
    state = run(grown)
    assert state.current_key == trees.public("one")
    assert state.current_key is not None
    assert state.current_key.key_type is None


def test_a_file_that_changed_is_parsed_anew(grown: Grown) -> None:
    run(grown)
    forge(grown)
    os.utime(grown.paths.live / "combo.pem")
    state = run(grown)
    assert state.live is not None
    assert state.combo is not None
    assert (state.live.chain.serial == 7, state.combo.chain.serial == 7) == (True, False)


def test_a_file_whose_times_are_set_back_is_parsed_anew(grown: Grown) -> None:
    """Same inode, size and time of modification."""
    run(grown)
    ready = grown.paths.staging / "ready.pem"
    before = ready.stat()
    with ready.open("r+b") as file:
        file.write(trees.key_pem("third"))
    os.utime(ready, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (ready.stat().st_size, ready.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert run(grown).awaited_key == trees.public("third")


def young(grown: Grown, clock: Clock) -> None:
    """Write combo anew; all other files are old enough, by the tick that lies between."""
    grown.combo("one", 1)
    clock.told = (grown.paths.live / "combo.pem").stat().st_ctime_ns + SETTLED


def test_a_young_file_is_not_put_on_record(grown: Grown, clock: Clock) -> None:
    """It might change again without its times showing it."""
    young(grown, clock)
    run(grown)
    files = json.loads(record_of(grown).read_bytes())["files"]
    assert files
    assert not [name for name in files if name.endswith("/combo.pem")]


def test_a_file_that_was_young_when_it_was_read_stays_so_however_long_the_run_takes(
    grown: Grown, clock: Clock
) -> None:
    """Right after it was read it could change without its times showing it."""
    young(grown, clock)
    tree = Tree(grown.root, ParsedStore(record_of(grown)))
    tree.read(NAME)
    clock.told = None
    tree.reader.keep()
    files = json.loads(record_of(grown).read_bytes())["files"]
    assert files
    assert not [name for name in files if name.endswith("/combo.pem")]


def test_no_private_key_is_on_record(grown: Grown) -> None:
    run(grown)
    assert record_of(grown).stat().st_mode & 0o777 == 0o600
    text = record_of(grown).read_text()
    assert "PRIVATE" not in text
    document = json.loads(text)
    for name, (_, value) in document["files"].items():
        if name.startswith("PublicKey "):
            spki, key_type = value
            assert bytes.fromhex(spki) in {trees.public("one").spki, trees.public("other").spki}
            assert key_type == "p256"


def test_nothing_is_written_when_nothing_is_new(grown: Grown) -> None:
    run(grown)
    before = record_of(grown).stat()
    run(grown)
    after = record_of(grown).stat()  # it was read, so st_atime may be another
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "[]",
        '{"schema": 2}',
        "[" * 100_000,
        '{"schema": 1, "certificates": [], "files": {}}',
    ],
    ids=["empty", "a list", "another schema", "too deep", "nothing"],
)
def test_a_damaged_record_is_no_record(grown: Grown, damage: str) -> None:
    parsed = run(grown)
    good = record_of(grown).read_bytes()
    record_of(grown).write_text(damage)
    assert run(grown) == parsed
    assert record_of(grown).read_bytes() == good


@pytest.mark.parametrize("value", [None, [], ["zz", None], [[99], ["", None], 0, 0, [], 1], 5])
def test_a_damaged_entry_is_no_entry(grown: Grown, value: Any) -> None:  # noqa: ANN401 - JSON
    parsed = run(grown)
    document = json.loads(record_of(grown).read_bytes())
    for entry in document["files"].values():
        entry[1] = value
    record_of(grown).write_text(json.dumps(document))
    assert run(grown) == parsed


def test_without_a_directory_for_the_record_every_run_parses(grown: Grown) -> None:
    parsed = run(grown)
    record_of(grown).unlink()
    record_of(grown).parent.rmdir()
    assert run(grown) == parsed
