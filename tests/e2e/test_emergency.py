"""A compromised key on the lab: how fast it is out of use, and that it never comes back."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from e2e.site import MAIL, OWNER, Site
from e2e.steps import memory
from lab.client import served_certificate

pytestmark = pytest.mark.lab

STANDING = {"min_wait": "2d", "margin": "1h", "prepublish": "true"}


@pytest.fixture
def unshared(site: Site) -> Iterator[None]:
    """A certificate that is revoked is no other test's."""
    site.lab.forget_issued()
    yield
    site.lab.forget_issued()


def standing(site: Site) -> tuple[str, str]:
    """A standing next key that is in every cache; the old and the next record."""
    site.settings |= {k: v for k, v in STANDING.items() if k != "prepublish"}
    site.extra = "prepublish = true\n" + site.extra
    old = site.issued()
    site.lab.tlsa_set(OWNER, old, ttl=1)
    site.ok("init", MAIL)
    site.ok("renew")
    (line,) = site.status()["publication"]["add"]
    new = line.split(" TLSA ", 1)[1]
    site.lab.tlsa_add(OWNER, new, ttl=1)
    site.quiet("renew")
    time.sleep(1.2)
    return old, new


def only_published(run: subprocess.CompletedProcess[str], old: str) -> None:
    """All that a run finds: the stolen key's record may go."""
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert f"the compromised key's record is still published: {OWNER} IN TLSA {old}" in line
    assert f"it may be removed; remove what this prints: danebot tlsa {MAIL}" in line


def removed(site: Site, old: str) -> None:
    """The stolen key's record is taken out, as danebot says."""
    assert old in site.danebot("tlsa", MAIL).stdout.partition("; remove")[2]
    site.lab.tlsa_del(OWNER, old)
    time.sleep(2.2)  # the resolver may have it for so long
    site.ok("renew", MAIL)


def test_a_standing_key_is_served_at_once(site: Site) -> None:
    """Though the minimum wait and the margin are far from over."""
    old, new = standing(site)
    run = site.danebot("newkey", "--emergency", MAIL)
    assert "is live" in run.stdout
    only_published(run, old)
    assert f"3 1 1 {site.lab.served_spki()}" == new
    assert site.lab.dane_verified()
    removed(site, old)


def test_without_one_it_takes_the_ttl(site: Site) -> None:
    old = site.issued()
    site.lab.tlsa_set(OWNER, old, ttl=2)
    site.ok("init", MAIL)
    site.settings |= {"min_wait": "2d", "margin": "1h"}
    run = site.danebot("newkey", "--emergency", MAIL)
    assert run.returncode == 1
    assert "the live key is compromised" in run.stderr
    assert "2 s after every authoritative server has its records" in run.stdout
    (line,) = [line for line in run.stdout.splitlines() if " IN TLSA " in line]
    site.lab.tlsa_add(OWNER, line.split(" TLSA ", 1)[1], ttl=2)
    run = site.danebot("newkey", "--emergency", "--wait", MAIL)
    assert "is live" in run.stdout
    assert "the compromised key's record is still published" in run.stderr
    assert site.lab.dane_verified()
    assert f"3 1 1 {site.lab.served_spki()}" != old
    only_published(site.danebot("renew"), old)
    removed(site, old)
    site.quiet("renew")


@pytest.mark.usefixtures("unshared")
def test_the_old_certificates_are_revoked_once_the_wire_shows_the_new_one(site: Site) -> None:
    record, _ = standing(site)
    old = served_certificate(site.lab.mail, 25)
    site.lab.stop("postfix")
    run = site.danebot("newkey", "--emergency", "--revoke", MAIL)
    assert run.returncode == 1
    assert site.lab.revoked(old.serial_number) is False
    site.lab.start("postfix")
    run = site.danebot("renew")
    assert "the compromised key's certificates are revoked" in run.stdout
    only_published(run, record)
    assert site.lab.revoked(old.serial_number) is True
    site.sound()
    assert memory(site)["revocations"] == []


