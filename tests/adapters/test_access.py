"""Who may use a file goes on to what replaces it: group, mode, access control list and label."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from adapters import trees
from adapters.trees import NAME, Grown
from danebot.adapters.access import Access, access_of, grant
from danebot.adapters.files import rewrite_file, write_file
from danebot.adapters.tree import changes
from danebot.adapters.tree.memory_file import write_memory
from danebot.adapters.tree.paths import KINDS
from danebot.adapters.tree.recovery import recover
from danebot.config.settings import ComboAccess
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.steps.phases import Keep
from danebot.errors import TreeError

LIST, DEFAULT, LABEL = "system.posix_acl_access", "system.posix_acl_default", "security.selinux"
CERT = b"system_u:object_r:cert_t:s0\0"
POSTFIX, SSL_CERT = 4242, 4343  # ids that nobody has


def acl(mode: int, *, user: int = 4, mask: int = 4) -> bytes:
    """The list that ``setfacl -m u:POSTFIX:…,m::…`` makes of a file of a mode; see acl(5)."""
    nobody = 0xFFFFFFFF
    entries = (
        (0x01, mode >> 6, nobody),
        (0x02, user, POSTFIX),
        (0x04, mode >> 3 & 7, nobody),
        (0x10, mask, nobody),
        (0x20, mode & 7, nobody),
    )
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def list_of(path: Path) -> bytes | None:
    return os.getxattr(path, LIST) if LIST in os.listxattr(path) else None


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to any group")


@pytest.fixture
def lists(tmp_path: Path) -> None:
    """A file system that has access control lists."""
    probe = tmp_path / "probe"
    probe.touch()
    try:
        os.setxattr(probe, LIST, acl(0o600))
    except OSError as exc:
        pytest.skip(f"no access control lists in {tmp_path}: {exc.strerror}")
    probe.unlink()


@pytest.fixture
def labels(tmp_path: Path) -> Iterator[None]:
    """Security labels: the kernel's, or a double in memory where it refuses to set any."""
    probe = tmp_path / "probe"
    probe.touch()
    try:
        os.setxattr(probe, LABEL, CERT)
    except OSError:
        with _labels_in_memory():
            yield
    else:
        yield
    probe.unlink()


@contextlib.contextmanager
def _labels_in_memory() -> Iterator[None]:
    kept: dict[tuple[int, int], bytes] = {}
    get, put, names = os.getxattr, os.setxattr, os.listxattr

    def inode(file: Path | int) -> tuple[int, int]:
        found = os.stat(file)
        return found.st_dev, found.st_ino

    def getxattr(file: Path | int, name: str) -> bytes:
        return kept[inode(file)] if name == LABEL else get(file, name)

    def setxattr(file: Path | int, name: str, value: bytes) -> None:
        if name == LABEL:
            kept[inode(file)] = value
        else:
            put(file, name, value)

    def listxattr(file: Path | int) -> list[str]:
        return [*names(file), *([LABEL] if inode(file) in kept else [])]

    with mock.patch.multiple(os, getxattr=getxattr, setxattr=setxattr, listxattr=listxattr):
        yield


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    return trees.staged(tmp_path / "tree")


# ---- one file -------------------------------------------------------------------------------


@pytest.mark.usefixtures("lists", "labels")
def test_label_and_list_stay(tmp_path: Path) -> None:
    path = tmp_path / "combo.pem"
    path.touch(mode=0o600)
    os.setxattr(path, LIST, acl(0o600))
    os.setxattr(path, LABEL, CERT)
    os.setxattr(path, "user.note", b"mine")
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list_of(path) == acl(0o600)
    assert os.getxattr(path, LABEL) == CERT
    assert os.getxattr(path, "user.note") == b"mine"


@pytest.mark.parametrize("mask", [0, 4])
@pytest.mark.parametrize("wanted", [0o600, 0o640])
@pytest.mark.usefixtures("lists")
def test_the_mask_of_a_list_is_left_alone(tmp_path: Path, mask: int, wanted: int) -> None:
    """The mode's bits for the group are its own entry's, or the list would open to others."""
    path = tmp_path / "combo.pem"
    path.touch(mode=0o600)
    os.setxattr(path, LIST, acl(0o640, mask=mask))
    for write in (lambda: write_file(path, b"new", wanted), lambda: grant(path, Access(wanted))):
        write()
        assert list_of(path) == acl(wanted, mask=mask)
        assert mode(path) == 0o600 | mask << 3


