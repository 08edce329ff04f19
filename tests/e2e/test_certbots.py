"""The whole way with each certbot that danebot supports: the newest, and Debian's."""

from __future__ import annotations

import subprocess
import time

import pytest

from e2e.site import INSTALLED, MAIL, OWNER, Site
from e2e.steps import combo, versions
from lab.acme import Flavour

pytestmark = [pytest.mark.lab, pytest.mark.no_cover]


@pytest.mark.parametrize("flavour", Flavour)
def test_rollover_renewal_and_the_way_back(site: Site, flavour: Flavour) -> None:
    site.flavour, site.python = flavour, INSTALLED
    site.lab.issue(MAIL, flavour=flavour)
    old = f"3 1 1 {site.lab.served_spki()}"
    site.lab.tlsa_set(OWNER, old, ttl=3)
    site.ok("init", MAIL)
    site.lab.make_due(MAIL)
    site.quiet("renew")  # with the same key
    assert versions(site) == [1, 2]
    assert f"3 1 1 {combo(site)}" == old
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    conf.write_text(conf.read_text().replace("renew_before_expiry", "# was"))
    new = site.next_record()
    site.lab.tlsa_add(OWNER, new, ttl=3)
    site.quiet("renew")
    time.sleep(3.2)
    said = site.ok("renew")
    assert "is live" in said
    assert f"remove: {OWNER} 3 IN TLSA {old}" in said
    assert f"3 1 1 {combo(site)}" == f"3 1 1 {site.lab.served_spki()}" == new
    assert site.lab.dane_verified()
    site.sound()
    words = site.ok("tlsa", "--format", "nsupdate", MAIL)
    _nsupdate(site, words)
    while site.lab.tlsa_at(site.lab.ns2, OWNER) != {new}:  # the test's time limit ends it
        time.sleep(0.05)
    site.lab.flush()
    site.quiet("renew")
    assert site.lab.tlsa_at(site.lab.ns1, OWNER) == {new}
    assert site.status()["publication"]["remove"] == []
    site.ok("deinit", MAIL)
    site.lab.certbot("renew", "--dry-run", flavour=flavour)
    site.lab.certbot("renew", "--force-renewal", flavour=flavour)
    site.sound()
    assert site.lab.tlsa_at(site.lab.ns1, OWNER) == {new}


def _nsupdate(site: Site, words: str) -> None:
    text = f"server {site.lab.ns1} 53\nzone example.test.\n{words}"
    tsig = site.lab.tsig_file.read_text().strip()
    subprocess.run(["knsupdate", "-y", tsig], input=text, text=True, check=True)
