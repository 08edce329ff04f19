"""Pulls the plug, fills the disk, lets a call fail or sends a signal, at a chosen call of a run.

`faults.c` is loaded into danebot and everything that it starts.  It numbers the calls that change
a file of certbot's tree or of danebot's state, across all processes; at the chosen number it kills
them all before the call (a write: after half of it), lets this call or all later ones fail, or
sends danebot a signal.
certbot's logs and work directory don't count.

A situation is prepared once and kept as a copy; each fault begins from that copy.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import functools
import mmap
import os
import shutil
import signal
import ssl
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from danebot.adapters.tree.reader import TreeReader
from danebot.adapters.tree.recovery import recover
from danebot.adapters.tree.tree import Tree
from danebot.domain.lineage.pem import read_private_key
from danebot.errors import CertificateError
from e2e.alike import Alike
from e2e.forking import Forking
from e2e.site import MAIL, OWNER, PROGRAM, Site
from lab.compiled import compiled

_ROOTS, _PROCESSES, _CALLS, _WORDS = 4, 64, 2048, 160
_HEAD = struct.Struct("3i 4i")  # mode, at, number; changes, space, fired, processes
_PATIENCE = 280  # seconds for a run
_OF_A_TEST = ("PYTEST_", "COV")  # pytest names the test that runs in a variable
_Done = subprocess.CompletedProcess[str]
_SIZE = _HEAD.size + 4 * _PROCESSES + 256 * _ROOTS + _WORDS * _CALLS


class Fault(enum.Enum):
    """What happens at the chosen call: the mode of `faults.c`, the number of error or signal."""

    NONE = (0, 0)
    POWER_CUT = (1, 0)
    DISK_FULL = (2, 0)
    READ_ONLY = (3, 0)
    DENIED = (4, errno.EACCES)  # this call alone, as where a policy forbids it
    INTERRUPTED_CALL = (4, errno.EINTR)
    DISK_BROKEN = (5, errno.EIO)  # from then on, synchronising too
    SYNC_FAILS = (6, errno.EIO)  # what was written before may not be on the disk
    NO_DESCRIPTORS = (7, errno.EMFILE)  # nothing can be opened from then on
    TERMINATED = (8, signal.SIGTERM)
    INTERRUPTED = (8, signal.SIGINT)
    HUNG_UP = (8, signal.SIGHUP)


class Start(enum.Enum):
    """How a run under a fault starts."""

    FORKED = enum.auto()  # from one that has imported it all (`e2e.forking`), certbot likewise
    REAL = enum.auto()


@dataclass(frozen=True)
class Ran:
    """A run under a fault: how it ended, and the changing calls that were numbered."""

    returncode: int
    stdout: str
    stderr: str
    changes: int
    space: int
    fired: bool
    calls: tuple[str, ...]

    @property
    def last(self) -> str:
        """The call at which a power cut happened, for messages."""
        return self.calls[-1] if self.calls else "none"


def shim() -> Path:
    """The compiled shim."""
    return compiled(Path(__file__).with_name("faults.c"), "-shared", "-fPIC")


@functools.lru_cache(maxsize=1)
def _forking(environment: tuple[tuple[str, str], ...]) -> Forking:
    """One for a test's process and its environment; it ends with that."""
    return Forking(shim(), dict(environment))


def _started(site: Site, arguments: tuple[str, ...], plan: str, start: Start) -> _Done:
    # other tests tell what is covered; here it would cost a third of the time
    more = {"LD_PRELOAD": str(shim()), "FAULTS": plan, "COVERAGE_PROCESS_CONFIG": ""}
    if start is Start.REAL or site.python != PROGRAM:
        return site.danebot(*arguments, timeout=_PATIENCE, **more)
    site.lab.faulted_certbot(shim())
    env = site.env()
    kept = {name: value for name, value in env.items() if not name.startswith(_OF_A_TEST)}
    words = site.command(*arguments)[len(PROGRAM) :]
    return _forking(tuple(sorted(kept.items()))).run(words, {**env, **more}, _PATIENCE)


def run(
    site: Site,
    arguments: tuple[str, ...],
    fault: Fault = Fault.NONE,
    at: int = 0,
    start: Start = Start.FORKED,
) -> Ran:
    """Run danebot with a fault at the ``at``-th call (of those that need space, if the disk
    fills)."""
    with tempfile.NamedTemporaryFile(prefix="danebot-faults.plan.") as file:
        mode, number = fault.value
        roots = [os.fsencode(path) for path in (site.tree, site.snapshot.parent)]
        head = _HEAD.pack(mode, at, number, 0, 0, 0, 0) + bytes(4 * _PROCESSES)
        file.write((head + b"".join(r.ljust(256, b"\0") for r in roots)).ljust(_SIZE, b"\0"))
        file.flush()
        done = _started(site, arguments, file.name, start)
        with mmap.mmap(file.fileno(), _SIZE, access=mmap.ACCESS_READ) as shared:
            *_, changes, space, fired, processes = _HEAD.unpack_from(shared)
            first = _SIZE - _WORDS * _CALLS
            words = [shared[first + _WORDS * n : first + _WORDS * (n + 1)] for n in range(changes)]
    assert processes < _PROCESSES, "faults.c has no room for so many processes"
    assert changes < _CALLS, "faults.c has no room for so many calls"
    calls = tuple(word.split(b"\0", 1)[0].decode() for word in words)
    return Ran(done.returncode, done.stdout, done.stderr, changes, space, bool(fired), calls)


