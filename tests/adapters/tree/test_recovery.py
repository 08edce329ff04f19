"""Every state that a crash can leave is healed, no key is lost, and healing is done once."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from adapters import trees
from adapters.trees import NAME, Grown
from danebot.adapters.files import MAX_FILE
from danebot.adapters.replacing import TEMP_PREFIX
from danebot.adapters.tree import changes, recovery
from danebot.adapters.tree.paths import KINDS, archive_versions, sound_links
from danebot.adapters.tree.recovery import recover
from danebot.adapters.tree.soundness import is_sound, staged_conf
from danebot.config.settings import ComboAccess
from danebot.errors import TreeError, UnreadableError

UNKNOWN = f"unknown-{trees.public('other').digest.hex()[:16]}.pem"


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    return trees.staged(tmp_path)


def heal(grown: Grown) -> tuple[str, ...]:
    """Recover; afterwards nothing is left to heal, and no key has gone."""
    keys = grown.key_digests()
    done = tuple(map(str, recover(grown.tree, NAME)))
    assert keys <= grown.key_digests()
    tree = grown.tree
    assert is_sound(tree, grown.paths)
    assert recover(tree, NAME) == ()
    state = tree.read(NAME)
    assert state.faults == ()
    assert state.staged is not None
    assert state.live is not None
    return done


def live_version(grown: Grown) -> int | None:
    return sound_links(grown.paths, grown.paths.live)


def staged_version(grown: Grown) -> int | None:
    return sound_links(grown.paths, grown.paths.staging)


def test_a_sound_lineage_is_left_alone(grown: Grown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written: not even an attempt is made (patched, since absence can't be forced)."""
    for name in ("replace", "rewrite_file", "remove", "remove_leftovers"):
        monkeypatch.delattr(recovery, name)
    assert recover(grown.tree, NAME) == ()


# ---- live -----------------------------------------------------------------------------------


def test_links_cut_between_two_versions_follow_combo(grown: Grown) -> None:
    grown.version(2, "other")
    grown.link(grown.paths.staging, 2)
    grown.combo("other", 2)
    grown.link(grown.paths.live, 2, kinds=("privkey", "cert"))
    assert heal(grown) == (f"{grown.paths.live}: links set to version 2, which combo.pem holds",)
    assert live_version(grown) == 2


def test_links_not_yet_moved_follow_combo(grown: Grown) -> None:
    grown.version(2, "other")
    grown.link(grown.paths.staging, 2)
    grown.combo("other", 2)
    heal(grown)
    assert live_version(grown) == 2


def test_a_deployment_of_the_same_key_is_left_to_the_plan(grown: Grown) -> None:
    grown.version(2)
    grown.link(grown.paths.staging, 2)
    grown.combo("one", 2)
    assert heal(grown) == ()
    assert live_version(grown) == 1


@pytest.mark.parametrize("left", [(), ("cert",), KINDS])
def test_what_certbot_truncated_is_written_back_from_combo(
    grown: Grown, left: tuple[str, ...]
) -> None:
    """certbot keeps five old versions: a lineage held back for longer loses what live needs."""
    for number in range(3, 9):
        grown.version(number, "other")
    grown.link(grown.paths.staging, 8)
    for kind in KINDS:
        grown.paths.archived(kind, 1).unlink()
    if left == KINDS:  # live's number is taken by something else
        grown.version(1, "other")
    elif left:
        grown.version(1, kinds=left)
    heal(grown)
    held = grown.tree.read(NAME).live
    assert held is not None
    assert held.key == trees.public("one")
    version = held.version
    assert version is not None
    assert grown.paths.archived("privkey", version).stat().st_mode & 0o777 == 0o600
    assert staged_version(grown) == max(archive_versions(grown.paths))


def test_a_version_that_never_reached_the_disk_is_written_back(grown: Grown) -> None:
    """After a power cut a file may have its name, but nothing in it."""
    for kind in KINDS:
        grown.paths.archived(kind, 1).write_bytes(b"")
    heal(grown)
    assert grown.tree.read(NAME).current_key == trees.public("one")


@pytest.mark.parametrize("damage", [b"", b"garbage", trees.combo_pem("one", 1)[:200]])
def test_without_combo_the_links_say_what_was_live(grown: Grown, damage: bytes) -> None:
    grown.version(2)
    grown.link(grown.paths.staging, 2)
    grown.link(grown.paths.live, 2, kinds=("cert", "chain"))
    combo = grown.paths.live / "combo.pem"
    combo.write_bytes(damage)
    recover(grown.tree, NAME)
    assert live_version(grown) == 2


