"""Old records are named for removal once nobody needs them, and not before."""

from __future__ import annotations

import shutil
import time
from datetime import timedelta

import pytest

from e2e.shell_tree import leaf_digest
from e2e.site import MAIL, OWNER, Site
from e2e.steps import aged, combo, cooled, cools, memory

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
        assert "may go" not in words
    assert "; remove" not in site.ok("tlsa", MAIL)
    site.ok("deinit", OTHER)
    assert removal not in site.ok("status", MAIL)
    (site.tree / "renewal" / f"{OTHER}.conf").unlink()
    assert f"remove       {removal}" in site.ok("status", MAIL)


def test_not_while_another_lineage_cannot_tell_which_keys_it_used(site: Site) -> None:
    """A link to itself stands for a disk that fails to read its ``rollover.json``."""
    old, new = cooled(site)
    removal = f"{OWNER} 1 IN TLSA {old}"
    site.lab.issue(OTHER, MAIL)
    theirs = f"3 1 1 {leaf_digest((site.tree / 'live' / OTHER / 'combo.pem').read_bytes())}"
    site.lab.tlsa_add(OWNER, theirs, ttl=1)
    site.attention("init", OTHER)
    file = site.tree / "staging" / OTHER / "rollover.json"
    aside = file.rename(file.with_name("aside"))
    file.symlink_to(file)
    said = site.danebot("renew", MAIL).stdout
    assert "is live" in said
    assert f"3 1 1 {combo(site)}" == new
    assert removal not in said + site.danebot("status", MAIL).stdout
    aside.replace(file)
    assert f"remove       {removal}" in site.danebot("status", MAIL).stdout


def test_not_while_another_lineage_s_keys_cannot_be_read(site: Site) -> None:
    """A link to itself stands for a disk that fails to read that key."""
    old, _ = cooled(site)
    _copy(site)
    key = site.tree / "archive" / OTHER / "privkey1.pem"
    aside = key.rename(key.with_name("aside"))
    key.symlink_to(key)
    removal = f"{OWNER} 1 IN TLSA {old}"
    said = site.danebot("renew", MAIL)
    assert "is live" in said.stdout
    assert "may go" not in said.stdout
    found = site.status()
    assert found["publication"]["remove"] == []
    assert "records-kept" in {one["code"] for one in found["findings"]}
    assert OTHER in site.danebot("status", MAIL).stdout
    key.unlink()
    aside.rename(key)
    assert removal not in site.danebot("status", MAIL).stdout, "it does use the key"


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


def _removal(site: Site) -> list[str]:
    removal: list[str] = site.status()["publication"]["remove"]
    return removal


def test_two_probes_in_a_row_find_the_old_key_gone(site: Site) -> None:
    """Some time apart; then its records may go, and when they are gone it is forgotten."""
    site.settings["retire_after"] = "1h"
    old, new = cooled(site)
    said = site.ok("renew")
    assert "the old key's records stay until a probe after 1 h finds the same" in said
    assert "remove:" not in said
    site.quiet("renew")
    assert _removal(site) == []
    assert "old records may go after a probe from" in site.ok("status", MAIL)
    aged(site, timedelta(hours=1))
    said = site.ok("renew")
    assert "no service serves the old key any more, so its records may go" in said
    assert f"remove: {OWNER} 1 IN TLSA {old}" in said
    assert _removal(site) == [f"{OWNER} 1 IN TLSA {old}"]
    site.quiet("renew")  # it is said once, and shown until it is done
    (finding,) = site.status()["findings"]
    assert (finding["code"], finding["severity"]) == ("records-to-remove", "notice")
    site.lab.tlsa_set(OWNER, new, ttl=1)
    site.quiet("renew")
    assert (memory(site)["past_keys"], site.status()["findings"]) == ([], [])
    assert site.lab.dane_verified()


def test_a_service_that_falls_back_begins_the_count_anew(site: Site) -> None:
    """Also once records may go: while the old key is served again, none is named."""
    site.settings["retire_after"] = "2s"
    old, _ = cooled(site)
    site.extra = f'[endpoints."mail.example.test:25"]\nconnect = "{site.lab.mail2}"'
    chain, before = site.lab.second_chain, site.tree.parent / "before.pem"
    shutil.copy(site.live / "combo.pem", before)
    shutil.copy(before, chain)
    assert site.danebot("renew").returncode == 1
    for _ in range(2):
        shutil.copy(site.live / "combo.pem", chain)
        site.ok("renew")
        assert _removal(site) == []
        time.sleep(2.1)
        shutil.copy(before, chain)
        run = site.danebot("renew")
        assert run.returncode == 1
        assert "still serves another certificate than the one deployed" in run.stderr
        assert memory(site)["deployment"]["clear_since"] is None
    shutil.copy(site.live / "combo.pem", chain)
    site.quiet("renew")
    time.sleep(2.1)
    assert f"remove: {OWNER} 1 IN TLSA {old}" in site.ok("renew")
    shutil.copy(before, chain)
    assert site.danebot("renew").returncode == 1
    assert _removal(site) == []


def test_not_while_a_neighbours_service_serves_the_old_key(site: Site) -> None:
    """Two lineages at one owner, each with a host of its own: all of them are asked."""
    old, _ = cooled(site)
    chain = site.lab.second_chain
    shutil.copy(site.live / "combo.pem", chain)
    site.lab.issue(OTHER, MAIL)
    theirs = f"3 1 1 {leaf_digest((site.tree / 'live' / OTHER / 'combo.pem').read_bytes())}"
    site.lab.tlsa_add(OWNER, theirs, ttl=1)
    site.attention("init", OTHER)
    site.extra = "".join(
        f'[lineage."{name}".endpoints]\n"mail.example.test:25" = "{address}"\n'
        for name, address in ((MAIL, site.lab.mail), (OTHER, site.lab.mail2))
    )
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "the new key is in service" in run.stdout
    assert f"[{site.lab.mail2}] serves a certificate of an old key" in run.stderr
    assert _removal(site) == []
    site.lab.stop("postfix")
    chain.unlink()
    shutil.copy(site.tree / "live" / OTHER / "combo.pem", chain)
    site.lab.start("postfix")
    assert f"remove: {OWNER} 1 IN TLSA {old}" in site.ok("renew")
    assert combo(site) != old.split()[-1]
    assert theirs not in str(site.status()["publication"])


def test_not_while_a_server_has_the_old_key_for_other_clients(site: Site) -> None:
    """A server with two certificates shows the old one to those who ask for RSA."""
    site.settings["key_type"] = "p256"
    site.extra = f'[endpoints."mail.example.test:25"]\nconnect = "{site.lab.mail2}"'
    old = site.issued("rsa", "--rsa-key-size", "2048")
    site.lab.tlsa_set(OWNER, old, ttl=1)
    site.attention("init", MAIL)
    site.lab.tlsa_add(OWNER, site.next_record(), ttl=1)
    before, chain = (site.live / "combo.pem").read_bytes(), site.lab.second_chain
    chain.touch(0o600)
    chain.write_bytes(before)
    cools(site)
    time.sleep(1.2)
    site.danebot("renew")
    chain.write_bytes((site.live / "combo.pem").read_bytes() + before)
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "serves a certificate of an old key (rsa)" in run.stderr
    assert _removal(site) == []
    chain.write_bytes((site.live / "combo.pem").read_bytes())
    assert f"remove: {OWNER} 1 IN TLSA {old}" in site.ok("renew")
