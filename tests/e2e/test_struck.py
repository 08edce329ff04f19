"""Calls that fail and signals that come, at any change of a file, in every verb that changes any.

At that moment combo stays usable, no key is lost and none lies open; what is told are lines in
danebot's own words; and the same command, given again, comes to what it comes to undisturbed.
What a broken disk didn't let it remove is gone after the daily run.
Some points of each; all with ``PROVE=all``.
"""

from __future__ import annotations

import itertools
import re
import signal
import time
from collections.abc import Callable, Iterator

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

_SIGNALS = (Fault.TERMINATED, Fault.INTERRUPTED, Fault.HUNG_UP)
_ERRORS = (
    *(Fault.DENIED, Fault.INTERRUPTED_CALL, Fault.DISK_BROKEN, Fault.SYNC_FAILS),
    Fault.NO_DESCRIPTORS,
)
_OTHERS = (Fault.POWER_CUT, Fault.DISK_FULL)  # test_power_cut and test_full_disk have the rest
_BY_CERTBOT = ("promotion", "renewal", "names")
_SHORT = ("publish", "watch", "unwatch", "deploy")
_TRIED = (
    *itertools.product((*_BY_CERTBOT, "newkey", "cancel", "init", "deinit"), _ERRORS + _SIGNALS),
    *itertools.product(_SHORT, _ERRORS + _SIGNALS + _OTHERS),
)
_SAMPLE = 5  # one pair in so many
_INTERRUPTED = 130


@pytest.fixture(scope="module")
def struck(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Situation]:
    """A site just before one operation."""
    site = Site(lab)
    site.settings["backoff_first"] = "1s"
    prepare: Callable[[Site], tuple[str, ...]] = getattr(situations, request.param)
    yield from situation(prepare, site)


@pytest.fixture(scope="module")
def wanted(struck: Situation) -> frozenset[str]:
    """What the operation comes to, given once more or not."""
    struck.restore()
    struck.site.ok(*struck.arguments)
    return _outcome(struck)


@pytest.mark.timeout(amount(300, 7200))
@pytest.mark.parametrize(
    ("struck", "fault"), _TRIED[:: amount(_SAMPLE, 1)], indirect=["struck"], scope="module"
)
def test_the_same_command_given_again_comes_to_the_same(
    struck: Situation, wanted: frozenset[str], fault: Fault
) -> None:
    for point in _points(struck, fault):
        ran = struck.strike(fault, point)
        where = (
            f"{fault.name} at {point} of {struck.counted.changes}: {_call(struck, fault, point)}"
        )
        assert ran.fired or fault in {Fault.SYNC_FAILS, Fault.NO_DESCRIPTORS}, where
        _assert_told(ran, fault, where)
        assert_nothing_lost(struck.keys, struck.site.tree)
        assert_private(struck.site.tree)
        if struck.name != "init":
            assert_combo_usable(struck.site.live / "combo.pem")
        keys = private_keys(struck.site.tree)
        time.sleep(1 if ran.returncode == 1 and struck.arguments == ("renew",) else 0)  # back-off
        # a key that was made is there: newkey would say no more than that
        words = ("renew",) if struck.name == "newkey" else struck.arguments
        again = struck.site.danebot(*words)
        assert again.returncode == 0, (where, ran, again)
        if struck.name == "init":  # once done, it leaves what is to be remembered to the run
            struck.site.ok("renew")
        assert_nothing_lost(struck.keys if struck.name == "newkey" else keys, struck.site.tree)
        if struck.name != "newkey":
            assert _outcome(struck) ^ wanted == set(), where
        if struck.name not in {"newkey", "deinit"}:  # what couldn't be removed goes with this run
            struck.site.ok("renew")
        sound_tree(struck.site.tree)
        assert temporary_files(struck.site) == [], where


def _points(at: Situation, fault: Fault) -> list[int]:
    """One; with ``PROVE=all`` every point, by kinds in turn.

    Signals have one handler, so that each point gets one of the three; each point of an operation
    with certbot in it, of which there are many, every second one of the errors.
    """
    total = at.counted.space if fault is Fault.DISK_FULL else at.counted.changes
    number = (_SIGNALS + _ERRORS + _OTHERS).index(fault)
    if not ALL:
        return [1 + (number * 7919 + 3) % total]
    every = len(_SIGNALS) if fault in _SIGNALS else 2 if at.name in _BY_CERTBOT else 1
    return [point for point in range(1, total + 1) if point % every == number % every]


def _call(at: Situation, fault: Fault, point: int) -> str:
    return "" if fault is Fault.DISK_FULL else at.counted.calls[point - 1]


def _assert_told(ran: Ran, fault: Fault, where: str) -> None:
    """In danebot's own words, one line for each thing, and an exit status that fits."""
    if fault is Fault.POWER_CUT:
        assert ran.returncode == -signal.SIGKILL, (where, ran)
        return
    lines = ran.stderr.splitlines()
    assert all(line.startswith("danebot: ") for line in lines), (where, ran.stderr)
    assert not any("internal error" in line for line in lines), (where, ran.stderr)
    assert ran.returncode in ({0, 1, _INTERRUPTED} if fault in _SIGNALS else {0, 1}), (where, ran)
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
