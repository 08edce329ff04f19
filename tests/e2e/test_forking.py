"""A run that is forked from one that has imported it all makes the calls that a real one makes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from e2e import situations, striking
from e2e.faults import Fault, Ran, Start, situation
from e2e.site import Site
from lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.no_cover]

_BY_CHANCE = re.compile(r"\.danebot-tmp-\w+|(?<=[./_-])[0-9a-f]{32,}|tmp\w{8}|\d{4,}_(?=csr|key)")


def _calls(ran: Ran) -> list[str]:
    """Each with its process by number of appearance, and without names that are made by chance."""
    numbers: dict[str, int] = {}
    found = []
    for one in ran.calls:
        pid, call = one.split(" ", 1)
        number = numbers.setdefault(pid, len(numbers))
        found.append(f"{number} {_BY_CHANCE.sub('*', call)}")
    return found


@pytest.mark.parametrize("prepare", [situations.promotion, situations.newkey, situations.publish])
def test_it_makes_the_same_calls(lab: Lab, prepare: Callable[[Site], tuple[str, ...]]) -> None:
    for at in situation(prepare, Site(lab)):
        real = at.strike(Fault.NONE, 0, Start.REAL)
        assert _calls(at.counted) == _calls(real)
        assert (at.counted.returncode, at.counted.stderr) == (real.returncode, real.stderr)
        assert (at.counted.changes, at.counted.space) == (real.changes, real.space)


@pytest.mark.parametrize("fault", [Fault.POWER_CUT, Fault.DENIED, *striking.SIGNALS])
def test_it_is_struck_alike(lab: Lab, fault: Fault) -> None:
    for at in situation(situations.newkey, Site(lab)):
        forked, real = (at.strike(fault, 7, start) for start in Start)
        assert forked.fired
        assert real.fired
        assert _calls(forked) == _calls(real)
        assert forked.returncode == real.returncode
        assert _told(forked) == _told(real)


def _told(ran: Ran) -> str:
    return _BY_CHANCE.sub("*", ran.stderr)
