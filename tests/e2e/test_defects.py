"""What the shell program gets wrong, one numbered test (or a few) for each of the fifteen.

Every situation is one in which it was seen to fail; the tests would fail with its behaviour.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from pathlib import Path

import pytest

from danebot.config import load
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import Awaiting, Memory
from danebot.domain.rollover.steps.safe_time import safe_time
from e2e.shell_tree import KINDS, key_digest, leaf_digest
from e2e.site import MAIL, OWNER, Site
from e2e.steps import combo, cooled, cooling, cools, held_issuance, start, versions, wait_for

lab_test = pytest.mark.lab
FOREIGN = [f"3 1 1 {digit * 64}" for digit in "abcd"]


# ---- the fifteen ----------------------------------------------------------------------------


def test_defect_01_ttl_of_two_is_two_days(tmp_path: Path) -> None:
    """``TTL=2`` waited more than 72 hours."""
    defaults = tmp_path / "etc/default/danebot"
    defaults.parent.mkdir(parents=True)
    defaults.write_text("TTL=2\n")
    policy = load(root=tmp_path).policy(MAIL)
    since = dt.datetime(2026, 3, 1, 12, 0, 1, tzinfo=dt.UTC)
    seen = Memory(awaiting=Awaiting(b"", since, unseen_at=since, seen_since=since))
    safe = safe_time(seen, [DnsName("_25._tcp.mail.example.test")], policy)
    assert safe is not None
    assert safe.at == since + dt.timedelta(days=2)


@lab_test
def test_defect_02_the_next_key_is_of_the_current_type(site: Site) -> None:
    """RSA was the default also for ECDSA lineages, and certbot refused every promotion."""
    _, new = cooled(site)
    key = (site.staging / "ready.pem").read_bytes()
    assert site.status()["ready"]["type"] == site.status()["live"]["key"]["type"] == "p256"
    site.ok("renew")
    assert f"3 1 1 {combo(site)}" == new == f"3 1 1 {key_digest(key)}"


@lab_test
def test_defect_03_many_records_at_one_name(site: Site) -> None:
    """A present record was reported missing beside two others: a count compared as a string."""
    old = site.staged()
    new = site.next_record()
    site.lab.tlsa_set(OWNER, old, *FOREIGN, new)
    with site.still():
        site.quiet("renew")
        status = site.status()
    assert status["phase"] == "cooling"
    assert len(status["publication"]["keep"]) == 2
    assert status["publication"]["remove"] == []  # other hosts' records are left alone


@lab_test
def test_defect_04_the_last_line_counts_without_newline(site: Site) -> None:
    """A last line without newline was ignored, so an absent record counted as ready."""
    old = site.staged()
    second = "_465._tcp.mail.example.test"
    site.lab.tlsa_set(f"{second}.", old)
    lines = ["# two services", "", f"1 {OWNER}", f"1 {second}"]
    (site.staging / "dane-ee").write_bytes("\r\n".join(lines).encode())
    site.ok("newkey", MAIL)
    new = f"3 1 1 {key_digest((site.staging / 'nextkey.pem').read_bytes())}"
    site.lab.tlsa_add(OWNER, new)
    site.quiet("renew")  # the comment, the blank line and CRLF don't block it: it waits
    status = site.status()
    assert status["phase"] == "staged"
    awaited = {r["owner"]: r["seen"] for r in status["records"] if r["role"] != "current"}
    assert awaited == {OWNER.rstrip("."): "seen everywhere", second: "missing"}
    site.lab.tlsa_add(f"{second}.", new)
    cools(site)


@lab_test
def test_defect_04_a_line_that_cannot_be_used_is_an_error(site: Site) -> None:
    """A matching type that it couldn't use made it print a wrong record."""
    site.staged()
    (site.staging / "dane-ee").write_text(f"3 {OWNER}\n")
    run = site.danebot("newkey", MAIL)
    assert (run.returncode, run.stdout) == (1, "")
    assert "dane-ee:1: matching type '3' is not one of 0, 1, 2" in run.stderr
    assert not (site.staging / "nextkey.pem").exists()
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "dane-ee:1: " in run.stderr


