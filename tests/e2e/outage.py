"""What a power cut may leave of an operation, by a record of its calls: see `prove.disk`."""

from __future__ import annotations

import functools
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from danebot.adapters.replacing import TEMP_PREFIX
from danebot.domain.lineage.pem import read_chain, read_private_key
from danebot.errors import CertificateError
from e2e.faults import Situation, assert_combo_usable
from e2e.site import OWNER
from e2e.striking import assert_mended
from prove.disk import Call, Disk, Event, Order
from prove.recording import events, traced
from prove.trees import Kind, Node, Tree, put, read, undated

_KEY = b"PRIVATE KEY"
_ZONE = b"\x07example\x04test"
_UPDATE = 5 << 3  # the opcode, in the third octet of a DNS message (RFC 2136 section 2.2)
_OPCODE = 0x78


class Record(NamedTuple):
    """An operation's calls, and the TLSA records that were there when it had ended."""

    at: Situation
    calls: tuple[Event, ...]
    records: tuple[str, ...]

    @property
    def roots(self) -> tuple[Path, Path]:
        """What is looked at: certbot's tree, and danebot's state."""
        return _roots(self.at)


class Cut(NamedTuple):
    """What may be left after the first ``number`` calls.

    ``known`` are digests of keys that must be there, ``dated`` times that ``ready.pem`` may have;
    ``updated`` is whether records were published by then.
    """

    number: int
    tree: Tree
    known: frozenset[str]
    dated: frozenset[int | None]
    updated: bool


def _roots(at: Situation) -> tuple[Path, Path]:
    return at.site.tree, at.site.snapshot.parent


def record(at: Situation) -> Record:
    """Run the operation undisturbed and record it; the record is whole, or this raises."""
    at.restore()
    site = at.site
    roots = _roots(at)
    roots[1].mkdir(exist_ok=True)
    disk = Disk(roots)
    plain = site.python
    with tempfile.TemporaryDirectory(prefix="danebot-record.") as directory:
        log = Path(directory) / "log"
        site.python = (*traced(log), sys.executable, "-m", "danebot")
        try:
            ran = site.danebot(*at.arguments, COVERAGE_PROCESS_CONFIG="")
        finally:
            site.python = plain
        assert ran.returncode == at.counted.returncode, ran
        calls = events(log, roots)
    for call in calls:
        disk.apply(call)
    differ = undated(disk.now()).items() ^ undated(read(roots)).items()
    assert not differ, f"not all was recorded: {sorted(path for path, _ in differ)}"
    return Record(at, calls, tuple(sorted(site.lab.tlsa_at(site.lab.ns1, OWNER))))


def cuts(
    found: Record, order: Order, most: int, dice: random.Random, seen: set[int]
) -> Iterator[Cut]:
    """What may be left at each moment, up to ``most`` of each; none twice, by their hash."""
    found.at.restore()
    found.roots[1].mkdir(exist_ok=True)
    disk = Disk(found.roots, order)
    ready = str(found.at.site.staging / "ready.pem")
    known, updated = found.at.keys, False
    dated = {node.modified for path, node in disk.now().items() if path == ready}
    for number, call in enumerate((*found.calls, None)):
        for tree in disk.cuts(most, dice):
            mark = hash(frozenset(tree.items()))
            if mark not in seen:
                seen.add(mark)
                yield Cut(number, tree, known, frozenset(dated), updated)
        if call is None:
            return
        disk.apply(call)
        if call.call is Call.SEND:
            updated |= is_update(call.data)
            known |= {key for key in _keys(disk.now()) if told(key, call.data)}
        elif call.call is Call.RENAME and call.path == ready:
            dated.add(disk.now()[ready].modified)


def is_update(data: bytes) -> bool:
    """Whether it is a DNS UPDATE, by UDP or TCP."""
    return _ZONE in data and any(data[at] & _OPCODE == _UPDATE for at in (2, 4))


def told(key: str, data: bytes) -> bool:
    """Whether the digest of a key is in what was sent, as it is in DNS, or as people read it."""
    return bytes.fromhex(key) in data or key.encode() in data.lower()


def _keys(tree: Tree) -> frozenset[str]:
    return frozenset(
        digest
        for path, node in tree.items()
        if node.kind is Kind.FILE and "/accounts/" not in path and (digest := _digest(node.data))
    )


@functools.lru_cache(maxsize=4096)
def _digest(data: bytes) -> str:
    """The SPKI digest of a file's key, in hex; "" if it has none, or half of one."""
    if _KEY in data:
        with suppress(CertificateError):
            return read_private_key(data).digest.hex()
    return ""


