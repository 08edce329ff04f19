"""Another set of names in the certificate: the key, the two files and what is served follow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from danebot.adapters.tree.tree import Tree
from e2e.site import MAIL, OWNER, Site
from e2e.steps import Gate, combo, memory, start, versions, wait_for
from lab.acme import Flavour
from lab.net import accepts

pytestmark = pytest.mark.lab
MX = "mx2.example.test"
MX_OWNER = "_25._tcp.mx2.example.test."
WWW = "www.example.test"


def _names(site: Site) -> set[str]:
    live = Tree(site.tree).read(MAIL).live
    assert live is not None
    return {str(name) for name in live.chain.names}


def _file(site: Site, name: str) -> list[str]:
    return (site.staging / name).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("flavour", list(Flavour))
def test_names_come_and_go_with_the_same_key(site: Site, flavour: Flavour) -> None:
    """RSA, whose key type certbot's default isn't, with both certbots; then all is quiet."""
    site.flavour = flavour
    record = site.staged("rsa")
    site.lab.tlsa_set(MX_OWNER, record)
    (site.staging / "dnsnames").write_text(f"# wanted\n{MAIL}\n")
    assert site.ok("names", MAIL) == f"{MAIL}\n"
    said = site.ok("names", MAIL, "--add", f"{MX},{WWW}")
    assert f"live has the names: {MAIL} {MX} {WWW}" in said
    assert f"watched from now on: 1 {MX_OWNER[:-1]}" in said
    assert _names(site) == {MAIL, MX, WWW}
    assert _file(site, "dnsnames") == ["# wanted", MAIL, MX, WWW]
    assert _file(site, "dane-ee") == [f"1 {OWNER[:-1]}", f"1 {MX_OWNER[:-1]}"]
    assert f"3 1 1 {combo(site)}" == f"3 1 1 {site.lab.served_spki()}" == record
    assert memory(site)["deployment"]["confirmed_at"] is not None
    site.quiet("renew")
    run = site.danebot("names", MAIL, "--remove", MX)
    assert run.returncode == 0
    assert f"TLSA records of {MX_OWNER[:-1]} are still published" in run.stderr
    assert _names(site) == {MAIL, WWW}
    assert _file(site, "dnsnames") == ["# wanted", MAIL, WWW]
    assert _file(site, "dane-ee") == [f"1 {OWNER[:-1]}"]
    before = _everything(site)
    site.lab.tlsa_set(MX_OWNER, f"3 1 1 {'a' * 64}")  # of the host that has the name now
    for dry in ((), ("--dry-run",)):
        again = site.danebot("names", MAIL, "--remove", MX, *dry)  # done already
        assert (again.returncode, again.stderr) == (0, "")
    assert _everything(site) == before
    left = site.danebot("names", MAIL, "--set", WWW)
    assert left.returncode == 1
    assert f"live has the names: {WWW}" in left.stdout
    assert "no TLSA record is watched" in left.stderr
    site.ok("init", "--no-dane", MAIL)
    assert f"3 1 1 {combo(site)}" == record
    site.quiet("renew")
    site.lab.make_due(MAIL)
    site.quiet("renew")
    assert _names(site) == {WWW}
    site.sound()


@pytest.mark.parametrize("flavour", list(Flavour))
def test_what_was_saved_of_the_lineage_is_kept(site: Site, flavour: Flavour) -> None:
    """certonly doesn't read it: the hooks, the challenge, and what it isn't told."""
    site.flavour = flavour
    site.staged()
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    marks = {name: site.tree.parent / name for name in ("pre", "post", "deploy")}
    saved = "".join(f"{hook}_hook = touch {marks[hook]}\n" for hook in ("pre", "post"))
    saved += f"renew_hook = touch {marks['deploy']}\nallow_subset_of_names = True\n"
    saved += "pref_challs = http-01,\n"
    conf.write_text(conf.read_text().replace("[renewalparams]\n", f"[renewalparams]\n{saved}"))
    before = _saved(site)
    (site.tree / "cli.ini").write_text(
        "".join(
            line
            for line in (site.tree / "cli.ini").read_text().splitlines(keepends=True)
            if line.startswith(("agree", "register", "server"))
        )
    )
    site.ok("names", MAIL, "--add", MX)
    assert all(mark.exists() for mark in marks.values())
    after = _saved(site)
    lost = set(before) - set(after)
    assert lost <= {("renewalparams", "renew_hook")}
    if lost:  # newer certbots give it its new name
        assert f"touch {marks['deploy']}" in after.values()  # held back until a chain is live
    changed = {name for name, value in before.items() if after.get(name, value) != value}
    assert changed <= {("version",)}  # the tree may be of another certbot
    site.quiet("renew")


def test_each_name_keeps_its_webroot(site: Site, tmp_path: Path) -> None:
    """The most usual challenge, answered by a web server that goes on."""
    tmp_path.joinpath("web").mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", "80", "--bind", site.lab.mail, "-d", "web"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: accepts(site.lab.mail, 80))
        web = ("--authenticator", "webroot", "--webroot-path", str(tmp_path / "web"))
        # names that no other test has shown to be ours: else the CA needs no challenge
        one, two, three = (f"webroot{n}.many.example.test" for n in (1, 2, 3))
        site.lab.issue(MAIL, one, two, extra=web)
        site.ok("init", "--no-dane", MAIL)
        site.ok("names", MAIL, "--add", three, "--remove", two)
        assert _names(site) == {one, three}
        saved = Tree(site.tree).conf(MAIL)
        assert saved.parameter("authenticator") == "webroot"
        directories = {e.name: e.value for e in saved.entries if e.section[1:] == ("webroot_map",)}
        assert {name: str(tmp_path / "web") for name in (one, three)}.items() <= directories.items()
        site.lab.make_due(MAIL)
        site.ok("renew")
        assert versions(site) == [1, 2, 3]
    finally:
        server.terminate()
        server.wait(120)


def test_records_that_another_lineage_watches_are_its_own(site: Site) -> None:
    """RSA beside ECDSA: the name leaves one certificate, and the other needs its records."""
    site.lab.issued_tree(MAIL, MAIL, MX)
    site.lab.issue("rsa.example.test", MAIL, MX, key_type="rsa")
    for owner in (OWNER, MX_OWNER):
        for name in (MAIL, "rsa.example.test"):
            live = Tree(site.tree).read(name).live
            assert live is not None
            site.lab.tlsa_add(owner, f"3 1 1 {live.key.digest.hex()}")
    site.attention("init")
    run = site.danebot("names", "rsa.example.test", "--remove", MX, "--dry-run")
    assert f"would no longer watch 1 {MX_OWNER[:-1]}" in run.stdout
    assert (run.returncode, run.stderr) == (0, "")


def test_a_ca_that_refuses_changes_nothing(site: Site) -> None:
    site.lab.issued_tree(MAIL, MAIL, MX)
    site.lab.tlsa_set(OWNER, f"3 1 1 {site.lab.served_spki()}")
    site.ok("init", MAIL)
    (site.staging / "dnsnames").write_text(f"{MAIL}\n{MX}")
    before = _everything(site)
    site.lab.acme_fault("rejectedIdentifier")
    for options in (("--remove", MX), ("--add", WWW), ("--set", WWW)):
        run = site.danebot("names", MAIL, *options)
        assert run.returncode == 1
        assert f"{MAIL}: the names stay as they are: " in run.stderr
        assert "rejectedIdentifier" in run.stderr
        assert _everything(site) == before
    site.quiet("renew")


def _everything(site: Site) -> dict[Path, bytes | str]:
    """The lineage's files and links, but for what danebot remembers."""
    places = (site.staging, site.live, site.archive, site.tree / "renewal")
    paths = [path for place in places for path in place.iterdir() if path.suffix != ".json"]
    return {p: os.readlink(p) if p.is_symlink() else p.read_bytes() for p in paths}


