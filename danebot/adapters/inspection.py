"""What a host's files and disks look like, as facts to judge: nothing here is changed."""

from __future__ import annotations

import grp
import os
import pwd
import re
import socket
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from danebot.adapters.presence import ABSENT, is_set_aside, unreadable
from danebot.domain.doctor.assess import exposure
from danebot.domain.doctor.facts import ComboGroup, FileStat, Role, Space, UnusableProgram
from danebot.domain.text import quoted
from danebot.regular import read_regular

_DOCUMENTATION = ("README", "readme")
_LARGEST_SCRIPT = 64 * 1024
_NOBODYS = {socket.AF_INET: "203.0.113.254", socket.AF_INET6: "100::1"}  # RFC 5737, RFC 6666


def file_stat(path: Path, role: Role) -> FileStat | None:
    """Owner and mode of what is there, behind a link; None for nothing.

    Raises `UnreadableError`.
    """
    try:
        found = os.stat(path)
    except ABSENT:
        return None
    except OSError as exc:
        raise unreadable(path, exc) from exc
    return FileStat(str(path), role, found.st_uid, stat.S_IMODE(found.st_mode), found.st_gid)


def has_access_list(path: Path) -> bool:
    """Whether an access control list says more of it than its mode (acl(5))."""
    try:
        return "system.posix_acl_access" in os.listxattr(path)
    except OSError:
        return False


def group_of(number: int) -> ComboGroup:
    """The group of an id, by its name where it has one."""
    try:
        return ComboGroup(grp.getgrgid(number).gr_name, number)
    except KeyError:
        return ComboGroup(str(number), number)


def group_of_user(*users: str) -> ComboGroup:
    """The group of the first of ``users`` that is here, else of its word alone."""
    for user in users:
        with suppress(KeyError):
            return group_of(pwd.getpwnam(user).pw_gid)
    return ComboGroup("GROUP")


def changeable(files: Iterable[Path], me: int) -> FileStat | None:
    """The first place on the way to ``files`` that others than root and ``me`` may change.

    None if there is none.  Who may write a link's directory, or owns a sticky one or the link
    there, has it lead elsewhere; in a sticky one others replace nothing.  ``files`` are what root
    runs.  Raises `UnreadableError`.
    """
    every = [one for file in files for one in (file.absolute(), *_interpreter(file))]
    for place in (place for file in every for place in _led_through(file)):
        entry = file_stat(place, Role.PROGRAM)
        if entry is not None and _is_sticky(place):
            entry = entry._replace(mode=entry.mode & ~(stat.S_IWGRP | stat.S_IWOTH))
        elif entry is not None and place.is_symlink() and _is_sticky(place.parent):
            entry = entry._replace(owner=os.lstat(place).st_uid)
        if entry is not None and exposure(entry, me) is not None:
            return entry
    return None


def _led_through(file: Path) -> Iterator[Path]:
    """The file and all directories by which the kernel comes to it, links on the way included."""
    ways = [file]
    for way in ways:
        for place in (way, *way.parents):
            yield place
            if place.is_symlink() and (target := place.parent / os.readlink(place)) not in ways:
                ways.append(target)


def _interpreter(program: Path) -> Iterator[Path]:
    """The program by which the kernel runs a script (execve(2))."""
    try:
        found = re.match(rb"#![ \t]*(/\S+)", read_regular(program, _LARGEST_SCRIPT))
    except OSError:  # a larger one is no script
        return
    if found is not None:
        yield Path(os.fsdecode(found[1]))


def _is_sticky(place: Path) -> bool:
    return place.is_dir() and bool(place.stat().st_mode & stat.S_ISVTX)


def space(path: Path) -> Space | None:
    """What is left where ``path`` is, or is to be made; None where nobody can tell."""
    for place in (path, *path.parents):
        try:
            found = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        inodes = found.f_favail if found.f_files else None
        read_only = bool(found.f_flag & os.ST_RDONLY)
        return Space(str(place), found.f_bavail * found.f_frsize, inodes, read_only)
    return None


def has_address(address: str) -> bool:
    """Whether an IP address, as a literal, is one of this host's; False where nobody can tell.

    The kernel binds no other, unless it is told to (ip_nonlocal_bind, see ip(7)), as where an
    address moves between hosts.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    read = ip_address(address)
    if read.is_unspecified or read.is_multicast:
        return False
    return _binds(family, address) and not _binds(family, _NOBODYS[family])


def _binds(family: socket.AddressFamily, address: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def source_address(address: str) -> str:
    """The address from which this host reaches another, "" where no route leads there.

    Nothing is sent.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 25))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def is_translated(address: str, source: str) -> bool:
    """Whether the world sees another address than ``source`` where this host reaches it."""
    return bool(source) and ip_address(address).is_global and not ip_address(source).is_global


def listens(port: int, root: Path) -> bool:
    """Whether something on the host takes TCP connections at ``port``, as the kernel lists it."""
    wanted = re.compile(rf"^ *\d+: [0-9A-F]+:{port:04X} [0-9A-F]+:0000 0A ", re.MULTILINE)
    for table in ("tcp", "tcp6"):
        try:
            if wanted.search((root / "proc/net" / table).read_text("ascii")):
                return True
        except OSError:
            continue
    return False


def hook_files(directory: Path) -> tuple[Path, ...]:
    """The hooks of one of certbot's directories, and those that danebot keeps beside theirs.

    Raises `UnreadableError`.
    """
    try:
        names = sorted(os.listdir(directory))
    except ABSENT:
        return ()
    except OSError as exc:
        raise unreadable(directory, exc) from exc
    return tuple(directory / name for name in names if (directory / name).is_file())


def not_executable(paths: Iterable[Path]) -> Iterator[UnusableProgram]:
    """Those that certbot and danebot pass over, though their names don't say that they are to."""
    for path in paths:
        if is_set_aside(path.name) or path.name.startswith(_DOCUMENTATION):
            continue
        if not os.access(path, os.X_OK):
            why = "is not executable, so it is never run"
            remedy = f"run: chmod +x {quoted(path)}; or take it out of that directory"
            yield UnusableProgram(str(path), why, remedy)


def command_trouble(command: str) -> UnusableProgram | None:
    """Why a shell command line can't be run, where it begins with the path of a program."""
    program = command.split(maxsplit=1)[0] if command.strip() else ""
    file = Path(program)
    if not program.startswith("/") or (file.is_file() and os.access(file, os.X_OK)):
        return None
    if file.exists():
        return UnusableProgram(program, "is not executable", f"run: chmod +x {quoted(program)}")
    return UnusableProgram(
        program, "is not there", "put it there, or correct the line that names it"
    )