def test_without_combo_certbots_previous_links_count(grown: Grown) -> None:
    (grown.paths.live / "combo.pem").unlink()
    for kind in KINDS:
        link = grown.paths.live / f"{kind}.pem"
        link.rename(grown.paths.live / f"previous_{kind}.pem")
    recover(grown.tree, NAME)
    assert live_version(grown) == 1
    assert grown.listing(grown.paths.live) == [
        "cert.pem",
        "chain.pem",
        "fullchain.pem",
        "privkey.pem",
    ]


def test_without_combo_and_links_it_gives_up(grown: Grown) -> None:
    (grown.paths.live / "combo.pem").unlink()
    (grown.paths.live / "cert.pem").unlink()
    for kind in KINDS:
        (grown.paths.live / f"{kind}.pem").unlink(missing_ok=True)
    with pytest.raises(TreeError, match="leads to no complete version"):
        recover(grown.tree, NAME)


def test_a_combo_whose_key_is_not_its_chains_is_no_truth(grown: Grown) -> None:
    mixed = trees.leaf("other", 1).key_pem + trees.leaf("one", 1).pem
    (grown.paths.live / "combo.pem").write_bytes(mixed)
    recover(grown.tree, NAME)
    assert live_version(grown) == 1
    assert UNKNOWN in os.listdir(grown.paths.staging)


# ---- staging --------------------------------------------------------------------------------


def test_a_promotion_cut_before_certbot_ran(grown: Grown) -> None:
    grown.staging_file("ready.pem", trees.key_pem("other"))
    grown.version(2, "other", kinds=("privkey",))
    grown.link(grown.paths.staging, 2, kinds=("privkey",))
    heal(grown)
    assert staged_version(grown) == 1
    assert archive_versions(grown.paths).keys() == {1}
    assert UNKNOWN not in os.listdir(grown.paths.staging)


def test_an_issued_version_whose_links_certbot_did_not_move(grown: Grown) -> None:
    grown.staging_file("ready.pem", trees.key_pem("other"))
    grown.version(2, "other", kinds=("privkey",))
    grown.version(3, "other")
    grown.link(grown.paths.staging, 2, kinds=("privkey",))
    heal(grown)
    assert staged_version(grown) == 3
    assert archive_versions(grown.paths).keys() == {1, 3}


@pytest.mark.parametrize("kinds", [("privkey",), ("privkey", "cert"), ("cert", "chain")])
def test_a_version_cut_while_it_was_written(grown: Grown, kinds: tuple[str, ...]) -> None:
    grown.version(2, "other", kinds=kinds)
    heal(grown)
    assert archive_versions(grown.paths).keys() == {1}
    assert (UNKNOWN in os.listdir(grown.paths.staging)) == ("privkey" in kinds)


def test_a_key_half_written_is_no_key(grown: Grown) -> None:
    grown.paths.archived("privkey", 2).write_bytes(trees.key_pem("other")[:100])
    heal(grown)
    assert archive_versions(grown.paths).keys() == {1}


def test_links_missing_while_certbot_moved_them(grown: Grown) -> None:
    grown.version(2)
    for number, kind in enumerate(KINDS):
        link = grown.paths.staging / f"{kind}.pem"
        link.rename(grown.paths.staging / f"previous_{kind}.pem")
        if number < 2:
            link.symlink_to(grown.paths.link_target(grown.paths.staging, kind, 2))
    heal(grown)
    assert staged_version(grown) == 2


def test_absolute_links_of_certbots_recovery(grown: Grown) -> None:
    for directory in (grown.paths.staging, grown.paths.live):
        for kind in KINDS:
            (directory / f"{kind}.pem").unlink()
            (directory / f"{kind}.pem").symlink_to(grown.paths.archived(kind, 1))
    heal(grown)
    assert os.readlink(grown.paths.live / "cert.pem") == f"../../archive/{NAME}/cert1.pem"


def test_a_key_put_in_place_of_the_link_is_set_aside(grown: Grown) -> None:
    (grown.paths.staging / "privkey.pem").unlink()
    path = grown.staging_file("privkey.pem", trees.key_pem("other"))
    heal(grown)
    assert path.is_symlink()
    kept = grown.paths.staging / UNKNOWN
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"garbage", trees.key_pem("one")])
def test_a_file_in_place_of_the_link_that_is_worth_nothing(grown: Grown, content: bytes) -> None:
    (grown.paths.staging / "privkey.pem").unlink()
    grown.staging_file("privkey.pem", content)
    heal(grown)
    assert not list(grown.paths.staging.glob("unknown-*"))


