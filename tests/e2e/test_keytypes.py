"""Promotions to a key of another type or size, which certbot only takes when told."""

from __future__ import annotations

import time

import pytest

from e2e.site import MAIL, OWNER, Site
from e2e.steps import combo, cools, tlsa_data, versions

pytestmark = pytest.mark.lab


def test_every_change_of_type_and_size(site: Site) -> None:
    """P-256 to P-384, ECDSA to RSA, RSA to ECDSA; then an ordinary renewal with each."""
    record = site.issued()
    site.lab.tlsa_set(OWNER, record, ttl=1)
    site.ok("init", MAIL)
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    for wanted, setting in (
        ("p384", "elliptic_curve = secp384r1"),
        ("rsa2048", "rsa_key_size = 2048"),
        ("p256", "elliptic_curve = secp256r1"),
    ):
        new = site.next_record("--key-type", wanted)
        site.lab.tlsa_add(OWNER, new, ttl=1)
        cools(site)
        time.sleep(1.2)
        assert "is live" in site.ok("renew")
        assert f"3 1 1 {combo(site)}" == f"3 1 1 {site.lab.served_spki()}" == new
        assert site.status()["live"]["key"]["type"] == wanted
        assert setting in conf.read_text()
        site.lab.tlsa_set(OWNER, new, ttl=1)
        newest = max(versions(site))
        former = conf.read_text()
        site.lab.make_due(MAIL)
        site.quiet("renew")
        assert max(versions(site)) == newest + 1
        assert f"3 1 1 {combo(site)}" == new
        conf.write_text(former)
        site.sound()
        assert tlsa_data((site.staging / "privkey.pem").read_bytes()) == new