@pytest.mark.usefixtures("unshared")
def test_a_refused_revocation_is_tried_again(site: Site) -> None:
    old, _ = standing(site)
    site.lab.stop("postfix")
    site.danebot("newkey", "--emergency", "--revoke", MAIL)
    site.lab.start("postfix")
    site.lab.stop("acme")
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "revoking the compromised key's certificates failed" in site.danebot("status").stdout
    site.ok("newkey", "--cancel", MAIL)
    given_up = site.danebot("deinit", MAIL)
    assert given_up.returncode == 1
    assert "still to be revoked; run danebot renew" in given_up.stderr
    site.lab.start("acme")
    assert "are revoked" not in site.danebot("renew").stdout  # it backs off
    run = site.danebot("renew", MAIL)
    assert "are revoked" in run.stdout
    only_published(run, old)


def test_a_key_that_is_still_in_use_is_not_revoked(site: Site) -> None:
    """As after a crash between the decision and the deployment, and with records withdrawn then."""
    old, _ = standing(site)
    only_published(site.danebot("newkey", "--emergency", MAIL), old)
    current = served_certificate(site.lab.mail, 25)
    spki = current.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    document = memory(site)
    assert document["deployment"]["confirmed_at"]
    document["revocations"] = [{"spki": spki.hex(), "attempts": 0, "error": ""}]
    (site.staging / "rollover.json").write_text(json.dumps(document))

    run = site.danebot("renew")

    assert site.lab.revoked(current.serial_number) is False
    assert run.returncode == 1
    assert "still uses the key" in run.stderr


def test_mismatch_needs_the_words(site: Site) -> None:
    old = site.staged()
    run = site.danebot("newkey", "--emergency", "--accept-mismatch", "yes", MAIL)
    assert run.returncode == 2
    assert 'say --accept-mismatch "mail may be refused"' in run.stderr
    assert not (site.staging / "nextkey.pem").exists()
    assert f"3 1 1 {site.lab.served_spki()}" == old


def test_an_accepted_mismatch_is_served_at_once(site: Site) -> None:
    old = site.staged()
    run = site.danebot("newkey", "--emergency", "--accept-mismatch", "mail may be refused", MAIL)
    assert "is live" in run.stdout
    served = f"3 1 1 {site.lab.served_spki()}"
    assert served != old
    assert f"add now: {OWNER} IN TLSA {served}" in run.stderr
    site.lab.tlsa_add(OWNER, served)
    time.sleep(1.2)
    site.lab.flush()
    site.danebot("renew")
    assert f"3 1 1 {site.lab.served_spki()}" == served
    assert site.lab.dane_verified()


def test_dry_run_tells_the_wait_and_changes_nothing(site: Site) -> None:
    site.staged()
    before = sorted(path.name for path in site.staging.iterdir())
    said = site.ok("newkey", "--emergency", "--dry-run", MAIL)
    assert "would make a next key" in said
    assert "5 s after every authoritative server has its records" in said
    words = ("--accept-mismatch", "mail may be refused")
    said = site.ok("newkey", "--emergency", "--dry-run", *words, MAIL)
    assert "at once, whatever that does to mail" in said
    assert "authoritative server" not in said
    assert sorted(path.name for path in site.staging.iterdir()) == before


def test_what_an_emergency_takes_soon_after_init_is_told_and_taken(site: Site) -> None:
    """Its TTL was lowered before `init`: caches may hold it for as long as `unseen_ttl` says."""
    site.settings["unseen_ttl"] = "1d"
    site.lab.tlsa_set(OWNER, site.issued(), ttl=1)
    with site.still():
        site.ok("init", MAIL)
        assert "would be served for 1 d" in site.ok("status", MAIL)
        told = site.ok("newkey", "--emergency", "--dry-run", MAIL)
        assert re.search(r"current key 1 d\b.* after every authoritative server", told)
    run = site.danebot("newkey", "--emergency", MAIL)
    (line,) = [line for line in run.stdout.splitlines() if " IN TLSA " in line]
    site.lab.tlsa_add(OWNER, line.split(" TLSA ", 1)[1], ttl=1)
    time.sleep(1.2)
    served = site.lab.served_spki()
    assert site.danebot("renew").returncode == 1  # the stolen key is served still
    assert site.lab.served_spki() == served
    told = site.danebot("status", MAIL).stdout
    assert "emergency    under way: its successor is safe from" in told


