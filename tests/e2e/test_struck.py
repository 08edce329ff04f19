"""Calls that fail and signals that come, at any change of a file, in every verb that changes any.

At that moment combo stays usable, no key is lost and none lies open; what is told are lines in
danebot's own words; and the same command, given again, comes to what it comes to undisturbed.
Some points of each; all with ``PROVE=all``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from amounts import ALL, amount
from e2e import situations
from e2e.faults import (
    Fault,
    Ran,
    Situation,
    assert_combo_usable,
    assert_nothing_lost,
    assert_private,
    private_keys,
    situation,
    temporary_files,
)
from e2e.site import Site, sound_tree
from lab.lab import Lab

pytestmark = pytest.mark.lab

_AGAIN: Mapping[str, tuple[str, ...] | None] = {
    "promotion": None,
    "renewal": None,
    "newkey": ("renew",),
    "cancel": None,
    "init": None,
    "deinit": None,
    "names": None,
    "publish": None,
    "watch": None,
    "unwatch": None,
    "deploy": None,
}
"""What is given afterwards: the same command, unless that says that it was done before."""
_FAULTS = (
    *(Fault.DENIED, Fault.INTERRUPTED_CALL, Fault.DISK_BROKEN, Fault.SYNC_FAILS),
    *(Fault.NO_DESCRIPTORS, Fault.TERMINATED, Fault.INTERRUPTED, Fault.HUNG_UP),
)
_SIGNALS = {Fault.TERMINATED, Fault.INTERRUPTED, Fault.HUNG_UP}
_INTERRUPTED = 130


@pytest.fixture(scope="module", params=_AGAIN)
def struck(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Situation]:
    """A site just before one operation."""
    site = Site(lab)
    site.settings["backoff_first"] = "1s"
    prepare: Callable[[Site], tuple[str, ...]] = getattr(situations, request.param)
    yield from situation(prepare, site)


@pytest.fixture(scope="module")
def wanted(struck: Situation) -> object:
    """What the operation comes to, given once more or not."""
    struck.restore()
    struck.site.ok(*struck.arguments)
    return _outcome(struck)


@pytest.mark.parametrize("fault", _FAULTS)
def test_the_same_command_given_again_comes_to_the_same(
    struck: Situation, wanted: object, fault: Fault
) -> None:
    for point in _points(struck, fault):
        ran = struck.strike(fault, point)
        where = f"{fault.name} at {point} of {struck.counted.changes}: {_call(struck, point)}"
        assert ran.fired or fault in {Fault.SYNC_FAILS, Fault.NO_DESCRIPTORS}, where
        _assert_told(ran, fault, where)
        assert_nothing_lost(struck.keys, struck.site.tree)
        assert_private(struck.site.tree)
        if struck.name != "init":
            assert_combo_usable(struck.site.live / "combo.pem")
        keys = private_keys(struck.site.tree)
        time.sleep(1 if ran.returncode == 1 and struck.arguments == ("renew",) else 0)  # back-off
        again = struck.site.danebot(*(_AGAIN[struck.name] or struck.arguments))
        assert again.returncode == 0, (where, ran, again)
        assert_nothing_lost(struck.keys if struck.name == "newkey" else keys, struck.site.tree)
        sound_tree(struck.site.tree)
        assert temporary_files(struck.site) == [], where
        if struck.name != "newkey":
            assert _outcome(struck) == wanted, where


def _points(at: Situation, fault: Fault) -> list[int]:
    """All of them, or one, another one for each fault; of signals and errors every second kind."""
    total = at.counted.changes
    if ALL:
        return list(range(1, total + 1))
    number = _FAULTS.index(fault)
    if (number + list(_AGAIN).index(at.name)) % amount(4, 1):
        return []
    return [1 + (number * 7919 + 3) % total]


def _call(at: Situation, point: int) -> str:
    return at.counted.calls[point - 1]


def _assert_told(ran: Ran, fault: Fault, where: str) -> None:
    """In danebot's own words, one line for each thing, and an exit status that fits."""
    lines = ran.stderr.splitlines()
    assert all(line.startswith("danebot: ") for line in lines), (where, ran.stderr)
    assert not any("internal error" in line for line in lines), (where, ran.stderr)
    assert ran.returncode in ({0, 1, _INTERRUPTED} if fault in _SIGNALS else {0, 1}), (where, ran)
    assert lines or ran.returncode == 0, where


def _outcome(at: Situation) -> object:
    """Which files there are, what the operator's say, and which of the two keys is live."""
    tree = at.site.tree
    files = {
        re.sub(r"\d+\.pem$", "N.pem", str(path.relative_to(tree)))
        for path in tree.rglob("*")
        if "accounts" not in path.parts and "csr" not in path.parts and "keys" not in path.parts
    }
    texts = {
        str(path.relative_to(tree)): path.read_text(encoding="utf-8")
        for name in ("dane-ee", "dnsnames")
        for path in tree.rglob(name)
    }
    return files, texts