@lab_test
def test_defect_04_a_required_name_without_newline_is_required(site: Site) -> None:
    """A missing name counted as fine when its line had no newline."""
    old = site.staged()
    (site.staging / "dnsnames").write_text("mail.example.test\nabsent.example.test")
    before = (site.live / "combo.pem").read_bytes()
    site.lab.make_due(MAIL)
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "lacks a required name (absent.example.test)" in run.stderr
    assert versions(site) == [1, 2]
    assert (site.live / "combo.pem").read_bytes() == before
    assert f"3 1 1 {site.lab.served_spki()}" == old


@lab_test
def test_defect_05_a_record_withdrawn_while_cooling(site: Site) -> None:
    """The key was promoted all the same, and senders failed."""
    old, new = cooled(site)
    site.lab.tlsa_del(OWNER, new)
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "the ready key's TLSA record is no longer seen" in run.stderr
    assert f"3 1 1 {combo(site)}" == old
    assert versions(site) == [1]
    assert key_digest((site.staging / "nextkey.pem").read_bytes()) == new.split()[-1]
    site.lab.tlsa_add(OWNER, new, ttl=600)
    cools(site)
    time.sleep(1.2)
    site.quiet("renew")  # cooling began again: what was waited before counts for nothing
    assert f"3 1 1 {combo(site)}" == old


@lab_test
def test_defect_06_an_empty_ready_key_goes_nowhere(site: Site) -> None:
    """An empty ``ready.pem`` went to certbot."""
    old, _ = cooled(site)
    (site.staging / "ready.pem").write_bytes(b"")
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "ready.pem: not a usable private key" in run.stderr
    assert versions(site) == [1]
    assert f"3 1 1 {combo(site)}" == old
    site.ok("newkey", "--cancel", MAIL)
    site.quiet("renew")
    site.sound()


@lab_test
def test_defect_07_overlapping_runs_lose_no_key(site: Site) -> None:
    """The first run issued with the old key and deleted the published next key."""
    _, new = cooled(site)
    gate = held_issuance(site)
    first = start(site, "renew")
    wait_for(gate.reached)
    site.settings["lock_wait"] = "0s"
    hasty = site.danebot("renew")
    assert hasty.returncode == 1
    assert "another danebot" in hasty.stderr
    assert "is at work" in hasty.stderr
    site.settings["lock_wait"] = "2m"
    gate.open_later()
    site.quiet("renew")  # waits, and finds nothing to do
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert "is live" in said
    assert f"3 1 1 {combo(site)}" == new
    assert len(versions(site)) == 2
    assert site.lab.dane_verified()
    site.sound()


@lab_test
def test_defect_08_an_unreachable_ca_is_no_success(site: Site) -> None:
    """certbot's exit status was dropped: a due certificate that nobody renewed gave 0."""
    site.staged()
    site.lab.make_due(MAIL)
    site.lab.stop("acme")
    run = site.danebot("renew")
    assert run.returncode == 1
    assert f"WARNING: {MAIL}: certbot renew failed once since " in run.stderr
    site.lab.start("acme")
    site.quiet("renew", MAIL)  # asked for, or it would back off
    assert versions(site) == [1, 2]


@lab_test
def test_defect_09_absolute_links_are_healed(site: Site) -> None:
    """certbot's recovery writes absolute links; the lineage failed for good."""
    site.staged()
    for kind in KINDS:
        for directory in (site.staging, site.live):
            link = directory / f"{kind}.pem"
            link.unlink()
            link.symlink_to(site.archive / f"{kind}1.pem")
    site.lab.make_due(MAIL)
    site.quiet("renew")
    site.sound()
    assert versions(site) == [1, 2]
    assert os.readlink(site.live / "cert.pem") == f"../../archive/{MAIL}/cert2.pem"