def test_with_dns_dead_and_nothing_remembered_the_wait_is_unknown(site: Site) -> None:
    site.staged()
    (site.staging / "rollover.json").unlink()
    site.lab.stop("resolver")
    said = site.ok("newkey", "--emergency", "--dry-run", MAIL)
    assert "nobody knows when it would replace the current key" in said
    told = site.danebot("status", MAIL).stdout
    assert "nobody knows how long a compromised key would be served" in told


def test_a_compromised_key_is_not_adopted_again(site: Site) -> None:
    standing(site)
    stolen = site.tree.parent / "stolen.pem"
    stolen.write_bytes((site.live / "privkey.pem").read_bytes())
    assert "is live" in site.danebot("newkey", "--emergency", MAIL).stdout
    site.extra = ""
    site.ok("newkey", "--cancel", MAIL)
    run = site.danebot("newkey", "--adopt", str(stolen), MAIL)
    assert run.returncode == 1
    assert "it is compromised" in run.stderr


@pytest.mark.usefixtures("unshared")
def test_a_stolen_key_behind_a_dead_port_is_told_until_somebody_insists(site: Site) -> None:
    """Nothing listens at 993, so nobody can say that the old key is out of use there."""
    dead = "_993._tcp.mail.example.test."
    site.settings |= {k: v for k, v in STANDING.items() if k != "prepublish"}
    site.extra = "prepublish = true\n" + site.extra
    old = site.issued()
    for owner in (OWNER, dead):
        site.lab.tlsa_set(owner, old, ttl=1)
    site.attention("init", MAIL)
    (site.staging / "dane-ee").write_text(f"1 {OWNER}\n1 {dead}\n")
    site.attention("renew")
    new = site.status()["publication"]["add"][0].split(" TLSA ", 1)[1]
    for owner in (OWNER, dead):
        site.lab.tlsa_add(owner, new, ttl=1)
    site.attention("renew")
    time.sleep(1.2)
    stolen = served_certificate(site.lab.mail, 25)

    run = site.danebot("newkey", "--emergency", "--revoke", MAIL)
    assert "is live" in run.stdout
    for again in (run, site.danebot("renew")):
        assert again.returncode == 1
        assert "the compromised key's record is still published" in again.stderr
        assert "mail.example.test:993" in again.stderr
        assert "certificates are not revoked yet" in again.stderr
    assert site.lab.revoked(stolen.serial_number) is False
    codes = {finding["code"] for finding in site.status()["findings"]}
    assert {"compromised-published", "revocation-waits"} <= codes
    assert "remove" not in site.danebot("tlsa", MAIL).stdout

    assert site.danebot("renew", "--although-unconfirmed", "yes", MAIL).returncode == 2
    insisting = ("--although-unconfirmed", "mail may be refused")
    assert site.danebot("renew", *insisting).returncode == 2
    assert "are revoked" in site.danebot("renew", *insisting, MAIL).stdout
    assert site.lab.revoked(stolen.serial_number) is True
    listed = site.danebot("tlsa", MAIL).stdout.partition("; remove")[2]
    assert listed.count(old) == 2
    for owner in (OWNER, dead):
        site.lab.tlsa_del(owner, old)
    time.sleep(1.2)
    site.lab.flush()
    site.danebot("renew")
    codes = {finding["code"] for finding in site.status()["findings"]}
    assert not {"compromised-published", "revocation-waits"} & codes


def test_there_must_be_something_to_insist_on(site: Site) -> None:
    site.staged()
    run = site.danebot("renew", "--although-unconfirmed", "mail may be refused", MAIL)
    assert run.returncode == 1
    assert "no compromised key that was replaced; nothing was changed" in run.stderr
