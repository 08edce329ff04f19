"""What danebot writes into a lineage, step by step."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME, Grown
from danebot.adapters.tree import changes
from danebot.adapters.tree.paths import LineagePaths, sound_links
from danebot.adapters.tree.recovery import recover
from danebot.config.settings import ComboAccess
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.steps.phases import Keep
from danebot.errors import CertificateError, TreeError

ACCESS = ComboAccess()


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    return trees.staged(tmp_path)


def read(grown: Grown) -> LineageState:
    return grown.tree.read(NAME)


@pytest.mark.parametrize("access", [ACCESS, ComboAccess(0o640, os.getgid())])
def test_deploy(grown: Grown, access: ComboAccess) -> None:
    grown.version(2, "other")
    changes.make_live(grown.paths, 2, access)
    combo = grown.paths.live / "combo.pem"
    assert combo.read_bytes() == trees.combo_pem("other", 2)
    assert combo.stat().st_mode & 0o777 == access.mode
    assert sound_links(grown.paths, grown.paths.live) == 2
    inode = (grown.paths.live / "cert.pem").lstat().st_ino
    changes.make_live(grown.paths, 2, access)
    assert (grown.paths.live / "cert.pem").lstat().st_ino == inode


def test_a_second_key_in_combo_is_kept_when_it_is_replaced(grown: Grown) -> None:
    """As Postfix's smtpd_tls_chain_files has it: key and chain, key and chain."""
    combo = grown.paths.live / "combo.pem"
    combo.write_bytes(trees.combo_pem("one", 1) + trees.combo_pem("other", 1))
    grown.version(2)
    recover(grown.tree, NAME)
    changes.make_live(grown.paths, 2, ACCESS)
    assert combo.read_bytes() == trees.combo_pem("one", 2)
    (unknown,) = read(grown).unknown
    assert unknown.key == trees.public("other")
    text = (grown.paths.staging / unknown.file).read_bytes()
    assert text.startswith(trees.key_pem("other"))
    assert sorted(text) == sorted(trees.combo_pem("one", 1) + trees.combo_pem("other", 1))


def test_a_file_of_two_keys_is_not_removed_for_one_of_them(grown: Grown) -> None:
    """Not even where the other's own name is that of the file."""
    other = trees.public("other")
    name = f"unknown-{other.digest.hex()[:16]}.pem"
    grown.staging_file(name, trees.key_pem("one") + trees.key_pem("other"))
    changes.remove_key_copy(grown.paths, name)
    (unknown,) = read(grown).unknown
    assert unknown.key == other


def test_what_does_not_match_is_not_deployed(grown: Grown) -> None:
    grown.version(2, "other")
    grown.paths.archived("privkey", 2).write_bytes(trees.key_pem("one"))
    before = (grown.paths.live / "combo.pem").read_bytes()
    with pytest.raises(CertificateError, match="is not the key of its certificate"):
        changes.make_live(grown.paths, 2, ACCESS)
    assert (grown.paths.live / "combo.pem").read_bytes() == before
    assert sound_links(grown.paths, grown.paths.live) == 1


def test_a_version_that_is_not_there_is_not_deployed(grown: Grown) -> None:
    with pytest.raises(TreeError):
        changes.make_live(grown.paths, 2, ACCESS)
    assert sound_links(grown.paths, grown.paths.live) == 1


