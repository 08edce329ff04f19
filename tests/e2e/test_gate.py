"""No chain goes live that senders would refuse, whatever the operator publishes."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from e2e.site import MAIL, OWNER, Site
from lab import client

pytestmark = pytest.mark.lab


def issuer(directory: Path, form: str = "2 1 1") -> str:
    """The record that names the intermediate of a lineage directory."""
    chain = x509.load_pem_x509_certificates((directory / "fullchain.pem").read_bytes())
    if form == "2 0 1":
        der = chain[1].public_bytes(serialization.Encoding.DER)
        return f"{form} {hashlib.sha256(der).hexdigest()}"
    return f"{form} {client.spki(chain[1])}"


def relying(site: Site, form: str, ttl: int = 1) -> str:
    """A lineage of an operator who publishes the CA's intermediate and nothing else."""
    site.issued()
    record = issuer(site.live, form)
    site.lab.tlsa_set(OWNER, record, ttl=ttl)
    site.ok("init", MAIL)
    return record


@pytest.mark.parametrize("form", ["2 1 1", "2 0 1"])
def test_the_ca_changes_its_intermediate(site: Site, form: str) -> None:
    """Live stays, and mail flows; the renewal isn't lost, but waits for its record."""
    old = relying(site, form, ttl=5)
    assert (site.staging / "dane-ee").read_text().split() == ["1", OWNER.rstrip(".")]
    site.quiet("renew")
    status = site.status()
    assert [(r["role"], r["record"]) for r in status["records"]] == [("anchor", old)]
    assert [one["code"] for one in status["findings"]] == ["no-reload"]  # as in the lab
    before, served = (site.live / "combo.pem").read_bytes(), site.lab.served_spki()
    time.sleep(6.2)  # nothing from before the first look is in a cache any more

    site.lab.new_issuer()
    site.lab.make_due(MAIL)
    run = site.danebot("renew")
    new = issuer(site.staging, form)
    assert new != old
    assert run.returncode == 1
    assert "version 2 was issued but is not deployed: senders would refuse it" in run.stderr
    assert f"add, and keep what is there: {OWNER} IN TLSA {new}" in run.stderr
    assert (site.live / "combo.pem").read_bytes() == before
    assert site.lab.dane_verified()
    again = site.danebot("renew")  # due again, as the setting above makes it always
    assert again.returncode == 1
    assert (site.live / "combo.pem").read_bytes() == before

    conf = site.tree / "renewal" / f"{MAIL}.conf"
    conf.write_text(conf.read_text().replace("renew_before_expiry = 3650 days\n", ""))
    site.lab.tlsa_add(OWNER, new, ttl=5)
    with site.still():
        site.quiet("renew")  # waiting for caches is the normal course of things
        assert "waiting: caches may hold" in site.ok("status", MAIL)
    assert (site.live / "combo.pem").read_bytes() == before
    assert site.lab.dane_verified()
    time.sleep(5.2)
    site.quiet("renew")
    assert (site.live / "combo.pem").read_bytes() != before
    assert site.lab.served_spki() == served
    assert site.lab.dane_verified()
    site.lab.tlsa_set(OWNER, new, ttl=1)
    site.quiet("renew")
    assert site.lab.dane_verified()
    site.sound()


def test_records_replaced_without_overlap_are_mended_at_once(site: Site) -> None:
    """Mail is failing by the records alone: the chain that they name is the repair."""
    relying(site, "2 1 1")
    site.quiet("renew")
    time.sleep(6.2)
    site.lab.new_issuer()
    site.lab.make_due(MAIL)
    assert site.danebot("renew").returncode == 1
    site.settings["min_wait"] = "1d"
    new = issuer(site.staging)
    site.lab.tlsa_set(OWNER, new, ttl=1)
    assert not site.lab.dane_verified()
    site.danebot("renew")
    assert site.lab.dane_verified()


def test_a_record_of_the_key_makes_the_issuer_irrelevant(site: Site) -> None:
    """The usual operator never notices that a CA changed its intermediate."""
    record = site.staged()
    site.quiet("renew")
    site.lab.new_issuer()
    site.lab.make_due(MAIL)
    site.quiet("renew")
    assert issuer(site.live) == issuer(site.staging)
    assert f"3 1 1 {site.lab.served_spki()}" == record
    assert site.lab.dane_verified()


def test_another_key_of_the_same_authority_is_free_to_come(site: Site) -> None:
    """A key change at an owner that names the authority alone needs no record, only time."""
    record = relying(site, "2 1 1")
    site.quiet("renew")
    old = site.lab.served_spki()
    said = site.ok("newkey", MAIL)
    assert "the next key is made; its record data: 3 1 1" in said
    assert OWNER not in said
    time.sleep(6.2)
    with site.still():  # or it might be over by the end of a slow run
        site.ok("renew")
    time.sleep(1.2)
    assert "is live" in site.ok("renew")
    assert site.lab.served_spki() != old
    assert issuer(site.live) == record
    assert site.lab.dane_verified()
    site.sound()
