"""The disk fills up, or turns read-only, at any call: one clear line, nothing lost, and once there
is space again one more run mends everything.

Only calls that need space can be the first to fail: some of each operation, evenly spread; all with
``PROVE=all``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from amounts import amount
from danebot.adapters.tree.tree import Tree
from e2e import situations
from e2e.faults import (
    Fault,
    Ran,
    Situation,
    assert_combo_usable,
    assert_healed,
    assert_nothing_lost,
    assert_private,
    points,
    run,
    situation,
)
from e2e.site import MAIL, Site, sound_tree
from lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.no_cover]

_POINTS = amount(3, 10_000)
_PARTS = amount(1, 5)  # tests of each operation, each with its share of the points
_FEWEST = amount(2, 3)


@pytest.fixture(scope="module")
def promotion(lab: Lab) -> Iterator[Situation]:
    site = Site(lab)
    site.settings["backoff_first"] = "1s"
    yield from situation(situations.promotion, site)


@pytest.fixture(scope="module")
def renewal(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.renewal, Site(lab))


@pytest.fixture(scope="module")
def newkey(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.newkey, Site(lab))


@pytest.fixture(scope="module")
def init(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.init, Site(lab))


@pytest.fixture(scope="module")
def deinit(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.deinit, Site(lab))


def _share(at: Situation, part: int) -> list[int]:
    """The points of one test out of `_PARTS`."""
    found = points(at.counted.space, _POINTS)[part::_PARTS]
    assert found, at.counted
    return found


def _fill(at: Situation, point: int) -> Ran:
    """Fill the disk at one point; what holds then."""
    ran = at.strike(Fault.DISK_FULL, point)
    assert ran.fired, ran
    assert_one_line(ran)
    assert_nothing_lost(at.keys, at.site.tree)
    assert_private(at.site.tree)
    return ran


def assert_one_line(ran: Ran) -> None:
    """Exit status 1 and a single line that names the cause, not a traceback."""
    assert ran.returncode == 1, ran
    lines = ran.stderr.splitlines()
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith("danebot: ")
    assert "internal error" not in lines[0]
    assert "No space left on device" in lines[0] or "Read-only file system" in lines[0], lines


@pytest.mark.parametrize("part", range(_PARTS))
def test_promotion(promotion: Situation, part: int) -> None:
    site = promotion.site
    for point in _share(promotion, part):
        ran = _fill(promotion, point)
        assert_combo_usable(site.live / "combo.pem")
        time.sleep(1)  # the back-off, where certbot failed
        done = site.danebot("renew")
        assert (done.returncode, done.stderr) == (0, ""), ran.last
        assert_healed(site)
        state = Tree(site.tree).read(MAIL)
        assert state.awaited is None
        assert state.live is not None
        assert state.live.key.digest.hex() == site.lab.served_spki()


@pytest.mark.parametrize("part", range(_PARTS))
def test_renewal(renewal: Situation, part: int) -> None:
    site = renewal.site
    for point in _share(renewal, part):
        ran = _fill(renewal, point)
        assert_combo_usable(site.live / "combo.pem")
        done = site.danebot("renew")
        assert (done.returncode, done.stderr) == (0, ""), ran.last
        assert_healed(site)
        state = Tree(site.tree).read(MAIL)
        assert state.live is not None
        assert state.live.version is not None
        assert state.live.version > 1


@pytest.mark.parametrize("part", range(_PARTS))
def test_newkey(newkey: Situation, part: int) -> None:
    site = newkey.site
    for point in _share(newkey, part):
        _fill(newkey, point)
        assert_combo_usable(site.live / "combo.pem")
        site.quiet("renew")
        assert_healed(site)


@pytest.mark.parametrize("part", range(_PARTS))
def test_init(init: Situation, part: int) -> None:
    site = init.site
    for point in _share(init, part):
        ran = _fill(init, point)
        done = site.danebot("init", MAIL)
        assert done.returncode == 0, (ran.last, done)
        assert_healed(site)
        assert_combo_usable(site.live / "combo.pem")


@pytest.mark.parametrize("part", range(_PARTS))
def test_deinit(deinit: Situation, part: int) -> None:
    site = deinit.site
    for point in _share(deinit, part):
        ran = _fill(deinit, point)
        assert_combo_usable(site.live / "combo.pem")
        site.ok("deinit", MAIL)
        assert not (site.tree / "staging").exists(), ran.last
        sound_tree(site.tree)


@pytest.mark.parametrize("number", range(_FEWEST))
@pytest.mark.parametrize("operation", ["promotion", "newkey", "init", "deinit"])
def test_read_only_on_the_way(request: pytest.FixtureRequest, operation: str, number: int) -> None:
    """What ext4 does when it finds an error: nothing can even be removed from then on."""
    at: Situation = request.getfixturevalue(operation)
    ran = at.strike(Fault.READ_ONLY, points(at.counted.changes - 2, _FEWEST)[number])
    assert_one_line(ran)
    assert_nothing_lost(at.keys, at.site.tree)
    assert_private(at.site.tree)
    time.sleep(1 if operation == "promotion" else 0)
    again = ("renew",) if operation in {"promotion", "newkey"} else at.arguments
    done = at.site.danebot(*again)
    assert done.returncode == 0, (ran.last, done)
    sound_tree(at.site.tree)
    assert_combo_usable(at.site.live / "combo.pem")


@pytest.mark.parametrize("verb", ["renew", "newkey", "deinit", "status"])
def test_read_only_file_system(newkey: Situation, verb: str) -> None:
    """Nothing can be changed at all; what only looks goes on working."""
    newkey.restore()
    words = (verb,) if verb == "renew" else (verb, MAIL)
    ran = run(newkey.site, words, Fault.READ_ONLY, 1)
    if verb == "status":
        assert ran.returncode == 0, ran.stderr
        assert not ran.fired
    else:
        assert_one_line(ran)
    newkey.site.quiet("renew")
    assert_healed(newkey.site)
