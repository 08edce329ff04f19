"""The disk that forgets: who writes as one must has the old or the new, who doesn't is caught.

Each way of writing is a program that really runs; what it did is recorded and replayed.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from prove.disk import Call, Disk, Event, Order
from prove.recording import RecordError, events, traced
from prove.trees import Kind, Tree, put, read, undated

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

_OLD, _NEW = b"the old one\n", b"the new one, longer\n"
_WRITE = f"f = os.open('new', os.O_CREAT | os.O_WRONLY, 0o600); os.write(f, {_NEW!r});"
_DIRECTORY = "os.fsync(os.open('.', os.O_RDONLY));"


def _recorded(root: Path, program: str) -> tuple[Event, ...]:
    log = root.parent / "log"
    words = (*traced(log), sys.executable, "-I", "-S", "-c", f"import os, shutil\n{program}")
    subprocess.run(words, cwd=root, check=True, timeout=60)
    return events(log, [root], root)


def _left(root: Path, program: str, order: Order) -> set[tuple[tuple[str, bytes], ...]]:
    """All that may be left of a file with old content, at any moment of a program."""
    (root / "file").write_bytes(_OLD)
    before = read([root])
    disk = Disk([root], order)
    found = set()
    for event in (*_recorded(root, program), Event(Call.SEND)):
        found |= {_named(tree) for tree in disk.cuts(10_000, random.Random(1))}
        disk.apply(event)
    found |= {_named(tree) for tree in disk.cuts(10_000, random.Random(1))}
    assert undated(disk.now()) == undated(read([root]))
    put(before, [root])
    return found


def _named(tree: Tree) -> tuple[tuple[str, bytes], ...]:
    return tuple(sorted((Path(path).name, node.data) for path, node in tree.items()))


def _contents(found: set[tuple[tuple[str, bytes], ...]]) -> set[bytes | None]:
    return {dict(files).get("file") for files in found}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.mark.parametrize("order", Order)
def test_written_synced_renamed_synced(root: Path, order: Order) -> None:
    """The old or the new, whole; and after the last sync the new alone."""
    program = f"{_WRITE} os.fsync(f); os.rename('new', 'file'); {_DIRECTORY}"
    assert _contents(_left(root, program, order)) == {_OLD, _NEW}
    disk = Disk([root], order)
    for event in _recorded(root, program):
        disk.apply(event)
    assert [_named(tree) for tree in disk.cuts(10, random.Random(1))] == [(("file", _NEW),)]


@pytest.mark.parametrize("order", Order)
def test_a_writer_without_a_sync_is_caught(root: Path, order: Order) -> None:
    """Its name may be there before what it holds."""
    found = _contents(_left(root, f"{_WRITE} os.rename('new', 'file'); {_DIRECTORY}", order))
    assert found == {_OLD, b"", _NEW[: len(_NEW) // 2], bytes(len(_NEW)), _NEW}


@pytest.mark.parametrize("order", Order)
def test_a_rename_without_a_sync_of_the_directory_is_caught(root: Path, order: Order) -> None:
    """What relies on it (here, that the other copy goes) may have happened without it."""
    (root / "aside").mkdir()
    (root / "aside" / "copy").write_bytes(_NEW)
    aside = "os.unlink('aside/copy'); os.fsync(os.open('aside', os.O_RDONLY))"
    forgetful = f"{_WRITE} os.fsync(f); os.rename('new', 'file'); {aside}"
    lost = (("aside", b""), ("file", _OLD))
    assert lost in _left(root, forgetful, order)
    found = _left(root, forgetful.replace(aside, f"{_DIRECTORY} {aside}"), order)
    assert lost not in found
    assert all(_NEW in dict(files).values() for files in found if ("file", _OLD) not in files)


def test_a_truncated_file_may_be_anything(root: Path) -> None:
    found = _contents(_left(root, f"open('file', 'wb').write({_NEW!r})", Order.JOURNAL))
    assert found >= {_OLD, b"", _NEW}


@pytest.mark.parametrize("order", Order)
def test_one_directory_loses_its_last_changes_first(root: Path, order: Order) -> None:
    (root / "second").write_bytes(_NEW)
    found = _left(root, "os.unlink('file'); os.unlink('second')", order)
    assert ((("file", _OLD),) in found) is (order is Order.NONE)
    assert {(), (("second", _NEW),), (("file", _OLD), ("second", _NEW))} <= found


@pytest.mark.parametrize("order", Order)
def test_a_move_to_another_directory_is_done_or_not(root: Path, order: Order) -> None:
    (root / "aside").mkdir()
    (root / "aside" / "x").touch()
    program = "os.unlink('aside/x'); os.rename('file', 'aside/file'); os.symlink('a', 'b')"
    trees = [dict(files) for files in _left(root, program, order)]
    assert all("file" in tree for tree in trees)
    assert any("x" in tree and "b" in tree for tree in trees) is (order is Order.NONE)


def test_the_sync_of_a_file_is_not_that_of_its_name(root: Path) -> None:
    found = _left(root, f"{_WRITE} os.fsync(f)", Order.JOURNAL)
    assert {(("file", _OLD),), (("file", _OLD), ("new", _NEW))} <= found


def test_a_mode_and_a_time_are_lost_too(root: Path) -> None:
    (root / "file").write_bytes(_OLD)
    (root / "file").chmod(0o600)
    disk = Disk([root])
    path = str(root / "file")
    disk.apply(Event(Call.MODE, path, number=0o644))
    disk.apply(Event(Call.DATE, path, number=5))
    (before,) = read([root]).values()
    found = {(t[path].mode, t[path].modified) for t in disk.cuts(100, random.Random(1))}
    assert found == {(m, t) for m in (0o600, 0o644) for t in (before.modified, 5)}
    disk.apply(Event(Call.SYNC, path))
    assert [tree[path].mode for tree in disk.cuts(100, random.Random(1))] == [0o644]


def test_a_sample_has_everything_nothing_and_names_alone(root: Path) -> None:
    disk = Disk([root])
    for number in range(20):
        path = str(root / str(number))
        disk.apply(Event(Call.CREATE, path, number=0o600))
        disk.apply(Event(Call.WRITE, path, data=_NEW, number=-1))
    trees = list(disk.cuts(9, random.Random(1)))
    assert len(trees) == 9
    assert {} in trees
    assert disk.now() in trees
    assert any(len(t) == 20 and {node.data for node in t.values()} == {b""} for t in trees)
    again = list(disk.cuts(9, random.Random(1)))
    assert trees == again


def test_what_a_program_does_is_all_recorded(root: Path) -> None:
    """Whatever it calls, the disk knows what is there in the end."""
    program = """
