"""A tree is read as it is: what can't be read is a fault in words, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from glob import glob
from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME, Grown
from danebot.adapters.files import read_bytes
from danebot.adapters.tree.paths import KINDS, archive_versions, link_version, sound_links
from danebot.adapters.tree.tree import Tree
from danebot.domain.lineage.state import Management
from danebot.errors import TreeError, UnknownLineageError


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    return trees.staged(tmp_path)


def test_a_staged_lineage(grown: Grown) -> None:
    grown.version(2)
    grown.link(grown.paths.staging, 2)
    ready = grown.staging_file("ready.pem", trees.key_pem("other"))
    os.utime(ready, (1_700_000_000, 1_700_000_000))
    grown.staging_file("unknown-0123456789abcdef.pem", trees.key_pem("third"))
    grown.staging_file("unknown-damaged.pem", b"")
    grown.staging_file("dane-ee", b"1 _25._tcp.mail.example.test\n2 _465._tcp.mail.example.test")
    grown.staging_file("dnsnames", b"mail.example.test\n")
    state = grown.tree.read(NAME)
    assert state.management is Management.STAGED
    assert state.faults == ()
    assert state.live is not None
    assert state.live.version == 1
    assert state.staged is not None
    assert state.staged.version == 2
    assert state.serving is state.combo
    assert state.current_key == trees.public("one")
    assert state.awaited_key == trees.public("other")
    assert state.ready is not None
    assert state.ready.modified == datetime.fromtimestamp(1_700_000_000, UTC)
    assert state.next is None
    assert [str(owner) for owner in state.owners] == [
        "_25._tcp.mail.example.test",
        "_465._tcp.mail.example.test",
    ]
    (unknown,) = state.unknown
    assert unknown.key == trees.public("third")


def test_a_passed_through_lineage(tmp_path: Path) -> None:
    grown = trees.issued(tmp_path)
    (grown.paths.live / "dane-ee").write_text("1 _25._tcp.mail.example.test\n")
    state = grown.tree.read(NAME)
    assert state.management is Management.PASS_THROUGH
    assert state.faults == ()
    assert state.combo is None
    assert len(state.owners) == 1
    assert not grown.tree.points_at_staging(NAME)


@pytest.mark.parametrize("grow", [trees.staged, trees.issued])
def test_one_line_that_cannot_be_read_leaves_the_others_watched(
    tmp_path: Path, grow: Callable[[Path], Grown]
) -> None:
    grown = grow(tmp_path)
    file = grown.paths.own / "dane-ee"
    file.write_text("1 _25._tcp.mail.example.test\nbad\n7 _1._tcp.x.test\n")
    state = grown.tree.read(NAME)
    assert [fault.removeprefix(f"{file}:").split(":")[0] for fault in state.faults] == [
        "2",
        "3",
    ]
    assert state.required is None
    assert [str(owner) for owner in state.owners] == ["_25._tcp.mail.example.test"]


def test_nothing_is_written_by_reading(grown: Grown) -> None:
    before = {path: path.lstat().st_ctime_ns for path in grown.root.rglob("*")}
    grown.tree.read(NAME)
    assert {path: path.lstat().st_ctime_ns for path in grown.root.rglob("*")} == before


def test_every_fault_is_said_at_once(grown: Grown) -> None:
    for directory in (grown.paths.live, grown.paths.staging):
        (directory / "cert.pem").unlink()
    (grown.paths.live / "combo.pem").write_bytes(b"garbage")
    grown.staging_file("nextkey.pem", b"garbage")
    grown.staging_file("ready.pem", b"")
    grown.staging_file("dane-ee", b"\xff")
    grown.staging_file("dnsnames", b"not a name\n")
    state = grown.tree.read(NAME)
    assert state.live is state.staged is state.combo is None
    assert state.required is None
    assert state.names is None
    assert state.owners == ()
    files = ("dane-ee", "dnsnames", "live/", "combo.pem", "staging/", "nextkey.pem", "ready.pem")
    assert len(state.faults) == len(files)
    for fault, file in zip(state.faults, files, strict=True):
        assert file in fault
        assert "\n" not in fault


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"cert = 1\ncert = 2\n", "line 2 gives cert once more"), (b"a = \xff\n", "is no text")],
)
@pytest.mark.parametrize("grow", [trees.staged, trees.issued])
def test_a_configuration_that_cannot_be_read_is_one_fault(
    tmp_path: Path, grow: Callable[[Path], Grown], content: bytes, words: str
) -> None:
    grown = grow(tmp_path)
    grown.paths.conf.write_bytes(content)
    (fault,) = grown.tree.read(NAME).faults
    assert fault.startswith(f"{grown.paths.conf}: {words}")


@pytest.mark.parametrize("what", ["directory", "fifo", "device", "loop", "huge"])
def test_what_is_no_file_of_a_lineage(grown: Grown, what: str) -> None:
    """A fifo doesn't hang the run, a device doesn't fill the memory."""
    path = grown.paths.staging / "nextkey.pem"
    match what:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "loop":
            path.symlink_to(path)
        case _:
            with path.open("wb") as file:
                file.truncate(1 << 32)
    with pytest.raises(TreeError) as caught:
        read_bytes(path)
    assert str(path) in str(caught.value)
    state = grown.tree.read(NAME)
    assert state.next is not None
    assert state.next.key is None


def test_a_dangling_dane_ee_is_a_fault(grown: Grown) -> None:
    (grown.paths.staging / "dane-ee").symlink_to("nowhere")
    state = grown.tree.read(NAME)
    assert state.required is None
    assert "is a symbolic link; put the file itself there" in state.faults[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["absent", "empty", "other"])
def test_a_version_is_whole_or_nothing(grown: Grown, kind: str, damage: str) -> None:
    path = grown.paths.archived(kind, 1)
    match damage:
        case "absent":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case _:
            path.write_bytes(
                trees.key_pem("other") if kind == "privkey" else trees.leaf("other", 1).pem
            )
    assert grown.tree.reader.version(grown.paths, 1) is None


def test_a_chain_without_an_intermediate_is_whole(grown: Grown) -> None:
    grown.paths.archived("chain", 1).write_bytes(b"")
    grown.paths.archived("fullchain", 1).write_bytes(trees.leaf("one", 1).pem)
    held = grown.tree.reader.version(grown.paths, 1)
    assert held is not None
    assert len(held.chain.ders) == 1


def test_a_changed_file_is_read_again(grown: Grown) -> None:
    tree = grown.tree
    assert tree.read(NAME).current_key == trees.public("one")
    grown.combo("other", 1)
    assert tree.read(NAME).current_key == trees.public("other")
    grown.conf("live")
    assert not tree.points_at_staging(NAME)


def certbots_lineages(root: Path) -> set[str]:
    """Return what certbot's own pattern finds (certbot._internal.storage.renewal_conf_files)."""
    found = glob(f"{root}/renewal/*.conf")  # noqa: PTH207 - Path.glob finds what begins with a dot
    return {Path(file).name.removesuffix(".conf") for file in found}


