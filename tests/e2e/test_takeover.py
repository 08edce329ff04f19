"""Every state in which the shell program, certbot or a crash leaves a tree, taken over.

All states are lineages of one tree, so that one run of danebot takes them all over, as it would
on a server with many.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from amounts import ALL, amount
from e2e.shell_tree import (
    AFTER,
    BEFORE,
    KINDS,
    SEEN,
    STATES,
    UNSEEN,
    Parts,
    ShellLineage,
    build,
    key_digest,
    keys_in,
    leaf_digest,
)
from e2e.site import MAIL, Site, sound_tree
from e2e.steps import safe_time, wait_until
from lab.lab import Lab

pytestmark = pytest.mark.lab
STAGED = [name for name, state in STATES.items() if state.staged]


@dataclass
class Takeover:
    """The tree after each of the four things that were done to it, and what was said."""

    site: Site
    parts: Parts
    lineages: dict[str, ShellLineage]
    keys_before: dict[str, set[str]]
    keys_after: dict[str, set[str]]
    first: subprocess.CompletedProcess[str]
    second: subprocess.CompletedProcess[str]

    def words(self, name: str) -> list[str]:
        """What the second run said of a lineage."""
        lines = (self.second.stdout + self.second.stderr).splitlines()
        return [line for line in lines if f" {name}: " in line]


@pytest.fixture(scope="module")
def parts(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """The pieces of all states, issued once."""
    return Parts.make(lab, MAIL, tmp_path_factory.mktemp("parts"))


def filled(lab: Lab, parts: Parts) -> Site:
    """A new tree with all states, and the records of both keys."""
    lab.new_tree()
    site = Site(lab, extra="probe = false")
    site.settings["min_wait"] = "1h"
    old, new = (f"3 1 1 {digest}" for digest in (parts.old, parts.new))
    lab.tlsa_set(f"{SEEN}.", old, new)
    lab.tlsa_set(f"{UNSEEN}.", old)
    return site


@pytest.fixture(scope="module")
def last_taken() -> list[Takeover]:
    """The last takeover, for the tests that look at one."""
    return []


@pytest.fixture
def taken(lab: Lab, parts: Parts, last_taken: list[Takeover]) -> Takeover:
    """All states after two runs of ``danebot renew``; made anew once the tree is another test's."""
    mark = lab.tree.parent / "taken-over"
    if not last_taken or not mark.exists():
        last_taken[:] = [take_over(lab, parts)]
        mark.touch()
    return last_taken[0]


def take_over(lab: Lab, parts: Parts) -> Takeover:
    """Build all states and run twice."""
    site = filled(lab, parts)
    lineages = build(lab.tree, parts, MAIL)
    before = {name: it.keys() for name, it in lineages.items()}
    first = site.danebot("renew")
    after = {name: it.keys() for name, it in lineages.items()}
    return Takeover(site, parts, lineages, before, after, first, site.danebot("renew"))


def test_the_runs_end_well(taken: Takeover) -> None:
    """No lineage's state stops the run, and nothing is unexpected."""
    for run in (taken.first, taken.second):
        assert run.returncode == 1  # some states need attention
        assert "CRITICAL" not in run.stderr
        assert "internal" not in run.stderr
        assert "certbot renew failed" not in run.stderr


@pytest.mark.parametrize("name", STATES)
def test_taken_over(taken: Takeover, name: str) -> None:
    """One run makes the tree sound, loses no key, and serves none that is not published."""
    it, state = taken.lineages[name], STATES[name]
    if name == "empty-ready":  # stays a fault until the operator takes it away
        (it.staging / "ready.pem").unlink()
    sound_tree(it.tree, name)
    assert taken.keys_after[name] >= taken.keys_before[name]
    wanted = {"old": taken.parts.old, "new": taken.parts.new}
    assert leaf_digest((it.live / "fullchain.pem").read_bytes()) == wanted[state.serves]
    assert key_digest((it.live / "privkey.pem").read_bytes()) == wanted[state.serves]
    if name != "fresh":
        assert it.served() == wanted[state.serves]
    on_its_way = keys_in_files(it.staging, "nextkey.pem", "ready.pem")
    aside = keys_in_files(it.staging, *(p.name for p in it.staging.glob("unknown-*.pem")))
    new = {taken.parts.new}
    assert on_its_way == (new if state.offers == "new" else set())
    assert aside == (new if state.offers == "aside" else set())


@pytest.mark.parametrize("name", STATES)
def test_what_is_said_of_it(taken: Takeover, name: str) -> None:
    """A state that needs the operator is said at every run; any other not even once more."""
    needs = STATES[name].warns and name != "ready-withdrawn"  # that is said when it is found
    assert bool(taken.words(name)) == needs
    if name == "ready-withdrawn":
        assert f"WARNING: {name}: the ready key's TLSA record is no longer seen" in (
            taken.first.stderr
        )