@functools.lru_cache(maxsize=1024)
def _usable(data: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="danebot-combo.") as directory:
        path = Path(directory) / "combo.pem"
        path.write_bytes(data)
        assert_combo_usable(path)


def assert_intact(found: Record, cut: Cut) -> None:
    """What holds at that very instant, whatever was lost."""
    lost = cut.known - _keys(cut.tree)
    assert not lost, f"lost keys: {lost}"
    for path, node in cut.tree.items():
        if node.kind is Kind.FILE and _KEY in node.data and "/accounts/" not in path:
            assert node.mode & 0o077 == 0, (path, oct(node.mode))
    combo = cut.tree.get(str(found.at.site.live / "combo.pem"))
    if combo is not None:
        _usable(combo.data)
    else:
        assert found.at.name == "init", "combo.pem is gone"
    ready = cut.tree.get(str(found.at.site.staging / "ready.pem"))
    assert ready is None or ready.modified in cut.dated, "ready.pem says another time"
    _assert_demanded(found, cut.tree)
    if found.at.name == "deinit":
        _assert_no_litter(found, cut.tree)


def _assert_demanded(found: Record, tree: Tree) -> None:
    """What ``dnsnames`` demands is in a certificate: else renewals would be held back."""
    site = found.at.site
    wanted = tree.get(str(site.staging / "dnsnames"))
    if wanted is None or found.at.name != "names":
        return
    held = [_names(n.data) for p, n in tree.items() if p.startswith(f"{site.archive}/fullchain")]
    names = set(wanted.data.decode().split())
    assert any(names <= one for one in held), f"no certificate has {names}"


def _assert_no_litter(found: Record, tree: Tree) -> None:
    """Nobody looks for it once staging is gone."""
    staging = f"{found.at.site.tree}/staging"
    if f"{staging}/{found.at.site.staging.name}" not in tree:
        litter = {path for path in tree if f"/{TEMP_PREFIX}" in path}
        places = (staging, str(found.at.site.snapshot.parent))
        left = [path for path in litter if not path.startswith(places)]
        assert not left, f"it stays for good: {left}"


@functools.lru_cache(maxsize=1024)
def _names(data: bytes) -> frozenset[str]:
    """The names of a certificate with its chain, "" if it is none."""
    with suppress(CertificateError):
        return frozenset(map(str, read_chain(data).names))
    return frozenset()


def lay(found: Record, cut: Cut) -> None:
    """Have the site be as after the cut."""
    at = found.at
    at.restore()
    if cut.updated:
        at.site.lab.tlsa_set(OWNER, *found.records)
        at.site.lab.flush()
    put(cut.tree, found.roots)


def assert_heals(found: Record, undisturbed: frozenset[str], cut: Cut) -> None:
    """The same command, given again, comes to what it comes to undisturbed.

    ``names`` wants a ``renew`` before, and says so, where no complete certificate is staged.
    """
    lay(found, cut)
    if found.at.name == "names":
        found.at.site.danebot("renew")
    assert_mended(found.at, undisturbed, describe(found, cut))


def describe(found: Record, cut: Cut) -> str:
    """The last call before the power went, and what differs from what was there."""
    if not cut.number:
        return "before the first call"
    call = found.calls[cut.number - 1]
    return f"after call {cut.number} of {len(found.calls)}: {call.call.value} {call.path}"


def lost(found: Record, cut: Cut) -> Iterator[str]:
    """What is not as it was while the power was on, a line for each path."""
    found.at.restore()
    found.roots[1].mkdir(exist_ok=True)
    disk = Disk(found.roots)
    for call in found.calls[: cut.number]:
        disk.apply(call)
    now = disk.now()
    for path in sorted({*now, *cut.tree}):
        was, left = now.get(path), cut.tree.get(path)
        if was != left:
            yield f"{path}: {_words(left)} in place of {_words(was)}"


def _words(node: Node | None) -> str:
    if node is None:
        return "nothing"
    if node.kind is Kind.LINK:
        return f"a link to {node.data.decode()}"
    head = node.data[:30].decode("latin-1").split("\n")[0]
    return f"{node.kind.value} {len(node.data)} octets {head!r} {node.mode:o} {node.modified}"


def tally(calls: Sequence[Event]) -> Counter[str]:
    """How many calls of each kind there are."""
    return Counter(call.call.value for call in calls)
