"""A disk that forgets: what may be on it once the power went, by the calls that came before.

The model is POSIX's least, with what every journal adds to it:

- What a file holds, its mode and its time are sure since its last fsync.  Of what came after, any
  state may be there, the former too; of what was written last also the first half alone, or as many
  zeros.  Each file, and each of the three, by itself.
- A change of entries (a file made, linked, renamed, removed) is sure once its directory was
  synced.  Without that each directory has lost its last changes, from any one on
  (`Order.JOURNAL`), or any of them (`Order.NONE`).  A rename is done or not, as a whole, also from
  one directory to another.
- A symbolic link has its target from the first.  Owners and extended attributes aren't kept.
"""

from __future__ import annotations

import enum
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import NamedTuple

from prove.trees import Kind, Node, Tree, read

_BITS = 0o7777


class Order(enum.Enum):
    """Which changes of one directory may be lost: the last ones, or any."""

    JOURNAL = "journal"
    NONE = "none"


class Call(enum.Enum):
    """A call, as far as a disk is concerned."""

    CREATE = "create"
    WRITE = "write"
    COPY = "copy"
    TRUNCATE = "truncate"
    RENAME = "rename"
    LINK = "link"
    SYMLINK = "symlink"
    REMOVE = "remove"
    MAKE_DIRECTORY = "mkdir"
    MODE = "chmod"
    DATE = "utime"
    SYNC = "fsync"
    SYNC_ALL = "sync"
    SEND = "send"  # to a socket or a pipe: told to others


class Event(NamedTuple):
    """One call: ``number`` is a mode, an offset (-1: at the end), a length or a time in ns.

    ``other`` is where a rename or link begins, what a copy is of, a symbolic link's target.
    """

    call: Call
    path: str = ""
    other: str = ""
    data: bytes = b""
    number: int = 0


class ModelError(Exception):
    """The disk has no such file: the record isn't whole."""


@dataclass(eq=False)
class _Inode:
    """``states`` begins with what is sure, and ends with what is; entries likewise."""

    kind: Kind
    states: list[Node]
    entries: dict[str, _Inode] = field(default_factory=dict)
    sure: dict[str, _Inode] = field(default_factory=dict)

    @property
    def now(self) -> Node:
        return self.states[-1]

    def become(self, node: Node) -> None:
        if node != self.now:
            self.states.append(node)


class _Change(NamedTuple):
    """Entries that change together: directory, name, and what it leads to from then on."""

    entries: tuple[tuple[_Inode, str, _Inode | None], ...]

    def touches(self, directory: _Inode) -> bool:
        return any(entry[0] is directory for entry in self.entries)