os.makedirs('a/b')
with open('a/x>y', 'w') as f: f.write('one'); f.flush(); f.write('two')
with open('a/x>y', 'a') as f: f.write('three')
shutil.copy2('a/x>y', 'a/b/c'); shutil.copytree('a', 'd')
os.symlink('../nowhere', 'l'); os.rename('l', 'm'); os.link('a/b/c', 'a/b/d')
os.chmod('a/b/d', 0o640); os.truncate('a/b/c', 2)
f = os.open('gone', os.O_CREAT | os.O_RDWR); os.unlink('gone'); os.write(f, b'x')
f = os.open('there', os.O_CREAT | os.O_RDWR, 0o666); os.pwrite(f, b'xyz', 2); os.fchmod(f, 0o604)
os.umask(0o077); os.mkdir('private'); os.symlink('there', 'alias'); os.chmod('alias', 0o600)
if not os.fork(): os.rename('d', 'private/d'); os._exit(0)
os.wait(); shutil.rmtree('private'); os.chdir('a'); os.rename('b', 'e')
"""
    disk = Disk([root])
    for event in _recorded(root, program):
        disk.apply(event)
    assert undated(disk.now()) == undated(read([root]))
    assert {Path(p).name for p, n in disk.now().items() if n.kind is Kind.LINK} == {"m", "alias"}
    tree = disk.now()
    put(tree, [root])
    assert undated(read([root])) == undated(tree)


def test_what_was_told_is_recorded(root: Path) -> None:
    program = "r, w = os.pipe(); os.write(w, b'told'); os.write(r, b'') if 0 else None"
    assert Event(Call.SEND, data=b"told") in _recorded(root, program)


def test_a_call_that_no_disk_knows_is_refused(root: Path) -> None:
    with pytest.raises(RecordError):
        _recorded(root, "os.mknod('pipe', 0o600 | 0o010000)")
