"""certbot syncs nothing: what a power cut left of its configuration is put back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME, Grown
from danebot.adapters.tree.kept_conf import keep_conf
from danebot.adapters.tree.recovery import recover
from danebot.adapters.tree.soundness import is_sound
from danebot.errors import TreeError


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    made = trees.staged(tmp_path)
    keep_conf(made.paths)
    return made


def _kept(grown: Grown) -> Path:
    return grown.paths.staging / "renewal.conf.kept"


def _as_certbot(grown: Grown, data: bytes) -> None:
    """Replace the configuration as certbot does: by renaming."""
    new = grown.paths.conf.with_name(f"{NAME}.conf.new")
    new.write_bytes(data)
    new.rename(grown.paths.conf)


def test_it_is_kept_as_it_is_and_left_alone_then(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _kept(grown).read_bytes() == grown.paths.conf.read_bytes()
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    keep_conf(grown.paths)
    assert synced == []
    _as_certbot(grown, grown.paths.conf.read_bytes() + b"autorenew = True\n")
    keep_conf(grown.paths)
    assert _kept(grown).read_bytes() == grown.paths.conf.read_bytes()
    assert len(synced) == 4  # the file and its directory, then what is kept, and staging
    keep_conf(grown.paths)
    assert len(synced) == 4


@pytest.mark.parametrize(
    ("server", "later"), [("https://ca.example.test/directory", 0), ("https://cb.example.test/", 1)]
)
def test_one_that_differs_in_its_size_or_date_alone_is_kept_anew(
    grown: Grown, server: str, later: int
) -> None:
    first = grown.paths.conf.read_bytes()
    _as_certbot(grown, first + b"server = https://ca.example.test/\n")
    keep_conf(grown.paths)
    dated = grown.paths.conf.stat().st_mtime_ns + later
    _as_certbot(grown, first + f"server = {server}\n".encode())
    os.utime(grown.paths.conf, ns=(dated, dated))
    grown.paths.conf.chmod(0o640)
    keep_conf(grown.paths)
    assert _kept(grown).read_bytes() == grown.paths.conf.read_bytes()
    assert _kept(grown).stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("linked", [False, True])
def test_what_an_editor_cuts_off_in_place_is_put_back(grown: Grown, *, linked: bool) -> None:
    """Many write in place, vim what has a second name: on a full disk nothing is left."""
    whole = grown.paths.conf.read_bytes()
    if linked:  # as danebot kept it before
        _kept(grown).unlink()
        _kept(grown).hardlink_to(grown.paths.conf)
        keep_conf(grown.paths)
    grown.paths.conf.write_bytes(b"")
    assert "cut off" in str(recover(grown.tree, NAME)[0])
    assert grown.paths.conf.read_bytes() == whole


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.9], ids=str)
def test_what_is_cut_off_is_put_back(grown: Grown, share: float) -> None:
    whole = grown.paths.conf.read_bytes()
    cut = whole[: int(len(whole) * share)].rstrip(b"\n")
    _as_certbot(grown, cut)
    (told,) = map(str, recover(grown.tree, NAME))
    assert "cut off" in told
    assert grown.paths.conf.read_bytes() == whole
    assert is_sound(grown.tree, grown.paths)
    assert recover(grown.tree, NAME) == ()


@pytest.mark.parametrize("zeros", [1, 2, 100, None])
def test_zeros_are_put_back(grown: Grown, zeros: int | None) -> None:
    whole = grown.paths.conf.read_bytes()
    count = len(whole) if zeros is None else zeros
    _as_certbot(grown, whole[: len(whole) - count] + bytes(count))
    assert len(recover(grown.tree, NAME)) == 1
    assert grown.paths.conf.read_bytes() == whole


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp037"])
def test_what_an_editor_saved_in_another_encoding_is_nobodys_power_cut(
    grown: Grown, encoding: str
) -> None:
    """People lose nothing of what they wrote; that it can't be read they are told."""
    data = ("# mine\n" + grown.paths.conf.read_text()).encode(encoding)
    _as_certbot(grown, data)
    with pytest.raises(TreeError):
        recover(grown.tree, NAME)
    assert grown.paths.conf.read_bytes() == data


@pytest.mark.parametrize("end", ["\n", ""], ids=["ended", "no final newline"])
def test_what_people_take_out_stays_out(grown: Grown, end: str) -> None:
    text = grown.paths.conf.read_text() + "server = https://ca.example.test/\nautorenew = True\n"
    _as_certbot(grown, text.encode())
    keep_conf(grown.paths)
    edited = text.replace("server = https://ca.example.test/\n", "").rstrip("\n") + end
    _as_certbot(grown, edited.encode())
    assert recover(grown.tree, NAME) == ()
    assert grown.paths.conf.read_text() == edited


def test_one_that_is_removed_does_not_come_back(grown: Grown) -> None:
    grown.paths.conf.unlink()
    with pytest.raises(TreeError, match="absent"):
        recover(grown.tree, NAME)
    assert not grown.paths.conf.exists()


def test_one_that_cannot_be_read_is_not_kept(grown: Grown) -> None:
    whole = grown.paths.conf.read_bytes()
    _as_certbot(grown, b"")
    keep_conf(grown.paths)
    assert _kept(grown).read_bytes() == whole


def test_without_a_kept_one_it_is_told(grown: Grown) -> None:
    _kept(grown).unlink()
    _as_certbot(grown, b"")
    with pytest.raises(TreeError, match="is empty"):
        recover(grown.tree, NAME)


def test_a_mistake_of_people_is_theirs_to_mend(grown: Grown) -> None:
    """It can't be read either, and yet nothing is cut off."""
    text = grown.paths.conf.read_bytes() + b"[renewalparams\n"
    _as_certbot(grown, text)
    with pytest.raises(TreeError):
        recover(grown.tree, NAME)
    assert grown.paths.conf.read_bytes() == text