def test_what_cannot_be_meant_is_a_usage_error(site: Site) -> None:
    site.staged()
    before = _everything(site)
    cases = {
        ("--remove", MAIL): "the last one can't be removed",
        ("--add", "a_b.example.test"): "no name that a CA puts into a certificate",
        ("--add", "192.0.2.1"): "is an address",
        ("--add", "mail..example.test"): "is not a DNS name",
        ("--add", "localhost"): "no name that a CA",
        ("--set", WWW, "--add", MX): "use it without --add and --remove",
        ("--add", MX, "--remove", MX): "is to be added and removed",
    }
    for options, words in cases.items():
        for dry in ((), ("--dry-run",)):
            run = site.danebot("names", MAIL, *options, *dry)
            assert (run.returncode, run.stdout) == (2, "")
            assert words in run.stderr
    assert _everything(site) == before


def test_a_lineage_that_is_not_danebots_is_to_be_initialised_first(site: Site) -> None:
    site.issued()
    for options in ((), ("--add", MX)):
        run = site.danebot("names", MAIL, *options)
        assert (run.returncode, run.stdout) == (1, "")
        assert f"run first: danebot init {MAIL}" in run.stderr
    assert "there is no lineage" in site.danebot("names", "nobody").stderr


def test_a_dry_run_says_all_and_changes_nothing(site: Site) -> None:
    record = site.staged()
    site.lab.tlsa_set(MX_OWNER, record)
    (site.staging / "dnsnames").write_text(f"{MAIL}\n")
    before = _everything(site)
    run = site.danebot("names", MAIL, "--set", MX, "--dry-run")
    assert run.returncode == 0
    assert run.stdout.splitlines() == [
        f"{MAIL}: would have certbot issue for: {MX}",
        f"{MAIL}: would no longer watch 1 {OWNER[:-1]}",
        f"{MAIL}: would watch 1 {MX_OWNER[:-1]}",
        f"{MAIL}: would no longer require the name {MAIL}",
        f"{MAIL}: would require the name {MX}",
        "nothing was changed",
    ]
    assert f"TLSA records of {OWNER[:-1]} are still published" in run.stderr
    assert _everything(site) == before


