"""A tree whose parts lie elsewhere, behind links of other depths: certbot and danebot go on."""

from __future__ import annotations

import time

import pytest

from adapters.layouts import all_at_once, opened
from adapters.trees import Grown
from danebot.adapters.tree.tree import Tree
from e2e.site import MAIL, OWNER, Site
from e2e.steps import cools
from lab.acme import Flavour

pytestmark = [pytest.mark.lab, pytest.mark.no_cover]


def _links(site: Site) -> int:
    """The version of live's links; staging's must open, too, and nothing may be amiss."""
    grown = Grown(site.tree)
    version = opened(grown, site.live)
    assert opened(grown, site.staging) == version
    assert Tree(site.tree).read(MAIL).faults == ()
    return version


@pytest.mark.parametrize("flavour", list(Flavour))
def test_a_life_behind_links(site: Site, flavour: Flavour) -> None:
    site.flavour = flavour
    site.issued()
    (site.live / "combo.pem").unlink()
    all_at_once(Grown(site.tree))
    site.ok("init", MAIL)
    assert _links(site) == 1
    site.lab.make_due(MAIL)
    site.quiet("renew")
    renewed = _links(site)
    assert renewed > 1
    site.lab.tlsa_add(OWNER, site.next_record())
    cools(site)
    time.sleep(site.lab.ttl + 0.5)
    site.ok("renew")
    assert _links(site) > renewed
    www = "www.example.test"
    record = f"3 1 1 {site.lab.served_spki()}"
    site.lab.tlsa_set(f"_25._tcp.{www}.", record)
    site.ok("names", MAIL, "--add", www)
    named = _links(site)
    site.ok("deinit", MAIL)
    assert opened(Grown(site.tree), site.live) == named
    site.lab.certbot("renew", "--force-renewal", "--cert-name", MAIL, flavour=flavour)
    assert opened(Grown(site.tree), site.live) == named + 1
