"""What must hold where something strikes one of danebot's operations, whatever and wherever."""

from __future__ import annotations

import re
import signal
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from e2e.faults import (
    Fault,
    Ran,
    Situation,
    Start,
    assert_combo_usable,
    assert_nothing_lost,
    assert_private,
    private_keys,
    temporary_files,
)
from e2e.site import sound_tree

SIGNALS = (Fault.TERMINATED, Fault.INTERRUPTED, Fault.HUNG_UP)
_INTERRUPTED = 130
_RENEW_FIRST = "has no complete waiting certificate; run first: danebot renew"
_NEVERTHELESS = 12
_REAL = 23  # one run in so many starts as cron starts it


def points(at: Situation, fault: Fault) -> range:
    """The calls at which a fault can strike."""
    return range(1, (at.counted.space if fault is Fault.DISK_FULL else at.counted.changes) + 1)


def wanted(at: Situation) -> frozenset[str]:
    """What the operation comes to, undisturbed."""
    at.restore()
    ran = at.site.danebot(*at.arguments)
    assert ran.returncode == at.counted.returncode, ran
    return _outcome(at)


@dataclass
class Mended:
    """The different states of one operation that were mended, and how often one was met again."""

    marks: set[str] = field(default_factory=set)
    again: int = 0

    def suffices(self, mark: str) -> bool:
        """Whether it was mended before; each so many times it is tried nevertheless."""
        self.again += mark in self.marks
        return mark in self.marks and self.again % _NEVERTHELESS != 0


def assert_same_again(
    at: Situation,
    undisturbed: frozenset[str],
    fault: Fault,
    point: int,
    mended: Mended | None = None,
) -> Ran:
    """Let a fault strike; what holds then, and that the same command comes to the same.

    That it does is tried once for each different state in ``mended``.
    Return what the struck run came to.
    """
    mended = Mended() if mended is None else mended
    began = datetime.now(UTC)
    ran = at.strike(fault, point, _start(fault, point))
    where = f"{fault.name} at {point} of {at.counted.changes}: {call(at, fault, point)}"
    assert ran.fired or fault in {Fault.SYNC_FAILS, Fault.NO_DESCRIPTORS}, where
    _assert_told(ran, fault, where)
    assert_nothing_lost(at.keys, at.site.tree)
    assert_private(at.site.tree)
    combo = at.site.live / "combo.pem"
    if at.name != "init" or combo.exists():
        assert_combo_usable(combo)
    mark = at.mark(began)
    if mended.suffices(mark):
        return ran
    time.sleep(1 if ran.returncode == 1 and at.arguments == ("renew",) else 0)  # back-off
    assert_mended(at, undisturbed, f"{where}, {ran}")
    mended.marks.add(mark)
    return ran


def _start(fault: Fault, point: int) -> Start:
    """Where modules can't be opened the start matters; of the others a share, as a cross-check."""
    real = fault is Fault.NO_DESCRIPTORS or (7 * point + len(fault.name)) % _REAL == 0
    return Start.REAL if real else Start.FORKED


def assert_mended(at: Situation, undisturbed: frozenset[str], where: str) -> None:
    """Give the same command once more, on the site as it is: it comes to the same.

    ``where`` tells what happened before.  Where certbot was cut off while it moved staging's links,
    ``names`` says that a ``renew`` is to go before.
    """
    keys = private_keys(at.site.tree)
    # a key that was made is there: newkey would say no more than that
    words = ("renew",) if at.name == "newkey" else at.arguments
    again = at.site.danebot(*words)
    if at.name == "names" and _RENEW_FIRST in again.stderr:
        at.site.danebot("renew")
        again = at.site.danebot(*words)
    assert again.returncode in {0, at.counted.returncode}, (where, again)
    if at.name == "init":  # once done, it leaves what is to be remembered to the run
        at.site.ok("renew")
    assert_nothing_lost(at.keys if at.name == "newkey" else keys, at.site.tree)
    if at.name != "newkey":
        differ = _outcome(at) ^ undisturbed
        assert not differ, (where, sorted(differ), again)
    if at.name not in {"newkey", "deinit"}:  # what couldn't be removed goes with this run
        at.site.ok("renew")
    sound_tree(at.site.tree)
    left = temporary_files(at.site)
    if at.name == "deinit":  # beside the status document: the daily run's to remove
        left = [path for path in left if path.is_relative_to(at.site.tree)]
    assert left == [], where


def call(at: Situation, fault: Fault, point: int) -> str:
    """The call that is struck, as it was when it was counted: process, name and path."""
    return "" if fault is Fault.DISK_FULL else at.counted.calls[point - 1]


def _assert_told(ran: Ran, fault: Fault, where: str) -> None:
    """In danebot's own words, one line for each thing, and an exit status that fits."""
    if fault is Fault.POWER_CUT:
        assert ran.returncode == -signal.SIGKILL, (where, ran)
        return
    lines = ran.stderr.splitlines()
    assert all(line.startswith("danebot: ") for line in lines), (where, ran.stderr)
    assert not any("internal error" in line for line in lines), (where, ran.stderr)
    assert ran.returncode in ({0, 1, _INTERRUPTED} if fault in SIGNALS else {0, 1}), (where, ran)
    assert lines or ran.returncode == 0, where


def _outcome(at: Situation) -> frozenset[str]:
    """Which files there are, and what the operator's say."""
    tree = at.site.tree
    files = {
        re.sub(r"\d+\.pem$", "N.pem", str(path.relative_to(tree)))
        for path in tree.rglob("*")
        if not {"accounts", "csr", "keys"} & set(path.parts)
        and path.suffix != ".lock"
        and not path.name.startswith(".danebot-tmp-")
    }
    texts = {
        f"{path.relative_to(tree)}: {path.read_text(encoding='utf-8')}"
        for name in ("dane-ee", "dnsnames")
        for path in tree.rglob(name)
    }
    return frozenset(files | texts)