def points(total: int, wanted: int) -> list[int]:
    """Evenly spread numbers of calls out of 1 to ``total``, the first and the last among them."""
    if total <= wanted:
        return list(range(1, total + 1))
    return sorted({1 + round(n * (total - 1) / (wanted - 1)) for n in range(wanted)})


class Situation:
    """A site just before an operation, to return to; ``arguments`` is the operation."""

    def __init__(self, name: str, site: Site, *arguments: str) -> None:
        """Keep a copy of the site as it is, and count the operation's calls on it."""
        self.name = name
        self.site = site
        self.arguments = arguments
        self._copy = Path(tempfile.mkdtemp(prefix="danebot-situation."))
        shutil.copytree(site.tree.parent, self._copy / "base", symlinks=True)
        self.keys = private_keys(site.tree)
        self._alike = Alike(site.tree.parent)
        self._records = sorted(site.lab.tlsa_at(site.lab.ns1, OWNER))
        self.restore()  # as before each fault
        self.counted = run(site, arguments)
        assert self.counted.returncode in {0, 1}, self.counted  # 1: it has something to tell
        self.restore()

    def restore(self) -> None:
        """Bring the site back to where the operation begins."""
        base = self.site.tree.parent
        shutil.rmtree(base)
        shutil.copytree(self._copy / "base", base, symlinks=True)
        lab = self.site.lab
        if sorted(lab.tlsa_at(lab.ns2, OWNER)) != self._records:  # another situation's
            lab.tlsa_set(OWNER, *self._records)
        lab.flush()  # what the resolver still had in its cache would be remembered: more writes

    def mark(self, began: datetime) -> str:
        """What is left of a run that began then: equal where further runs come to the same."""
        lab = self.site.lab
        records = {ns: sorted(lab.tlsa_at(ns, OWNER)) for ns in (lab.ns1, lab.ns2)}
        return self._alike.mark(records, began)

    def strike(self, fault: Fault, at: int, start: Start = Start.FORKED) -> Ran:
        """The operation from the beginning, with a fault."""
        self.restore()
        return run(self.site, self.arguments, fault, at, start)

    def close(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self._copy)


def situation(prepare: Callable[[Site], tuple[str, ...]], site: Site) -> Iterator[Situation]:
    """A fixture's body: what ``prepare`` makes of a site; it returns the operation's words."""
    site.lab.reset()
    made = Situation(prepare.__name__, site, *prepare(site))
    yield made
    made.close()


# ---- what must hold -------------------------------------------------------------------------


def private_keys(tree: Path) -> frozenset[str]:
    """The SPKI digests, in hex, of every private key in any regular file of the tree."""
    found = set()
    for _, pem in _key_files(tree):
        with contextlib.suppress(CertificateError):  # half written
            found.add(read_private_key(pem).digest.hex())
    return frozenset(found)


def _key_files(tree: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not path.is_symlink() and "accounts" not in path.parts:
            data = path.read_bytes()
            if b"PRIVATE KEY" in data:
                yield path, data


def assert_nothing_lost(before: frozenset[str], tree: Path) -> None:
    """Every key that was there is there."""
    lost = before - private_keys(tree)
    assert not lost, f"lost keys: {lost}"


def assert_private(tree: Path) -> None:
    """No file with a private key is open to others."""
    for path, _ in _key_files(tree):
        assert path.stat().st_mode & 0o077 == 0, (path, oct(path.stat().st_mode))


def assert_combo_usable(combo: Path) -> None:
    """A complete, matching key and chain, which OpenSSL loads."""
    held = TreeReader().combo(combo)
    assert held is not None, combo
    assert held.matches
    assert len(held.chain.ders) > 1
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(combo)


def assert_healed(site: Site, name: str = MAIL) -> None:
    """A sound tree in which recovery finds nothing to do, and no temporary file anywhere."""
    site.sound(name)
    assert recover(Tree(site.tree), name) == ()
    assert temporary_files(site) == []


def temporary_files(site: Site) -> list[Path]:
    """danebot's temporary files, wherever they are."""
    return list(site.tree.parent.rglob(".danebot-tmp-*"))