@lab_test
def test_defect_10_live_never_dangles(site: Site) -> None:
    """Held back by ``dnsnames`` for seven renewals, all four live links led nowhere."""
    old = site.staged()
    (site.staging / "dnsnames").write_text("absent.example.test\n")
    served = (site.live / "combo.pem").read_bytes()
    site.lab.make_due(MAIL)
    site.danebot("renew")
    for number in range(3, 8):  # five like it, without the CA's work
        for kind in KINDS:
            shutil.copy(site.archive / f"{kind}2.pem", site.archive / f"{kind}{number}.pem")
            link = site.staging / f"{kind}.pem"
            link.unlink()
            link.symlink_to(f"../../archive/{MAIL}/{kind}{number}.pem")
    run = site.danebot("renew")  # the seventh
    assert run.returncode == 1
    assert versions(site) == [1, 3, 4, 5, 6, 7, 8]  # certbot took 1 and 2 away
    for kind in KINDS:
        assert (site.live / f"{kind}.pem").exists()
    assert (site.live / "combo.pem").read_bytes() == served
    chain = (site.live / "fullchain.pem").read_bytes()
    assert f"3 1 1 {leaf_digest(chain)}" == f"3 1 1 {site.lab.served_spki()}" == old
    site.sound()
    (site.staging / "dnsnames").unlink()
    site.quiet("renew")
    assert os.readlink(site.live / "cert.pem") == os.readlink(site.staging / "cert.pem")


@lab_test
def test_defect_11_deinit_in_mid_promotion(site: Site) -> None:
    """It left a key that doesn't match the certificate, or deleted the ready key, with exit 0."""
    old, new = cooling(site)
    shutil.copy(site.staging / "ready.pem", site.archive / "privkey2.pem")
    link = site.staging / "privkey.pem"
    link.unlink()
    link.symlink_to(f"../../archive/{MAIL}/privkey2.pem")
    run = site.danebot("deinit", MAIL)
    assert run.returncode == 1
    assert "ready.pem" in run.stderr
    assert key_digest((site.staging / "ready.pem").read_bytes()) == new.split()[-1]
    site.ok("deinit", "--drop-keys", MAIL)
    site.sound()
    key = key_digest((site.live / "privkey.pem").read_bytes())
    assert key == leaf_digest((site.live / "cert.pem").read_bytes()) == old.split()[-1]
    site.lab.certbot("renew", "--force-renewal")
    assert key_digest((site.live / "privkey.pem").read_bytes()) == key


@lab_test
def test_defect_12_an_accidental_key_is_not_deployed(site: Site) -> None:
    """After ``certbot --new-key`` the unpublished key went live."""
    old = site.staged()
    site.lab.certbot("renew", "--force-renewal", "--new-key")
    stranger = key_digest((site.staging / "privkey.pem").read_bytes())
    assert f"3 1 1 {stranger}" != old
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "was not deployed: its key is unknown" in run.stderr
    assert f"--adopt unknown-{str(stranger)[:16]}.pem" in run.stderr
    for directory in (site.live, site.staging):
        assert f"3 1 1 {key_digest((directory / 'privkey.pem').read_bytes())}" == old
    (kept,) = site.staging.glob("unknown-*.pem")
    assert key_digest(kept.read_bytes()) == stranger
    newest = max(versions(site))
    site.lab.make_due(MAIL)
    site.quiet("renew")
    assert max(versions(site)) == newest + 1
    assert f"3 1 1 {combo(site)}" == f"3 1 1 {site.lab.served_spki()}" == old
    assert site.lab.dane_verified()
    site.sound()


@lab_test
def test_defect_13_four_troubles_with_four_messages(site: Site) -> None:
    """NXDOMAIN, bogus and dead resolver gave one message and exit 0."""
    old = site.staged()
    site.next_record()
    site.quiet("renew")  # waiting for an absent record is no trouble
    said = {}
    owners = {
        "no such name": "_25._tcp.nosuch.example.test",
        "DNSSEC validation": "_25._tcp.mail.bogus.test",
        "not secured by DNSSEC": "_25._tcp.mail.insecure.test",
    }
    for zone in ("bogus.test.", "insecure.test."):
        site.lab.tlsa_add(f"_25._tcp.mail.{zone}", old, zone=zone)
    for words, owner in owners.items():
        others = "".join(f"- {one}\n" for one in (*owners.values(), OWNER) if one != owner)
        (site.staging / "dane-ee").write_text(f"1 {owner}\n{others}")
        said[words] = site.danebot("renew")
    others = "".join(f"- {one}\n" for one in owners.values())
    (site.staging / "dane-ee").write_text(f"1 {OWNER}\n{others}")
    site.lab.stop("resolver")
    said["gives no answer"] = site.danebot("renew")
    for words, run in said.items():
        assert run.returncode == 1, words
        assert [w for w in said if w in run.stderr] == [words], run.stderr
    assert (site.staging / "nextkey.pem").exists()