def test_combo_holds_pkcs8_whatever_the_archive_holds(grown: Grown) -> None:
    """An EC or RSA key in its traditional form is converted."""
    from cryptography.hazmat.primitives import serialization

    issued = trees.leaf("rsa2048", 2)
    grown.version(2, "rsa2048")
    grown.paths.archived("privkey", 2).write_bytes(
        issued.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    changes.make_live(grown.paths, 2, ACCESS)
    assert (grown.paths.live / "combo.pem").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    combo = read(grown).combo
    assert combo is not None
    assert combo.matches


def test_stage_key_makes_it_the_newest(grown: Grown) -> None:
    grown.version(4)
    grown.staging_file("ready.pem", trees.key_pem("other"))
    assert changes.stage_key(grown.paths) == 5
    link = grown.paths.staging / "privkey.pem"
    assert os.readlink(link) == f"../../archive/{NAME}/privkey5.pem"
    assert link.read_bytes() == trees.key_pem("other")
    assert link.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("keep", Keep)
def test_put_back(grown: Grown, keep: Keep) -> None:
    """Staging is on the live key again, as the newest version; the stranger is kept as told."""
    grown.version(2, "other")
    grown.link(grown.paths.staging, 2)
    before = read(grown)
    assert before.serving is not None
    assert before.staged is not None
    assert changes.put_back(grown.paths, before.serving, before.staged, keep) == 3
    state = read(grown)
    assert state.staged is not None
    assert state.staged.same_content(before.serving)
    assert sound_links(grown.paths, grown.paths.staging) == 3
    assert sound_links(grown.paths, grown.paths.live) == 1
    assert (state.next is not None) == (keep is Keep.AS_NEXT)
    assert len(state.unknown) == (keep is Keep.ASIDE)
    assert trees.public("other").digest in grown.key_digests()
    assert recover(grown.tree, NAME) == ()


@pytest.mark.parametrize("combo", [None, b"garbage", trees.key_pem("third")])
def test_put_back_takes_the_key_from_what_serves(grown: Grown, combo: bytes | None) -> None:
    """Without a usable combo.pem live's links say what serves, whatever lies in that file."""
    path = grown.paths.live / "combo.pem"
    path.unlink()
    if combo is not None:
        path.write_bytes(combo)
    grown.version(2, "other")
    grown.link(grown.paths.staging, 2)
    before = read(grown)
    assert before.serving is not None
    assert before.staged is not None
    changes.put_back(grown.paths, before.serving, before.staged, Keep.ASIDE)
    staged = read(grown).staged
    assert staged is not None
    assert staged.same_content(before.live)


def test_next_becomes_ready_and_back(grown: Grown) -> None:
    since = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    changes.add_next_key(grown.paths, trees.key_pem("other"))
    assert (grown.paths.staging / "nextkey.pem").stat().st_mode & 0o777 == 0o600
    changes.mark_ready(grown.paths, since)
    state = read(grown)
    assert state.next is None
    assert state.ready is not None
    assert state.ready.modified == since
    changes.back_to_next(grown.paths)
    state = read(grown)
    assert state.ready is None
    assert state.next is not None
    assert changes.key_files_of(grown.paths, trees.public("other")) == ("nextkey.pem",)
    assert changes.key_files_of(grown.paths, trees.public("one")) == ()
    changes.remove_key_copy(grown.paths, "nextkey.pem")
    assert read(grown).awaited is None


def test_without_a_next_key(grown: Grown) -> None:
    with pytest.raises(TreeError, match="cannot date"):
        changes.mark_ready(grown.paths, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(TreeError, match="cannot move"):
        changes.back_to_next(grown.paths)
    with pytest.raises(TreeError, match="cannot read"):
        changes.stage_key(grown.paths)
    assert sound_links(grown.paths, grown.paths.staging) == 1


def test_keys_that_cannot_be_listed_are_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `deinit` gives up is moved aside first: an error of the disk must stop it."""

    def broken(path: object) -> list[str]:
        raise OSError(errno.EIO, "Input/output error", str(path))

    paths = LineagePaths.of("mx", tmp_path, tmp_path / "archive" / "mx")
    assert changes.key_files(paths) == ()  # there is no such directory
    monkeypatch.setattr("danebot.adapters.tree.changes.os.listdir", broken)
    with pytest.raises(TreeError):
        changes.key_files(paths)


def test_the_date_of_a_ready_key_is_on_the_disk_before_its_name(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut left the former date under the new name: the wait seemed older than it was."""
    changes.add_next_key(grown.paths, trees.key_pem("other"))
    synced: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    changes.mark_ready(grown.paths, datetime(2026, 1, 2, tzinfo=UTC))
    assert synced == ["nextkey.pem", grown.paths.staging.name]