def test_an_empty_archive_is_beyond_healing(grown: Grown) -> None:
    (grown.paths.live / "combo.pem").unlink()
    shutil.rmtree(grown.paths.archive)
    with pytest.raises(TreeError, match="danebot deinit"):
        recover(grown.tree, NAME)


def test_an_archive_that_holds_nothing_complete(grown: Grown) -> None:
    """live leads nowhere either: combo brings a version back."""
    for kind in KINDS[1:]:
        grown.paths.archived(kind, 1).unlink()
    heal(grown)
    assert live_version(grown) == staged_version(grown) == 1


@pytest.mark.parametrize("place", ["live", "staging", "archive"])
def test_a_file_too_large_for_what_its_name_says_is_told(grown: Grown, place: str) -> None:
    """Nobody knows what it holds, so it isn't replaced, and what to do is said."""
    name = {"live": "combo.pem", "staging": "privkey.pem", "archive": "privkey2.pem"}[place]
    path = grown.root / place / NAME / name
    path.unlink(missing_ok=True)
    path.write_bytes(trees.key_pem("other") + bytes(MAX_FILE))
    with pytest.raises(TreeError) as raised:
        recover(grown.tree, NAME)
    assert str(raised.value) == (
        f"{path} is larger than 4 MiB, so it can't be what its name says; "
        "move it away and run the command again"
    )
    path.rename(grown.root / "away")
    recover(grown.tree, NAME)
    assert live_version(grown) == 1


# ---- no private key is lost ------------------------------------------------------------------


def encrypted(key: str) -> bytes:
    """A key as an operator may have encrypted it in place."""
    loaded = serialization.load_pem_private_key(trees.key_pem(key), None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a pass phrase"),
    )


def der(key: str) -> bytes:
    loaded = serialization.load_pem_private_key(trees.key_pem(key), None)
    return loaded.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def kept(grown: Grown, content: bytes) -> list[str]:
    """The names of the files that have it."""
    files = [p for p in grown.root.rglob("*") if p.is_file() and not p.is_symlink()]
    return [str(p.relative_to(grown.root)) for p in files if p.read_bytes() == content]