@pytest.mark.usefixtures("lists")
def test_a_directorys_default_list_opens_nothing_that_was_shut(tmp_path: Path) -> None:
    path = tmp_path / "combo.pem"
    path.touch(mode=0o640)
    path.chmod(0o640)
    os.setxattr(tmp_path, DEFAULT, acl(0o640))
    write_file(path, b"new", 0o640)
    assert list_of(path) is None
    assert mode(path) == 0o640
    write_file(tmp_path / "first", b"new")
    assert mode(tmp_path / "first") == 0o600  # the mask is empty, so that the list grants nothing


@as_root
def test_what_replaces_a_file_is_for_those_who_used_it(tmp_path: Path) -> None:
    path = tmp_path / "dane-ee"
    rewrite_file(path, b"new", 0o644)
    assert mode(path) == 0o644
    path.chmod(0o640)
    os.chown(path, -1, SSL_CERT)
    rewrite_file(path, b"newer", 0o644)
    assert (mode(path), path.stat().st_gid) == (0o640, SSL_CERT)


@as_root
@pytest.mark.usefixtures("lists")
def test_a_file_that_somebody_else_made_is_no_model(tmp_path: Path) -> None:
    """They might have put it there to read what replaces it."""
    path = tmp_path / "combo.pem"
    path.touch(mode=0o666)
    os.setxattr(path, LIST, acl(0o666, user=6, mask=6))
    os.chown(path, POSTFIX, -1)
    assert access_of(path, 0o600) == Access(0o600)
    write_file(path, b"new")
    assert list_of(path) is None
    assert mode(path) == 0o600


@as_root
@pytest.mark.usefixtures("lists")
def test_a_file_is_private_until_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "combo.pem"
    path.touch(mode=0o640)
    os.setxattr(path, LIST, acl(0o640))
    seen = []
    write = os.write

    def watched(descriptor: int, data: bytes) -> int:
        written = write(descriptor, bytes(data)[:1])
        seen.append(os.fstat(descriptor).st_mode & 0o777)
        return written

    with mock.patch.object(os, "write", watched):
        write_file(path, b"new", 0o640, SSL_CERT)
    assert seen == [0o600] * 3
    assert list_of(path) == acl(0o640)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.ENOTSUP])
