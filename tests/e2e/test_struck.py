"""Calls that fail and signals that come, at any change of a file, in every verb that changes any.

At that moment combo stays usable, no key is lost and none lies open; what is told are lines in
danebot's own words; and the same command, given again, comes to what it comes to undisturbed.
What a broken disk didn't let it remove is gone after the daily run.
Some points of each; all with ``PROVE=all``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from amounts import ALL, amount
from e2e import situations, striking
from e2e.faults import Fault, Situation, situation
from e2e.site import Site
from e2e.striking import SIGNALS
from lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.no_cover]

_ERRORS = (
    *(Fault.DENIED, Fault.INTERRUPTED_CALL, Fault.DISK_BROKEN, Fault.SYNC_FAILS),
    Fault.NO_DESCRIPTORS,
)
_OTHERS = (Fault.POWER_CUT, Fault.DISK_FULL)  # test_power_cut and test_full_disk have the rest
_BY_CERTBOT = ("promotion", "renewal", "names")
_SHORT = ("publish", "watch", "unwatch", "deploy")
_TRIED = (
    *itertools.product((*_BY_CERTBOT, "newkey", "cancel", "init", "deinit"), _ERRORS + SIGNALS),
    *itertools.product(_SHORT, _ERRORS + SIGNALS + _OTHERS),
)
_SAMPLE = _TRIED[amount(1, 0) :: amount(7, 1)]  # all operations, and all faults, are in it


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
    return striking.wanted(struck)


@pytest.mark.timeout(amount(300, 7200))
@pytest.mark.parametrize(("struck", "fault"), _SAMPLE, indirect=["struck"], scope="module")
def test_the_same_command_given_again_comes_to_the_same(
    struck: Situation, wanted: frozenset[str], fault: Fault
) -> None:
    for point in _points(struck, fault):
        striking.assert_same_again(struck, wanted, fault, point)


def _points(at: Situation, fault: Fault) -> list[int]:
    """One; with ``PROVE=all`` every point, by kinds in turn.

    Signals have one handler, so that each point gets one of the three; each point of an operation
    with certbot in it, of which there are many, every second one of the errors.
    """
    every = striking.points(at, fault)
    number = (SIGNALS + _ERRORS + _OTHERS).index(fault)
    if not ALL:
        return [every[(number * 7919 + 3) % len(every)]]
    turns = len(SIGNALS) if fault in SIGNALS else 2 if at.name in _BY_CERTBOT else 1
    return [point for point in every if point % turns == number % turns]
