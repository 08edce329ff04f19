"""The main job, end to end on real servers."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from e2e.site import INSTALLED, MAIL, OWNER, Site
from e2e.steps import aged

pytestmark = pytest.mark.lab


def test_a_whole_rollover(site: Site) -> None:
    """Issue, init, newkey, publish on one server, on all, cool, promote, deploy, confirm.

    Each run is a process of its own, of the installed command, that knows what the files say.
    """
    site.python = INSTALLED
    site.settings["margin"] = "1h"
    old = site.staged()
    site.quiet("renew")
    new = site.next_record()
    site.quiet("renew")
    assert site.status()["phase"] == "staged"
    with site.lab.lag_secondary():
        site.lab.tlsa_add(OWNER, new, wait=False)
        site.lab.flush()
        site.quiet("renew")
        assert site.status()["phase"] == "staged"
        assert f"3 1 1 {site.lab.served_spki()}" == old
    site.lab.tlsa_set(OWNER, old, new)
    site.quiet("renew")
    assert site.status()["phase"] == "cooling"
    site.quiet("renew")
    assert (site.staging / "ready.pem").exists()
    aged(site, timedelta(hours=1))
    time.sleep(site.lab.ttl)
    out = site.ok("renew")
    assert "is live" in out
    assert f"3 1 1 {site.lab.served_spki()}" == new
    assert site.lab.dane_verified()
    site.sound()
    status = site.status()
    assert status["phase"] == "stable"
    assert status["publication"]["remove"] == [f"{OWNER} 5 IN TLSA {old}"]
    assert not (site.staging / "ready.pem").exists()
    site.quiet("renew")


def test_dry_run_changes_nothing(site: Site) -> None:
    """Not a byte of the tree changes, whatever the run would do."""
    site.staged()
    new = site.next_record()
    site.lab.tlsa_add(OWNER, new)
    before = _fingerprint(site.tree)
    out = site.ok("renew", "--dry-run")
    assert f"{MAIL}: would make the next key the ready key" in out
    assert _fingerprint(site.tree) == before


def _fingerprint(tree: Path) -> dict[Path, tuple[int, ...]]:
    stats = {path: path.lstat() for path in tree.rglob("*")}
    return {p: (s.st_ino, s.st_mode, s.st_size, s.st_mtime_ns) for p, s in stats.items()}
