"""`init` and `deinit`: taking a lineage under care, and giving it back."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from danebot.adapters.tree.tree import Tree
from e2e.shell_tree import KINDS, key_digest, new_key
from e2e.site import MAIL, OWNER, Site

pytestmark = pytest.mark.lab


def fingerprint(tree: Path) -> dict[str, tuple[int, ...]]:
    """Everything that `--dry-run` must leave alone."""
    stats = {str(path): path.lstat() for path in tree.rglob("*")}
    return {p: (s.st_ino, s.st_mode, s.st_size, s.st_mtime_ns) for p, s in stats.items()}


def test_published_records_are_found_and_the_change_is_shown(site: Site) -> None:
    """The owners at the usual ports go to ``dane-ee``; the configuration's diff is printed."""
    record = site.issued()
    live = Tree(site.tree).read(MAIL).live
    assert live is not None
    strong = f"3 1 2 {hashlib.sha512(live.key.spki).hexdigest()}"
    site.lab.tlsa_set("_465._tcp.mail.example.test.", strong, record)
    site.lab.tlsa_set("_8443._tcp.mail.example.test.", record)  # no usual port
    before = fingerprint(site.tree)
    said = site.ok("init", "--dry-run", MAIL)
    assert f"would watch 1 {OWNER.rstrip('.')}" in said
    assert fingerprint(site.tree) == before
    said = site.ok("init", MAIL)
    lines = (site.staging / "dane-ee").read_text().splitlines()
    wanted = ["1 _25._tcp.mail.example.test", "1 _465._tcp.mail.example.test"]
    assert sorted(lines) == [*wanted, "2 _465._tcp.mail.example.test"]
    for line in (*lines, record, f"+cert = {site.staging}/cert.pem", "+reuse_key = True"):
        assert line in said, line
    site.sound()
    assert site.lab.served_spki() == record.split()[-1]
    after = fingerprint(site.tree)
    assert "managed by danebot already; nothing to do" in site.ok("init", MAIL)
    assert fingerprint(site.tree) == after


def test_a_lineage_without_records_is_told_what_to_do(site: Site) -> None:
    """Nothing protects its rollover yet: that is said until it has one, or is to have none."""
    record = site.issued()
    site.lab.tlsa_del(OWNER)
    run = site.danebot("init", MAIL)
    assert run.returncode == 1
    assert f"the live key's record is: {record}" in run.stdout
    assert f"looked for TLSA records at the usual ports of {MAIL}" in run.stdout
    assert f"WARNING: {MAIL}: no TLSA record is watched" in run.stderr
    assert f"danebot tlsa {MAIL}" in run.stderr
    assert not (site.staging / "dane-ee").exists()
    for verb in ("renew", "status"):
        assert site.danebot(verb).returncode == 1
    site.ok("init", "--no-dane", MAIL)
    assert (site.staging / "dane-ee").read_text() == "- *\n"
    site.quiet("renew")
    assert "nothing to do" in site.ok("init", MAIL)


def test_an_unknown_lineage(site: Site) -> None:
    """An error that names what there is, and changes nothing."""
    site.issued()
    before = fingerprint(site.tree)
    for verb in ("init", "deinit"):
        run = site.danebot(verb, "mial.example.test")
        assert (run.returncode, run.stdout) == (2, "")
        known = f"danebot: there is no lineage 'mial.example.test'; known are: {MAIL}\n"
        assert run.stderr == known
    assert fingerprint(site.tree) == before


def test_a_broken_live_is_not_taken_over(site: Site) -> None:
    """A key that isn't the certificate's (left by the shell program's `deinit`) stays certbot's."""
    site.issued()
    (site.archive / "privkey2.pem").write_bytes(new_key())
    link = site.live / "privkey.pem"
    link.unlink()
    link.symlink_to(f"../../archive/{MAIL}/privkey2.pem")
    before = fingerprint(site.tree / "live"), fingerprint(site.tree / "renewal")
    for dry in ((), ("--dry-run",)):
        run = site.danebot("init", *dry, MAIL)
        assert run.returncode == 1
        assert "doesn't lead to one complete version" in run.stderr
        assert "would" not in run.stdout
    assert (fingerprint(site.tree / "live"), fingerprint(site.tree / "renewal")) == before
    assert not site.staging.exists()