@pytest.mark.parametrize("hook", ["pre_hook", "post_hook"])
def test_killed_before_or_after_issuance(site: Site, hook: str) -> None:
    """The next renew goes on with what there is; the same command, given again, ends it."""
    site.lab.issued_tree(MAIL, MAIL, MX)
    record = f"3 1 1 {site.lab.served_spki()}"
    for owner in (OWNER, MX_OWNER):
        site.lab.tlsa_set(owner, record)
    site.ok("init", MAIL)
    (site.staging / "dnsnames").write_text(f"{MAIL}\n{MX}\n")
    gate = Gate.at(site.tree.parent)
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    words = f"{hook} = test $DANEBOT_EVENT = deployed || {gate.hook}"
    conf.write_text(conf.read_text().replace("[renewalparams]", f"[renewalparams]\n{words}"))
    process = start(site, "names", MAIL, "--remove", MX, "--add", WWW)
    wait_for(gate.reached)
    process.kill()
    process.communicate()
    gate.open()
    wait_for(lambda: not _certbot_runs(site))
    issued = hook == "post_hook"
    assert versions(site) == ([1, 2] if issued else [1])
    run = site.danebot("renew")
    assert run.returncode == 0, run.stderr
    assert _names(site) == ({MAIL, WWW} if issued else {MAIL, MX})
    assert f"3 1 1 {combo(site)}" == f"3 1 1 {site.lab.served_spki()}" == record
    run = site.danebot("names", MAIL, "--remove", MX, "--add", WWW)
    assert run.returncode == 0, run.stderr
    assert _names(site) == {MAIL, WWW}
    assert versions(site) == [1, 2]
    assert _file(site, "dnsnames") == [MAIL, WWW]
    assert _file(site, "dane-ee") == [f"1 {OWNER[:-1]}"]
    site.quiet("renew")
    site.sound()


def _certbot_runs(site: Site) -> bool:
    """Whether a certbot on this tree is at work."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes()
        except OSError:
            continue
        if b"certonly" in words and str(site.tree).encode() in words:
            return True
    return False


def test_a_shrink_is_what_a_held_certificate_may_need(site: Site) -> None:
    """Issued by hand without a required name, it is held; the operator means it, and it is live."""
    site.lab.issued_tree(MAIL, MAIL, MX)
    site.lab.tlsa_set(OWNER, f"3 1 1 {site.lab.served_spki()}")
    site.ok("init", MAIL)
    (site.staging / "dnsnames").write_text(f"{MAIL}\n{MX}\n")
    site.lab.certbot("certonly", "--cert-name", MAIL, "--reuse-key", "-d", MAIL)
    assert "it lacks a required name" in site.danebot("renew").stderr
    assert _names(site) == {MAIL, MX}
    site.ok("names", MAIL, "--remove", MX)
    assert _names(site) == {MAIL}
    assert versions(site) == [1, 2]
    site.quiet("renew")


def _saved(site: Site) -> dict[tuple[str, ...], object]:
    """What certbot's configuration of the lineage holds."""
    return {(*e.section, e.name): e.value for e in Tree(site.tree).conf(MAIL).entries}