def keys_in_files(directory: Path, *names: str) -> set[str]:
    """Digests of the keys in some files of a directory."""
    paths = [directory / name for name in names if (directory / name).exists()]
    return {digest for p in paths if (digest := key_digest(p.read_bytes())) is not None}


@pytest.mark.timeout(amount(600, 1800))  # certbot issues for each of the lineages
@pytest.mark.parametrize("first", ["renew", "deinit"])
def test_given_back(lab: Lab, parts: Parts, first: str) -> None:
    """``deinit`` gives certbot a tree to go on from, at once or after a renew."""
    site = filled(lab, parts)
    lineages = build(lab.tree, parts, MAIL)
    if first == "renew":
        site.danebot("renew")
    served = {n: leaf_digest(read_served(it)) for n, it in lineages.items()}
    refused = site.danebot("deinit")
    assert refused.returncode == 1
    for name, it in lineages.items():
        has_key = STATES[name].offers != "" or name == "empty-ready"
        assert it.staging.exists() == has_key, (name, refused.stderr)
        assert (f"{name}: there are keys that may be published" in refused.stderr) == has_key
    site.ok("deinit", "--drop-keys")
    assert not (lab.tree / "staging").exists()
    sound_names = [name for name in lineages if name != "fresh"]
    for name in sound_names:
        it = lineages[name]
        sound_tree(it.tree, name)
        assert leaf_digest(read_served(it)) == served[name], name
        assert "/staging/" not in it.conf.read_text()
        if STATES[name].staged:
            assert (it.live / "dane-ee").exists()
            assert (it.live / "dnsnames").exists()
    tried = () if ALL else ("--cert-name", "stable")
    for how in (("--dry-run", *tried), ("--force-renewal",)):
        run = lab.certbot("renew", *how, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
    for name in sound_names:  # the key was kept: what is published holds
        assert leaf_digest(read_served(lineages[name])) == served[name], name


def test_what_the_shell_program_began_is_finished(lab: Lab, parts: Parts) -> None:
    """From wherever it left off, the new key is live once every cache has its record."""
    begun = ["next", "ready", "issued-links-half", "ready-removed"]  # one of each kind
    if ALL:
        begun = [n for n, one in STATES.items() if one.offers == "new" and one.owner == SEEN]
    site = filled(lab, parts)
    site.settings |= {"min_wait": "0s", "unseen_ttl": "1s"}
    lineages = build(lab.tree, parts, MAIL)
    for name in STATES.keys() - set(begun):
        lineages[name].forget()
    with site.still():
        site.danebot("renew")
        assert {lineages[name].served() for name in begun} == {parts.old}
        safe = safe_time(site, *begun)
        looked = datetime.now(UTC)
    assert safe <= looked + timedelta(seconds=1 + lab.ttl)  # what was cached before the first look
    wait_until(safe)
    said = site.ok("renew")
    for name in begun:
        assert f"{name}: the new key {parts.new} is live" in said
        sound_tree(lab.tree, name)
        assert lineages[name].served() == parts.new
        assert not (lineages[name].staging / "ready.pem").exists()
    site.quiet("renew")


def read_served(it: ShellLineage) -> bytes:
    """The chain that services of a lineage get: combo's while it is staged, else the link's."""
    combo = it.live / "combo.pem"
    staged = it.staging.exists() and combo.exists()
    path = combo if staged else it.live / "fullchain.pem"
    return path.read_bytes()


def test_the_states_are_what_they_are_called(lab: Lab, parts: Parts) -> None:
    """The builder builds what the shell program leaves: danebot's own words aren't used."""
    lab.new_tree()
    it = build(lab.tree, parts, MAIL)
    assert sorted(p.name for p in it["stable"].staging.iterdir()) == sorted(
        ["README", "dane-ee", "dnsnames", *(f"{kind}.pem" for kind in KINDS)]
    )
    assert (
        os.readlink(it["stable"].staging / "cert.pem") == f"../../archive/stable/cert{BEFORE}.pem"
    )
    assert "reuse_key = True" in it["stable"].conf.read_text()
    assert not (it["truncated"].live / "cert.pem").exists()
    assert it["combo-live"].served() == parts.new
    assert os.readlink(it["combo-live"].live / "cert.pem").endswith(f"cert{BEFORE}.pem")
    assert os.readlink(it["issued"].staging / "cert.pem").endswith(f"cert{AFTER}.pem")
    assert keys_in(it["issued"].staging, it["issued"].archive) == {parts.old, parts.new}
