"""`newkey`: a next key made, adopted, cancelled, and refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from danebot.domain.dns.tlsa import parse_dane_ee
from danebot.domain.lineage.pem import read_private_key
from e2e.shell_tree import key_digest, new_key
from e2e.site import MAIL, OWNER, Site
from e2e.steps import cools, memory, tlsa_data

pytestmark = pytest.mark.lab


def next_key(site: Site) -> bytes:
    path = site.staging / "nextkey.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_bytes()


def test_types_and_sizes(site: Site) -> None:
    site.staged()
    for wanted, size in (("rsa2048", 2048), ("RSA-3072", 3072), ("p384", 384)):
        record = site.next_record("--key-type", wanted)
        key = serialization.load_pem_private_key(next_key(site), None)
        assert isinstance(key, rsa.RSAPrivateKey if size > 1000 else ec.EllipticCurvePrivateKey)
        assert key.key_size == size
        assert record == tlsa_data(next_key(site))
        assert record.split()[-1] in site.ok("newkey", "--cancel", MAIL)
        assert not (site.staging / "nextkey.pem").exists()
    run = site.danebot("newkey", "--key-type", "ed25519", MAIL)
    assert run.returncode == 2
    assert "there is no key type 'ed25519'; known are: rsa2048," in run.stderr


def test_its_words_can_be_fed_to_nsupdate(site: Site) -> None:
    """One record for each line of ``dane-ee``, with the TTL that is there; nothing else.

    What the live key lacks comes first.
    """
    old = site.staged()
    (site.staging / "dane-ee").write_text(f"1 {OWNER}\n2 _465._tcp.mail.example.test\n")
    run = site.danebot("newkey", "--format", "nsupdate", MAIL)
    assert run.returncode == 1
    words = run.stdout
    text = f"server {site.lab.ns1} 53\nzone example.test.\n{words}"
    tsig = site.lab.tsig_file.read_text().strip()
    done = subprocess.run(
        ["knsupdate", "-y", tsig], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    site.lab.tlsa_add(OWNER, f"3 1 1 {'ab' * 32}")  # waits for the secondary, too
    assert {old, tlsa_data(next_key(site))} < site.lab.tlsa_at(site.lab.ns2, OWNER)
    others = site.lab.tlsa_at(site.lab.ns2, "_465._tcp.mail.example.test.")
    assert [other[:6] for other in others] == ["3 1 2 ", "3 1 2 "]
    site.lab.tlsa_del("_465._tcp.mail.example.test.")


def test_a_second_one_is_refused(site: Site) -> None:
    site.staged()
    site.next_record()
    key = next_key(site)
    for ready in ("nextkey.pem", "ready.pem"):
        run = site.danebot("newkey", MAIL)
        assert (run.returncode, run.stdout) == (1, "")
        assert f"already has a key on its way ({ready})" in run.stderr
        assert (site.staging / ready).read_bytes() == key
        (site.staging / ready).rename(site.staging / "ready.pem")


def test_without_dane_ee_only_if_insisted(site: Site) -> None:
    """The word is remembered with the key; lost, or never given, the key isn't used."""
    site.lab.issued_tree(MAIL)
    assert site.danebot("init", MAIL).returncode == 1
    run = site.danebot("newkey", MAIL)
    assert run.returncode == 1
    assert f"{MAIL} watches no TLSA owner" in run.stderr
    assert not (site.staging / "nextkey.pem").exists()
    said = site.ok("newkey", "--unprotected", MAIL)
    assert tlsa_data(next_key(site)) in said
    remembered = (site.staging / "rollover.json").read_text()
    (site.staging / "rollover.json").unlink()
    run = site.danebot("renew")
    assert "the key on its way isn't used: no TLSA owner is known" in run.stderr
    assert (site.staging / "nextkey.pem").exists()
    (site.staging / "rollover.json").write_text(remembered)
    record = tlsa_data(next_key(site))
    site.danebot("renew")
    site.danebot("renew")
    assert record.endswith(site.lab.served_spki())


def test_a_lineage_that_is_not_managed(site: Site) -> None:
    site.issued()
    run = site.danebot("newkey", MAIL)
    assert run.returncode == 1
    assert f"run first: danebot init {MAIL}" in run.stderr


def test_adopted_keys(site: Site, tmp_path: Path) -> None:
    """Any file, or one that danebot set aside by its bare name; not the current key, nor junk."""
    site.staged()
    current = site.danebot("newkey", "--adopt", str(site.live / "privkey.pem"), MAIL)
    assert current.returncode == 1
    assert "that key is the current key" in current.stderr
    other = tmp_path / "ed25519.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", other], check=True)
    odd = site.danebot("newkey", "--adopt", str(other), MAIL)
    assert odd.returncode == 1
    assert f"{other} holds a key that certbot doesn't issue with" in odd.stderr
    junk = site.danebot("newkey", "--adopt", str(site.live / "README"), MAIL)
    assert junk.returncode == 1
    assert "not a readable unencrypted PEM private key" in junk.stderr
    mine = tmp_path / "mine.pem"
    mine.write_bytes(new_key())
    assert site.next_record("--adopt", str(mine)) == tlsa_data(mine.read_bytes())
    assert key_digest(next_key(site)) == key_digest(mine.read_bytes())
    site.ok("newkey", "--cancel", MAIL)
    site.lab.certbot("renew", "--force-renewal", "--new-key")
    assert site.danebot("renew").returncode == 1
    (kept,) = site.staging.glob("unknown-*.pem")
    stranger = kept.read_bytes()
    assert site.next_record("--adopt", kept.name) == tlsa_data(stranger)
    assert key_digest(next_key(site)) == key_digest(stranger)
    assert not kept.exists()


