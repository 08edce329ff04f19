"""Old records are named for removal once nobody needs them, and not before."""

from __future__ import annotations

import shutil

import pytest

from e2e.site import MAIL, OWNER, Site
from e2e.steps import cooled

pytestmark = pytest.mark.lab
OTHER = "other.example.test"


def test_not_while_another_lineage_uses_the_key(site: Site) -> None:
    """Two lineages with one key, as on hosts that copy it: also when only one is looked at."""
    old, _ = cooled(site)
    _copy(site)
    removal = f"{OWNER} 1 IN TLSA {old}"
    said = site.ok("renew", MAIL)
    assert "is live" in said
    for words in (said, site.ok("status", MAIL), site.ok("renew")):
        assert removal not in words
    assert "; remove" not in site.ok("tlsa", MAIL)
    site.ok("deinit", OTHER)
    assert removal not in site.ok("status", MAIL)
    (site.tree / "renewal" / f"{OTHER}.conf").unlink()
    assert f"remove       {removal}" in site.ok("status", MAIL)


def _copy(site: Site) -> None:
    """Put a second lineage beside the first, with the same certificate and key."""
    for above in ("live", "archive"):
        shutil.copytree(site.tree / above / MAIL, site.tree / above / OTHER, symlinks=True)
    for link in (site.tree / "live" / OTHER).glob("*.pem"):
        if link.is_symlink():
            target = link.readlink()
            link.unlink()
            link.symlink_to(str(target).replace(MAIL, OTHER))
    conf = (site.tree / "renewal" / f"{MAIL}.conf.orig").read_text()
    (site.tree / "renewal" / f"{OTHER}.conf").write_text(conf.replace(MAIL, OTHER))
    site.ok("init", OTHER)


def test_not_before_the_wire_confirms_it(site: Site) -> None:
    """A service that still serves the old key needs the old record."""
    old, new = cooled(site)
    site.extra = f'[endpoints."mail.example.test:25"]\nconnect = "{site.lab.mail2}"'
    chain = site.lab.second_chain
    shutil.copy(site.live / "combo.pem", chain)  # a host that gets the chain by copy, later
    chain.chmod(0o600)
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "still serves another certificate than the one deployed" in run.stderr
    assert site.status()["publication"]["remove"] == []
    shutil.copy(site.live / "combo.pem", chain)
    said = site.ok("renew")
    assert f"remove: {OWNER} 1 IN TLSA {old}" in said
    assert site.status()["publication"]["keep"] == [f"{OWNER} 1 IN TLSA {new}"]
