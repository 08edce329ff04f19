"""What a program does to some directories, call by call, as strace sees it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from prove.disk import Call, Event

_CHANGES = (
    *("open", "openat", "creat", "write", "writev", "pwrite64", "pwritev", "sendfile"),
    *("copy_file_range", "truncate", "ftruncate", "fallocate", "rename", "renameat", "renameat2"),
    *("link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"),
    *("mknod", "mknodat", "chmod", "fchmod", "fchmodat", "utime", "utimes", "utimensat"),
    *("fsync", "fdatasync", "sync", "syncfs", "umask", "chdir", "sendto", "sendmsg", "sendmmsg"),
)
_FOLLOWED = {"openat", "creat", "open"}
_LINE = re.compile(r"(?P<process>\d+) +(?P<name>\w+)\((?P<words>.*)\) += (?P<result>\S+)")
_UNFINISHED = re.compile(r"(?P<process>\d+) +(?P<begun>.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(?P<process>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PLACE = re.compile(r"(?:\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>(?P<gone>\(deleted\))?")
_TIME = re.compile(r"tv_sec=(\d+), tv_nsec=(\d+)")
_SOCKETS = re.compile(r"(?:socket|pipe|TCP|UDP|TCPv6|UDPv6|UNIX)\b")
_UMASK = 0o022


class RecordError(Exception):
    """A call that changes files, and that a disk doesn't know."""


def traced(log: Path) -> tuple[str, ...]:
    """The words before a command that has its calls recorded in ``log``."""
    options = ("-f", "-qq", "-y", "-xx", "-z", "-s", "16777216", "--seccomp-bpf")
    return (
        "strace",
        *options,
        "-e",
        "signal=none",
        f"-etrace={','.join(_CHANGES)}",
        "-o",
        str(log),
    )


def events(log: Path, roots: Sequence[Path], cwd: Path | None = None) -> tuple[Event, ...]:
    """What happened below the roots, in order, and what was sent; raises `RecordError`.

    ``cwd`` is where the program began: this process's working directory unless said.
    """
    reader = _Reader(tuple(map(str, roots)), str(cwd or Path.cwd()))
    with log.open(encoding="ascii") as lines:
        return tuple(event for line in _whole(lines) for event in reader.read(line))


def _whole(lines: Iterator[str]) -> Iterator[str]:
    """Calls that others came between, in one line, where they end."""
    begun: dict[str, str] = {}
    for raw in lines:
        line = raw.rstrip("\n")
        if match := _UNFINISHED.match(line):
            begun[match["process"]] = match["begun"]
        elif match := _RESUMED.match(line):
            yield f"{match['process']} {begun.pop(match['process'])}{match['rest']}"
        else:
            yield line


