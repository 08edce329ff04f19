"""danebot and certbot's own hooks and settings, with each certbot: neither spoils the other's."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.site import MAIL, Site
from lab.acme import Flavour

pytestmark = pytest.mark.lab

OTHER = "www.example.test"


def _copies(site: Site, name: str) -> Path:
    """Where a hook copies chains to, and notes for which directory it was run."""
    return site.tree.parent / name


def _copying(site: Site, name: str) -> str:
    to = _copies(site, name)
    return f"cp -L $RENEWED_LINEAGE/fullchain.pem {to}; echo $RENEWED_LINEAGE >>{to}.log"


def _directory_hook(site: Site, name: str) -> Path:
    path = site.tree / "renewal-hooks/deploy" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{_copying(site, name)}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def chattr() -> Iterator[Callable[[Path], None]]:
    """What makes a file immutable, until the test ends."""
    fixed: list[Path] = []

    def fix(path: Path) -> None:
        done = subprocess.run(["chattr", "+i", path], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this file system has no immutable files: {done.stderr}")
        fixed.append(path)

    yield fix
    for path in fixed:
        subprocess.run(["chattr", "-i", path], check=True)


def _runs(site: Site, name: str) -> list[str]:
    log = _copies(site, f"{name}.log")
    return log.read_text().split() if log.exists() else []


def _conf(site: Site, name: str = MAIL) -> Path:
    return site.tree / "renewal" / f"{name}.conf"


def _prepared(site: Site, flavour: Flavour) -> None:
    """Two lineages, of which one is danebot's."""
    site.flavour = flavour
    site.issued()
    site.lab.issue(OTHER, combo=False)
    site.ok("init", MAIL)


def _not_due(site: Site, *names: str) -> None:
    for conf in (_conf(site, name) for name in names):
        conf.write_text(conf.read_text().replace("renew_before_expiry = 3650 days\n", ""))


@pytest.mark.parametrize("flavour", Flavour)
@pytest.mark.parametrize("place", ["conf", "cli.ini", "immutable"])
def test_no_deploy_hook_runs_before_its_chain_is_live(
    site: Site, flavour: Flavour, place: str, request: pytest.FixtureRequest
) -> None:
    """Whatever gave it to certbot: a chain that the gate refuses isn't spread by anybody."""
    _prepared(site, flavour)
    hook = _directory_hook(site, "directory")
    ini = site.tree / "cli.ini"
    saved = _copying(site, "saved")
    if place != "cli.ini":
        _conf(site).write_text(_conf(site).read_text() + f"renew_hook = {saved}\n")
    if place == "immutable":
        request.getfixturevalue("chattr")(hook)
    if place == "cli.ini":
        ini.write_text(f"{ini.read_text()}disable-hook-validation = true\ndeploy-hook = {saved}\n")
    original = hook.read_text()
    (site.staging / "dnsnames").write_text("elsewhere.example.test\n")
    site.lab.make_due(MAIL)
    site.lab.make_due(OTHER)
    run = site.danebot("renew")
    assert "version 2 was issued but is not deployed" in run.stderr
    theirs = [f"{site.tree}/live/{OTHER}"]
    assert _runs(site, "directory") == theirs
    assert _runs(site, "saved") == (theirs if place == "cli.ini" else [])

    (site.staging / "dnsnames").unlink()
    _not_due(site, MAIL, OTHER)
    site.ok("renew")
    for name in ("directory", "saved"):
        assert _runs(site, name)[-1] == str(site.live)
        assert _copies(site, name).read_bytes() == (site.live / "fullchain.pem").read_bytes()
    before = [len(_runs(site, name)) for name in ("directory", "saved")]

    site.ok("deinit", MAIL)
    assert hook.read_text() == original
    assert list((site.tree / "renewal-hooks").rglob("*danebot*")) == []
    site.lab.certbot("renew", "--force-renewal", "--cert-name", MAIL, flavour=flavour)
    assert [len(_runs(site, name)) for name in ("directory", "saved")] == [n + 1 for n in before]


@pytest.mark.parametrize("flavour", Flavour)
def test_another_key_in_cli_ini_stops_no_renewal(site: Site, flavour: Flavour) -> None:
    """Each lineage keeps its key, whatever type and size the others have."""
    _prepared(site, flavour)
    rsa = "rsa"
    site.lab.issue(rsa, OTHER, key_type="rsa", combo=False, extra=("--rsa-key-size", "2048"))
    site.ok("init", "--no-dane", rsa)
    before = site.lab.served_spki()
    ini = site.tree / "cli.ini"
    lines = "key-type = rsa\nrsa-key-size = 4096\nelliptic-curve = secp384r1\n"
    ini.write_text(ini.read_text() + lines)
    for name in (MAIL, rsa):
        site.lab.make_due(name)
    site.quiet("renew")
    for name in (MAIL, rsa):
        assert (site.tree / f"archive/{name}/cert2.pem").exists(), name
    assert site.lab.served_spki() == before