def test_names(grown: Grown) -> None:
    (grown.root / "renewal/other.test.conf").touch()
    (grown.root / "renewal/other.test.conf.orig").touch()
    (grown.root / "renewal/.conf").touch()
    for dropping in (".other.test.conf", "third.test.conf~", ".#fourth.test.conf"):  # an editor's
        (grown.root / "renewal" / dropping).touch()
    assert certbots_lineages(grown.root) == {NAME, "other.test"}
    tree = grown.tree
    for name in ("", ".", ".."):  # not of lineages: staging/.. is the tree itself
        (tree.root / "renewal" / f"{name}.conf").write_text("")
    assert tree.names() == (NAME, "other.test")
    assert tree.select(()) == (NAME, "other.test")
    assert tree.select((NAME, NAME)) == (NAME,)
    with pytest.raises(
        UnknownLineageError, match=r"no lineage 'x'; known are: mail.example.test, o"
    ):
        tree.select((NAME, "x"))


def test_a_tree_without_lineages(tmp_path: Path) -> None:
    (tmp_path / "renewal").mkdir()
    tree = Tree(tmp_path)
    with pytest.raises(
        UnknownLineageError, match=r"no lineage 'x', nor any other yet; .*danebot setup"
    ):
        tree.select(("x",))
    (tmp_path / "renewal").rmdir()
    with pytest.raises(TreeError, match="cannot list"):
        tree.names()
    with pytest.raises(TreeError, match="is absent"):
        tree.conf("x")
    with pytest.raises(TreeError, match="no certbot tree"):
        Tree(tmp_path)