def test_a_label_that_may_not_be_set_is_left_to_the_policy(tmp_path: Path, number: int) -> None:
    path = tmp_path / "combo.pem"
    path.touch()
    os.setxattr(path, "user.note", b"mine")
    with mock.patch.object(os, "setxattr", side_effect=OSError(number, "refused")):
        write_file(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.usefixtures("lists")
def test_a_list_that_cannot_be_kept_stops_the_change(tmp_path: Path) -> None:
    """A service would be shut out, silently."""
    path = tmp_path / "combo.pem"
    path.write_bytes(b"old")
    os.setxattr(path, LIST, acl(0o600))
    with (
        mock.patch.object(os, "setxattr", side_effect=OSError(errno.ENOSPC, "full")),
        pytest.raises(TreeError, match="free some space"),
    ):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["combo.pem"]


@as_root
@pytest.mark.parametrize(
    ("before", "after"), [(0o640, 0o600), (0o600, 0o640), (0o604, 0o640), (0o640, 0o640)]
)
def test_access_is_granted_and_taken_in_place(tmp_path: Path, before: int, after: int) -> None:
    """On the way nobody has more than before or after: not the new group the old group's bits."""
    path = tmp_path / "combo.pem"
    path.touch()
    path.chmod(before)
    os.chown(path, -1, SSL_CERT)
    seen = []
    real = {name: getattr(os, name) for name in ("fchmod", "fchown")}

    def watch(name: str) -> Callable[..., None]:
        def call(descriptor: int, *args: int) -> None:
            real[name](descriptor, *args)
            found = os.fstat(descriptor)
            seen.append((found.st_mode & 0o777, found.st_gid))

        return call

    with (
        mock.patch.object(os, "fchmod", watch("fchmod")),
        mock.patch.object(os, "fchown", watch("fchown")),
    ):
        assert grant(path, Access(after, 0))
    both = before & after
    assert seen == [(both, SSL_CERT), (both, 0), (after, 0)]
    assert not grant(path, Access(after, 0))


def test_nothing_is_granted_behind_a_link_or_where_nothing_is(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch(mode=0o644)
    (tmp_path / "combo.pem").symlink_to(target)
    assert not grant(tmp_path / "combo.pem", Access(0o600))
    assert not grant(tmp_path / "absent", Access(0o600))
    assert mode(target) == 0o644


# ---- a lineage ------------------------------------------------------------------------------


def _deploy(grown: Grown) -> Path:
    changes.make_live(grown.paths, 1, ComboAccess())
    return grown.paths.live / "combo.pem"


def _conf(grown: Grown) -> Path:
    text = grown.paths.conf.read_text()
    grown.paths.conf.write_text(text.replace("reuse_key = True\n", ""))
    recover(grown.tree, NAME)
    return grown.paths.conf


def _memory(grown: Grown) -> Path:
    write_memory(grown.paths, Memory())
    return grown.paths.staging / "rollover.json"


@pytest.mark.parametrize("change", [_deploy, _conf, _memory])
@pytest.mark.usefixtures("lists", "labels")
def test_label_and_list_survive_replacement(grown: Grown, change: Callable[[Grown], Path]) -> None:
    path = change(grown)
    os.setxattr(path, LIST, acl(0o600))
    os.setxattr(path, LABEL, CERT)
    before = path.stat().st_ino
    change(grown)
    assert path.stat().st_ino != before
    assert list_of(path) == acl(0o600)
    assert os.getxattr(path, LABEL) == CERT


def _staged_key(grown: Grown) -> int:
    grown.staging_file("ready.pem", trees.key_pem("other"))
    return changes.stage_key(grown.paths)


def _put_back(grown: Grown) -> int:
    grown.version(2, "other")
    _shared(grown, 2)
    grown.link(grown.paths.staging, 2)
    state = grown.tree.read(NAME)
    assert state.serving is not None
    assert state.staged is not None
    return changes.put_back(grown.paths, state.serving, state.staged, Keep.ASIDE)


def _written_back(grown: Grown) -> int:
    grown.version(3)
    _shared(grown, 3)
    for kind in KINDS:
        grown.paths.archived(kind, 1).unlink()
    recover(grown.tree, NAME)
    return 1


def _shared(grown: Grown, version: int) -> None:
    """As Debian's administrators do, and with a list and a label."""
    for kind in KINDS:
        path = grown.paths.archived(kind, version)
        path.chmod(0o640)
        os.chown(path, -1, SSL_CERT)
        os.setxattr(path, LABEL, CERT)


@as_root
@pytest.mark.parametrize("change", [_staged_key, _put_back, _written_back])
@pytest.mark.usefixtures("labels")
def test_each_version_is_for_those_who_used_the_one_before(
    grown: Grown, change: Callable[[Grown], int]
) -> None:
    _shared(grown, 1)
    version = change(grown)
    for kind in KINDS:
        path = grown.paths.archived(kind, version)
        if kind == "privkey" or change is not _staged_key:
            assert (mode(path), path.stat().st_gid) == (0o640, SSL_CERT), kind
            assert os.getxattr(path, LABEL) == CERT


@pytest.mark.usefixtures("lists")
def test_a_list_goes_from_version_to_version(grown: Grown) -> None:
    os.setxattr(grown.paths.archived("privkey", 1), LIST, acl(0o600))
    version = _staged_key(grown)
    assert list_of(grown.paths.archived("privkey", version)) == acl(0o600)


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o600), (0o666, 0o664), (0o755, 0o654)])
def test_a_key_is_for_its_owner_to_write_and_as_certbot_has_it_for_others(
    grown: Grown, before: int, after: int
) -> None:
    grown.paths.archived("privkey", 1).chmod(before)
    assert mode(grown.paths.archived("privkey", _staged_key(grown))) == after
