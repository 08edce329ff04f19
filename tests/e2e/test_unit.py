"""The daily job as danebot.service runs it: what works by hand must work at 04:17.

certbot's credentials are in /root, as its documentation has them, a webroot is in /home, and so is
what a hook copies to, by a key that it finds below ``~``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from danebot.adapters.tree.tree import Tree
from e2e.site import INSTALLED, Site
from e2e.steps import wait_for
from lab.acme import PROJECT
from lab.net import LabError, accepts
from lab.unit import command, confined

pytestmark = pytest.mark.lab
SERVICE = (PROJECT / "systemd/danebot.service").read_text(encoding="utf-8")
BY_DNS, BY_WEB = "unit-dns.many.example.test", "unit-web.many.example.test"
AUTH = """\
#!/bin/sh
# Stands for certbot's plugins, which look for their credentials in such a place.
name=_acme-challenge.$CERTBOT_DOMAIN
printf 'server {ns1}\\nzone example.test.\\nupdate add %s. 1 TXT %s\\nsend\\n' \\
    "$name" "$CERTBOT_VALIDATION" | knsupdate -y "$(cat {home}/credentials)"
left=600
for server in {ns1} {ns2}; do
    until kdig "@$server" +short "$name" TXT | grep -qe "$CERTBOT_VALIDATION" ||
        test $((left -= 1)) = 0; do sleep 0.1; done
done
sleep 1.1  # what the resolver may hold of a time before
"""


@pytest.fixture
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".danebot-test.", dir="/root") as directory:
        yield Path(directory)


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="danebot-test.", dir="/home") as directory:
        yield Path(directory)


@pytest.fixture
def due(site: Site, root: Path, home: Path) -> Iterator[Site]:
    """Two lineages that are due, and whose names the CA wants to see proven anew."""
    lab = site.lab
    shutil.copy(lab.tsig_file, root / "credentials")
    auth = root / "auth"
    auth.write_text(AUTH.format(ns1=lab.ns1, ns2=lab.ns2, home=root))
    auth.chmod(0o700)
    argv = [sys.executable, "-m", "http.server", "80", "--bind", lab.mail, "-d", str(home)]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: accepts(lab.mail, 80))
        settings = site.tree / "cli.ini"  # else its authenticator would go before a lineage's own
        settings.write_text(settings.read_text().replace("authenticator = standalone\n", ""))
        dns = f"--manual --preferred-challenges dns --manual-auth-hook {auth}"
        lab.issue(BY_DNS, extra=dns.split())
        lab.issue(BY_WEB, extra=("--webroot", "--webroot-path", str(home)))
        site.ok("init", "--no-dane", BY_DNS, BY_WEB)
        _new_account(site)
        yield site
    finally:
        server.terminate()
        server.wait(120)
        lab.update(f"update delete _acme-challenge.{BY_DNS}. TXT")


def _new_account(site: Site) -> None:
    """Have an account to which the CA hasn't shown any name to belong yet."""
    shutil.rmtree(site.tree / "accounts")
    for name in (BY_DNS, BY_WEB):
        conf = site.tree / "renewal" / f"{name}.conf"
        lines = conf.read_text().splitlines(keepends=True)
        conf.write_text("".join(line for line in lines if not line.startswith("account = ")))
        site.lab.make_due(name)


def _run(site: Site, unit: str) -> subprocess.CompletedProcess[str]:
    """The unit's command as the unit runs it; the lab and the interpreter stay where they are."""
    site.python = INSTALLED
    argv = site.command(*command(unit)[1:])
    return subprocess.run(
        confined(unit, argv, (site.lab.root, sys.base_prefix, PROJECT)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_works_by_hand_works_in_the_unit(due: Site, root: Path, home: Path) -> None:
    (root / "key").write_text("copy")
    name = f'"$(cat ~/{root.name}/key)-$(basename "$RENEWED_LINEAGE")"'
    due.extra = f"""hooks = ['cp "$RENEWED_LINEAGE/combo.pem" {home}/{name}']"""
    run = _run(due, SERVICE)
    assert (run.returncode, run.stdout) == (0, ""), run.stderr
    for lineage in (BY_DNS, BY_WEB):
        live = due.tree / "live" / lineage / "combo.pem"
        assert Tree(due.tree).read(lineage).live.version == 2  # type: ignore[union-attr]
        assert (home / f"copy-{lineage}").read_bytes() == live.read_bytes()


def test_what_a_unit_hides_is_missed(root: Path, home: Path) -> None:
    """So the other test can tell."""
    (root / "key").write_text("key")
    words = ["/bin/sh", "-c", f"cat ~/{root.name}/key && touch {home}/new"]
    hidden = f"{SERVICE}ProtectHome=true\n"
    assert subprocess.run(confined(hidden, words, ()), check=False).returncode != 0
    assert subprocess.run(confined(SERVICE, words, ()), check=False).returncode == 0
    with pytest.raises(LabError, match="NoNewPrivileges=true: say in"):
        confined(f"{SERVICE}NoNewPrivileges=true\n", words, ())