def test_a_combo_left_from_earlier(site: Site) -> None:
    """Its key must not come to life again when certbot has made another since `deinit`."""
    site.staged()
    site.ok("deinit", MAIL)
    site.lab.certbot("renew", "--force-renewal", "--new-key")
    key = key_digest((site.live / "privkey.pem").read_bytes())
    run = site.danebot("init", MAIL)
    assert run.returncode == 1
    assert "combo.pem is left from earlier and holds another key" in run.stderr
    assert not site.staging.exists()
    (site.live / "combo.pem").unlink()
    run = site.danebot("init", MAIL)
    assert run.returncode == 1
    assert f"CRITICAL: {MAIL}: no TLSA record at {OWNER[:-1]} matches the live key" in run.stderr
    assert key_digest((site.live / "combo.pem").read_bytes()) == key
    assert key_digest((site.live / "privkey.pem").read_bytes()) == key


def test_a_combo_left_with_the_same_key_is_made_anew(site: Site) -> None:
    """Certificates that certbot renewed since `deinit` are what is served after `init`."""
    site.staged()
    site.ok("deinit", MAIL)
    site.lab.certbot("renew", "--force-renewal")
    run = site.danebot("renew")  # passed through: combo.pem is behind the links
    assert (run.returncode, run.stderr.count("WARNING")) == (1, 1)
    assert "combo.pem" in run.stderr
    site.ok("init", MAIL)
    site.sound()
    fullchain = (site.live / "fullchain.pem").read_text()
    assert fullchain.replace("\n\n", "\n") in (site.live / "combo.pem").read_text()
    site.quiet("renew")


@pytest.mark.parametrize("name", ["nextkey.pem", "ready.pem", "unknown-0123456789abcdef.pem"])
def test_deinit_keeps_keys_that_may_be_published(site: Site, name: str) -> None:
    """Also where certbot's configuration was restored by hand meanwhile."""
    site.staged()
    (site.staging / name).write_bytes(new_key())
    before = fingerprint(site.tree)
    for dry in ((), ("--dry-run",)):
        run = site.danebot("deinit", *dry, MAIL)
        assert run.returncode == 1
        assert f"{MAIL}: there are keys that may be published: {name}" in run.stderr
        assert "--drop-keys" in run.stderr
        assert "would" not in run.stdout
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    staged_conf = conf.read_text()
    shutil.copy(f"{conf}.orig", conf)
    assert site.danebot("deinit", MAIL).returncode == 1
    assert (site.staging / name).exists()
    conf.write_text(staged_conf)
    after = fingerprint(site.tree)
    assert {p for p in before if p.endswith(".pem")} <= set(after)
    assert "would be given back" in site.ok("deinit", "--dry-run", "--drop-keys", MAIL)
    assert site.staging.exists()
    site.ok("deinit", "--drop-keys", MAIL)
    site.sound()
    assert not site.staging.exists()


def test_deinit_gives_everything_back(site: Site) -> None:
    """What the operator wrote stays; certbot's configuration is what it was, with the key kept."""
    site.issued()
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    former = conf.read_text()
    site.ok("init", MAIL)
    (site.staging / "dnsnames").write_text("mail.example.test\n")
    said = site.ok("deinit", MAIL)
    assert f"+cert = {site.live}/cert.pem" in said
    assert f"{site.live}/fullchain.pem and {site.live}/privkey.pem" in said
    kept = [line for line in conf.read_text().splitlines() if line != "reuse_key = True"]
    assert sorted(kept) == sorted(former.splitlines())
    assert (site.live / "dane-ee").read_text() == f"1 {OWNER.rstrip('.')}\n"
    assert (site.live / "dnsnames").read_text() == "mail.example.test\n"
    assert re.findall(r"combo\.pem is no longer kept up to date", said)
    assert "not managed by danebot; nothing to do" in site.ok("deinit", MAIL)
    site.ok("init", MAIL)
    assert (site.staging / "dnsnames").read_text() == "mail.example.test\n"
    site.sound()


def test_links_stay_relative_and_live_keeps_its_mode(site: Site) -> None:
    """Staging is no more readable than live, and leads into the archive from where it lies."""
    site.issued()
    site.live.chmod(0o750)
    site.ok("init", MAIL)
    assert site.staging.stat().st_mode & 0o777 == 0o750
    for kind in KINDS:
        assert (site.staging / f"{kind}.pem").resolve() == site.archive / f"{kind}1.pem"