class _Reader:
    def __init__(self, roots: tuple[str, ...], cwd: str) -> None:
        self._roots = roots
        self._cwd = cwd
        self._directories: dict[str, str] = {}
        self._umasks: dict[str, int] = {}

    def read(self, line: str) -> Iterator[Event]:
        match = _LINE.match(line)
        if match is None or match["result"].startswith(("-1", "?")):
            return
        name, words, result = match["name"], match["words"], match["result"]
        if name == "umask":
            self._umasks[match["process"]] = int(words, 8)
        elif name == "chdir":
            (directory,) = _paths(name, words, self._cwd)
            self._directories[match["process"]] = directory
        elif name == "sync":
            yield Event(Call.SYNC_ALL)
        elif name.startswith("send") and name != "sendfile":
            yield Event(Call.SEND, data=b"".join(map(_text, _STRING.findall(words))))
        else:
            umask = self._umasks.get(match["process"], _UMASK)
            cwd = self._directories.get(match["process"], self._cwd)
            for event in self._change(name, words, result, umask, cwd):
                if any(self._inside(path) for path in (event.path, event.other)):
                    yield event
                elif event.call is Call.WRITE and _SOCKETS.match(event.path):
                    yield Event(Call.SEND, data=event.data)

    def _inside(self, path: str) -> bool:
        return path.startswith(tuple(f"{root}/" for root in self._roots)) or path in self._roots

    def _change(  # noqa: C901, PLR0912
        self, name: str, words: str, result: str, umask: int, cwd: str
    ) -> Iterator[Event]:
        if name in _FOLLOWED:
            yield from self._opened(words, result, umask)
            return
        paths = list(_paths(name, words, cwd))
        sent = name in ("write", "writev")
        if "(deleted)" in words or not (any(map(self._inside, paths)) or (sent and paths)):
            return
        last = paths[-1]
        match name:
            case "write" | "writev" | "pwrite64" | "pwritev":
                data = b"".join(map(_text, _STRING.findall(words)))[: int(result)]
                at = int(words.rsplit(",", 1)[-1]) if name.startswith("p") else -1
                yield Event(Call.WRITE, paths[0], data=data, number=at)
            case "sendfile":
                yield Event(Call.COPY, paths[0], paths[1], number=int(result))
            case "copy_file_range":
                yield Event(Call.COPY, paths[1], paths[0], number=int(result))
            case "truncate" | "ftruncate":
                yield Event(Call.TRUNCATE, last, number=int(words.rsplit(",", 1)[-1]))
            case "rename" | "renameat" | "renameat2":
                if "RENAME_EXCHANGE" in words:
                    raise RecordError(words)
                yield Event(Call.RENAME, last, paths[0])
            case "link" | "linkat":
                yield Event(Call.LINK, last, paths[0])
            case "symlink" | "symlinkat":
                target = os.fsdecode(_text(_STRING.findall(words)[0]))
                yield Event(Call.SYMLINK, last, target)
            case "unlink" | "unlinkat" | "rmdir":
                yield Event(Call.REMOVE, last)
            case "mkdir" | "mkdirat":
                yield Event(Call.MAKE_DIRECTORY, last, number=_mode(words) & ~umask)
            case "chmod" | "fchmod" | "fchmodat":
                yield Event(Call.MODE, last, number=_mode(words))
            case "utimensat":
                *_, (seconds, rest) = _TIME.findall(words) or [("0", "0")]
                yield Event(Call.DATE, last, number=int(seconds) * 10**9 + int(rest))
            case "fsync" | "fdatasync":
                yield Event(Call.SYNC, last)
            case _:
                raise RecordError(f"{name} {paths}")

    def _opened(self, words: str, result: str, umask: int) -> Iterator[Event]:
        match = _PLACE.match(result)
        if match is None or match["gone"]:
            return
        path = os.fsdecode(_text(match[1]))
        if "O_TMPFILE" in words and self._inside(path):
            raise RecordError(f"a file without a name in {path}")
        if "O_CREAT" in words:
            yield Event(Call.CREATE, path, number=_mode(words) & ~umask)
        if "O_TRUNC" in words:
            yield Event(Call.TRUNCATE, path)


def _paths(name: str, words: str, cwd: str) -> Iterator[str]:
    """The files that a call names, by descriptors or by paths, in order."""
    if name in ("write", "writev", "pwrite64", "pwritev"):
        words = words.split(",", 1)[0]
    if name in ("symlink", "symlinkat"):
        words = words.split(",", 1)[1]
    base = ""
    for found in re.finditer(f"{_PLACE.pattern}|{_STRING.pattern}", words):
        place, _, string = found[1], found["gone"], found[3]
        if string is not None:
            path = os.path.normpath(Path(base or cwd) / os.fsdecode(_text(string)))
            yield path
            base = ""
        else:
            if base:
                yield base
            base = os.fsdecode(_text(place))
    if base:
        yield base


def _text(words: str) -> bytes:
    return bytes.fromhex(words.replace("\\x", ""))


def _mode(words: str) -> int:
    return int(re.findall(r"\b0[0-7]+\b", words)[-1], 8)
