"""Who may use a file: its group, mode, access control list and security label.

What replaces a file takes the list and the label from it, and is never open wider: the new one is
0600 until it is complete, and a list's mask is never touched.  Where a file has such a list, the
group's bits of its mode are the mask (acl(5)), so the owning group's own entry counts here.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from pathlib import Path

from danebot.tuples import NamedTuple

_ACL = "system.posix_acl_access"
_OF_CONTENT = (_ACL, "security.ima", "security.evm", "security.capability")  # the list apart
_REFUSED = (errno.EPERM, errno.EACCES, errno.ENOTSUP)
_NO_LIST = (errno.ENODATA, errno.ENOTSUP)
_ENTRY = struct.Struct("<HHI")  # tag, permissions, id (linux/posix_acl_xattr.h)
_HEADER = 4
_USER, _GROUP, _OTHER = 0x01, 0x04, 0x20
_BITS = 0o777


class Access(NamedTuple):
    """The mode and, unless it is the process's own, the group's id."""

    mode: int
    group: int | None = None


def access_of(path: Path, default: int) -> Access:
    """The access that ``path`` gives, for what replaces it; ``default`` without such a file.

    Raises `OSError`.
    """
    found = _trusted(path)
    if found is None:
        return Access(default)
    return Access(_mode(path, found), found.st_gid)


def keep_labels(descriptor: int, model: Path) -> None:
    """Give a new, empty file the extended attributes of ``model``, if that is there.

    A label that this process may not set is left to the system's policy.  Raises `OSError`.
    """
    if _trusted(model) is None:
        return
    for name in _listed(model):
        value = os.getxattr(model, name)
        if name in _listed(descriptor) and os.getxattr(descriptor, name) == value:
            continue
        try:
            os.setxattr(descriptor, name, value)
        except OSError as exc:
            if exc.errno not in _REFUSED:
                raise


def settle(descriptor: int, access: Access, model: Path) -> None:
    """Give a complete file, 0600 until now, its group and mode, and the list of ``model``.

    Raises `OSError`.
    """
    if access.group is not None:
        os.fchown(descriptor, -1, access.group)
    if _trusted(model) is None:
        os.fchmod(descriptor, access.mode)
    else:
        _set(descriptor, access.mode, _list(model))


def grant(path: Path, access: Access) -> bool:
    """Give a file that is there another group or mode; whether it had another.

    It is never open to more than before or after.  Another user's, who may have put it there, is
    only ever made less open.  A link is left alone.  Raises `OSError`.
    """
    there = _regular(path)
    if there is None or _gives(path, there, _due(path, there, access)):
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        due = _due(descriptor, found, access)
        if _gives(descriptor, found, due):
            return False
        mode = _mode(descriptor, found)
        entries = _list(descriptor)
        _set(descriptor, mode & due.mode, entries)
        if due.group is not None:
            os.fchown(descriptor, -1, due.group)
        _set(descriptor, due.mode, entries)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True


def _due(file: Path | int, found: os.stat_result, access: Access) -> Access:
    """What is to be given to it; of another user's, nothing but less."""
    if _is_own(found):
        return access
    mode = _mode(file, found) & access.mode
    return Access(mode if access.group in (None, found.st_gid) else mode & 0o707)


def _regular(path: Path) -> os.stat_result | None:
    """A regular file's status; None where there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _trusted(path: Path) -> os.stat_result | None:
    """The same; None, too, where somebody else may have made it."""
    found = _regular(path)
    return found if found is not None and _is_own(found) else None


def _is_own(found: os.stat_result) -> bool:
    return found.st_uid in (0, os.geteuid())


def _gives(file: Path | int, found: os.stat_result, access: Access) -> bool:
    """Whether nothing is to be changed."""
    return access.group in (None, found.st_gid) and _mode(file, found) == access.mode


def _mode(file: Path | int, found: os.stat_result) -> int:
    """The permission bits, the group's own where there is a list."""
    mode = found.st_mode & _BITS
    for tag, permissions, _ in _ENTRY.iter_unpack(_list(file)[_HEADER:]):
        if tag == _GROUP:
            return mode & 0o707 | int(permissions) << 3
    return mode


def _set(descriptor: int, mode: int, entries: bytes) -> None:
    """Set the mode, within the list ``entries`` if there is one; named users and the mask stay."""
    if not entries:
        if _list(descriptor):  # by the directory's default
            os.removexattr(descriptor, _ACL)
        os.fchmod(descriptor, mode)
        return
    bits = {_USER: mode >> 6, _GROUP: mode >> 3 & 7, _OTHER: mode & 7}
    changed = b"".join(
        _ENTRY.pack(tag, bits.get(tag, permissions), who)
        for tag, permissions, who in _ENTRY.iter_unpack(entries[_HEADER:])
    )
    os.setxattr(descriptor, _ACL, entries[:_HEADER] + changed)


def _list(file: Path | int) -> bytes:
    """The access control list, as the kernel gives it; empty where there is none."""
    if sys.platform != "linux":
        return b""
    try:
        return os.getxattr(file, _ACL)
    except OSError as exc:
        if exc.errno in _NO_LIST:
            return b""
        raise


def _listed(file: Path | int) -> list[str]:
    """The names of the extended attributes that don't depend on the content."""
    if sys.platform != "linux":
        return []
    try:
        return [name for name in os.listxattr(file) if name not in _OF_CONTENT]
    except OSError as exc:
        if exc.errno == errno.ENOTSUP:
            return []
        raise
