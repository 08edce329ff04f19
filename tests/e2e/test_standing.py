"""A next key that stands by: made, published and used without being asked, and when asked."""

from __future__ import annotations

import time

import pytest

from e2e.publishing import by_update, published
from e2e.site import MAIL, OWNER, Site
from e2e.steps import combo, memory, versions
from lab.lab import Lab

pytestmark = pytest.mark.lab


def standing(site: Site, *settings: str) -> str:
    """A lineage that publishes by itself and keeps a next key; its current record."""
    old = site.issued()
    site.lab.tlsa_set(OWNER, old, ttl=1)
    by_update(site)
    site.extra = "\n".join(("prepublish = true", *settings, site.extra))
    site.ok("init", MAIL)
    return old


def stands_by(site: Site) -> None:
    """Run until the next key has cooled."""
    end = time.monotonic() + 120
    while site.status()["phase"] != "standby":
        assert time.monotonic() < end
        site.ok("renew")
        time.sleep(0.5)


def test_it_is_made_and_published_in_one_run(site: Site) -> None:
    old = standing(site)
    said = site.ok("renew")
    assert "is made" in said
    assert len(published(site)) == 2
    assert old in published(site)


def test_it_waits_until_it_is_asked_for(site: Site) -> None:
    old = standing(site)
    stands_by(site)
    assert f"3 1 1 {combo(site)}" == old
    said = site.ok("newkey", MAIL)
    assert "stands by" in said
    site.ok("renew")
    assert f"3 1 1 {combo(site)}" != old
    assert site.lab.dane_verified()


def test_after_a_promotion_there_is_another_one_in_the_same_run(site: Site) -> None:
    standing(site)
    stands_by(site)
    site.ok("newkey", MAIL)
    site.ok("renew")
    assert (site.staging / "nextkey.pem").exists()
    held = memory(site)["awaiting"]["digest"]
    assert f"3 1 1 {held}" in published(site)


def test_a_certificate_that_is_due_by_its_own_rule_brings_the_key(site: Site) -> None:
    """``renew_before_expiry`` is when certbot would renew: the key is taken a little before."""
    old = standing(site, 'rollover_every = "renewal"')
    stands_by(site)
    before = versions(site)
    site.lab.make_due(MAIL, before="88 days")  # of ninety
    site.ok("renew")
    assert f"3 1 1 {combo(site)}" != old
    assert len(versions(site)) == len(before) + 1
    assert site.lab.dane_verified()


def test_a_rule_longer_than_a_lifetime_issues_once_in_a_run(site: Site) -> None:
    """certbot finds what was issued with the ready key due again at once."""
    old = standing(site)
    stands_by(site)
    site.ok("newkey", MAIL)
    before = versions(site)
    site.lab.make_due(MAIL)
    site.ok("renew")
    assert f"3 1 1 {combo(site)}" != old
    assert len(versions(site)) == len(before) + 1
    site.ok("renew")  # the next run obeys the rule
    assert len(versions(site)) == len(before) + 2


@pytest.mark.timeout(600)  # it waits for a minute, and so begins early
def test_each_certificate_has_a_key_of_its_own() -> None:
    """With certificates that live for two minutes; certbot would renew them after half of it."""
    with Lab(ttl=1, validity=120) as lab:
        site = Site(lab)
        lab.issue(MAIL)
        first = lab.served_spki()
        lab.tlsa_set(OWNER, f"3 1 1 {first}", ttl=1)
        by_update(site)
        site.extra = 'rollover_every = "renewal"\n' + site.extra
        site.ok("init", MAIL)
        while lab.served_spki() == first:  # the test's time limit ends it
            site.danebot("renew")
            time.sleep(5)
        assert lab.dane_verified()
        assert len(versions(site)) == 2


def test_asked_twice_it_says_so(site: Site) -> None:
    standing(site)
    stands_by(site)
    site.ok("newkey", MAIL)
    run = site.danebot("newkey", MAIL)
    assert run.returncode == 1
    assert "already has a key on its way" in run.stderr


def test_published_by_hand_it_says_what_to_publish(site: Site) -> None:
    site.staged()
    site.extra = "prepublish = true\n"
    said = site.ok("renew")
    assert f"publish what this prints: danebot tlsa {MAIL}" in said
    assert len(published(site)) == 1
    assert "; add" in site.danebot("tlsa", MAIL).stdout