def cancelled(site: Site) -> str:
    """Cancel; what it prints.  The key is kept."""
    key = next_key(site)
    said = site.ok("newkey", "--cancel", MAIL)
    assert not (site.staging / "nextkey.pem").exists()
    (kept,) = site.staging.glob("cancelled-*.pem")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_bytes() == key
    assert str(kept) in said
    return said


def forgotten(site: Site) -> bool:
    return not memory(site)["cancelled"]


def test_cancel_names_records_that_are_anywhere_and_ends_when_they_are_gone(site: Site) -> None:
    """Published by hand, so removed by hand; nothing waits for that, and nothing nags."""
    old = site.staged()
    new = site.next_record()
    site.lab.tlsa_add(OWNER, new)
    said = cancelled(site)
    assert f"; remove {OWNER} 5 IN TLSA {new}" in said
    again = site.ok("newkey", "--cancel", MAIL)
    assert f"; remove {OWNER} 5 IN TLSA {new}" in again
    site.quiet("renew")
    assert f"remove       {OWNER} 5 IN TLSA {new}" in site.ok("status", MAIL)
    assert "cancelling" in {one["code"] for one in site.status()["findings"]}
    with site.lab.lag_secondary():
        site.lab.tlsa_del(OWNER, new, wait=False)
        site.lab.flush()
        site.quiet("renew")
        assert not forgotten(site), "one server has it still"
    site.lab.tlsa_set(OWNER, old)
    assert f"a record of the cancelled key {new.split()[-1]} any more" in site.ok("renew")
    assert forgotten(site)
    site.quiet("renew")
    assert len(site.lab.tlsa_at(site.lab.ns1, OWNER)) == 1
    run = site.danebot("newkey", "--cancel", MAIL)
    assert (run.returncode, "nothing to cancel" in run.stderr) == (1, True)


def test_cancel_waits_for_who_is_silent(site: Site) -> None:
    """Silence proves nothing, and neither does a ``dane-ee`` that can't be read."""
    site.staged()
    site.next_record()
    site.lab.stop("secondary")
    assert "a cancelled key's records may be published" in cancelled(site)
    site.lab.start("secondary")
    good = (site.staging / "dane-ee").read_text()
    (site.staging / "dane-ee").write_text("1 1 1\n")
    site.danebot("renew")
    assert not forgotten(site)
    (site.staging / "dane-ee").write_text(good)
    site.ok("renew")
    assert forgotten(site)


def test_a_new_key_needn_t_wait_for_what_was_cancelled(site: Site) -> None:
    old = site.staged()
    dropped = site.next_record()
    site.lab.tlsa_add(OWNER, dropped)
    cancelled(site)
    new = site.next_record()
    assert new != dropped
    site.lab.tlsa_add(OWNER, new)
    cools(site)
    site.ok("renew")
    assert site.danebot("newkey", "--adopt", "cancelled-x.pem", MAIL).returncode == 1
    site.lab.tlsa_set(OWNER, old)


def test_a_cancelled_key_can_be_taken_back(site: Site) -> None:
    site.staged()
    record = site.next_record()
    site.lab.tlsa_add(OWNER, record)
    cancelled(site)
    (kept,) = site.staging.glob("cancelled-*.pem")
    site.ok("newkey", "--adopt", kept.name, MAIL)
    assert tlsa_data(next_key(site)) == record
    assert not kept.exists()
    cools(site)
    assert memory(site)["cancelled"] == []


@pytest.mark.parametrize("mtype", ["1", "2"])
@pytest.mark.parametrize("how", ["encrypted", "unreadable"])
def test_cancel_of_a_key_whose_file_cannot_be_read(site: Site, how: str, mtype: str) -> None:
    """DNS is asked for what was remembered of it, and the file is kept as it is."""
    site.staged()
    (site.staging / "dane-ee").write_text(f"{mtype} {OWNER}\n")
    site.ok("newkey", MAIL)
    key = read_private_key(next_key(site))
    record = str(parse_dane_ee(f"{mtype} {OWNER}").lines[0].record(key.spki))
    file = site.staging / "nextkey.pem"
    site.lab.tlsa_add(OWNER, record)
    if how == "encrypted":
        subprocess.run(
            [
                "openssl",
                "pkey",
                "-aes256",
                "-passout",
                "pass:x",
                "-in",
                file,
                "-out",
                f"{file}.new",
            ],
            check=True,
        )
        Path(f"{file}.new").replace(file)
        content = file.read_bytes()
    else:  # a link to itself stands for a disk that fails to read it
        file.unlink()
        file.symlink_to(file)
        content = b""
    site.danebot("renew")
    said = site.ok("newkey", "--cancel", MAIL)
    assert f"; remove {OWNER} 5 IN TLSA {record}" in said
    (kept,) = site.staging.glob("cancelled-*.pem")
    assert kept.is_symlink() or kept.read_bytes() == content
    assert not forgotten(site)
    site.lab.tlsa_del(OWNER, record)
    site.danebot("renew")
    assert forgotten(site)


def test_deinit_keeps_what_it_gives_up(site: Site) -> None:
    site.staged()
    record = site.next_record()
    site.lab.tlsa_add(OWNER, record)
    cancelled(site)
    run = site.danebot("deinit", MAIL)
    assert (run.returncode, "the cancelled key" in run.stderr) == (1, True)
    site.ok("newkey", MAIL)
    site.ok("deinit", "--drop-keys", MAIL)
    kept = sorted(path.name for path in site.live.glob("given-up-*.pem"))
    assert [name.split("-")[2][:7] for name in kept] == ["cancell", "nextkey"]
    assert tlsa_data((site.live / kept[0]).read_bytes()) == record