@pytest.mark.parametrize(
    ("archive_dir", "expected"),
    [
        ("", "archive/mail.example.test"),
        ("archive_dir = {root}/elsewhere/x", "elsewhere/x"),
        ("archive_dir = {root}/staging/mail.example.test", "archive/mail.example.test"),
    ],
)
def test_the_archive_follows_the_configuration(
    grown: Grown, archive_dir: str, expected: str
) -> None:
    grown.paths.conf.write_text(archive_dir.format(root=grown.root) + "\n")
    assert grown.tree.paths(NAME).archive == grown.root / expected


def test_the_archive_of_a_lineage_without_configuration(grown: Grown) -> None:
    grown.paths.conf.unlink()
    assert grown.tree.paths(NAME).archive == grown.root / "archive" / NAME


@pytest.mark.parametrize(
    ("link", "target", "version"),
    [
        ("cert.pem", "../../archive/x/cert12.pem", 12),
        ("previous_cert.pem", "../../archive/x/cert3.pem", 3),
        ("cert.pem", "../../archive/x/privkey1.pem", None),
        ("cert.pem", "../../archive/x/cert.pem", None),
        ("cert.pem", "../../archive/x/cert1.pem.bak", None),
    ],
)
def test_what_version_a_link_names(
    tmp_path: Path, link: str, target: str, version: int | None
) -> None:
    (tmp_path / link).symlink_to(target)
    assert link_version(tmp_path / link) == version


def test_links_are_sound_by_their_proper_targets_only(grown: Grown) -> None:
    assert sound_links(grown.paths, grown.paths.live) == 1
    link = grown.paths.live / "cert.pem"
    link.unlink()
    assert sound_links(grown.paths, grown.paths.live) is None
    link.symlink_to(grown.paths.archived("cert", 1))
    assert sound_links(grown.paths, grown.paths.live) is None
    assert grown.tree.linked(grown.paths, grown.paths.live) is not None


def test_versions_of_the_archive(grown: Grown) -> None:
    grown.version(10, kinds=("cert", "privkey"))
    (grown.paths.archive / "notes.txt").touch()
    assert archive_versions(grown.paths) == {
        1: frozenset(KINDS),
        10: frozenset({"cert", "privkey"}),
    }


def test_an_archive_that_is_no_directory(grown: Grown) -> None:
    grown.paths.archive.rename(grown.root / "away")
    assert archive_versions(grown.paths) == {}
    grown.paths.archive.touch()
    with pytest.raises(TreeError, match="cannot list"):
        archive_versions(grown.paths)
    state = grown.tree.read(NAME)
    assert state.live is None
    assert state.combo is not None


def test_a_combo_that_is_replaced_while_it_is_read_is_usable(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key and chain are read one after the other, by readers that hold no lock."""
    path = grown.paths.live / "combo.pem"

    def renamed(file: Path) -> bytes:
        """What is there; then comes another key's, as a deployment puts it there."""
        data = read_bytes(file)
        if file == path:
            monkeypatch.undo()
            new = path.with_name("new")
            new.write_bytes(trees.combo_pem("other", 9))
            new.rename(path)
        return data

    monkeypatch.setattr("danebot.adapters.tree.reader.read_bytes", renamed)
    combo = grown.tree.read(NAME).combo
    assert combo is not None
    assert combo.key == trees.public("other")