@lab_test
def test_defect_13_aa_is_believed_from_loopback(site: Site) -> None:
    """A loopback authoritative server may stand for the resolver; no other may (unit test)."""
    site.staged()
    site.lab.stop("resolver")
    site.lab.resolver = site.lab.ns1
    try:
        site.quiet("renew")
    finally:
        site.lab.resolver = f"{site.lab.net}.3"


def test_defect_13_aa_is_believed_from_nowhere_else() -> None:
    """An address off loopback can't be had here: the decision alone."""
    from danebot.adapters.dns.resolvconf import AdTrust, Nameserver, ResolverConfig
    from danebot.adapters.dns.resolver import judge_reply
    from danebot.adapters.dns.response import Response
    from danebot.domain.dns.answers import Security

    owner = OWNER.rstrip(".")
    response = Response(0, 0x8400, {}, {}, {})
    chain = response.chain(owner, 52)
    for address, verdict in (("127.0.0.1", Security.SECURE), ("192.0.2.1", Security.INSECURE)):
        for trust in AdTrust:
            config = ResolverConfig((Nameserver(address),), trust)
            assert judge_reply(config, config.nameservers[0], response, chain)[0] is verdict


@lab_test
def test_defect_14_a_hung_ca_is_given_up(site: Site) -> None:
    """There was no time limit but the CA's own; then combo was built from a deleted key."""
    old, new = cooled(site)
    before = (site.live / "combo.pem").read_bytes()
    site.settings["certbot_timeout"] = "3s"
    site.lab.acme_fault("hang")
    began = time.monotonic()
    run = site.danebot("renew")
    assert time.monotonic() - began < 200  # the CA hangs for ten minutes
    assert run.returncode == 1
    assert "issuing with the ready key failed" in run.stderr
    assert (site.live / "combo.pem").read_bytes() == before
    assert key_digest((site.staging / "ready.pem").read_bytes()) == new.split()[-1]
    assert f"3 1 1 {site.lab.served_spki()}" == old
    site.sound()


@lab_test
def test_defect_14_arguments_count_and_deployments_are_retried(site: Site) -> None:
    """Arguments of ``renew`` were ignored, and a deployment that failed was never tried again."""
    site.staged()
    done = site.tree.parent / "deployed-to"
    hook = f"test -e {done}.may && echo $RENEWED_LINEAGE >{done}"
    site.extra = f'hooks = ["{hook}"]'
    site.lab.make_due(MAIL)
    run = site.danebot("renew", MAIL)
    assert run.returncode == 1
    assert "deploy hook" in run.stderr
    Path(f"{done}.may").touch()
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    conf.write_text(conf.read_text().replace("renew_before_expiry", "#"))
    site.quiet("renew", MAIL)
    assert done.read_text() == f"{site.live}\n"
    done.unlink()
    site.quiet("renew", MAIL)
    assert not done.exists()
    run = site.danebot("renew", "nosuch.example.test")
    assert run.returncode == 2
    assert f"there is no lineage 'nosuch.example.test'; known are: {MAIL}" in run.stderr


@lab_test
def test_defect_15_an_orphan_is_waited_for(site: Site) -> None:
    """After kill -9 certbot went on alone, and the next run issued again."""
    _, new = cooled(site)
    gate = held_issuance(site)
    first = start(site, "renew")
    wait_for(gate.reached)
    first.kill()
    first.wait()
    assert versions(site) == [1]  # the orphan is still at it
    gate.open_later()
    assert "is live" in site.ok("renew")
    assert len(versions(site)) == 2
    assert f"3 1 1 {combo(site)}" == new
    assert not (site.staging / "ready.pem").exists()
    site.quiet("renew")
    site.sound()
    first.communicate()


@lab_test
def test_defect_15_an_archive_ahead_of_its_links(site: Site) -> None:
    """Archive complete but links old: what was issued is deployed, and not issued again."""
    site.staged()
    site.lab.certbot("renew", "--force-renewal")
    for kind in KINDS:
        link = site.staging / f"{kind}.pem"
        link.unlink()
        link.symlink_to(f"../../archive/{MAIL}/{kind}1.pem")
    site.quiet("renew")
    assert versions(site) == [1, 2]
    assert os.readlink(site.live / "cert.pem") == f"../../archive/{MAIL}/cert2.pem"
    site.sound()