PLACES = [
    "archive/{}/privkey2.pem",
    "staging/{}/nextkey.pem.Ab12xy",
    "staging/{}/combo.pem",
    "staging/{}/privkey.pem",
    "staging/{}/previous_privkey.pem",
    "live/{}/privkey.pem",
    "live/{}/previous_privkey.pem",
    "live/{}/combo.pem",
    "live/{}/fullchain.pem",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", ["plain", "encrypted", "der"])
def test_a_key_that_is_nowhere_else_gives_way(grown: Grown, place: str, form: str) -> None:
    """Wherever it lies, and whether or not it can be read; and it is said."""
    forms = {"plain": trees.key_pem, "encrypted": encrypted, "der": der}
    content = forms[form]("other")
    file = grown.root / place.format(NAME)
    file.unlink(missing_ok=True)
    file.write_bytes(content)
    repairs = recover(grown.tree, NAME)
    (where,) = [r.kept for r in repairs if r.kept is not None]
    assert where.parent == grown.paths.staging
    assert where.name == (UNKNOWN if form == "plain" else "unknown-unreadable.pem")
    assert where.read_bytes() == content
    assert where.stat().st_mode & 0o777 == 0o600
    assert recover(grown.tree, NAME) == ()
    (unknown,) = grown.tree.read(NAME).unknown
    assert (unknown.key is None) == (form != "plain")


def test_a_key_that_cannot_be_read_is_kept_once(grown: Grown) -> None:
    same = encrypted("other")
    for name in ("nextkey.pem.Ab12xy", "nextkey.pem.Cd34zw"):
        grown.staging_file(name, same)
    grown.staging_file("nextkey.pem.Ef56uv", encrypted("third"))
    recover(grown.tree, NAME)
    assert [n for n in grown.listing(grown.paths.staging) if n.startswith("unknown-")] == [
        "unknown-unreadable.2.pem",
        "unknown-unreadable.pem",
    ]


MANY = [
    "archive/{}/privkey2.pem",
    "staging/{}/nextkey.pem.Ab12xy",
    "staging/{}/combo.pem",
    "staging/{}/privkey.pem",
    "live/{}/privkey.pem",
    "live/{}/combo.pem",
]


@pytest.mark.parametrize("place", MANY)
@pytest.mark.parametrize("second", ["plain", "encrypted"])
def test_a_second_key_in_a_file_gives_way(grown: Grown, place: str, second: str) -> None:
    """The first is known elsewhere; what is kept begins with the one that isn't."""
    block = {"plain": trees.key_pem, "encrypted": encrypted}[second]("other")
    file = grown.root / place.format(NAME)
    file.unlink(missing_ok=True)
    file.write_bytes(trees.key_pem("one") + block)
    repairs = recover(grown.tree, NAME)
    (where,) = [r.kept for r in repairs if r.kept is not None]
    assert where.name == (UNKNOWN if second == "plain" else "unknown-unreadable.pem")
    assert where.read_bytes() == block + trees.key_pem("one")
    assert recover(grown.tree, NAME) == ()
    (unknown,) = grown.tree.read(NAME).unknown
    assert unknown.key == (trees.public("other") if second == "plain" else None)


def test_known_keys_in_one_file_are_copies(grown: Grown) -> None:
    grown.staging_file("nextkey.pem", trees.key_pem("other"))
    both = trees.key_pem("one") + trees.key_pem("other") + trees.key_pem("third")[:90]
    grown.staging_file("nextkey.pem.Ab12xy", both)  # a third that a crash cut off
    recover(grown.tree, NAME)
    assert grown.listing(grown.paths.staging) == sorted(
        [*(f"{kind}.pem" for kind in KINDS), "nextkey.pem"]
    )


def test_two_strays_do_not_vouch_for_each_other(grown: Grown) -> None:
    """A combo.pem that is a key alone is written anew: it keeps none."""
    grown.version(2, "other", kinds=("privkey",))
    (grown.paths.live / "combo.pem").write_bytes(trees.key_pem("other"))
    recover(grown.tree, NAME)
    assert kept(grown, trees.key_pem("other")) != []
    changes.make_live(grown.paths, 1, ComboAccess())
    assert kept(grown, trees.key_pem("other")) == [f"staging/{NAME}/{UNKNOWN}"]


def test_a_whole_version_whose_key_cannot_be_read(grown: Grown) -> None:
    grown.version(2, "other")
    content = encrypted("other")
    grown.paths.archived("privkey", 2).write_bytes(content)
    grown.link(grown.paths.staging, 2)
    recover(grown.tree, NAME)
    assert kept(grown, content) == [f"staging/{NAME}/unknown-unreadable.pem"]


def test_a_version_is_not_written_back_over_a_key(grown: Grown) -> None:
    """live names version 5, of which nothing but an unknown key is there."""
    grown.combo("one", 3)
    grown.paths.archived("privkey", 5).write_bytes(trees.key_pem("other"))
    grown.link(grown.paths.live, 5)
    heal(grown)
    assert UNKNOWN in os.listdir(grown.paths.staging)


def test_no_archive_is_made_where_a_disk_is_missing(grown: Grown, tmp_path: Path) -> None:
    grown.conf("staging", "reuse_key = True")
    text = grown.paths.conf.read_text()
    gone = tmp_path / "raid" / NAME
    grown.paths.conf.write_text(text.replace(f"= {grown.paths.archive}\n", f"= {gone}  # RAID\n"))
    with pytest.raises(TreeError, match=rf"{gone}, the archive_dir of .* is not there; mount"):
        recover(grown.tree, NAME)
    assert not gone.parent.exists()


def test_a_disk_that_fails_makes_no_version_incomplete(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EIO for one stat, which no real disk does on demand: an issued chain would have gone."""
    grown.version(2)
    grown.link(grown.paths.staging, 2)
    real = os.stat

    def failing(path: os.PathLike[str] | str, **how: bool) -> os.stat_result:
        if str(path).endswith("/chain2.pem"):
            raise OSError(errno.EIO, "Input/output error", str(path))
        return real(path, **how)

    monkeypatch.setattr(os, "stat", failing)
    with pytest.raises(UnreadableError, match=r"chain2\.pem: Input/output error"):
        recover(grown.tree, NAME)
    monkeypatch.undo()
    assert archive_versions(grown.paths).keys() == {1, 2}


# ---- strays ---------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["staging", "live", "archive"])
def test_temporary_files_go(grown: Grown, where: str) -> None:
    place = getattr(grown.paths, where)
    (place / f"{TEMP_PREFIX}0011").touch()
    (grown.paths.conf.parent / f"{TEMP_PREFIX}22").touch()
    (grown.paths.staging.parent / f"{TEMP_PREFIX}33").mkdir()
    heal(grown)
    assert not list(grown.root.rglob(f"{TEMP_PREFIX}*"))


def test_a_configuration_that_certbot_did_not_finish_goes(grown: Grown) -> None:
    """It writes this file, and then renames it; a neighbour's is the neighbour's."""
    unfinished, other = (grown.root / f"renewal/{name}.conf.new" for name in (NAME, "other"))
    for file in (unfinished, other):
        file.write_text("half of")
    heal(grown)
    assert not unfinished.exists()
    assert other.exists()


@pytest.mark.parametrize("stray", ["combo.pem", "combo.pem.Ab12xy", "nextkey.pem.Ab12xy"])
@pytest.mark.parametrize("content", ["one", "other", ""])
def test_strays_of_the_shell_program(grown: Grown, stray: str, content: str) -> None:
    grown.staging_file(stray, trees.key_pem(content) if content else b"")
    (said,) = heal(grown)
    assert stray in said
    assert stray not in os.listdir(grown.paths.staging)
    assert (UNKNOWN in os.listdir(grown.paths.staging)) == (content == "other")


def test_an_old_incomplete_version_stays(grown: Grown) -> None:
    """It may be all that is left of a chain; certbot goes on from the newest anyway."""
    grown.version(2)
    grown.version(3)
    grown.link(grown.paths.staging, 3)
    grown.paths.archived("cert", 2).unlink()
    assert recover(grown.tree, NAME) == ()
    assert 2 in archive_versions(grown.paths)


# ---- certbot's configuration ----------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        (),
        ("key_type = rsa", "rsa_key_size = 2048"),
        ("key_type = ecdsa", "elliptic_curve = secp384r1", "reuse_key = True"),
        ("reuse_key = False",),
    ],
)
def test_conf_leads_to_staging_and_keeps_the_key(grown: Grown, parameters: tuple[str, ...]) -> None:
    grown.conf("live", *parameters)
    (said,) = heal(grown)
    assert "leads to the staging/ directory again" in said
    conf = grown.tree.conf(NAME)
    assert grown.tree.points_at_staging(NAME)
    assert conf.parameter("reuse_key") == "True"
    if conf.parameter("key_type"):
        assert conf.parameter("key_type") == "ecdsa"
    if "elliptic_curve = secp384r1" in parameters:
        assert conf.parameter("elliptic_curve") == "secp256r1"


def test_archive_dir_below_staging_is_certbots_slip(grown: Grown) -> None:
    text = grown.paths.conf.read_text()
    grown.paths.conf.write_text(text.replace("/archive/", "/staging/"))
    heal(grown)
    assert grown.tree.conf(NAME).top("archive_dir") == str(grown.paths.archive)


def test_a_key_of_unknown_type_isnt_named(grown: Grown) -> None:
    conf = grown.tree.conf(NAME)
    assert staged_conf(conf, grown.paths, None) is conf
    assert staged_conf(conf, grown.paths, trees.public("ed25519")) is conf


def test_the_mode_of_conf_is_kept(grown: Grown) -> None:
    grown.conf("live")
    grown.paths.conf.chmod(0o640)
    heal(grown)
    assert grown.paths.conf.stat().st_mode & 0o777 == 0o640


# ---- anything at all ------------------------------------------------------------------------


def _drop_link(grown: Grown) -> None:
    (grown.paths.staging / "chain.pem").unlink()


def _half_version(grown: Grown) -> None:
    grown.version(5, "other", kinds=("privkey", "cert"))


def _live_behind(grown: Grown) -> None:
    grown.version(2, "other")
    grown.combo("other", 2)


def _absolute(grown: Grown) -> None:
    link = grown.paths.live / "cert.pem"
    link.unlink()
    link.symlink_to(grown.paths.archived("cert", 1))


def _conf(grown: Grown) -> None:
    grown.conf("live")


def _stray(grown: Grown) -> None:
    grown.staging_file("nextkey.pem.Ab12xy", trees.key_pem("third"))


DAMAGES: tuple[Callable[[Grown], None], ...] = (
    _drop_link,
    _half_version,
    _live_behind,
    _absolute,
    _conf,
    _stray,
)


@pytest.mark.parametrize("chosen", range(1 << len(DAMAGES)))
def test_all_together(grown: Grown, chosen: int) -> None:
    for number, damage in enumerate(DAMAGES):
        if chosen >> number & 1:
            damage(grown)
    heal(grown)
