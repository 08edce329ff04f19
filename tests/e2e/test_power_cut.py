"""The plug is pulled at any call that changes a file: combo stays usable, no key is lost, and one
more run mends everything.

certbot's own calls are among the points: some of each operation, evenly spread; all with
``PROVE=all``.  There the kernel keeps what was written; what was not synced is lost in states that
follow from a record of the calls (`outage`): some of a renewal and of `deinit` here, all
operations in `make prove`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from amounts import amount
from danebot.adapters.certbot.held_hooks import DIRECTORY
from danebot.adapters.tree.tree import Tree
from e2e import outage, situations, striking
from e2e.faults import (
    Fault,
    Ran,
    Situation,
    assert_combo_usable,
    assert_healed,
    assert_nothing_lost,
    assert_private,
    points,
    situation,
)
from e2e.site import MAIL, Site, sound_tree
from e2e.steps import memory
from lab.lab import Lab
from prove.disk import Order

pytestmark = [pytest.mark.lab, pytest.mark.no_cover]

_POINTS = amount(3, 10_000)
_PARTS = amount(1, 15)  # tests of each operation, each with its share of the points


@pytest.fixture(scope="module")
def promotion(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.promotion, Site(lab))


@pytest.fixture(scope="module")
def renewal(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.renewal, Site(lab))


@pytest.fixture(scope="module")
def newkey(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.newkey, Site(lab))


@pytest.fixture(scope="module")
def cancel(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.cancel, Site(lab))


@pytest.fixture(scope="module")
def init(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.init, Site(lab))


@pytest.fixture(scope="module")
def deinit(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.deinit, Site(lab))


@pytest.fixture(scope="module")
def names(lab: Lab) -> Iterator[Situation]:
    yield from situation(situations.names, Site(lab))


def _share(at: Situation, number: int) -> list[int]:
    """The points of one test out of `_PARTS`."""
    assert at.counted.changes >= 15, at.counted
    return _chosen(at)[number::_PARTS]


def _chosen(at: Situation) -> list[int]:
    """Evenly spread points, and of certbot's work in each place at least one."""
    found = set(points(at.counted.changes, _POINTS))
    for place in ("/archive/", "/staging/"):
        there = [n for n, call in enumerate(at.counted.calls, 1) if _by_certbot(at, call, place)]
        if there and found.isdisjoint(there):
            found.add(there[len(there) // 2])
    return sorted(found)


def _by_certbot(at: Situation, call: str, place: str) -> bool:
    """Whether a call is another process's than danebot's, which makes the first one."""
    return place in call and call.split(maxsplit=1)[0] != at.counted.calls[0].split()[0]


def _cut(at: Situation, point: int) -> Ran:
    """Pull the plug at one point; what holds at that very instant, whatever was going on."""
    ran = at.strike(Fault.POWER_CUT, point)
    assert ran.fired, ran
    assert ran.returncode == -9, ran
    assert_nothing_lost(at.keys, at.site.tree)
    assert_private(at.site.tree)
    return ran


@pytest.mark.parametrize("number", range(_PARTS))
def test_promotion(promotion: Situation, number: int) -> None:
    site = promotion.site
    for point in _share(promotion, number):
        ran = _cut(promotion, point)
        assert_combo_usable(site.live / "combo.pem")
        done = site.danebot("renew")
        assert (done.returncode, done.stderr) == (0, ""), ran.last
        assert_healed(site)
        assert_nothing_lost(promotion.keys, site.tree)
        state = Tree(site.tree).read(MAIL)
        assert state.awaited is None, ran.last
        assert state.live is not None
        assert state.live.key.digest.hex() == site.lab.served_spki()
        assert state.live.key.digest.hex() != _first_key(site), ran.last


def _first_key(site: Site) -> str:
    """The key of the first version: the one before the promotion."""
    tree = Tree(site.tree)
    held = tree.reader.version(tree.paths(MAIL), 1)
    assert held is not None
    return held.key.digest.hex()


@pytest.mark.parametrize("number", range(_PARTS))
def test_renewal(renewal: Situation, number: int) -> None:
    site = renewal.site
    for point in _share(renewal, number):
        ran = _cut(renewal, point)
        assert_combo_usable(site.live / "combo.pem")
        done = site.danebot("renew")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), ran.last
        assert_healed(site)
        state = Tree(site.tree).read(MAIL)
        assert state.live is not None
        assert state.live.version is not None
        assert state.live.version > 1, ran.last
        assert state.live.key.digest.hex() == _first_key(site), ran.last


@pytest.mark.parametrize("number", range(_PARTS))
def test_newkey(newkey: Situation, number: int) -> None:
    site = newkey.site
    for point in _share(newkey, number):
        ran = _cut(newkey, point)
        assert_combo_usable(site.live / "combo.pem")
        published = {_digest(line) for line in ran.stdout.splitlines() if "TLSA" in line}
        staged = Tree(site.tree).read(MAIL).next
        if staged is not None and staged.key is not None:
            published.add(staged.key.digest.hex())
        site.quiet("renew")
        assert_healed(site)
        assert_nothing_lost(newkey.keys | published, site.tree)


def test_cancel(cancel: Situation) -> None:
    """It is cancelled or it isn't; given again, it is, and its record isn't forgotten."""
    site = cancel.site
    for point in _chosen(cancel):
        ran = _cut(cancel, point)
        site.danebot("renew")
        assert_nothing_lost(cancel.keys, site.tree)
        site.ok("newkey", "--cancel", MAIL)
        state = Tree(site.tree).read(MAIL)
        assert state.awaited is None, ran.last
        (kept,) = state.cancelled
        assert kept.key is not None
        assert [one["digest"] for one in memory(site)["cancelled"]] == [kept.key.digest.hex()]
        assert site.status()["publication"]["remove"] != [], ran.last
        assert_healed(site)
        assert_nothing_lost(cancel.keys, site.tree)


def _digest(line: str) -> str:
    return line.rsplit(" ", 1)[-1]


def _hooks(site: Site) -> list[str]:
    return sorted(os.listdir(site.tree / DIRECTORY))


@pytest.mark.parametrize("number", range(_PARTS))
def test_init(init: Situation, number: int) -> None:
    site = init.site
    for point in _share(init, number):
        ran = _cut(init, point)
        if (site.live / "combo.pem").exists():
            assert_combo_usable(site.live / "combo.pem")
        done = site.danebot("init", MAIL)
        assert done.returncode == 0, (ran.last, done)
        assert_healed(site)
        kept = "10-reload.danebot~"
        assert _hooks(site) == ["10-reload", kept], ran.last
        assert (site.tree / DIRECTORY / kept).read_text() == situations.HOOK, ran.last
        assert (site.staging / "dane-ee").read_text() == "1 _25._tcp.mail.example.test\n", ran.last
        assert_combo_usable(site.live / "combo.pem")


@pytest.mark.parametrize("number", range(_PARTS))
def test_deinit(deinit: Situation, number: int) -> None:
    site = deinit.site
    for point in _share(deinit, number):
        ran = _cut(deinit, point)
        assert_combo_usable(site.live / "combo.pem")
        done = site.danebot("deinit", MAIL)
        assert (done.returncode, done.stderr) == (0, ""), (ran.last, done)
        assert not (site.tree / "staging").exists(), ran.last
        assert not list(site.tree.rglob(".danebot-tmp-*")), ran.last
        assert _hooks(site) == ["10-reload"], ran.last
        assert (site.tree / DIRECTORY / "10-reload").read_text() == situations.HOOK, ran.last
        sound_tree(site.tree)
        conf = Tree(site.tree).conf(MAIL)
        assert conf.top("privkey") == str(site.live / "privkey.pem"), ran.last
        assert (site.live / "dane-ee").exists()


@pytest.mark.parametrize("number", range(_PARTS))
def test_names(names: Situation, number: int) -> None:
    """A renewal goes on with either set of names; the same command then completes the files."""
    site = names.site
    was, wanted = {MAIL, situations.GOES}, {MAIL, situations.COMES}
    for point in _share(names, number):
        ran = _cut(names, point)
        assert_combo_usable(site.live / "combo.pem")
        done = site.danebot("renew")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), ran.last
        assert_healed(site)
        state = Tree(site.tree).read(MAIL)
        assert state.live is not None
        found = {str(name) for name in state.live.chain.names}
        assert found in (was, wanted), ran.last
        assert {str(name) for name in state.names or ()} <= found, ran.last
        owners = {f"_25._tcp.{name}" for name in wanted}
        done = site.danebot("names", MAIL, *names.arguments[2:])
        assert done.returncode == 0, (ran.last, done)
        assert_healed(site)
        state = Tree(site.tree).read(MAIL)
        assert state.live is not None
        assert {str(name) for name in state.live.chain.names} == wanted, ran.last
        assert state.live.key.digest.hex() == _first_key(site), ran.last
        assert {str(name) for name in state.names or ()} == wanted, ran.last
        assert {str(name) for name in state.owners} == owners, ran.last


@pytest.mark.parametrize("operation", ["promotion", "renewal"])
def test_certbot_is_struck_too(request: pytest.FixtureRequest, operation: str) -> None:
    """Calls of certbot's are among the points, in its work on the archive and on the links."""
    at: Situation = request.getfixturevalue(operation)
    struck = [at.counted.calls[point - 1] for point in _chosen(at)]
    for place in ("/archive/", "/staging/"):
        assert any(_by_certbot(at, call, place) for call in struck), struck


@pytest.mark.parametrize("operation", ["renewal", "deinit"])
def test_what_was_not_synced_is_lost(request: pytest.FixtureRequest, operation: str) -> None:
    """Whatever is left at any moment, combo is usable, no key is lost, and the command mends it."""
    at: Situation = request.getfixturevalue(operation)
    dice, found = random.Random(7), outage.record(at)
    undisturbed, seen = striking.wanted(at), set[int]()
    for order in Order:
        cuts = list(outage.cuts(found, order, 8, dice, seen))
        assert len(cuts) > len(found.calls) // 4, "hardly anything was to be lost"
        for cut in cuts:
            outage.assert_intact(found, cut)
        for cut in dice.sample(cuts, amount(1, 40)):
            outage.assert_heals(found, undisturbed, cut)