class Disk:
    """Some directories, ``roots``, with all that is below them."""

    def __init__(self, roots: Sequence[Path], order: Order = Order.JOURNAL) -> None:
        """Everything that is there now is sure."""
        self.order = order
        self._pending: list[_Change] = []
        self._roots = {str(root): _directory(0o755) for root in roots}
        for path, node in sorted(read(roots).items()):
            inode = _Inode(node.kind, [node])
            parent, name = self._place(path)
            parent.entries[name] = parent.sure[name] = inode

    def apply(self, event: Event) -> None:  # noqa: C901 - a call each
        """Let a call happen; raises `ModelError` where it can't have."""
        call, path, other = event.call, event.path, event.other
        match call:
            case Call.CREATE:
                if self._find(path) is None:
                    self._enter(path, _Inode(Kind.FILE, [Node(Kind.FILE, mode=event.number)]))
            case Call.MAKE_DIRECTORY:
                self._enter(path, _directory(event.number))
            case Call.SYMLINK:
                node = Node(Kind.LINK, os.fsencode(other))
                self._enter(path, _Inode(Kind.LINK, [node]))
            case Call.LINK:
                self._enter(path, self._there(other))
            case Call.RENAME:
                self._rename(other, path)
            case Call.REMOVE:
                parent, name = self._place(path)
                self._there(path)
                self._change((parent, name, None))
            case Call.WRITE | Call.COPY | Call.TRUNCATE | Call.MODE | Call.DATE:
                inode = self._there(self._followed(path))
                inode.become(self._changed(inode.now, event))
            case Call.SYNC:
                self._sync(self._there(path))
            case Call.SYNC_ALL:
                for inode in self._all():
                    self._sync(inode)
            case Call.SEND:
                pass

    def _changed(self, node: Node, event: Event) -> Node:
        data = node.data
        match event.call:
            case Call.MODE:
                return node._replace(mode=event.number & _BITS)
            case Call.DATE:
                return node._replace(modified=event.number)
            case Call.TRUNCATE:
                data = data[: event.number].ljust(event.number, b"\0")
            case Call.COPY:
                source = self._there(event.other).now.data
                data += source[len(data) : len(data) + event.number]
            case _:
                at = len(data) if event.number < 0 else event.number
                data = data[:at].ljust(at, b"\0") + event.data + data[at + len(event.data) :]
        return node._replace(data=data, modified=None)

    def _rename(self, old: str, new: str) -> None:
        (source, name), (target, to) = self._place(old), self._place(new)
        inode = self._there(old)
        if target.entries.get(to) is not inode:  # two names of one file stay
            self._change((source, name, None), (target, to, inode))

    def _enter(self, path: str, inode: _Inode) -> None:
        parent, name = self._place(path)
        if name in parent.entries:
            raise ModelError(f"{path} is there already")
        self._change((parent, name, inode))

    def _change(self, *entries: tuple[_Inode, str, _Inode | None]) -> None:
        _take(entries, {id(directory): directory.entries for directory, *_ in entries})
        self._pending.append(_Change(entries))

    def _sync(self, inode: _Inode) -> None:
        inode.states = inode.states[-1:]
        if inode.kind is not Kind.DIRECTORY:
            return
        due = [change.touches(inode) for change in self._pending]
        if self.order is Order.JOURNAL:
            self._spread(due)
        for change in (c for c, kept in zip(self._pending, due, strict=True) if kept):
            _take(
                change.entries, {id(directory): directory.sure for directory, *_ in change.entries}
            )
        self._pending = [c for c, kept in zip(self._pending, due, strict=True) if not kept]

    def _spread(self, due: list[bool]) -> None:
        """What comes before a change that is sure, in one of its directories, is sure, too."""
        for number in reversed(range(len(due))):
            if due[number]:
                for before in range(number):
                    for directory, *_ in self._pending[number].entries:
                        due[before] |= self._pending[before].touches(directory)

    # ---- where things are -------------------------------------------------------------------

    def _place(self, path: str) -> tuple[_Inode, str]:
        root = next((root for root in self._roots if path.startswith(f"{root}/")), None)
        if root is None:
            raise ModelError(f"{path} is outside")
        *above, name = path[len(root) + 1 :].split("/")
        inode = self._roots[root]
        for part in above:
            if part not in inode.entries:
                raise ModelError(f"there is no {path}")
            inode = inode.entries[part]
        return inode, name

    def _find(self, path: str) -> _Inode | None:
        if path in self._roots:
            return self._roots[path]
        parent, name = self._place(path)
        return parent.entries.get(name)

    def _there(self, path: str) -> _Inode:
        inode = self._find(path)
        if inode is None:
            raise ModelError(f"there is no {path}")
        return inode

    def _followed(self, path: str) -> str:
        while (inode := self._there(path)).kind is Kind.LINK:
            path = os.path.normpath(Path(path).parent / os.fsdecode(inode.now.data))
        return path

    def _all(self) -> Iterator[_Inode]:
        todo = [*self._roots.values()]
        while todo:
            inode = todo.pop()
            yield inode
            todo += inode.entries.values()

    # ---- what may be left -------------------------------------------------------------------

    def now(self) -> Tree:
        """What is there while the power is on."""
        return self._tree(lambda directory: directory.entries, lambda inode: inode.now)

    def cuts(self, most: int, dice: random.Random) -> Iterator[Tree]:
        """What may be left if the power goes now: all of it, or ``most`` by chance beyond that.

        Everything, nothing, and names without what the files held are among them.
        """
        entries, files = self._choices()
        choices = [*entries, *(options for _, _, options in files)]
        count = 1
        for options in choices:
            count *= options
        if count <= most:
            for every in product(*(range(options) for options in choices)):
                yield self._left(every, len(entries), files)
            return
        yield self._left([0] * len(choices), len(entries), files)
        yield self._left([options - 1 for options in choices], len(entries), files)
        named = [options - 1 for options in entries]
        yield self._left([*named, *([0] * len(files))], len(entries), files)
        for _ in range(most - 3):
            # extremes meet seldom by chance: a directory keeps all, or nothing, every second time
            picked = [
                dice.choice((0, n - 1, dice.randrange(n), dice.randrange(n))) for n in choices
            ]
            yield self._left(picked, len(entries), files)

    def _directories(self) -> list[_Inode]:
        found = {id(entry[0]): entry[0] for c in self._pending for entry in c.entries}
        return [*found.values()]

    def _choices(self) -> tuple[list[int], list[tuple[_Inode, str, int]]]:
        """How many ways there are for entries, and for each part of each inode."""
        if self.order is Order.JOURNAL:
            entries = [
                1 + sum(change.touches(directory) for change in self._pending)
                for directory in self._directories()
            ]
        else:
            entries = [2] * len(self._pending)
        inodes = {id(i): i for i in self._all()}
        inodes |= {id(i): i for c in self._pending for _, _, i in c.entries if i is not None}
        files = []
        for inode in inodes.values():
            if len(inode.states) > 1:
                for part in ("data", "mode", "modified"):
                    options = len(_options(inode, part))
                    if options > 1:
                        files.append((inode, part, options))
        return entries, files

    def _left(self, picked: Sequence[int], many: int, files: list[tuple[_Inode, str, int]]) -> Tree:
        kept = self._kept(picked[:many])
        held: dict[int, Node] = {}
        for (inode, part, _), number in zip(files, picked[many:], strict=True):
            node = held.get(id(inode), inode.states[0])
            held[id(inode)] = Node(**{**node._asdict(), part: _options(inode, part)[number]})
        entries = {id(d): dict(d.sure) for d in self._directories()}
        for change in kept:
            _take(change.entries, entries)
        return self._tree(
            lambda directory: entries.get(id(directory), directory.sure),
            lambda inode: held.get(id(inode), inode.states[0]),
        )

    def _kept(self, picked: Sequence[int]) -> list[_Change]:
        if self.order is Order.NONE:
            return [c for c, kept in zip(self._pending, picked, strict=True) if kept]
        left = {id(d): n for d, n in zip(self._directories(), picked, strict=True)}
        kept = []
        for change in self._pending:
            directories = {id(entry[0]) for entry in change.entries}
            if all(left[one] > 0 for one in directories):
                kept.append(change)
                for one in directories:
                    left[one] -= 1
            else:
                for one in directories:  # nothing later there either
                    left[one] = 0
        return kept

    def _tree(
        self, entries: Callable[[_Inode], Mapping[str, _Inode]], held: Callable[[_Inode], Node]
    ) -> Tree:
        found: Tree = {}
        todo = [*self._roots.items()]
        while todo:
            path, directory = todo.pop()
            for name, inode in entries(directory).items():
                found[f"{path}/{name}"] = held(inode)
                if inode.kind is Kind.DIRECTORY:
                    todo.append((f"{path}/{name}", inode))
        return found


def _directory(mode: int) -> _Inode:
    return _Inode(Kind.DIRECTORY, [Node(Kind.DIRECTORY, mode=mode)])


def _take(
    entries: Sequence[tuple[_Inode, str, _Inode | None]], into: Mapping[int, dict[str, _Inode]]
) -> None:
    for directory, name, inode in entries:
        if inode is None:
            into[id(directory)].pop(name, None)
        else:
            into[id(directory)][name] = inode


def _options(inode: _Inode, part: str) -> list[object]:
    """What may be there of one part, what is sure first and what is now last."""
    found: list[object] = [getattr(state, part) for state in inode.states]
    first, last = found[0], found[-1]
    if isinstance(last, bytes) and any(one != last for one in found):
        found += [last[: len(last) // 2], bytes(len(last))]
    between = dict.fromkeys(one for one in found if one not in (first, last))
    return [first, *between, *([last] if last != first else [])]
