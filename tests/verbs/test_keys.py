"""What the verbs do with private keys that lie where nobody expects them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from adapters import trees
from adapters.trees import NAME
from danebot.errors import UnreadableError
from verbs.desk import HERE, Desk, of_key


@pytest.mark.parametrize("file", ["nextkey.pem.bak", "ready.pem.old", "backup-key.pem", "old"])
@pytest.mark.parametrize("conf", ["staging", "live"])
def test_deinit_keeps_every_key_and_says_where(desk: Desk, file: str, conf: str) -> None:
    """Also where certbot's configuration came out of a backup, and leads to live."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    if conf == "live":
        grown.conf("live", "reuse_key = True")
    grown.staging_file(file, trees.key_pem("other"))
    said = desk.danebot("deinit", NAME)
    assert said.status == 0
    kept = grown.paths.live / f"given-up-{file}"
    assert f"{NAME}: what lay in staging/ and may be a key is kept as {kept}" in said.out
    assert kept.read_bytes() == trees.key_pem("other")
    assert not grown.paths.staging.exists()


@pytest.mark.parametrize("conf", ["staging", "live"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("old/privkey.pem", trees.key_pem("other")),
        ("archive/2025/notes", b"nothing"),
        ("README/privkey.pem", trees.key_pem("other")),
        ("backup.tar", bytes(5 * 1024 * 1024)),
        ("keys.gz", b"\x1f\x8b\x08\x00"),
    ],
)
def test_deinit_keeps_what_may_hold_a_key(desk: Desk, conf: str, name: str, content: bytes) -> None:
    """A directory as a whole, what is too large to be looked into, and what is no text."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    if conf == "live":
        grown.conf("live", "reuse_key = True")
    file = grown.paths.staging / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    said = desk.danebot("deinit", NAME)
    assert said.status == 0
    assert (grown.paths.live / f"given-up-{name}").read_bytes() == content
    assert f"is kept as {grown.paths.live}/given-up-{name.partition('/')[0]}\n" in said.out
    assert not grown.paths.staging.exists()


def test_deinit_takes_danebots_own_away(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    for name in ("README", "dnsnames", "rollover.json.damaged", "notes.txt"):
        grown.staging_file(name, b"# nothing\n")
    assert desk.danebot("deinit", NAME).status == 0
    assert not list(grown.paths.live.glob("given-up-*"))


def test_deinit_that_cannot_tell_changes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the disk, which can't be made on demand, stops it before the conf leads away."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))

    def broken(_: object) -> tuple[str, ...]:
        raise UnreadableError("cannot read notes: Input/output error")

    monkeypatch.setattr("danebot.adapters.tree.changes.key_files", broken)
    conf = grown.paths.conf.read_bytes()
    said = desk.danebot("deinit", NAME)
    assert said.status == 1
    assert grown.paths.conf.read_bytes() == conf
    assert grown.paths.staging.is_dir()


def test_a_key_that_cannot_be_read_is_to_be_decrypted_first(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    shut = load_pem_private_key(trees.key_pem("other"), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
    )
    grown.staging_file("nextkey.pem.Ab12xy", shut)
    said = desk.danebot("renew")
    adopt = f"danebot newkey --adopt unknown-unreadable.pem {NAME}"
    assert adopt in said.err
    assert f"if it was meant to be used, decrypt it, then: {adopt}" in said.err


def test_a_pair_put_into_live_by_hand_is_a_warning_and_kept(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    link = grown.paths.live / "privkey.pem"
    link.unlink()
    link.write_bytes(trees.key_pem("other"))
    said = desk.danebot("renew")
    assert said.status == 1
    assert "WARNING" in said.err
    kept = f"unknown-{trees.public('other').digest.hex()[:16]}.pem"
    assert f"danebot newkey --adopt {kept} {NAME}" in said.err
    assert (grown.paths.staging / kept).read_bytes() == trees.key_pem("other")


def test_a_path_with_a_slash_is_the_file_it_names(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """danebot's own file of that name, in staging, is another."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    grown.staging_file("unknown-x.pem", trees.key_pem("third"))
    here = tmp_path / "unknown-x.pem"
    here.write_bytes(trees.key_pem("other"))
    here.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    desk.danebot("newkey", "--adopt", "./unknown-x.pem", NAME)
    assert (grown.paths.staging / "nextkey.pem").read_bytes() == trees.key_pem("other")
    desk.danebot("newkey", "--cancel", NAME)
    desk.danebot("newkey", "--adopt", "unknown-x.pem", NAME)
    assert (grown.paths.staging / "nextkey.pem").read_bytes() == trees.key_pem("third")


@pytest.mark.parametrize("how", ["writable", "owned"])
def test_a_key_that_others_may_have_written_is_not_adopted(
    desk: Desk, tmp_path: Path, how: str
) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    file = tmp_path / "theirs.pem"
    file.write_bytes(trees.key_pem("other"))
    if how == "writable":
        file.chmod(0o666)
    elif os.geteuid() == 0:
        os.chown(file, 65534, 65534)
    else:
        pytest.skip("only root can give a file away")
    said = desk.danebot("newkey", "--adopt", str(file), NAME)
    assert said.status == 1
    assert f"{file} may have been written by others than root" in said.err
    assert not (grown.paths.staging / "nextkey.pem").exists()


@pytest.mark.parametrize("name", ["dane-ee", "dnsnames"])
def test_a_link_to_what_only_root_may_read_is_not_followed(
    desk: Desk, tmp_path: Path, name: str
) -> None:
    """Neither into an error text nor, by init, into a file that all may read."""
    secret = tmp_path / "secret"
    secret.write_text("a pass phrase\n")
    secret.chmod(0o600)
    grown = desk.issued()
    (grown.paths.live / name).symlink_to(secret)
    for verb in (("renew",), ("status",), ("init", NAME)):
        said = desk.danebot(*verb)
        assert "pass phrase" not in said.out + said.err
    assert f"{name} is a symbolic link" in said.err
    copies = [p for p in desk.tree.rglob("*") if p.is_file() and "pass phrase" in p.read_text()]
    assert copies == [grown.paths.live / name]
